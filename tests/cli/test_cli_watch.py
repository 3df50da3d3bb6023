"""Frames for a limited time, and what is said meanwhile."""

from __future__ import annotations

import pytest
from helpers import PATIENCE, event, point, telemetry

from plexus_sync import (
    AuthenticationError,
    BufferOverflow,
    ConnectionLost,
    EventFrame,
    FrameError,
    Gap,
    LogsStream,
    MetricsStream,
)
from plexus_sync.cli import watch
from plexus_sync.cli.messages import Messages
from plexus_sync.cli.watch import Watch
from plexus_sync.deadline import Deadline

METRICS, LOGS = MetricsStream("robot-01"), LogsStream("robot-01")


def frames_of(iterator, cls):
    """Yield the frames of a class."""
    return (frame for frame in iterator if isinstance(frame, cls))


def test_frames_and_ticks(simulator, subscribe):
    """None comes now and then, so that whoever waits can look at other things."""
    with subscribe(LOGS) as subscription:
        frames = Watch(subscription, Messages(), Deadline(PATIENCE)).frames()
        assert next(frames) is None
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "logs", event(1))
        assert next(frames_of(frames, EventFrame)).value == 1


def test_the_end_of_the_time(subscribe):
    """Then there are no more."""
    with subscribe(LOGS) as subscription:
        assert list(Watch(subscription, Messages(), Deadline(0.01)).frames()) == [None]


def test_a_subscription_that_is_closed(subscribe):
    """It ends, without an error."""
    with subscribe(LOGS) as subscription:
        frames = Watch(subscription, Messages(), Deadline(None)).frames()
        subscription.close()
        assert list(frames) == []


def test_a_first_connection_that_fails(free_port, subscribe):
    """It is not tried again: a host that was mistyped is to be told."""
    url = f"ws://127.0.0.1:{free_port}"
    with subscribe(LOGS, base_url=url) as subscription, pytest.raises(ConnectionLost):
        list(Watch(subscription, Messages(), Deadline(None)).frames())


def test_a_lost_connection_is_made_again(simulator, subscribe, capsys):
    """The loss is said on stderr, the gap stands among the frames."""
    with subscribe(LOGS) as subscription:
        frames = Watch(subscription, Messages(), Deadline(PATIENCE)).frames()
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "logs", event(1))
        next(frames_of(frames, EventFrame))
        simulator.close(1012, "restart")
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "logs", event(2))
        assert next(frames_of(frames, Gap)).reason == "connection"
        assert next(frames_of(frames, EventFrame)).value == 2
    assert capsys.readouterr().err == (
        "plexus-sync: robot-01/logs: lost (1012: restart), connecting again\n"
    )


def test_a_refused_key_is_tried_once_more(simulator, subscribe, capsys):
    """As the library does it, and without a word before it is final."""
    key = "plx_wrong"
    with subscribe(LOGS, api_key=key) as subscription, pytest.raises(AuthenticationError) as caught:
        list(Watch(subscription, Messages(), Deadline(None)).frames())
    assert caught.value.final
    assert len(simulator.received) == 2
    assert capsys.readouterr().err == ""


class Fake:
    """A subscription whose errors and frames are the test's."""

    def __init__(self, *told):
        self.told = list(told)

    def on_state(self, fn):
        """Take it."""

    def on_error(self, fn):
        """Keep it."""
        self.tell = fn

    def status(self):
        """Return nothing."""
        return {}

    def get(self, timeout):
        """Tell the next error, or hand over a frame."""
        self.tell(self.told.pop(0))
        return "frame"


def test_one_stream_that_failed_while_others_went_on():
    """Its error is raised when the time is up, however busy the others were."""
    error = BufferOverflow("full", stream=LOGS, final=True)
    deadline = Deadline(PATIENCE)
    frames = Watch(Fake(error, error), Messages(), deadline).frames()
    assert next(frames) == "frame"
    deadline._at = 0.0
    with pytest.raises(BufferOverflow):
        next(frames)


def test_bad_frames_are_told_once_in_a_while(capsys):
    """A thousand of them are one problem."""
    bad = FrameError("a frame cannot be decoded", stream=LOGS)
    frames = Watch(Fake(bad, bad), Messages(), Deadline(PATIENCE)).frames()
    assert [next(frames), next(frames)] == ["frame", "frame"]
    assert capsys.readouterr().err == "plexus-sync: a frame cannot be decoded\n"


def test_other_errors_are_not_its_business(capsys):
    """An error of a callback is the program's own, and logged."""
    from plexus_sync import CallbackError

    frames = Watch(Fake(CallbackError("f", None)), Messages(), Deadline(PATIENCE)).frames()
    assert next(frames) == "frame"
    assert capsys.readouterr().err == ""


def test_silence_is_told_once(subscribe, capsys, monkeypatch):
    """The service does not say that there is no such device."""
    monkeypatch.setattr(watch, "SILENCE", 0.01)
    monkeypatch.setattr(watch, "TICK", 0.02)
    with subscribe(LOGS) as subscription:
        frames = Watch(subscription, Messages(), Deadline(PATIENCE)).frames()
        assert [next(frames) for _ in range(3)] == [None] * 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "the device may be off" in err


def test_the_status_line(simulator, subscribe, terminal, monkeypatch):
    """It tells which stream is not open, and how much has come."""
    monkeypatch.setattr(watch, "TICK", 0.02)
    screens = terminal()
    with subscribe(METRICS) as subscription:
        frames = Watch(subscription, Messages(), Deadline(PATIENCE)).frames()
        next(frames)
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", telemetry(point()))
        next(frame for frame in frames if frame is not None)
        simulator.cut()
        while "open, 1 frames" not in screens.err.getvalue():
            next(frames)
    err = screens.err.getvalue()
    assert "robot-01/metrics is " in err
    assert "no frame yet, 0 s" in err
