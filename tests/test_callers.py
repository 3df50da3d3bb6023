"""Callers who do what they should not, or all at once: nothing hangs, nothing is lost silently."""

from __future__ import annotations

import contextlib
import signal
import threading

import pytest
from helpers import PATIENCE, InThread, point, telemetry
from rawserver import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawServer,
    close_frame,
    frame,
    hold,
    read_frame,
    read_head,
    upgrade,
)
from test_numbers import number_of
from test_subscription import EVENT, LOGS, METRICS, VIDEO, Calls

from plexus_sync import Buffer, Gap, MetricsStream, Reconnect, State, Subscription

PINGS = 5
PLACES = 5
SENT = 50
TAKEN = 5000


def numbered(first, end):
    """Return telemetry frames with these numbers, as they come on the wire."""
    return b"".join(frame(TEXT, telemetry(point(number))) for number in range(first, end))


def watching(server, *streams, **settings):
    """Return a subscription to a raw server."""
    settings.setdefault("reconnect", Reconnect(initial=0.001, maximum=0.001))
    url = f"ws://127.0.0.1:{server.port}"
    return Subscription(*streams, base_url=url, api_key="plx_test", **settings)


@pytest.mark.parametrize(
    ("overflow", "kept"), [("drop_oldest", range(46, 51)), ("drop_newest", range(1, 6))]
)
def test_a_callback_that_does_not_return(overflow, kept):
    """The connection lives, pings go both ways; the buffer is bounded, one Gap tells the rest."""
    calls = Calls()
    entered, go_on = threading.Event(), threading.Event()

    def behave(sock):
        upgrade(sock)
        read_frame(sock)
        sock.sendall(numbered(0, 1))
        assert entered.wait(PATIENCE)
        sock.sendall(numbered(1, SENT + 1))
        ours = theirs = 0
        sock.sendall(frame(PING, b"0"))
        while True:
            try:
                opcode, payload = read_frame(sock)
            except EOFError:  # closed while it answered, with no way out for a close frame
                return
            if opcode == PING:  # the client goes on asking, as it is answered
                ours += 1
                sock.sendall(frame(PONG, payload))
            elif opcode == CLOSE:
                return
            else:  # and answers
                assert (opcode, payload) == (PONG, b"%d" % theirs)
                theirs += 1
                sock.sendall(frame(PING, b"%d" % theirs))
            if min(ours, theirs) >= PINGS:
                server.ready.set()

    with RawServer(behave) as server:
        stream = MetricsStream("robot-01", buffer=Buffer(PLACES, overflow))
        sub = watching(server, stream, ping_interval=0.02, ping_timeout=PATIENCE)

        @sub.on_frame
        def hang(thing):
            entered.set()
            assert go_on.wait(PATIENCE)
            calls(thing)

        with sub:
            server.wait()  # the callback hangs all the time
            status = sub.status()[stream]
            assert (status.state, status.attempts, status.delivered) == (State.OPEN, 1, 1)
            assert (status.buffered, status.dropped) == (PLACES, SENT - PLACES)
            go_on.set()
            things = [calls.next() for _ in range(PLACES + 2)]
        assert calls.none()
    gaps = [thing for thing in things if isinstance(thing, Gap)]
    assert [(gap.reason, gap.dropped) for gap in gaps] == [("overflow", SENT - PLACES)]
    assert things.index(gaps[0]) == (1 if overflow == "drop_oldest" else PLACES + 1)
    assert [number_of(thing) for thing in things if thing not in gaps] == [0, *kept]


def test_a_callback_may_add_and_remove(simulator, subscribe):
    """Other streams and its own, whose frames that wait are then discarded."""
    sub = subscribe(LOGS)
    points = Calls()
    sub.on_event(lambda event: sub.add(METRICS))

    @sub.on_telemetry
    def enough(point):
        points(point)
        sub.remove(METRICS)
        sub.remove(LOGS)
        sub.add(VIDEO)

    pictures = Calls()
    sub.on_init(pictures)
    with sub:
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "logs", EVENT)
        simulator.wait_for_connections(2)
        simulator.publish("robot-01", "metrics", {"type": "telemetry", "points": []})
        simulator.publish("robot-01", "metrics", {"type": "telemetry", "points": []})
        pictures.next()
        points.next()
        simulator.wait_for_connections(1)
        assert set(sub.status()) == {VIDEO}
        assert points.none()


@pytest.mark.parametrize("way", ["queue", "run", "background"])
def test_a_callback_may_run_another_subscription(simulator, subscribe, way):
    """It has threads of its own, and waits for none of those that call it."""
    sub = subscribe(VIDEO)
    frames = Calls()

    @sub.on_init
    def another(frame):
        other = subscribe(VIDEO)
        if way == "queue":
            with other:
                frames(other.get(PATIENCE))
            return
        heard = threading.Event()

        @other.on_init
        def hear(frame):
            heard.set()
            frames(frame)
            if way == "run":
                other.close()

        if way == "run":
            other.run(PATIENCE)
        else:
            with other:
                assert heard.wait(PATIENCE)

    with sub:
        frames.next()
        assert simulator.wait_for_connections(1)
        assert sub.status()[VIDEO].state is State.OPEN


# close() from every state. For each: what the server does, and the policy.


def says_nothing(sock):
    """Take the connection, and no more."""
    hold(sock)


def takes_the_key(sock):
    """Leave the client in doubt for a second."""
    upgrade(sock)
    hold(sock)


def delivers(sock):
    """Send data and stay."""
    upgrade(sock)
    read_frame(sock)
    sock.sendall(numbered(0, 1))
    hold(sock)


def asks_for_patience(sock):
    """Be busy for five minutes."""
    read_head(sock)
    sock.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n")


def closes(code):
    """Return a server that closes with a code."""

    def behave(sock):
        upgrade(sock)
        read_frame(sock)
        sock.sendall(close_frame(code))
        hold(sock)

    return behave


SERVERS = {
    State.IDLE: delivers,
    State.CONNECTING: says_nothing,
    State.AUTHENTICATING: takes_the_key,
    State.OPEN: delivers,
    State.WAITING: asks_for_patience,
    State.ENDED: closes(1000),
    State.FAILED: closes(4402),
}


@contextlib.contextmanager
def reaching(state, way):
    """Give a subscription whose only stream has come to a state."""
    with RawServer(SERVERS[state]) as server:
        sub = watching(server, METRICS, reconnect=Reconnect(on_code={1000: "end"}))
        if way == "callbacks":
            sub.on_frame(lambda frame: None)
        if state is not State.IDLE:
            sub.start()
            settled = sub._inbox.wait_until(
                lambda: sub.status()[METRICS].state is state, sub._deadline(PATIENCE)
            )
            assert settled, sub.status()
        yield sub


@pytest.mark.parametrize("way", ["callbacks", "queue"])
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_close_from_every_state_by_several_threads(state, way):
    """All of them return True, and the stream has ended, or failed as before."""
    with reaching(state, way) as sub:
        everybody = threading.Barrier(5)

        def close():
            everybody.wait(PATIENCE)
            return sub.close(PATIENCE)

        closers = [InThread(close) for _ in range(4)]
        everybody.wait(PATIENCE)
        assert [closer.result() for closer in closers] == [True] * 4
        expected = State.FAILED if state is State.FAILED else State.ENDED
        assert sub.status()[METRICS].state is expected
        assert not [t for t in threading.enumerate() if t.name.startswith("plexus-sync")]


@pytest.mark.parametrize("way", ["callbacks", "queue"])
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_close_from_every_state_by_a_signal_handler(state, way):
    """On top of whatever its thread is doing, wait() among it, and again beside other threads."""
    closed = []
    previous = signal.signal(signal.SIGUSR1, lambda *args: closed.append(sub.close(PATIENCE)))
    main = threading.main_thread().ident
    try:
        with reaching(state, way) as sub:
            signaller = InThread(signal.pthread_kill, main, signal.SIGUSR1)
            if state not in (State.IDLE, State.FAILED):
                assert sub.wait(PATIENCE) is True
            signaller.result()
            signal.raise_signal(signal.SIGUSR1)
            assert len(closed) == 2
            assert set(closed) == {True}
            expected = State.FAILED if state is State.FAILED else State.ENDED
            assert sub.close()
            assert sub.status()[METRICS].state is expected
    finally:
        signal.signal(signal.SIGUSR1, previous)


# Threads that take turns at every instruction.


def deliver(count):
    """Return a server that sends so many numbers, and then stays."""

    def behave(sock):
        try:
            upgrade(sock)
            read_frame(sock)
        except (EOFError, UnicodeDecodeError):
            return  # the client has left on its way; its close frame is no text
        for first in range(0, count, 10):
            sock.sendall(numbered(first, first + 10))
        hold(sock)

    return behave


def test_no_frame_is_lost_among_many_takers(impatient):
    """Three threads in get() share 5,000 frames of a blocking buffer: each number goes to one."""
    stream = MetricsStream("robot-01", buffer=Buffer(3, "block"))
    with RawServer(deliver(TAKEN)) as server:
        sub = watching(server, stream)
        left = list(range(TAKEN))

        def take():
            numbers = []
            for thing in sub:
                numbers.append(number_of(thing))
                left.pop()
                if not left:
                    sub.close()
            return numbers

        sub.start()
        shares = [taker.result() for taker in [InThread(take) for _ in range(3)]]
    assert all(share == sorted(share) for share in shares)
    assert sorted(number for share in shares for number in share) == list(range(TAKEN))


def test_no_deadlock_among_many_callers(impatient):
    """Callbacks, add, remove, status, wait and at last close, all at once, come to an end."""
    with RawServer(deliver(100)) as server:
        sub = watching(server, METRICS)
        handed = Calls()
        sub.on_frame(lambda frame: handed(sub.status()))
        sub.on_state(lambda change: sub.off(print))

        def come_and_go(number):
            stream = MetricsStream(f"robot-{number}")
            for _ in range(20):
                sub.add(stream)
                sub.remove(stream)

        def look():
            for _ in range(50):
                assert METRICS in sub.status()
                assert not sub.wait(0)

        with sub:
            handed.next()
            callers = [InThread(come_and_go, number) for number in range(3)] + [InThread(look)]
            for caller in callers:
                caller.result()
            closers = [InThread(sub.close, PATIENCE) for _ in range(3)]
            assert [closer.result() for closer in closers] == [True] * 3
