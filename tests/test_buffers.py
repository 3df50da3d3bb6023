"""The bounded buffers: what stays, what goes, where Gaps stand."""

from __future__ import annotations

import itertools

import pytest
from helpers import picture, take, telemetry
from hypothesis import given, settings
from hypothesis import strategies as st

from plexus_sync import Buffer, Gap, LogsStream, MetricsStream, VideoStream
from plexus_sync.buffers import BufferFull, FrameBuffer
from plexus_sync.pictures import MAX_CAMERAS, OTHER_FRAMES, PictureBuffer
from plexus_sync.wire import parse

OTHER = parse(telemetry())  # on video a frame that is no picture
WIRES = {camera: parse(picture(camera, frame="")) for camera in "abc"}


def frames(size, overflow="drop_oldest", **limits):
    """Return a buffer for metrics."""
    return FrameBuffer(MetricsStream("robot-01", buffer=Buffer(size, overflow, **limits)))


def pictures(size=1, overflow="drop_oldest", **limits):
    """Return a buffer for video."""
    return PictureBuffer(VideoStream("robot-01", buffer=Buffer(size, overflow, **limits)))


def entry(number, size=1, wire=None):
    """Return a frame that came at that time and has so many bytes."""
    return (b"x" * size, float(number), wire, None)


def shot(camera, number, size=1):
    """Return a picture of a camera."""
    return entry(number, size, WIRES.get(camera) or parse(picture(camera, frame="")))


def other(number, size=1):
    """Return a frame on video that is no picture."""
    return entry(number, size, OTHER)


def gap(start, end, reason="connection", dropped=0, stream=None):
    """Return a gap."""
    return Gap(stream or MetricsStream("robot-01"), start, end, reason, dropped)


def brief(item):
    """Return a number for a frame, a tuple for a gap."""
    if isinstance(item, Gap):
        return (item.started_at, item.ended_at, item.reason, item.dropped)
    return int(item[1])


def take_all(buffer):
    """Take everything, as it is handed over: what is taken at once stands together."""
    return [tuple(map(brief, taken)) for taken in iter(lambda: take(buffer), ())]


def flat(buffer):
    """Take everything, one after the other."""
    return [item for taken in take_all(buffer) for item in taken]


def waiting(buffer):
    """Return how many frames wait: a loan counts until the next one."""
    return buffer._frames - len(getattr(buffer, "_loan", ())) + len(buffer.lent)


def fill(buffer, entries):
    """Offer all; return how many each of them dropped."""
    return [buffer.offer(item) for item in entries]


@pytest.mark.parametrize("make", [frames, pictures])
def test_empty(make):
    """Nothing waits in a new buffer."""
    buffer = make(1)
    assert buffer.empty()
    assert waiting(buffer) == 0
    assert take(buffer) == ()


@pytest.mark.parametrize("make", [frames, pictures])
def test_what_comes_in_goes_out(make):
    """The very same frame, and then no other."""
    buffer, first = make(3), shot("a", 1)
    assert buffer.offer(first) == 0
    assert not buffer.empty()
    assert waiting(buffer) == 1
    (taken,) = take(buffer)
    assert taken[0] is first[0]
    assert buffer.empty()
    assert waiting(buffer) == 0


@pytest.mark.parametrize("make", [frames, pictures])
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block", "error"])
def test_up_to_its_size(make, overflow):
    """Nothing is dropped while there is room, and room is made by taking."""
    buffer = make(3, overflow)
    assert fill(buffer, [shot("a", n) for n in range(3)]) == [0, 0, 0]
    assert take(buffer) == (shot("a", 0),)
    assert buffer.offer(shot("a", 3)) == 0
    assert flat(buffer) == [1, 2, 3]


@pytest.mark.parametrize("make", [frames, pictures])
@pytest.mark.parametrize("limits", [(2, {}), (9, {"max_bytes": 2})])
@pytest.mark.parametrize("overflow", ["block", "error"])
def test_full_and_not_to_drop(make, limits, overflow):
    """It says so, and everything stays as it was."""
    size, more = limits
    buffer = make(size, overflow, **more)
    fill(buffer, [shot("a", 1), shot("a", 2)])
    for _ in range(2):
        with pytest.raises(BufferFull):
            buffer.offer(shot("a", 3))
    assert waiting(buffer) == 2
    take(buffer)
    assert buffer.offer(shot("a", 3)) == 0
    assert flat(buffer) == [2, 3]


@pytest.mark.parametrize("make", [frames, pictures])
def test_clear(make):
    """Everything is thrown away, and all the room is there again."""
    buffer = make(2, "error", max_bytes=2)
    fill(buffer, [shot("a", 1), shot("a", 2)])
    buffer.put_gap(gap(1, 2))
    buffer.clear()
    assert buffer.empty()
    assert waiting(buffer) == 0
    assert take(buffer) == ()
    assert fill(buffer, [shot("a", 3), shot("a", 4)]) == [0, 0]


@pytest.mark.parametrize("make", [frames, pictures])
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block", "error"])
def test_one_frame_always_fits(make, overflow):
    """However large it is, an empty buffer takes it, a Gap in it or not."""
    buffer = make(1, overflow, max_bytes=10)
    assert buffer.offer(shot("a", 1, size=1000)) == 0
    take(buffer)
    buffer.put_gap(gap(1, 2))
    assert buffer.offer(shot("a", 2, size=1000)) == 0
    assert waiting(buffer) == 1


@pytest.mark.parametrize("make", [frames, pictures])
def test_bytes_make_room_for_a_large_frame(make):
    """As many of the oldest go as it takes."""
    buffer = make(9, max_bytes=10)
    assert fill(buffer, [shot("a", n, size=3) for n in range(3)]) == [0, 0, 0]
    assert buffer.offer(shot("a", 3, size=7)) == 2
    assert buffer.offer(shot("a", 4, size=11)) == 2
    assert [item for item in flat(buffer) if isinstance(item, int)] == [4]


@pytest.mark.parametrize("make", [frames, pictures])
def test_bytes_up_to_the_limit(make):
    """The limit itself is allowed, and what was dropped or taken weighs nothing."""
    buffer = make(9, max_bytes=10)
    assert fill(buffer, [shot("a", n, size=5) for n in range(2)]) == [0, 0]
    assert fill(buffer, [shot("a", n, size=5) for n in range(2, 20)]) == [1] * 18
    take(buffer)
    assert buffer.offer(shot("a", 20, size=5)) in (0, 1)
    assert waiting(buffer) <= 2


# Metrics and logs.


def test_the_oldest_are_dropped():
    """One Gap counts them, in their place, and goes with the frame behind it."""
    buffer = frames(2)
    assert fill(buffer, [entry(n) for n in range(1, 6)]) == [0, 0, 1, 1, 1]
    assert waiting(buffer) == 2
    assert take_all(buffer) == [((1, 3, "overflow", 3), 4), (5,)]


def test_the_newest_are_dropped():
    """The Gap stands behind what was kept, and before what comes when there is room again."""
    buffer = frames(2, "drop_newest")
    assert fill(buffer, [entry(n) for n in range(1, 6)]) == [0, 0, 1, 1, 1]
    assert waiting(buffer) == 2
    assert take(buffer) == (entry(1),)
    assert buffer.offer(entry(6)) == 0
    assert take_all(buffer) == [(2,), ((3, 5, "overflow", 3), 6)]


def test_a_gap_at_the_end_does_not_wait_for_a_frame():
    """Who has taken all is told at once that something is missing."""
    buffer = frames(1, "drop_newest")
    fill(buffer, [entry(1), entry(2)])
    assert take_all(buffer) == [(1,), ((2, 2, "overflow", 1),)]
    assert buffer.empty()


def test_a_frame_too_large_is_the_newest():
    """It is dropped, though a smaller one would have had room."""
    buffer = frames(9, "drop_newest", max_bytes=10)
    assert fill(buffer, [entry(1, 5), entry(2, 6), entry(3, 5)]) == [0, 1, 0]
    assert flat(buffer) == [1, (2, 2, "overflow", 1), 3]


def test_a_loan_within_a_loan():
    """A signal handler may call get() while get() decodes; nothing is lost, twice or counted on."""
    buffer = frames(4)
    fill(buffer, [entry(n) for n in range(3)])
    outer = buffer.next_loan()
    assert take_all(buffer) == [(0,), (1,), (2,)]
    buffer.lend(outer, [(each, None) for each in outer])
    assert take_all(buffer) == []
    assert waiting(buffer) == 0
    assert fill(buffer, [entry(n) for n in range(3, 8)]) == [0, 0, 0, 0, 1]
    assert flat(buffer) == [(3, 3, "overflow", 1), 4, 5, 6, 7]


def test_the_stream_of_an_overflow():
    """A Gap tells whose it is."""
    stream = LogsStream("robot-01", buffer=Buffer(1))
    buffer = FrameBuffer(stream)
    fill(buffer, [entry(1), entry(2)])
    assert take(buffer) == (Gap(stream, 1.0, 1.0, "overflow", 1), entry(2))


def test_a_gap_takes_no_place():
    """Gaps do not count as frames."""
    buffer = frames(2, "error")
    for n in range(2):
        buffer.put_gap(gap(n, n))
        buffer.offer(entry(n))
    buffer.put_gap(gap(5, 5))
    assert waiting(buffer) == 2
    assert take_all(buffer) == [
        ((0, 0, "connection", 0), 0),
        ((1, 1, "connection", 0), 1),
        ((5, 5, "connection", 0),),
    ]


@pytest.mark.parametrize("make", [frames, pictures])
def test_gaps_side_by_side_become_one(make):
    """Earliest start, latest end, the gravest reason."""
    buffer = make(2)
    buffer.offer(shot("a", 0))
    buffer.put_gap(gap(5, 6, "gateway"))
    buffer.put_gap(gap(3, 9, "overflow", 2))
    buffer.put_gap(gap(4, 7))
    buffer.offer(shot("a", 10))
    assert flat(buffer) == [0, (3, 9, "connection", 2), 10]


def test_gaps_around_a_dropped_frame_become_one():
    """Nothing but dropped frames stands between them."""
    buffer = frames(1)
    buffer.put_gap(gap(1, 2, "gateway"))
    buffer.offer(entry(3))
    buffer.put_gap(gap(4, 5))
    assert buffer.offer(entry(6)) == 1
    assert take_all(buffer) == [((1, 5, "connection", 1), 6)]


def test_a_gap_behind_a_dropped_frame_stays_where_it_is():
    """What was dropped before it goes into it."""
    buffer = frames(2)
    fill(buffer, [entry(1), entry(2)])
    buffer.put_gap(gap(2.5, 2.75))
    assert fill(buffer, [entry(3)]) == [1]
    assert fill(buffer, [entry(4)]) == [1]
    assert flat(buffer) == [(1, 2.75, "connection", 2), 3, 4]


def test_a_gap_that_is_taken_takes_its_frame_along():
    """With a slow on_gap there are still frames, and no Gap after a Gap."""
    buffer = frames(1)
    seen = []
    for n in range(0, 9, 3):
        fill(buffer, [entry(n), entry(n + 1), entry(n + 2)])
        seen += take_all(buffer)
    assert seen == [
        ((0, 1, "overflow", 2), 2),
        ((3, 4, "overflow", 2), 5),
        ((6, 7, "overflow", 2), 8),
    ]


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_a_connection_gap_and_the_newest(overflow):
    """A Gap that is put while the buffer is full keeps its place, and swallows the dropped."""
    buffer = frames(1, overflow)
    buffer.offer(entry(1))
    buffer.put_gap(gap(1, 5))
    assert buffer.offer(entry(6)) == 1
    expected = {
        "drop_newest": [1, (1, 6, "connection", 1)],
        "drop_oldest": [(1, 5, "connection", 1), 6],
    }
    assert flat(buffer) == expected[overflow]


# Video.


def test_the_freshest_picture_of_each_camera():
    """By default one of each waits, and a replaced picture leaves no Gap."""
    buffer = pictures()
    offered = [shot("a", 1), shot("b", 2), shot("a", 3), shot("a", 4), shot("b", 5)]
    assert fill(buffer, offered) == [0, 0, 1, 1, 1]
    assert waiting(buffer) == 2
    assert flat(buffer) == [4, 5]


def test_a_fast_camera_does_not_go_to_the_back():
    """A picture that replaces an older one has its turn."""
    buffer = pictures()
    fill(buffer, [shot("a", 1), shot("b", 2), shot("c", 3), shot("a", 4), shot("b", 5)])
    assert flat(buffer) == [4, 5, 3]
    fill(buffer, [shot("c", 6), shot("a", 7), shot("c", 8)])
    assert flat(buffer) == [8, 7]


def test_several_pictures_of_each_camera():
    """The size counts for each, and a camera's pictures stay in order."""
    buffer = pictures(2)
    offered = [shot("a", 1), shot("b", 2), shot("a", 3), shot("a", 4), shot("b", 5)]
    assert fill(buffer, offered) == [0, 0, 0, 1, 0]
    assert waiting(buffer) == 4
    assert flat(buffer) == [3, 2, 4, 5]


def test_the_newest_picture_is_dropped():
    """Each camera keeps what it has, and no Gap tells."""
    buffer = pictures(1, "drop_newest")
    assert fill(buffer, [shot("a", 1), shot("a", 2), shot("b", 3), shot("b", 4)]) == [0, 1, 0, 1]
    assert flat(buffer) == [1, 3]


@pytest.mark.parametrize("overflow", ["block", "error"])
def test_one_camera_is_full(overflow):
    """Another one has room all the same."""
    buffer = pictures(1, overflow)
    assert fill(buffer, [shot("a", 1), shot("b", 2)]) == [0, 0]
    with pytest.raises(BufferFull):
        buffer.offer(shot("a", 3))
    assert flat(buffer) == [1, 2]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block", "error"])
def test_a_camera_too_many(overflow):
    """The pictures of a 65th camera are dropped, whatever the policy; those known go on."""
    buffer = pictures(1, overflow)
    names = [f"camera {n}" for n in range(MAX_CAMERAS)]
    assert len(names) == 64
    assert fill(buffer, [shot(name, n) for n, name in enumerate(names)]) == [0] * 64
    assert buffer.offer(shot("one more", 64)) == 1
    assert flat(buffer) == list(range(64))
    assert buffer.offer(shot("one more", 65)) == 1
    assert buffer.offer(shot(names[0], 66)) == 0
    assert buffer.offer(other(67)) == 0
    assert flat(buffer) == [66, 67]


def test_other_frames_have_their_own_places():
    """There are 100 for them, whatever the size; the oldest makes room."""
    assert OTHER_FRAMES == 100
    buffer = pictures()
    assert fill(buffer, [other(n) for n in range(100)]) == [0] * 100
    assert buffer.offer(shot("a", 100)) == 0
    assert buffer.offer(other(101)) == 1
    assert buffer.offer(entry(102)) == 1  # not parsed: not decodable, and no picture either
    assert waiting(buffer) == 101
    assert flat(buffer) == [*range(2, 100), 100, 101, 102]


def test_other_frames_with_other_policies():
    """Theirs is the policy of the stream."""
    newest = pictures(1, "drop_newest")
    assert fill(newest, [other(n) for n in range(101)]) == [0] * 100 + [1]
    error = pictures(1, "error")
    fill(error, [other(n) for n in range(100)])
    with pytest.raises(BufferFull):
        error.offer(other(100))
    assert error.offer(shot("a", 101)) == 0


def test_a_picture_does_not_overtake_another_frame():
    """A picture that came after it stays behind it, also where it replaces one before it."""
    buffer = pictures()
    fill(buffer, [shot("a", 1), shot("b", 2), other(3)])
    assert fill(buffer, [shot("a", 4), shot("b", 5), shot("a", 6)]) == [1, 1, 1]
    assert flat(buffer) == [3, 6, 5]


def test_a_picture_does_not_overtake_a_gap():
    """A picture that came after the loss stays behind the Gap, one from before stays before."""
    buffer = pictures()
    fill(buffer, [shot("a", 1), shot("b", 2)])
    buffer.put_gap(gap(2, 3))
    assert fill(buffer, [shot("a", 4), shot("a", 5)]) == [1, 1]
    assert take_all(buffer) == [(2,), ((2, 3, "connection", 0), 5)]


@pytest.mark.parametrize("gap_first", [True, False])
def test_a_picture_overtakes_neither_of_two(gap_first):
    """A Gap and another frame, one behind the other, are two borders and not none."""
    buffer = pictures()
    buffer.offer(shot("a", 1))
    if gap_first:
        buffer.put_gap(gap(1, 2))
    buffer.offer(other(3))
    if not gap_first:
        buffer.put_gap(gap(4, 5))
    assert buffer.offer(shot("a", 6)) == 1
    assert [item for item in flat(buffer) if isinstance(item, int)] == [3, 6]


def test_turns_begin_anew_behind_a_gap():
    """Two pictures of a camera, one on each side, keep to their sides."""
    buffer = pictures(2)
    fill(buffer, [shot("a", 1), shot("b", 2)])
    buffer.put_gap(gap(2, 3))
    assert fill(buffer, [shot("b", 4), shot("a", 5), shot("a", 6)]) == [0, 0, 1]
    assert flat(buffer) == [2, (2, 3, "connection", 0), 4, 5, 6]
    fill(buffer, [shot("a", 7), shot("b", 8), shot("a", 9), shot("a", 10)])
    assert flat(buffer) == [9, 8, 10]


def test_gaps_around_a_replaced_picture_become_one():
    """Nothing is left between them; what is replaced is not counted in a Gap."""
    buffer = pictures()
    fill(buffer, [shot("b", 0)])
    buffer.put_gap(gap(1, 2, "gateway"))
    buffer.offer(shot("a", 3))
    buffer.put_gap(gap(4, 5))
    assert buffer.offer(shot("a", 6)) == 1
    assert take_all(buffer) == [(0,), ((1, 5, "connection", 0), 6)]


def test_gaps_with_a_picture_between_stay_two():
    """A replaced picture between Gap and picture joins nothing."""
    buffer = pictures()
    buffer.put_gap(gap(1, 2))
    fill(buffer, [shot("a", 3), shot("b", 4)])
    buffer.put_gap(gap(5, 6))
    assert buffer.offer(shot("b", 7)) == 1
    assert take_all(buffer) == [
        ((1, 2, "connection", 0), 3),
        ((5, 6, "connection", 0), 7),
    ]


def test_a_gap_alone_on_video():
    """It is handed over without a picture where there is none."""
    buffer = pictures()
    buffer.put_gap(gap(1, 2))
    assert not buffer.empty()
    assert waiting(buffer) == 0
    assert take_all(buffer) == [((1, 2, "connection", 0),)]


def test_bytes_of_several_cameras():
    """The limit is for the whole stream: what would be handed over next makes room first."""
    buffer = pictures(1, max_bytes=10)
    buffer.put_gap(gap(0, 0.5))
    assert fill(buffer, [shot("a", 1, 4), shot("b", 2, 4), shot("c", 3, 6)]) == [0, 0, 1]
    assert flat(buffer) == [(0, 0.5, "connection", 0), 2, 3]
    newest = pictures(1, "drop_newest", max_bytes=10)
    assert fill(newest, [shot("a", 1, 6), shot("b", 2, 6), shot("c", 3, 4)]) == [0, 1, 0]
    assert flat(newest) == [1, 3]


# Anything that may happen, against what must always hold.

POLICIES = st.sampled_from(["drop_oldest", "drop_newest", "block", "error"])
STEPS = st.lists(
    st.sampled_from(["offer", "offer", "offer", "take", "gap"])
    | st.tuples(st.sampled_from(["a", "b", "c", "other"]), st.integers(1, 8)),
    max_size=60,
)
REASONS = itertools.cycle(["connection", "gateway"])


def live(buffer, steps):
    """Do the steps; return the numbers offered, how many were dropped, and what was taken."""
    offered, dropped, taken, gaps = [], 0, [], []
    for time, step in enumerate(steps):
        if step == "take":
            taken += take(buffer)
        elif step == "gap":
            gaps.append(gap(time - 0.5, time - 0.25, next(REASONS)))
            buffer.put_gap(gaps[-1])
        else:
            camera, size = ("a", 1) if step == "offer" else step
            wire = OTHER if camera == "other" else WIRES[camera]
            try:
                dropped += buffer.offer(entry(time, size, wire))
            except BufferFull:
                continue
            offered.append(time)
        assert len(offered) == dropped + waiting(buffer) + len(numbers(taken))
    return offered, dropped, taken, gaps


def numbers(items):
    """Return the numbers of the frames among what was taken."""
    return [brief(item) for item in items if not isinstance(item, Gap)]


def assert_no_two_gaps(items):
    """Assert that two Gaps always have a frame between."""
    assert not any(isinstance(a, Gap) and isinstance(b, Gap) for a, b in zip(items, items[1:]))


def assert_stands_between(items, index, time):
    """Assert that what is at the index stands behind all that came before the time, and no more."""
    assert all(number < time for number in numbers(items[:index]))
    assert all(number > time for number in numbers(items[index + 1 :]))


@settings(deadline=None)
@given(STEPS, POLICIES, st.integers(1, 4), st.integers(4, 20))
def test_frames_add_up(steps, overflow, size, max_bytes):
    """Offered is taken, dropped and waiting; between frames far apart a Gap counts those missing.

    A Gap that is at the end when it is taken cannot know what is dropped behind it: then there are
    two of them, and the count is their sum.
    """
    buffer = frames(size, overflow, max_bytes=max_bytes)
    offered, dropped, taken, gaps = live(buffer, steps)
    left = [item for pair in iter(lambda: take(buffer), ()) for item in pair]
    assert_no_two_gaps(left)
    everything = [*taken, *left]
    assert len(offered) == dropped + len(numbers(everything))
    assert numbers(everything) == sorted(numbers(everything))

    missing = place = 0
    explained = []
    for item in [*everything, None]:
        if isinstance(item, Gap):
            missing += item.dropped
            explained.append(item)
            continue
        here = len(offered) if item is None else offered.index(brief(item))
        assert missing == here - place
        border = float("inf") if item is None else brief(item)
        start = offered[place - 1] if place else -1
        for put in gaps:
            if start < put.started_at < border:
                assert any(
                    told.started_at <= put.started_at and told.ended_at >= put.ended_at
                    for told in explained
                )
        missing, place, explained = 0, here + 1, []


@settings(deadline=None)
@given(STEPS, POLICIES, st.integers(1, 3), st.integers(4, 20))
def test_pictures_add_up(steps, overflow, size, max_bytes):
    """Offered is taken, dropped and waiting; nothing overtakes a Gap, another frame, its camera."""
    buffer = pictures(size, overflow, max_bytes=max_bytes)
    offered, dropped, taken, gaps = live(buffer, steps)
    left = [item for pair in iter(lambda: take(buffer), ()) for item in pair]
    assert_no_two_gaps(left)
    everything = [*taken, *left]
    assert len(offered) == dropped + len(numbers(everything))

    def numbers_of(wire):
        return [brief(item) for item in everything if not isinstance(item, Gap) and item[2] is wire]

    for wire in (OTHER, *WIRES.values()):
        assert numbers_of(wire) == sorted(numbers_of(wire))
    for border in numbers_of(OTHER):
        index = [item if isinstance(item, Gap) else brief(item) for item in everything].index(
            border
        )
        assert_stands_between(everything, index, border)
    told = [index for index, item in enumerate(everything) if isinstance(item, Gap)]
    assert all(everything[index].dropped == 0 for index in told)
    for put in gaps:
        (index,) = (
            index
            for index in told
            if everything[index].started_at <= put.started_at
            and everything[index].ended_at >= put.ended_at
        )
        assert_stands_between(everything, index, put.started_at)
