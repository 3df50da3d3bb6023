"""The hand-over from the lanes, driven on this thread, without a socket."""

from __future__ import annotations

import logging
import queue

import pytest
from helpers import PATIENCE, FakeClock, InThread, event, picture, point, telemetry, text

from plexus_sync import (
    Buffer,
    ErrorFrame,
    FrameError,
    Gap,
    LogsStream,
    MetricsStream,
    State,
    StateChange,
    TelemetryFrame,
    VideoStream,
    decode,
)
from plexus_sync import dispatch as module
from plexus_sync.callbacks import Callbacks
from plexus_sync.deadline import Deadline
from plexus_sync.dispatch import Dispatcher, Finished
from plexus_sync.inbox import Inbox, Lane

METRICS = MetricsStream("robot-01", buffer=Buffer(4))
LOGS = LogsStream("robot-01")


class House:
    """An inbox with two lanes, and the dispatcher that empties them."""

    def __init__(self):
        self.inbox = Inbox()
        self.callbacks = Callbacks()
        self.dispatcher = Dispatcher(
            self.inbox, self.callbacks, lambda shown: shown.replace("secret", "[api key]")
        )
        self.metrics = Lane(METRICS, self.inbox, keep_raw=False)
        self.logs = Lane(LOGS, self.inbox, keep_raw=False)

    def put(self, lane, *texts):
        """Put texts into a lane, as one read."""
        lane.put([(each, 5.0, None, None) for each in texts])

    def next(self):
        """Return the next frame, which must be there."""
        return self.dispatcher.next(Deadline(PATIENCE), lambda: False)

    def rest(self):
        """Return all that is there."""
        found = []
        try:
            while True:
                found.append(self.dispatcher.next(Deadline(0), lambda: False))
        except queue.Empty:
            return found


@pytest.fixture
def house():
    """Return a house with nothing in it."""
    return House()


def values(frames):
    """Return the values of telemetry frames, and what else there is as it is."""
    return [f.points[0].value if isinstance(f, TelemetryFrame) else f for f in frames]


def test_frames_are_decoded_and_counted_at_the_hand_over(house):
    """What waits is buffered; what was handed over is delivered, with its points."""
    house.put(house.metrics, telemetry(point(1), point(2)), telemetry(point(3)))
    assert house.metrics.figures()["buffered"] == 2
    frame = house.next()
    assert (frame.stream, frame.received_at) == (METRICS, 5.0)
    figures = house.metrics.figures()
    assert (figures["delivered"], figures["points"], figures["buffered"]) == (1, 2, 1)


def test_a_bad_frame_is_told_before_the_next_one(house, caplog):
    """It is counted, logged and told, scrubbed, and loses nothing else."""
    told = []
    house.callbacks.add(lambda error: told.append((error, house.metrics.delivered)), FrameError)
    house.put(house.metrics, telemetry(point(1)), b"secret!", telemetry(point(2)))
    assert values(house.rest()) == [1, 2]
    ((error, delivered),) = told
    assert (error.stream, error.excerpt, delivered) == (METRICS, b"[api key]!", 1)
    assert house.metrics.figures()["bad"] == 1
    assert "secret" not in caplog.text


def test_a_foreign_frame_is_counted_only(house):
    """A frame without a point of the stream's device is filtered."""
    house.put(house.metrics, telemetry(point(1, "robot-02")), telemetry(point(2)))
    assert values(house.rest()) == [2]
    assert house.metrics.figures()["filtered"] == 1


def test_an_error_frame_is_also_logged(house, caplog):
    """The service's own error is handed over, and a warning says it, without the key."""
    house.put(house.logs, text({"type": "error", "message": "bad key secret"}))
    with caplog.at_level(logging.WARNING, "plexus_sync"):
        assert isinstance(house.next(), ErrorFrame)
    assert "the service reports: bad key [api key]" in caplog.text


def test_a_gap_and_the_frame_behind_it_stay_together(house):
    """Frames that are dropped while the Gap is handed over make no second Gap before it."""
    house.put(house.metrics, *(telemetry(point(number)) for number in range(6)))
    gap = house.next()
    assert isinstance(gap, Gap)
    assert gap.dropped == 2
    house.put(house.metrics, *(telemetry(point(number)) for number in range(6, 9)))
    assert values([house.next()]) == [2]
    rest = values(house.rest())
    assert [type(each) for each in rest] == [Gap, int, int, int, int]
    assert house.metrics.figures()["gaps"] == 2


def test_lanes_take_turns(house, monkeypatch):
    """A turn ends when its time is up and another lane waits, but never before one frame."""
    clock = FakeClock()
    monkeypatch.setattr(module.time, "monotonic", clock)
    for number in range(4):
        house.put(house.metrics, telemetry(point(number)))
    house.put(house.logs, event(1), event(2))
    order = []
    for _ in range(6):
        order.append(house.next().stream.kind)
        clock.advance(module.TURN)
    assert order == ["metrics", "logs", "metrics", "logs", "metrics", "metrics"]


def test_lanes_take_turns_that_several_threads_have_taken(house, monkeypatch):
    """A lane that is out of the row, but not first in it, waits as one that is in it does."""
    clock = FakeClock()
    monkeypatch.setattr(module.time, "monotonic", clock)
    house.put(house.metrics, *(telemetry(point(number)) for number in range(3)))
    house.put(house.logs, event(1))
    house.dispatcher._turns.extend([house.inbox.next_lane(0), house.inbox.next_lane(0)])
    order = []
    for _ in range(4):
        order.append(house.next().stream.kind)
        clock.advance(module.TURN)
    assert order == ["metrics", "logs", "metrics", "metrics"]


def test_ctrl_c_loses_no_lane(house, monkeypatch):
    """It may come when a lane was just taken out of the row, and is in nobody's hands yet."""

    def interrupted(timeout):
        Inbox.next_lane(house.inbox, timeout)
        raise KeyboardInterrupt

    house.put(house.metrics, telemetry(point(1)), telemetry(point(2)))
    with monkeypatch.context() as patch:
        patch.setattr(house.inbox, "next_lane", interrupted)
        with pytest.raises(KeyboardInterrupt):
            house.next()
    assert values(house.rest()) == [1, 2]


@pytest.mark.parametrize("lane", ["metrics", "video"])
def test_ctrl_c_while_frames_are_decoded(house, monkeypatch, lane):
    """They are still there, and so is the Gap before them."""
    lane = house.metrics if lane == "metrics" else Lane(VideoStream("robot-01"), house.inbox, False)
    line = telemetry(point(1)) if lane is house.metrics else picture()
    gap = Gap(lane.stream, 1.0, 2.0, "connection")
    decoder = lane.decoder

    class Interrupted:
        def frames(self, entries):
            lane.decoder = decoder
            raise KeyboardInterrupt

    lane.put_gap(gap)
    lane.put([(line, 5.0, None, None)])
    lane.decoder = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        house.next()
    told, frame = house.rest()
    assert told == gap
    assert frame == decode(line)
    assert lane.figures()["buffered"] == 0


def test_a_lane_alone_keeps_its_turn(house):
    """Without another one that waits there is nobody to make way for."""
    house.put(house.metrics, *(telemetry(point(number)) for number in range(4)))
    assert values(house.rest()) == [0, 1, 2, 3]


def test_notices_overtake_frames(house):
    """What happened is told before the frames that wait."""
    change = StateChange(METRICS, State.IDLE, State.CONNECTING)
    order = []
    house.callbacks.add(order.append, StateChange)
    house.put(house.metrics, telemetry(point(1)))
    house.inbox.tell(change)
    order.append(house.next().points[0].value)
    assert order == [change, 1]


def test_only_one_thread_tells(house):
    """While one thread is in a callback, another one takes frames and leaves the telling to it."""
    told, taken = [], []

    def during(change):
        told.append(change.current)
        if not taken:
            house.inbox.tell(StateChange(METRICS, State.CONNECTING, State.WAITING))
            house.put(house.metrics, telemetry(point(1)))
            taken.append(InThread(house.next).result())
            told.append("after")

    house.callbacks.add(during, StateChange)
    house.inbox.tell(StateChange(METRICS, State.IDLE, State.CONNECTING))
    house.dispatcher.tell_notices()
    assert values(taken) == [1]
    assert told == [State.CONNECTING, "after", State.WAITING]


def test_a_closed_lane_hands_over_nothing(house):
    """What is in the dispatcher's hands when the lane closes counts as discarded."""
    house.put(house.metrics, *(telemetry(point(number)) for number in range(6)))
    assert isinstance(house.next(), Gap)
    house.metrics.close()
    assert house.rest() == []
    figures = house.metrics.figures()
    assert (figures["dropped"], figures["discarded"], figures["buffered"]) == (2, 4, 0)


def test_it_ends_when_it_is_told_so(house):
    """Finished is raised when the caller says so; the time limit raises Empty."""
    with pytest.raises(Finished):
        house.dispatcher.next(Deadline(PATIENCE), lambda: True)
    with pytest.raises(queue.Empty):
        house.dispatcher.next(Deadline(0), lambda: False)


def test_a_wake_makes_it_look_around(house):
    """A thread that waits for frames sees at once that all is over."""
    over = []
    waiting = InThread(lambda: house.dispatcher.next(Deadline(PATIENCE), lambda: bool(over)))
    over.append(True)
    house.inbox.wake()
    with pytest.raises(Finished):
        waiting.result()


def test_it_knows_whether_it_is_calling(house):
    """Only inside a callback, and only on that thread."""
    seen = []
    house.callbacks.add(
        lambda change: seen.extend(
            [house.dispatcher.is_calling(), InThread(house.dispatcher.is_calling).result()]
        ),
        StateChange,
    )
    house.inbox.tell(StateChange(METRICS, State.IDLE, State.CONNECTING))
    house.dispatcher.tell_notices()
    assert seen == [True, False]
    assert not house.dispatcher.is_calling()
