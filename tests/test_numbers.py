"""Nothing is lost silently: a server that numbers what it sends, and whatever may happen to it.

hypothesis draws what happens: frames, frames that cannot be decoded, frames of another device,
outages of the gateway, cuts between and within frames by FIN and by RST, close frames, stalls,
refusals, and a consumer that stops now and then, with each kind of buffer and both ways to receive.
Then

* every number was handed over at most once, and in order;
* between two that are not neighbours stands a Gap, or all that is missing is told as a bad frame or
  counted as filtered, and all sums are exact;
* no Gap begins before the last data in front of it was sent, none ends after the first frame
  behind it came, and none covers more than ``BOUND`` seconds in which the server was delivering
  (docs/design.rst, 'What a Gap covers').

The examples are always the same ones; ``PLEXUS_SYNC_EXAMPLES=1000`` draws so many new ones.
"""

from __future__ import annotations

import os
import re
import threading
import time

import pytest
from helpers import PATIENCE, point, telemetry, text
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rawserver import (
    PING,
    PONG,
    TEXT,
    RawServer,
    close_frame,
    frame,
    hold,
    read_frame,
    read_head,
    reset,
    upgrade,
)

from plexus_sync import (
    Buffer,
    FrameError,
    Gap,
    GatewayReconnectingFrame,
    MetricsStream,
    Reconnect,
    Subscription,
)

EXAMPLES = os.environ.get("PLEXUS_SYNC_EXAMPLES")
PINGS = {"ping_interval": 0.03, "ping_timeout": 0.1}  # seconds; the time that a stall costs a test
LONGEST_WAIT = 0.01  # seconds; the maximum of the backoff
# What a Gap may cover beyond the outage: docs/design.rst. A second is what it may take at most to
# come to count as open; here frames come at once, so it is there for connecting and slow machines.
BOUND = PINGS["ping_interval"] + LONGEST_WAIT + 1.0

DATA, NOTICE, BAD, FOREIGN, LOST, END = "data", "notice", "bad", "foreign", "lost", "end"
WHOLE = (DATA, NOTICE, BAD, FOREIGN, END)


def wire(kind, number):
    """Return the text of a numbered frame."""
    if kind == NOTICE:
        return text({"type": "gateway_reconnecting", "attempt": number, "delay_s": 0.1})
    if kind == BAD:
        return b'{"number %d' % number
    return telemetry(point(number, source_id="robot-02" if kind == FOREIGN else "robot-01"))


class Server:
    """Does what a schedule says, and writes down what it sent when, and when it was not able to."""

    def __init__(self, schedule):
        self._schedule = iter(schedule)
        self._changed = threading.Condition()
        self._steps = 0
        self._waits = self._over = False  # for the client; the schedule
        self._dark_since = self._away_since = None
        self.kinds = []  # of each number
        self.sent_at = []
        self.unsure = 0  # how many of them a reset may have taken with it
        self.unplanned = 0  # losses that were not the server's will
        self.outages = []
        self.drained = None  # whether the client has handed over all that came

    def behave(self, sock):
        """Serve one connection."""
        happening = next(self._schedule, None)
        if happening in ("reset", "503"):
            self._refuse(sock, happening)
            return
        upgrade(sock)
        read_frame(sock)  # auth
        before = len(self.kinds)
        self._note(waits=False)
        try:
            if happening is None:
                self._note(over=True)
                self._last(sock)
                return
            steps, end = happening
            for step in steps:
                getattr(self, "_" + step[0])(sock, *step[1:])
                self._note()
            getattr(self, "_" + end[0])(sock, *end[1:])
        except (OSError, EOFError):
            self.unplanned += 1
            self._cut()
        if happening is None or happening[1][0] == "rst" or self.unplanned:
            self.unsure += sum(kind in WHOLE for kind in self.kinds[before:])

    def wait_for_steps(self, count, or_waits):
        """Wait until the server has gone so many steps further, or has nothing more to do."""
        with self._changed:
            target = self._steps + count
            assert self._changed.wait_for(
                lambda: self._steps >= target or self._over or (or_waits and self._waits), PATIENCE
            )

    def _note(self, waits=None, over=None):
        with self._changed:
            self._steps += 1
            self._waits = self._waits if waits is None else waits
            self._over = self._over if over is None else over
            self._changed.notify_all()

    def _number(self, kind):
        """Return the next frame, on the wire; one that is lost has a number too."""
        now = time.time()
        if kind in WHOLE and self._away_since is not None:
            self.outages.append((self._away_since, now))
            self._away_since = None
        if kind in (DATA, END) and self._dark_since is not None:
            self.outages.append((self._dark_since, now))
            self._dark_since = None
        if kind == NOTICE and self._dark_since is None:
            self._dark_since = now
        self.kinds.append(kind)
        self.sent_at.append(now)
        return frame(TEXT, wire(kind, len(self.kinds) - 1))

    def _cut(self, lost=0):
        """Be away from now on, and lose some."""
        if self._away_since is None:
            self._away_since = time.time() if self._dark_since is None else self._dark_since
        self._dark_since = None
        for _ in range(lost):
            self._number(LOST)

    # What may happen within a connection.

    def _send(self, sock, kind, count=1):
        sock.sendall(b"".join([self._number(kind) for _ in range(count)]))

    def _outage(self, sock, lost):
        sock.sendall(self._number(NOTICE))
        for _ in range(lost):
            self._number(LOST)

    def _quiet(self, sock):
        self._note(waits=True)
        self._pong(sock)
        self._note(waits=False)

    def _pong(self, sock):
        opcode, payload = read_frame(sock)
        if opcode != PING:
            raise EOFError
        sock.sendall(frame(PONG, payload))

    # How it may end.

    def _fin(self, sock, lost, torn):
        if torn:
            whole = self._number(LOST)
            sock.sendall(whole[: len(whole) // 2])
        self._cut(lost)
        sock.shutdown(1)
        self._leave(sock)

    def _rst(self, sock, lost, torn):
        if torn:
            whole = self._number(LOST)
            sock.sendall(whole[: len(whole) // 2])
        self._cut(lost)
        self._note(waits=True)
        reset(sock)

    def _close(self, sock, lost, code):
        sock.sendall(close_frame(code))
        self._cut(lost)
        self._leave(sock)

    def _stall(self, sock, lost):
        self._cut(lost)
        self._leave(sock)

    def _leave(self, sock):
        self._note(waits=True)
        try:
            hold(sock)
        except OSError:
            pass  # the client has closed with a pong unread

    def _refuse(self, sock, how):
        if how == "503":
            read_head(sock)
            sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        else:
            reset(sock)

    def _last(self, sock):
        while True:
            self._pong(sock)
            if END not in self.kinds[-1:] and self.drained():
                self._send(sock, END)


counts = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("send"), st.just(DATA), st.integers(1, 12)),
    st.tuples(st.just("send"), st.just(DATA), st.integers(1, 3)),
    st.tuples(st.just("send"), st.sampled_from([BAD, FOREIGN]), st.integers(1, 3)),
    st.tuples(st.just("outage"), counts),
    st.tuples(st.just("quiet")),
)
ends = st.one_of(
    st.tuples(st.sampled_from(["fin", "rst"]), counts, st.booleans()),
    st.tuples(st.just("close"), counts, st.sampled_from([1000, 1011, 1012])),
    st.tuples(st.just("stall"), counts),
)
connections = st.tuples(st.lists(steps, max_size=8), ends)
schedules = st.lists(
    st.one_of(connections, connections, st.sampled_from(["reset", "503"])), max_size=5
)
buffers = st.builds(
    Buffer, st.integers(1, 8), st.sampled_from(["drop_oldest", "drop_newest", "block"])
)
pauses = st.dictionaries(st.integers(1, 40), st.integers(1, 12), max_size=6)

SENT = ("send", DATA, 5)
ENDS = [
    ([SENT, ("quiet",), SENT], end)
    for end in [("fin", 2, True), ("rst", 0, True), ("close", 1, 1011), ("stall", 2)]
]
OUTAGES = [
    ([("outage", 0), ("quiet",), ("outage", 1)], ("stall", 1)),
    ([("outage", 2), ("send", BAD, 1), ("outage", 0)], ("fin", 1, False)),
    ([SENT, ("outage", 2), SENT, ("send", FOREIGN, 2), SENT], ("fin", 1, False)),
]


@example([], Buffer(1), {}, "run")
@example(ENDS, Buffer(2), {1: 9, 4: 9}, "queue")
@example([*ENDS, "503", "reset"], Buffer(3, "drop_newest"), {1: 3, 2: 3, 3: 30}, "run")
@example(OUTAGES, Buffer(20), {}, "queue")
@example(OUTAGES, Buffer(1), {}, "run")
@example(OUTAGES, Buffer(4, "block"), {2: 5}, "run")
@settings(
    max_examples=int(EXAMPLES or 25), derandomize=EXAMPLES is None, deadline=None, database=None
)
@given(schedules, buffers, pauses, st.sampled_from(["run", "queue"]))
def test_every_number_is_accounted_for(schedule, buffer, pauses, way):
    """Whatever happens, in whatever order: in order, once, and what is missing is told."""
    live_through(schedule, buffer, pauses, way)


@pytest.mark.parametrize("way", ["run", "queue"])
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block"])
def test_the_same_where_threads_take_turns_at_every_instruction(overflow, way, impatient):
    """Reader and consumer change places as often as the interpreter can."""
    many = [([("send", DATA, 300), ("send", BAD, 3), ("send", DATA, 300)], ("fin", 1, True))] * 3
    live_through([*many, *ENDS, *OUTAGES], Buffer(50, overflow), {10: 3}, way)


def live_through(schedule, buffer, pauses, way):
    """Let a subscription live through a schedule, and check all that it handed over."""
    server = Server(schedule)
    things, told, pauses_taken = [], [], []
    with RawServer(server.behave) as raw:
        sub = Subscription(
            MetricsStream("robot-01", buffer=buffer),
            base_url=f"ws://127.0.0.1:{raw.port}",
            api_key="plx_test",
            reconnect=Reconnect(initial=LONGEST_WAIT / 10, maximum=LONGEST_WAIT),
            **PINGS,
        )
        server.drained = lambda: all(figures.buffered == 0 for figures in sub.status().values())

        def hand_over(thing):
            things.append(thing)
            if number_of(thing) is not None and server.kinds[number_of(thing)] == END:
                sub.close()
            elif len(things) in pauses:
                began = time.time()
                server.wait_for_steps(pauses[len(things)], buffer.overflow == "block")
                pauses_taken.append((began, time.time()))

        sub.on_error(told.append)
        if way == "run":
            sub.on_frame(hand_over)
            sub.run(PATIENCE)
        else:
            for thing in sub:
                hand_over(thing)
        (status,) = sub.status().values()
    assert status.state.value == "ended"
    assert server.kinds[number_of(things[-1])] == END
    bad = bad_numbers(told)
    check_order(things, server.kinds, bad, status.filtered)
    check_sums(things, bad, status, server, len(schedule))
    blocked = pauses_taken if buffer.overflow == "block" else []
    check_times(things, server, [*server.outages, *blocked])


def number_of(thing):
    """Return the number of a frame; None for a Gap."""
    if isinstance(thing, Gap):
        return None
    if isinstance(thing, GatewayReconnectingFrame):
        return thing.attempt
    (only,) = thing.points
    return only.value


def bad_numbers(told):
    """Return the numbers of the frames that were told as bad ones."""
    errors = [str(error) for error in told if isinstance(error, FrameError)]
    return [int(re.search(r'"number (\d+)', error).group(1)) for error in errors]


def check_order(things, kinds, bad, filtered):
    """Assert that numbers rise, and that nothing is missing where no Gap stands.

    In an outage the Gap stands before the data that ends it, so notices may follow each other
    without one.
    """
    last, gap, dark, foreign = None, False, False, 0
    for thing in things:
        number = number_of(thing)
        if number is None:
            gap, dark = True, dark and thing.reason == "overflow"
            continue
        assert last is None or number > last
        if last is not None and not gap:
            missing = range(last + 1, number)
            allowed = {BAD, FOREIGN, LOST} if dark else {BAD, FOREIGN}
            assert {kinds[each] for each in missing} <= allowed, (last, number)
            assert {each for each in missing if kinds[each] == BAD} <= set(bad)
            foreign += sum(kinds[each] == FOREIGN for each in missing)
        is_notice = kinds[number] == NOTICE
        assert is_notice or not dark, "data after an outage without its Gap"
        last, gap, dark = number, False, is_notice
    assert bad == sorted(set(bad))
    assert all(kinds[number] == BAD for number in bad)
    assert foreign <= filtered <= kinds.count(FOREIGN)


def check_sums(things, bad, status, server, planned):
    """Assert that the figures are those of what was sent, and of what was told."""
    gaps = [thing for thing in things if isinstance(thing, Gap)]
    assert status.delivered == len(things) - len(gaps)
    assert status.gaps == len(gaps)
    assert status.dropped == sum(gap.dropped for gap in gaps)
    assert status.bad == len(bad)
    assert (status.buffered, status.discarded) == (0, 0)
    assert status.received == status.delivered + status.dropped + status.filtered + status.bad
    sent = sum(kind in WHOLE for kind in server.kinds)
    assert sent - server.unsure <= status.received <= sent
    if not server.unplanned:
        assert status.attempts == planned + 1


def check_times(things, server, outages):
    """Assert that each Gap stands between what was sent before and came behind, and no longer."""
    before = -1
    for index, gap in enumerate(things):
        if not isinstance(gap, Gap):
            if not isinstance(gap, GatewayReconnectingFrame):  # an outage's Gap covers its notices
                before = number_of(gap)
            continue
        behind = next(thing for thing in things[index:] if not isinstance(thing, Gap))
        assert gap.started_at <= gap.ended_at <= behind.received_at
        assert before < 0 or server.sent_at[before] <= gap.started_at
        known = list(outages)
        if gap.dropped:  # the time in which what was dropped came is no outage, but accounted for
            known.append((server.sent_at[before + 1], behind.received_at))
        assert beyond(gap.started_at, gap.ended_at, known) <= BOUND


def beyond(start, end, known):
    """Return how many seconds between start and end are in none of the known intervals."""
    seconds = 0.0
    for first, last in sorted(known):
        if first > start:
            seconds += min(first, end) - start
        start = max(start, last)
        if start >= end:
            return seconds
    return seconds + end - start
