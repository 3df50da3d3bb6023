"""Where readers and the dispatcher meet: lanes, their accounting, wake-ups."""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from queue import Empty

import pytest
from helpers import PATIENCE, FakeClock, InThread, handed_over, picture, point, take, telemetry

from plexus_sync import (
    Buffer,
    ConnectionLost,
    Gap,
    LogsStream,
    MetricsStream,
    State,
    StateChange,
    VideoStream,
)
from plexus_sync import inbox as module
from plexus_sync.deadline import Deadline
from plexus_sync.inbox import MAX_NOTICES, PAUSE, Inbox, Lane, LaneFull
from plexus_sync.wire import parse

STREAM = MetricsStream("robot-01")
GAP = Gap(STREAM, 1.0, 2.0, "connection")
CHANGE = StateChange(STREAM, State.IDLE, State.CONNECTING)


@pytest.fixture
def inbox():
    """Return an empty inbox."""
    return Inbox()


@pytest.fixture
def make(inbox):
    """Return a function that makes a lane for a buffer."""

    def make(size, overflow="drop_oldest", cls=MetricsStream, **limits):
        return Lane(cls("robot-01", buffer=Buffer(size, overflow, **limits)), inbox, False)

    return make


def entries(*numbers, size=1):
    """Return frames that came at these times."""
    return [(b"x" * size, float(number), None, None) for number in numbers]


def take_all(lane):
    """Take everything that waits; return the times of the frames and the Gaps."""
    items = [item for taken in iter(lambda: take(lane), ()) for item in taken]
    return [item if isinstance(item, Gap) else int(item[1]) for item in items]


def take_some(lane, count):
    """Take so many frames; return their times."""
    return [int(entry[1]) for _ in range(count) for entry in take(lane)]


def figures(lane):
    """Return those figures of a lane that are not 0, and check that they add up."""
    found = lane.figures()
    parts = ("delivered", "dropped", "filtered", "bad", "discarded", "buffered")
    assert found["received"] == sum(found[name] for name in parts)
    assert min(found[name] for name in parts) >= 0
    return {name: value for name, value in found.items() if value}


def ready(inbox):
    """Return the lanes that stand ready, None for a wake."""
    found = []
    while True:
        try:
            found.append(inbox.next_lane(0))
        except Empty:
            return found


# The inbox.


def test_nothing(inbox):
    """In a new inbox nothing waits, and who asks is told when the time is up."""
    assert not inbox.notices
    assert not inbox.live
    with pytest.raises(Empty):
        inbox.next_lane(0)


def test_notices(inbox):
    """They stay in order, and wake the dispatcher."""
    error = ConnectionLost("reset")
    inbox.tell(CHANGE)
    inbox.tell(error)
    assert list(inbox.notices) == [CHANGE, error]
    assert ready(inbox) == [None]


def test_notices_are_bounded(inbox):
    """Where nobody takes them the oldest go."""
    for number in range(MAX_NOTICES + 1):
        inbox.notices.append(number)
    assert len(inbox.notices) == MAX_NOTICES
    assert inbox.notices[0] == 1


def test_a_wake_is_enough(inbox):
    """Wakes that nobody has seen are one; the next one after that is another."""
    for _ in range(3):
        inbox.wake()
    assert ready(inbox) == [None]
    inbox.wake()
    assert ready(inbox) == [None]


def test_a_wake_reaches_who_waits(inbox):
    """A dispatcher that waits goes on."""
    thread = InThread(inbox.next_lane, PATIENCE)
    inbox.wake()
    assert thread.result() is None


def test_what_holds_already_is_not_waited_for(inbox):
    """Even when there is no time."""
    assert inbox.wait_until(lambda: True, Deadline(0)) is True


def test_the_time_is_up(inbox):
    """The predicate is looked at for a last time."""
    clock = FakeClock()
    deadline = Deadline(5, clock)
    clock.advance(5)
    assert inbox.wait_until(lambda: False, deadline) is False
    answers = iter([False, True])
    assert inbox.wait_until(lambda: next(answers), deadline) is True


@pytest.mark.parametrize("wake", ["wake", "wake_watchers"])
@pytest.mark.parametrize("timeout", [PATIENCE, None])
def test_everybody_who_waits_looks_around(inbox, wake, timeout):
    """A wake reaches all of them; who does not find what he wants waits on."""
    looked, flags = threading.Semaphore(0), set()

    def wait_for(flag):
        def predicate():
            looked.release()
            return flag in flags

        return inbox.wait_until(predicate, Deadline(timeout))

    def all_have_looked(count):
        return all(looked.acquire(timeout=PATIENCE) for _ in range(count))

    threads = [InThread(wait_for, flag) for flag in ("a", "a", "b")]
    assert all_have_looked(3)
    flags.add("a")
    getattr(inbox, wake)()
    assert all_have_looked(3)
    assert [thread.result() for thread in threads[:2]] == [True, True]
    flags.add("b")
    getattr(inbox, wake)()
    assert threads[2].result() is True


def test_nothing_is_left_of_who_waited(inbox):
    """Not when the predicate raises either."""
    inbox.wait_until(lambda: False, Deadline(0))
    with pytest.raises(ZeroDivisionError):
        inbox.wait_until(lambda: 1 / 0, Deadline(0))
    assert inbox._watchers == []


# A lane.


def test_a_new_lane(make, inbox):
    """It is empty, and does not stand ready."""
    lane = make(3)
    assert lane.empty()
    assert not lane.closed
    assert not lane.holds_lock()
    assert take(lane) == ()
    assert figures(lane) == {}
    assert lane.figures()["last_frame_at"] is None
    assert ready(inbox) == []


def test_frames_go_through(make, inbox):
    """They come out as they went in, and are counted."""
    lane = make(3)
    batch = entries(1, 2, size=5)
    assert lane.put(batch) == 0
    assert not lane.empty()
    assert figures(lane) == {"received": 2, "buffered": 2, "bytes": 10, "last_frame_at": 2.0}
    assert ready(inbox) == [lane]
    (first,) = take(lane)
    assert first[0] is batch[0][0]
    assert take_all(lane) == [2]
    assert figures(lane)["buffered"] == 2  # in the dispatcher's hands: not yet delivered
    lane.delivered += 2
    assert figures(lane) == {"received": 2, "delivered": 2, "bytes": 10, "last_frame_at": 2.0}


def test_what_the_dispatcher_counts(make):
    """All its counters are told, and what was filtered is one figure."""
    lane = make(9)
    lane.put(entries(1, 2, 3))
    lane.count_filtered(b"1234", 4.0)
    take_all(lane)
    lane.delivered, lane.filtered_late, lane.bad = 1, 1, 1
    lane.points, lane.gaps = 7, 2
    assert figures(lane) == {
        "received": 4,
        "delivered": 1,
        "filtered": 2,
        "bad": 1,
        "bytes": 7,
        "points": 7,
        "gaps": 2,
        "last_frame_at": 4.0,
    }


def test_figures_have_the_names_of_a_status(make):
    """They are arguments of a StreamStatus."""
    from plexus_sync import StreamStatus

    assert StreamStatus(state=State.IDLE, since=1.0, **make(1).figures()).buffered == 0


@pytest.mark.parametrize(
    ("overflow", "left"),
    [
        ("drop_oldest", [Gap(STREAM, 1.0, 2.0, "overflow", 2), 3, 4]),
        ("drop_newest", [1, 2, Gap(STREAM, 3.0, 4.0, "overflow", 2)]),
    ],
)
def test_drops_are_counted(make, overflow, left):
    """The reader is told how many, and so is the status."""
    lane = make(2, overflow)
    assert lane.put(entries(1, 2, 3)) == 1
    assert lane.put(entries(4)) == 1
    assert figures(lane) == {
        "received": 4,
        "dropped": 2,
        "buffered": 2,
        "bytes": 4,
        "last_frame_at": 4.0,
    }
    taken = take_all(lane)
    assert [getattr(item, "dropped", item) for item in taken] == [
        getattr(item, "dropped", item) for item in left
    ]


def test_pictures_are_kept_by_camera(make):
    """A lane of video has the buffer of video."""
    lane = make(1, cls=VideoStream)
    shots = [(b"x", float(n), parse(picture(camera)), None) for n, camera in enumerate("abab")]
    assert lane.put(shots) == 2
    assert take_all(lane) == [2, 3]


def test_the_decoder_is_that_of_the_stream(inbox):
    """With what was said about raw texts."""
    stream = LogsStream("robot-01")
    for keep_raw in (True, False):
        frame = Lane(stream, inbox, keep_raw).decoder.frame(b'{"type":"x"}', 1.0)
        assert frame.stream is stream
        assert frame.raw == (b'{"type":"x"}' if keep_raw else None)


def test_gaps(make, inbox):
    """A Gap stands ready as a frame does; None is none."""
    lane = make(1)
    lane.put_gap(None)
    assert lane.empty()
    assert ready(inbox) == []
    lane.put_gap(GAP)
    assert not lane.empty()
    assert ready(inbox) == [lane]
    assert take(lane) == (GAP,)
    assert figures(lane) == {}


def test_it_stands_ready_once(make, inbox):
    """However much is put, until its turn has ended."""
    lane = make(9)
    lane.put(entries(1))
    lane.put(entries(2))
    lane.put_gap(GAP)
    assert ready(inbox) == [lane]
    lane.put(entries(3))
    assert ready(inbox) == []


def test_the_end_of_a_turn(make, inbox):
    """A lane that still has something goes to the back, one that has not goes out."""
    lane, other = make(9), make(9)
    lane.put(entries(1, 2))
    assert ready(inbox) == [lane]
    take(lane)
    other.put(entries(3))
    lane.end_turn()
    assert ready(inbox) == [other, lane]
    assert take_all(lane) == [2]
    assert ready(inbox) == []
    lane.put(entries(4))
    assert ready(inbox) == [lane]


def test_a_gap_alone_keeps_the_turn(make, inbox):
    """It is something that waits."""
    lane = make(9)
    lane.put(entries(1))
    lane.put_gap(GAP)
    ready(inbox)
    take(lane)
    lane.end_turn()
    assert ready(inbox) == [lane]


# overflow="error".


@pytest.mark.parametrize("limits", [{"size": 2}, {"size": 9, "max_bytes": 2}])
def test_the_frame_that_breaks_a_buffer(make, limits):
    """It is dropped; what came before stays, what comes behind it was never received."""
    lane = make(overflow="error", **limits)
    with pytest.raises(LaneFull):
        lane.put(entries(1, 2, 3, 4))
    assert figures(lane) == {
        "received": 3,
        "dropped": 1,
        "buffered": 2,
        "bytes": 3,
        "last_frame_at": 3.0,
    }
    assert take_all(lane) == [1, 2]


# overflow="block".


def test_a_reader_waits_for_room(make, inbox):
    """A frame that waits is not yet received; it comes in when there is room."""
    lane = make(2, "block")
    thread = InThread(lane.put, entries(1, 2, 3, 4, 5))
    taken = []
    while len(taken) < 5:
        assert inbox.next_lane(PATIENCE) is lane
        found = figures(lane)
        assert found["received"] <= len(taken) + 2
        taken += take_all(lane)
    assert thread.result() == 0
    assert taken == [1, 2, 3, 4, 5]
    assert figures(lane)["received"] == 5


def test_a_reader_that_waits_has_received_what_fits(make, inbox):
    """The frames before the one that waits can be taken."""
    lane = make(2, "block")
    thread = InThread(lane.put, entries(1, 2, 3))
    assert inbox.next_lane(PATIENCE) is lane
    assert figures(lane) == {"received": 2, "buffered": 2, "bytes": 2, "last_frame_at": 2.0}
    assert take(lane) == tuple(entries(1))
    assert take(lane) == tuple(entries(2))
    assert thread.result() == 0
    assert take_all(lane) == [3]


def test_a_large_frame_waits_for_more_room(make, inbox):
    """Room for one frame may not be room for its bytes: then it waits on."""
    lane = make(9, "block", max_bytes=9)
    thread = InThread(lane.put, [*entries(1, 2, 3, size=3), *entries(4, size=9)])
    taken = []
    while len(taken) < 4:
        assert inbox.next_lane(PATIENCE) is lane
        taken += take_all(lane)
    assert thread.result() == 0
    assert taken == [1, 2, 3, 4]


def test_it_waits_until_half_is_free(make, inbox):
    """So that the two threads do not wake each other for every single frame."""
    lane = make(4, "block")
    thread = InThread(lane.put, entries(*range(5)))
    assert inbox.next_lane(PATIENCE) is lane
    assert take_some(lane, 3) == [0, 1, 2]
    assert lane._room.empty()
    assert take_some(lane, 1) == [3]  # the loan of the first three is over
    assert thread.result() == 0
    assert take_all(lane) == [4]


# A reader that is ahead.


def test_a_reader_waits_for_quick_callbacks(make, inbox):
    """More than fits comes at once: nothing is dropped where the callbacks keep up."""
    lane = make(100)
    lane.put(entries(0))
    assert take_all(lane) == [0]
    thread = InThread(lane.put, entries(*range(1, 1001)))
    taken = []
    while len(taken) < 1000:
        try:
            inbox.next_lane(PAUSE / 10)
        except Empty:
            pass
        taken += [item for item in take_all(lane) if not isinstance(item, Gap)]
        if not thread._thread.is_alive() and lane.empty():
            break
    assert thread.result() + len(taken) == 1000
    figures(lane)


def test_a_reader_does_not_wait_for_slow_callbacks(make, monkeypatch):
    """It waits in vain once, and not again before something was taken."""
    monkeypatch.setattr(module, "PAUSE", 0.001)
    lane = make(100)
    lane.put(entries(0))
    take_all(lane)
    waits = []
    monkeypatch.setattr(
        lane, "_wait_a_little", lambda wait=lane._wait_a_little: waits.append(wait())
    )
    dropped = [lane.put(entries(*range(60))) for _ in range(4)]
    assert dropped == [0, 20, 60, 60]
    assert len(waits) == 1
    take(lane)
    lane.put(entries(1))
    assert len(waits) == 2


def test_close_lets_a_reader_go_that_waits_a_little(make, monkeypatch):
    """However long a little is."""
    monkeypatch.setattr(module, "PAUSE", PATIENCE)
    lane = make(100)
    lane.put(entries(0))
    take_all(lane)
    thread = InThread(lane.put, entries(*range(100)))
    lane.close()
    assert thread.result() == 0


def test_pictures_of_one_read(make, inbox, monkeypatch):
    """Quick callbacks get each of them; slow ones the last, after one wait in vain."""
    shots = [(b"x", float(n), parse(picture("a")), None) for n in range(9)]
    lane = make(1, cls=VideoStream)
    monkeypatch.setattr(module, "PAUSE", PATIENCE)
    lane.put(shots[:1])
    assert take_all(lane) == [0]
    thread = InThread(lane.put, shots[1:4])
    seen = []
    while len(seen) < 3:
        inbox.next_lane(PATIENCE)
        seen += take_all(lane)
    assert (thread.result(), seen) == (0, [1, 2, 3])
    monkeypatch.setattr(module, "PAUSE", 0.001)
    assert lane.put(shots[4:]) == 4
    assert take_all(lane) == [8]


# The end.


@pytest.mark.parametrize("cls", [MetricsStream, VideoStream])
def test_close_discards_what_waits(make, cls):
    """It counts as discarded, and so does what is in the dispatcher's hands."""
    lane = make(9, cls=cls)
    lane.put(entries(1, 2, 3))
    lane.put_gap(GAP)
    take(lane)
    lane.close()
    assert lane.closed
    assert lane.empty()
    assert take(lane) == ()
    assert figures(lane) == {"received": 3, "discarded": 3, "bytes": 3, "last_frame_at": 3.0}


def test_a_closed_lane_takes_nothing(make, inbox):
    """Frames, Gaps and what was filtered come too late, and are not received."""
    lane = make(9)
    lane.close()
    lane.close()
    assert lane.put(entries(1)) == 0
    lane.put_gap(GAP)
    lane.count_filtered(b"x", 1.0)
    assert lane.empty()
    assert figures(lane) == {}
    assert ready(inbox) == []


def test_close_lets_a_reader_go(make, inbox):
    """One that waits for room does not wait on; the frame that waited was never received."""
    lane = make(1, "block")
    thread = InThread(lane.put, entries(1, 2, 3))
    assert inbox.next_lane(PATIENCE) is lane
    lane.close()
    assert thread.result() == 0
    assert figures(lane) == {"received": 1, "discarded": 1, "bytes": 1, "last_frame_at": 1.0}


def test_who_holds_the_lock(make):
    """Only a thread that is in the middle of something here."""
    lane = make(9)
    with lane._lock:
        assert lane.holds_lock()
        assert InThread(lane.holds_lock).result() is False
    assert not lane.holds_lock()


def interrupted(function, handler, line):
    """Call the function, and the handler before one line of the library, as a signal would.

    Return the result, and whether there was such a line.
    """
    lines = itertools.count()
    happened = []

    def trace(frame, event, argument):
        if "plexus_sync" not in frame.f_globals.get("__name__", ""):
            return None
        if event == "line" and next(lines) == line:
            happened.append(line)
            sys.settrace(None)
            handler()
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        return function(), bool(happened)
    finally:
        sys.settrace(previous)


@pytest.mark.parametrize("cls", [MetricsStream, VideoStream])
@pytest.mark.parametrize("with_gap", [True, False])
def test_close_in_a_signal_handler(make, cls, with_gap):
    """A handler may close wherever it interrupts the dispatcher: nothing raises, all adds up."""
    for line in itertools.count():
        lane = make(9, cls=cls)
        if with_gap:
            lane.put_gap(GAP)
        lane.put(entries(1, 2))
        taken, happened = interrupted(functools.partial(take, lane), lane.close, line)
        if not happened:
            break
        assert lane.closed
        assert taken in ((), (GAP, *entries(1)) if with_gap else tuple(entries(1)))
        assert take(lane) == ()
        assert lane.empty()
        assert figures(lane)["discarded"] == 2
    assert line > 5


def test_close_while_a_frame_is_taken(make):
    """The same, on a line that is known: where the frame's bytes are counted out."""

    class Text(bytes):
        closes = False

        def __len__(self):
            if self.closes:
                lane.close()
            return super().__len__()

    lane, text = make(9), Text(b"x")
    lane.put([(text, 1.0, None, None), *entries(2)])
    text.closes = True
    assert take(lane) == ((text, 1.0, None, None),)
    assert not lane.closed
    assert take(lane) == ()
    assert lane.closed
    assert take(lane) == ()
    assert lane.empty()
    assert figures(lane)["discarded"] == 2


def test_every_snapshot_adds_up(make, inbox):
    """Whoever looks while reader and dispatcher work sees figures that add up and only grow."""
    lane = make(5)
    done = threading.Event()

    def read():
        for first in range(0, 2000, 10):
            lane.put(entries(*range(first, first + 10)))
            lane.count_filtered(b"x", 1.0)

    def dispatch():
        gaps = frames = 0
        while not (done.is_set() and lane.empty()):
            inbox.next_lane(PATIENCE)
            for taken in iter(lambda: take(lane), ()):
                gaps += sum(item.dropped for item in taken if isinstance(item, Gap))
                frames += 1
                lane.delivered += 1
        return gaps, frames

    reader, dispatcher = InThread(read), InThread(dispatch)
    before = figures(lane)
    for _ in range(300):
        now = figures(lane)
        for name in ("received", "delivered", "dropped", "filtered", "bytes"):
            assert now.get(name, 0) >= before.get(name, 0)
        before = now
    assert reader.result() is None
    done.set()
    inbox.wake()
    gaps, frames = dispatcher.result()
    found = figures(lane)
    assert found["delivered"] == frames
    assert found.get("dropped", 0) == gaps
    assert frames + gaps == 2000
    assert found["filtered"] == 200


# What is read in the reader's place.


def shots(*numbers, cameras="a"):
    """Return pictures that came at these times."""
    return [
        (b"x", float(n), parse(picture(cameras[i % len(cameras)])), None)
        for i, n in enumerate(numbers)
    ]


def delivered(lane):
    """Take everything as a dispatcher does; return the values of the frames, and the Gaps."""
    items = handed_over(lane)
    lane.delivered += sum(not isinstance(item, Gap) for item in items)
    return [item if isinstance(item, Gap) else item.points[0].value for item in items]


def telemetries(*values):
    """Return frames with one point each."""
    return [(telemetry(point(value)), float(value), None, None) for value in values]


@pytest.mark.parametrize("count", [1, 3])
def test_what_waits_for_nobody_is_passed_on(make, inbox, count):
    """It is lent at once, counted, and the lane stands ready, once."""
    lane = make(10)
    assert lane.pass_on(telemetries(*range(count)))
    assert len(lane.lent) == count
    assert ready(inbox) == [lane]
    assert figures(lane)["buffered"] == count
    assert delivered(lane) == list(range(count))
    assert lane.empty()


def test_not_passed_on(make):
    """What others are before, or what is many, large or a picture, goes through the buffer."""
    lane = make(10)
    lane.put(entries(0))
    assert not lane.pass_on(telemetries(1))
    assert not make(10).pass_on(telemetries(*range(11)))
    assert not make(1000).pass_on(telemetries(*range(200)))
    assert not make(10, max_bytes=20).pass_on(telemetries(1, 2))
    assert not make(10).pass_on(entries(1, 2, size=50_000))
    assert not make(10, cls=VideoStream).pass_on(shots(1))
    gap = make(10)
    gap.put_gap(GAP)
    assert not gap.pass_on(telemetries(1))


def test_one_is_passed_on_however_large(make):
    """One frame always has room."""
    lane = make(10, max_bytes=1)
    assert lane.pass_on(telemetries(1))
    assert delivered(lane) == [1]


def test_passed_on_to_a_closed_lane(make):
    """It goes nowhere, and is not counted."""
    lane = make(10)
    lane.close()
    assert lane.pass_on(telemetries(1))
    assert not lane.lent
    assert figures(lane) == {}


def test_what_was_passed_on_may_still_overflow(make):
    """Like any loan: what was not handed over in time makes way for what is newer."""
    lane = make(3)
    assert lane.pass_on(telemetries(0, 1, 2))
    assert lane.put_at_once(telemetries(3, 4), patient=False) == ([], 2)
    gap, *values = delivered(lane)
    assert (gap.reason, gap.dropped) == ("overflow", 2)
    assert values == [2, 3, 4]


def test_patience(make):
    """What has no room is returned, and nothing dropped."""
    lane = make(3)
    given = telemetries(*range(5))
    assert lane.put_at_once(given, patient=True) == (given[3:], 0)
    assert delivered(lane) == [0, 1, 2]
    assert lane.put_at_once(given[3:], patient=True) == ([], 0)
    assert delivered(lane) == [3, 4]


@pytest.mark.parametrize("overflow", ["drop_oldest", "block"])
def test_patience_has_an_end(make, overflow):
    """Frames that never have room together come in one by one, for a buffer of few bytes."""
    lane = make(10, overflow, max_bytes=1)
    rest, seen = telemetries(0, 1), []
    while rest:
        rest, dropped = lane.put_at_once(rest, patient=True)
        seen += delivered(lane)
        if overflow == "drop_oldest":
            assert (len(seen), dropped) == (2, 1)
            assert seen[0].dropped == 1
    assert seen[-1] == 1


def test_no_patience_where_nothing_may_be_dropped(make):
    """With "block" the rest is returned, with "error" it is an error."""
    given = telemetries(*range(3))
    assert make(2, "block").put_at_once(given, patient=False) == (given[2:], 0)
    lane = make(2, "error")
    with pytest.raises(LaneFull):
        lane.put_at_once(given, patient=False)
    assert figures(lane)["dropped"] == 1


def test_put_at_once_into_a_closed_lane(make):
    """It goes nowhere, and is not counted."""
    lane = make(2)
    lane.close()
    assert lane.put_at_once(telemetries(1), patient=True) == ([], 0)
    assert figures(lane) == {}


def test_once_in_the_row(make, inbox):
    """However often something is put while the dispatcher has it in hand, and by whomever."""
    lane = make(10)
    assert lane.pass_on(telemetries(1))
    assert inbox.next_lane(0) is lane
    lane.put_at_once(telemetries(2), patient=False)
    lane.put(telemetries(3))
    assert ready(inbox) == []
    lane.end_turn()
    assert ready(inbox) == [lane]
    assert delivered(lane) == [1, 2, 3]
    lane.put(telemetries(4))
    assert ready(inbox) == [lane]


def test_what_was_handed_over_leaves_its_place(make):
    """A read that follows one that filled the buffer has all of the room."""
    lane = make(100)
    assert lane.pass_on(telemetries(*range(100)))
    assert delivered(lane) == list(range(100))
    rest, dropped = lane.put_at_once(telemetries(*range(150)), patient=True)
    assert (len(rest), dropped) == (50, 0)


def test_next_lane_looks_after_the_sockets(inbox, make):
    """While the lookout is open, whoever waits for a lane reads, and is woken by one."""
    inbox.lookout.open()
    try:
        lane = make(10)
        assert inbox.next_lane(0.001) is None
        with pytest.raises(Empty):
            inbox.next_lane(0)
        waiting = InThread(inbox.next_lane, None)
        lane.put(telemetries(1))
        assert waiting.result() in (lane, None)
    finally:
        inbox.lookout.close()
