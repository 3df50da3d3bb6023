"""The registry of callbacks, and what happens when they raise."""

from __future__ import annotations

import functools
import logging
import threading

import pytest
from helpers import PATIENCE, InThread

from plexus_sync import (
    CallbackError,
    ConfigError,
    ConnectionLost,
    ErrorFrame,
    EventFrame,
    Gap,
    MetricsStream,
    PlexusError,
    Point,
    State,
    StateChange,
    TelemetryFrame,
)
from plexus_sync.callbacks import Callbacks

STREAM = MetricsStream("robot-01")
GAP = Gap(STREAM, 1.0, 2.0, "overflow", 1)
CHANGE = StateChange(STREAM, State.IDLE, State.CONNECTING)
EVENT = EventFrame("robot-01", "log", 1)
LOST = ConnectionLost("reset")


def telemetry(*metrics):
    """Return a frame with one point for each metric."""
    return TelemetryFrame(tuple(Point("robot-01", metric, 1) for metric in metrics), stream=STREAM)


FRAME = telemetry("battery.percent")


@pytest.fixture
def callbacks():
    """Return an empty registry."""
    return Callbacks()


@pytest.fixture
def errors(callbacks):
    """Return the list of what on_error was told."""
    told = []
    callbacks.add(told.append, PlexusError)
    return told


def raising(error):
    """Return a callback that raises."""

    def fail(argument):
        raise error

    return fail


def test_nobody(callbacks):
    """Where nobody is registered nothing happens."""
    callbacks.call(FRAME)
    callbacks.call(LOST)
    assert callbacks.want_frames() is False


def test_add_returns_the_function(callbacks):
    """So that registering is a decorator too."""

    def function(frame):
        pass

    assert callbacks.add(function, None) is function
    assert callbacks.add(function, TelemetryFrame, "a*") is function


@pytest.mark.parametrize("thing", [FRAME, EVENT, GAP, CHANGE, LOST, ErrorFrame("x")])
@pytest.mark.parametrize("wanted", [TelemetryFrame, EventFrame, Gap, StateChange, PlexusError])
def test_each_gets_what_it_wants(callbacks, wanted, thing):
    """A callback for a class is called with its objects and no others."""
    called = []
    callbacks.add(called.append, wanted)
    callbacks.call(thing)
    assert called == ([thing] if isinstance(thing, wanted) else [])


@pytest.mark.parametrize(
    ("thing", "wanted"),
    [(FRAME, True), (EVENT, True), (ErrorFrame("x"), True), (GAP, True), (CHANGE, False)]
    + [(LOST, False), (PlexusError("x"), False), (CallbackError("f", None), False)],
)
def test_every_frame(callbacks, thing, wanted):
    """Who wants every frame gets Gaps too, but neither states nor errors."""
    called = []
    callbacks.add(called.append, None)
    callbacks.call(thing)
    assert called == ([thing] if wanted else [])


def test_order_of_registration(callbacks):
    """All are called with the same frame, in their order, whatever they asked for."""
    called = []
    for number, wanted in enumerate([TelemetryFrame, None, TelemetryFrame, EventFrame, None]):
        callbacks.add(lambda frame, number=number: called.append((number, frame)), wanted)
    callbacks.call(FRAME)
    assert called == [(0, FRAME), (1, FRAME), (2, FRAME), (4, FRAME)]


def test_registered_twice_is_called_twice(callbacks):
    """Any number, the same one too."""
    called = []
    callbacks.add(called.append, None)
    callbacks.add(called.append, None)
    callbacks.call(EVENT)
    assert called == [EVENT, EVENT]


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("battery.percent", ["battery.percent"]),
        ("battery.*", ["battery.percent", "battery.", "battery.a\nb"]),
        ("*.percent", ["battery.percent", "Cpu.percent"]),
        ("cpu.percent", []),
        ("?pu.percent", ["Cpu.percent"]),
        ("[!C]*.percent", ["battery.percent"]),
        ("*", ["battery.percent", "Cpu.percent", "battery.", "battery.a\nb"]),
        ("", []),
        ("battery.percen", []),
    ],
)
def test_metrics_that_match(callbacks, pattern, matching):
    """A pattern is one of fnmatchcase, for the whole name; the callback gets the points."""
    frame = telemetry("battery.percent", "Cpu.percent", "battery.", "battery.a\nb")
    called = []
    callbacks.add(called.append, TelemetryFrame, pattern)
    callbacks.call(frame)
    assert called == [point for point in frame.points if point.metric in matching]
    assert all(type(point) is Point for point in called)


def test_patterns_are_for_telemetry_only(callbacks):
    """Another frame has no points that could match."""
    called = []
    callbacks.add(called.append, TelemetryFrame, "*")
    for thing in (EVENT, GAP, CHANGE, LOST):
        callbacks.call(thing)
    assert called == []


@pytest.mark.parametrize(
    ("wanted", "wants"),
    [(None, True), (TelemetryFrame, True), (Gap, True), (StateChange, False), (PlexusError, False)],
)
def test_want_frames(callbacks, wanted, wants):
    """States and errors make no callback mode; anything else does."""
    callbacks.add(print, wanted)
    assert callbacks.want_frames() is wants
    callbacks.remove(print)
    assert callbacks.want_frames() is False


def test_want_frames_among_others(callbacks):
    """One that wants frames is enough."""
    callbacks.add(print, PlexusError)
    callbacks.add(print, TelemetryFrame, "*")
    assert callbacks.want_frames() is True


def test_remove(callbacks):
    """A function is unregistered everywhere, bound methods and the unknown included."""
    called = []
    callbacks.add(called.append, None)
    callbacks.add(called.append, TelemetryFrame, "*")
    callbacks.add(called.append, PlexusError)
    callbacks.call(FRAME)
    assert len(called) == 2
    callbacks.remove(print)
    callbacks.remove(called.append)
    callbacks.call(FRAME)
    callbacks.call(LOST)
    assert len(called) == 2


def test_remove_from_inside(callbacks):
    """Who is unregistered by a callback before it is not called any more."""
    called = []

    def first(frame):
        called.append("first")
        callbacks.remove(second)

    def second(frame):
        called.append("second")

    def third(frame):
        called.append("third")

    for function in (first, second, third):
        callbacks.add(function, None)
    callbacks.call(FRAME)
    callbacks.call(FRAME)
    assert called == ["first", "third", "first", "third"]


def test_remove_itself_on_a_point(callbacks):
    """Who has had enough gets no more points of the same frame either."""
    called = []

    def once(point):
        called.append(point.metric)
        callbacks.remove(once)

    callbacks.add(once, TelemetryFrame, "*")
    callbacks.add(lambda frame: called.append("other"), None)
    callbacks.call(telemetry("a", "b"))
    assert called == ["a", "other"]


def test_add_from_inside(callbacks):
    """Who is registered by a callback is called from the next frame on; nobody is left out."""
    called = []

    def first(point):
        called.append(point.metric)
        if len(called) == 1:
            callbacks.add(lambda frame: called.append("new"), None)

    callbacks.add(first, TelemetryFrame, "*")
    callbacks.call(telemetry("a", "b"))
    assert called == ["a", "b"]
    callbacks.call(telemetry("c"))
    assert called == ["a", "b", "c", "new"]


def test_what_a_callback_raises(callbacks, errors, caplog):
    """It is logged with its traceback, told to on_error, and ends nothing."""
    called = []
    mistake = KeyError("mistake")
    fail = callbacks.add(raising(mistake), None)
    callbacks.add(called.append, None)
    callbacks.call(FRAME)
    (error,) = errors
    assert type(error) is CallbackError
    assert (error.callback, error.frame, error.__cause__) == (fail, FRAME, mistake)
    assert error.final is False
    assert called == [FRAME]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("plexus_sync", logging.ERROR)
    assert record.getMessage() == str(error)
    assert record.exc_info[1] is mistake


def test_what_a_callback_for_points_raises(callbacks, errors):
    """The error tells the frame; the other points go on."""
    called = []

    def fail(point):
        called.append(point.metric)
        raise ValueError(point.metric)

    frame = telemetry("a", "b")
    callbacks.add(fail, TelemetryFrame, "*")
    callbacks.call(frame)
    assert called == ["a", "b"]
    assert [error.frame for error in errors] == [frame, frame]
    assert [str(error.__cause__) for error in errors] == ["a", "b"]


def test_what_on_state_raises(callbacks, errors):
    """It is told like any other."""
    callbacks.add(raising(ValueError("x")), StateChange)
    callbacks.call(CHANGE)
    assert [error.frame for error in errors] == [CHANGE]


@pytest.mark.parametrize("thing", [LOST, FRAME])
def test_what_on_error_raises(callbacks, errors, caplog, thing):
    """It is only logged, and the next on_error is called all the same."""
    mistake = ValueError("in on_error")
    callbacks.remove(errors.append)
    callbacks.add(raising(mistake), PlexusError)
    callbacks.add(errors.append, PlexusError)
    callbacks.add(raising(KeyError("in on_telemetry")), TelemetryFrame)
    callbacks.call(thing)
    assert len(errors) == 1
    assert caplog.records[-1].exc_info[1] is mistake
    assert caplog.records[-1].levelno == logging.ERROR
    assert len(caplog.records) == (1 if thing is LOST else 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_a_program(callbacks, errors, caplog, error):
    """It goes through, and is nobody's error."""
    callbacks.add(raising(error), None)
    with pytest.raises(type(error)) as caught:
        callbacks.call(FRAME)
    assert caught.value is error
    assert errors == []
    assert caplog.records == []


async def coroutine(frame):
    """Do nothing."""


async def generator(frame):
    """Yield nothing."""
    yield


class Asynchronous:
    """An object whose call is a coroutine."""

    async def __call__(self, frame):
        """Do nothing."""

    async def method(self, frame):
        """Do nothing."""


@pytest.mark.parametrize(
    "function",
    [
        coroutine,
        generator,
        functools.partial(coroutine),
        Asynchronous(),
        Asynchronous().method,
    ],
)
def test_coroutine_functions_are_refused(callbacks, function):
    """Nobody would await them; the message says what to do."""
    with pytest.raises(ConfigError, match=r"is a coroutine function.*call_soon_threadsafe"):
        callbacks.add(function, None)
    assert callbacks.want_frames() is False


@pytest.mark.parametrize("function", [None, 7, "print", []])
def test_what_cannot_be_called_is_refused(callbacks, function):
    """A mistake is told where it was made."""
    with pytest.raises(ConfigError, match="must be callable"):
        callbacks.add(function, None)


@pytest.mark.parametrize("function", [print, functools.partial(print), lambda frame: None, dict])
def test_whatever_can_be_called_is_taken(callbacks, function):
    """Functions, partial functions, lambdas, classes."""
    assert callbacks.add(function, None) is function


def test_many_threads_register(callbacks):
    """Nobody's registration is lost, and calls go on meanwhile."""
    called = []
    here = threading.Barrier(9)

    def register(number):
        here.wait(PATIENCE)
        for _ in range(20):
            callbacks.add(lambda frame: called.append(number), None)

    threads = [InThread(register, number) for number in range(8)]
    here.wait(PATIENCE)
    for _ in range(20):
        callbacks.call(CHANGE)
    for thread in threads:
        thread.result()
    callbacks.call(EVENT)
    assert sorted(called) == sorted(list(range(8)) * 20)
