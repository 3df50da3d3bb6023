"""The subscription as its users see it, against the simulator."""

from __future__ import annotations

import copy
import gc
import logging
import os
import pickle
import queue
import signal
import threading
import traceback

import pytest
from helpers import PATIENCE

from plexus_sync import (
    Buffer,
    CallbackError,
    Closed,
    ConfigError,
    ConnectionLost,
    EventFrame,
    FrameError,
    Gap,
    GatewayReconnectingFrame,
    InitFrame,
    LogsStream,
    MetricsStream,
    PaymentRequiredError,
    Reconnect,
    RetriesExhausted,
    State,
    StateChange,
    Subscription,
    TelemetryFrame,
    VideoFrame,
    VideoStream,
)
from plexus_sync import reader as subscription_reader
from plexus_sync.framing import FrameReader

METRICS = MetricsStream("robot-01")
LOGS = LogsStream("robot-01")
VIDEO = VideoStream("robot-01")


def telemetry(*values, metric="n", source="robot-01"):
    """Return a telemetry frame with one point for each value."""
    points = [
        {"source_id": source, "metric": metric, "value": value, "class": "metric"}
        for value in values
    ]
    return {"type": "telemetry", "points": points}


EVENT = {"type": "event", "source_id": "robot-01", "metric": "log", "value": 1, "class": "event"}
PICTURE = {"type": "video_frame", "source_id": "robot-01", "camera_id": "front", "frame": "/9j/"}


def value(frame):
    """Return the value of a telemetry frame's only point."""
    (point,) = frame.points
    return point.value


class Calls:
    """A callback that keeps what it was called with, and lets the test wait for it."""

    def __init__(self):
        self._queue = queue.Queue()
        self.threads = set()

    def __call__(self, thing):
        """Keep it."""
        self.threads.add(threading.current_thread())
        self._queue.put(thing)

    def next(self):
        """Return what it was called with next."""
        return self._queue.get(timeout=PATIENCE)

    def until(self, condition):
        """Return the first thing, from the next on, for which the condition holds."""
        while True:
            thing = self.next()
            if condition(thing):
                return thing

    def none(self):
        """Return whether it was not called since."""
        return self._queue.empty()


# The three ways of the interface's first page.


def test_run_calls_callbacks_on_the_callers_thread(simulator, subscribe):
    """run() blocks, and calls each frame's callbacks right here."""
    sub = subscribe(METRICS, LOGS, VIDEO)
    seen = []
    threads = set()

    def note(frame):
        threads.add(threading.current_thread())
        seen.append(type(frame))
        if {TelemetryFrame, EventFrame, InitFrame, VideoFrame} <= set(seen):
            sub.close()

    sub.on_telemetry(note)
    sub.on_event(note)
    sub.on_init(note)
    sub.on_video_frame(note)

    @sub.on_state
    def publish(change):
        kind = change.stream.kind
        if change.current is State.OPEN or (kind == "video" and change.current is State.OPEN):
            simulator.publish("robot-01", kind, frames[kind])

    # On metrics and logs nothing tells that the stream is open but a second of waiting.
    frames = {"metrics": telemetry(1), "logs": EVENT, "video": PICTURE}
    sub.run(timeout=PATIENCE)
    assert threads == {threading.current_thread()}
    assert set(seen) == {TelemetryFrame, EventFrame, InitFrame, VideoFrame}


def test_with_calls_callbacks_on_one_background_thread(simulator, subscribe):
    """A with block starts and closes; callbacks run on the dispatcher's thread."""
    sub = subscribe(METRICS)
    calls = Calls()
    sub.on_telemetry(calls)
    with sub as entered:
        assert entered is sub
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", telemetry(1))
        simulator.publish("robot-01", "metrics", telemetry(2))
        assert [value(calls.next()), value(calls.next())] == [1, 2]
    assert [thread.name for thread in calls.threads] == ["plexus-sync dispatch"]
    assert sub.status()[METRICS].state is State.ENDED


def test_without_callbacks_it_is_a_queue(simulator, subscribe):
    """Iteration hands over the frames and stops at close()."""
    sub = subscribe(METRICS)
    values = []
    with sub:
        simulator.wait_for_connections(1)
        for number in range(3):
            simulator.publish("robot-01", "metrics", telemetry(number))
        for frame in sub:
            values.append(value(frame))
            if len(values) == 3:
                sub.close()
    assert values == [0, 1, 2]
    with pytest.raises(Closed):
        sub.get()


def test_frames_know_where_they_come_from(simulator, subscribe):
    """Stream, time of arrival and, where asked for, the text are local to us."""
    sub = subscribe(METRICS, keep_raw=True)
    with sub:
        simulator.wait_for_connections(1)
        text = '{"type":"telemetry","points":[],"trace":"x"}'
        simulator.publish("robot-01", "metrics", text)
        frame = sub.get(PATIENCE)
    assert frame.stream is METRICS
    assert frame.raw == text.encode()
    assert frame.received_at == sub.status()[METRICS].last_frame_at


# Callbacks.


def test_callbacks_run_in_order_of_registration(simulator, subscribe):
    """on_telemetry, on_metric and on_frame share one order, and one frame goes to all."""
    sub = subscribe(METRICS)
    order = []
    sub.on_frame(lambda frame: order.append("frame 1"))
    sub.on_telemetry(lambda frame: order.append("telemetry"))
    sub.on_metric("joint.*", lambda point: order.append(point.metric))
    sub.on_frame(lambda frame: order.append("frame 2"))
    done = Calls()
    sub.on_telemetry(done)
    with sub:
        simulator.wait_for_connections(1)
        points = telemetry(1, metric="joint.1")["points"] + telemetry(2)["points"]
        simulator.publish("robot-01", "metrics", {"type": "telemetry", "points": points})
        done.next()
    assert order == ["frame 1", "telemetry", "joint.1", "frame 2"]


def test_on_metric_is_a_decorator(simulator, subscribe):
    """Without a function it returns a decorator, which returns the function."""
    sub = subscribe(METRICS)
    calls = Calls()
    assert sub.on_metric("battery.*")(calls) is calls
    with sub:
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", telemetry(7, metric="battery.percent"))
        assert calls.next().value == 7


def test_a_callback_that_raises_ends_nothing(simulator, subscribe, caplog):
    """Its error is logged with the traceback and told as CallbackError; the others go on."""
    sub = subscribe(METRICS)
    errors, calls = Calls(), Calls()

    @sub.on_telemetry
    def fail(frame):
        raise ZeroDivisionError("mine")

    sub.on_telemetry(calls)
    sub.on_error(errors)
    with sub, caplog.at_level(logging.ERROR, "plexus_sync"):
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", telemetry(1))
        error = errors.next()
        frame = calls.next()
    assert isinstance(error, CallbackError)
    assert error.callback is fail
    assert error.frame is frame
    assert not error.final
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert caplog.records[0].exc_info[1] is error.__cause__


def test_what_on_error_raises_is_only_logged(simulator, subscribe, caplog):
    """An on_error that raises is not told to itself again."""
    sub = subscribe(METRICS)
    errors = Calls()

    @sub.on_error
    def worse(error):
        raise KeyError("worse")

    sub.on_error(errors)
    sub.on_telemetry(lambda frame: 1 / 0)
    with sub:
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", telemetry(1))
        assert isinstance(errors.next().__cause__, ZeroDivisionError)
    assert errors.none()
    assert any(r.exc_info and isinstance(r.exc_info[1], KeyError) for r in caplog.records)


def test_off_takes_effect_within_the_same_frame(simulator, subscribe):
    """What one callback unregisters is not called any more, everywhere."""
    sub = subscribe(METRICS)
    calls, done = Calls(), Calls()
    sub.on_telemetry(lambda frame: sub.off(calls))
    sub.on_telemetry(calls)
    sub.on_frame(calls)
    sub.on_telemetry(done)
    with sub:
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", telemetry(1))
        done.next()
    assert calls.none()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_callback_may_end_run(simulator, subscribe, error):
    """SystemExit and KeyboardInterrupt come out of run(), after it has closed."""
    sub = subscribe(VIDEO)

    @sub.on_init
    def leave(frame):
        raise error

    with pytest.raises(error):
        sub.run(timeout=PATIENCE)
    assert sub.status()[VIDEO].state is State.ENDED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_system_exit_ends_a_background_subscription(simulator, subscribe):
    """SystemExit out of a callback closes it, as its thread ends."""
    sub = subscribe(VIDEO)

    @sub.on_init
    def leave(frame):
        raise SystemExit

    with sub:
        assert sub.wait(PATIENCE)
    assert sub.status()[VIDEO].state is State.ENDED


def test_ctrl_c_ends_run_cleanly(simulator, subscribe):
    """SIGINT in run() closes and lets KeyboardInterrupt through."""
    sub = subscribe(METRICS)

    @sub.on_state
    def interrupt(change):
        if change.current is State.AUTHENTICATING:
            signal.raise_signal(signal.SIGINT)

    # Whoever starts the tests in the background may have SIGINT ignored.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            sub.run(timeout=PATIENCE)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert sub.status()[METRICS].state is State.ENDED


def test_asyncio_is_served_by_one_line(simulator, subscribe):
    """A coroutine function is refused with the line that serves asyncio."""
    sub = subscribe(METRICS)

    async def wrong(frame):
        """Never called."""

    class Wrong:
        async def __call__(self, frame):
            """Never called."""

    for function in (wrong, Wrong()):
        with pytest.raises(ConfigError, match="call_soon_threadsafe"):
            sub.on_telemetry(function)
    with pytest.raises(ConfigError, match="callable"):
        sub.on_frame(None)
    with pytest.raises(ConfigError, match="pattern=7"):
        sub.on_metric(7)


# One way or the other.


def test_queue_and_callbacks_exclude_each_other(simulator, subscribe):
    """The way is fixed at the start, and the other way says so."""
    callbacks = subscribe(METRICS)
    callbacks.on_gap(print)
    with callbacks, pytest.raises(RuntimeError, match="not both"):
        callbacks.get()
    as_queue = subscribe(METRICS)
    with as_queue:
        with pytest.raises(RuntimeError, match="runs as a queue"):
            as_queue.on_frame(print)
        with pytest.raises(RuntimeError, match="runs as a queue"):
            as_queue.on_metric("*", print)
        as_queue.on_state(print)
        as_queue.on_error(print)
        with pytest.raises(RuntimeError, match="run"):
            as_queue.run()


def test_errors_and_states_are_told_from_get(simulator, subscribe):
    """In queue mode get() calls on_error and on_state, here."""
    sub = subscribe(METRICS)
    states, errors = Calls(), Calls()
    sub.on_state(states)
    sub.on_error(errors)
    with sub:
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", "not json")
        simulator.publish("robot-01", "metrics", telemetry(1))
        assert value(sub.get(PATIENCE)) == 1
    assert isinstance(errors.next(), FrameError)
    assert states.next() == StateChange(METRICS, State.IDLE, State.CONNECTING)
    assert states.threads == errors.threads == {threading.current_thread()}


def test_get_gives_up_after_its_timeout(simulator, subscribe):
    """queue.Empty, and the subscription goes on."""
    sub = subscribe(METRICS)
    with pytest.raises(queue.Empty):
        sub.get(timeout=0)
    simulator.wait_for_connections(1)
    simulator.publish("robot-01", "metrics", telemetry(1))
    assert value(sub.get(PATIENCE)) == 1
    sub.close()


def test_several_threads_may_get(simulator, subscribe):
    """Every frame goes to one of them, and all of them end at close()."""
    sub = subscribe(METRICS)
    got = queue.Queue()

    def consume():
        for frame in sub:
            got.put(value(frame))
        got.put(None)

    with sub:
        simulator.wait_for_connections(1)
        threads = [threading.Thread(target=consume) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(500):
            simulator.publish("robot-01", "metrics", telemetry(number))
        values = [got.get(timeout=PATIENCE) for _ in range(500)]
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(values) == list(range(500))
    assert [got.get_nowait() for _ in threads] == [None] * 3


@pytest.mark.parametrize("timeout", [-1, "1", float("nan"), True])
def test_a_wrong_timeout_is_refused(simulator, subscribe, timeout):
    """Every timeout is checked, and the message names it."""
    sub = subscribe(METRICS)
    for method in (sub.start, sub.run, sub.get, sub.wait, sub.close):
        with pytest.raises(ConfigError, match="timeout="):
            method(timeout)


# Start and wait.


def test_start_waits_until_every_stream_is_open(simulator, subscribe):
    """With a timeout, start() returns when all are open; a second one starts nothing."""
    sub = subscribe(VIDEO)
    sub.start(timeout=PATIENCE)
    assert sub.status()[VIDEO].state is State.OPEN
    sub.start()
    sub.start(timeout=PATIENCE)
    assert sub.status()[VIDEO].attempts == 1


def test_start_raises_the_final_error(simulator, subscribe):
    """A stream that fails for good is told at once, and all is closed."""
    simulator.unpaid_keys.add("plx_unpaid")
    sub = subscribe(VIDEO, METRICS, api_key="plx_unpaid")
    with pytest.raises(PaymentRequiredError):
        sub.start(timeout=PATIENCE)
    with pytest.raises(Closed):
        sub.start()


def test_start_gives_up_with_the_last_failure(subscribe, free_port):
    """TimeoutError, whose cause is the last failure; all is closed."""
    sub = subscribe(METRICS, base_url=f"ws://127.0.0.1:{free_port}")
    with pytest.raises(TimeoutError) as raised:
        sub.start(timeout=0.2)
    assert isinstance(raised.value.__cause__, ConnectionLost)
    assert sub.status()[METRICS].state is State.ENDED


def test_a_missing_key_is_told_at_start():
    """Not in the constructor: the key may come to the environment later."""
    sub = Subscription(METRICS)
    for start in (sub.start, sub.run, sub.get):
        with pytest.raises(ConfigError, match="PLEXUS_API_KEY"):
            start()
    assert sub.status()[METRICS].state is State.IDLE


def test_wait_waits_for_frames_to_be_handed_over(simulator, subscribe):
    """With callbacks, wait() returns after the last one."""
    sub = subscribe(VideoStream("robot-01", timeout=1, buffer=Buffer(10)))
    entered, go_on = threading.Event(), threading.Event()
    handed = []

    @sub.on_video_frame
    def slow(frame):
        entered.set()
        assert go_on.wait(PATIENCE)
        handed.append(frame)

    ended = Calls()
    sub.on_state(ended)
    with sub:
        simulator.wait_for_connections(1)
        for _ in range(3):
            simulator.publish("robot-01", "video", PICTURE)
        assert entered.wait(PATIENCE)
        simulator.close(4402)
        (video,) = sub.status()
        while sub.status()[video].state is not State.FAILED:
            assert not sub.wait(timeout=0.01)
        go_on.set()
        with pytest.raises(PaymentRequiredError):
            sub.wait(PATIENCE)
        assert len(handed) == 3
        with pytest.raises(PaymentRequiredError):
            sub.wait(PATIENCE)


def test_wait_needs_a_start_and_no_callback(simulator, subscribe):
    """Before the start, and inside a callback, wait() would never return."""
    sub = subscribe(VIDEO)
    with pytest.raises(RuntimeError, match="start"):
        sub.wait()
    errors = Calls()
    sub.on_error(errors)
    sub.on_init(lambda frame: sub.wait())
    with sub:
        assert "inside a callback" in str(errors.next().__cause__)


def test_wait_in_queue_mode_does_not_wait_for_frames(simulator, subscribe):
    """The frames are still there for get(), and then the final error."""
    sub = subscribe(METRICS)
    sub.start()
    simulator.wait_for_connections(1)
    simulator.publish("robot-01", "metrics", telemetry(1))
    assert not sub.wait(timeout=0)
    simulator.close(4402)
    with pytest.raises(PaymentRequiredError):
        sub.wait(PATIENCE)
    assert value(sub.get(PATIENCE)) == 1
    for _ in range(2):
        with pytest.raises(PaymentRequiredError) as raised:
            sub.get(PATIENCE)
    assert raised.value.final
    assert raised.value.stream is METRICS


def test_one_stream_that_fails_does_not_end_the_others(simulator, subscribe):
    """It is told at once, and raised when the others have ended too."""
    sub = subscribe(METRICS, LOGS)
    errors = Calls()
    sub.on_error(errors)
    calls = Calls()
    sub.on_telemetry(calls)
    with sub:
        simulator.wait_for_connections(2)
        simulator.close(4402, stream="logs")
        assert errors.until(lambda error: error.final).stream is LOGS
        simulator.publish("robot-01", "metrics", telemetry(1))
        assert value(calls.next()) == 1
        simulator.close(4402, stream="metrics")
        with pytest.raises(PaymentRequiredError) as raised:
            sub.wait(PATIENCE)
        assert raised.value.stream is LOGS  # the first by time
        sub.remove(LOGS)
        with pytest.raises(PaymentRequiredError) as raised:
            sub.wait(PATIENCE)
        assert raised.value.stream is METRICS  # a removed stream's error does not count
        assert set(sub.status()) == {METRICS}


# Add and remove.


def test_streams_come_and_go_while_it_runs(simulator, subscribe):
    """add() connects, remove() disconnects; an empty subscription waits."""
    sub = subscribe()
    calls = Calls()
    sub.on_event(calls)
    with sub:
        assert not sub.wait(timeout=0)
        sub.add(LOGS)
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "logs", EVENT)
        assert calls.next().metric == "log"
        with pytest.raises(ConfigError, match="already"):
            sub.add(LogsStream("robot-01"))
        sub.remove(LogsStream("robot-01"))
        simulator.wait_for_connections(0)
        assert sub.status() == {}
        assert not sub.wait(timeout=0)
        sub.add(LOGS)
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "logs", EVENT)
        assert calls.next().metric == "log"


def test_add_and_remove_refuse_what_is_none(subscribe):
    """A wrong argument is a ConfigError that names it."""
    sub = subscribe(METRICS)
    with pytest.raises(ConfigError, match="no stream"):
        sub.add("robot-01")
    with pytest.raises(ConfigError, match="not there"):
        sub.remove(LOGS)
    with pytest.raises(ConfigError, match="not there"):
        sub.remove([])
    with pytest.raises(ConfigError, match="already"):
        subscribe(METRICS, METRICS)


def test_removing_discards_what_waits(simulator, subscribe):
    """Frames of a removed stream are handed over no more."""
    sub = subscribe(METRICS, LOGS)
    with sub:
        simulator.wait_for_connections(2)
        simulator.publish("robot-01", "metrics", telemetry(1))
        simulator.publish("robot-01", "logs", EVENT)
        frames = {type(sub.get(PATIENCE)) for _ in range(2)}
        assert frames == {TelemetryFrame, EventFrame}
        simulator.publish("robot-01", "metrics", telemetry(2))
        sub.remove(METRICS)
        simulator.publish("robot-01", "logs", EVENT)
        assert isinstance(sub.get(PATIENCE), EventFrame)


# Close.


def test_close_wakes_everything_that_blocks(simulator, subscribe):
    """get(), wait(), start() and run() in other threads return at once."""
    subs = [subscribe(METRICS) for _ in range(4)]
    running = subscribe(METRICS)
    subs[0].start()
    outcomes = queue.Queue()

    def noting(function, *args):
        def target():
            try:
                outcomes.put(function(*args))
            except Exception as error:
                outcomes.put(type(error))

        thread = threading.Thread(target=target)
        thread.start()
        return thread

    subs[2].start()
    threads = [
        noting(subs[0].get, PATIENCE),
        noting(subs[2].wait, PATIENCE),
        noting(running.run, PATIENCE),
    ]
    simulator.wait_for_connections(3)
    for sub in (*subs, running):
        assert sub.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert {outcomes.get_nowait() for _ in threads} == {Closed, True, None}


@pytest.mark.parametrize("how", ["callback", "thread", "twice"])
def test_close_from_anywhere(simulator, subscribe, how):
    """From a callback, from several threads at once, and again."""
    sub = subscribe(VIDEO)
    results = queue.Queue()

    @sub.on_init
    def close(frame):
        if how == "callback":
            results.put(sub.close())
        elif how == "thread":
            threads = [threading.Thread(target=lambda: results.put(sub.close())) for _ in range(3)]
            for thread in threads:
                thread.start()
            closers.extend(threads)

    closers = []
    with sub:
        if how == "twice":
            results.put(sub.close())
        assert results.get(timeout=PATIENCE)
        assert sub.close()
    for thread in closers:
        thread.join(PATIENCE)
    assert sub.status()[VIDEO].state is State.ENDED


def test_close_before_the_start(subscribe):
    """What never started has ended; nothing can be started or added any more."""
    sub = subscribe(METRICS)
    assert sub.close()
    assert sub.status()[METRICS].state is State.ENDED
    for call in (sub.start, sub.run, lambda: sub.add(LOGS)):
        with pytest.raises(Closed):
            call()
    with pytest.raises(Closed):
        sub.get()
    assert list(sub) == []
    assert sub.wait()


def test_close_does_not_wait_for_ever_for_a_callback(simulator, subscribe):
    """False where a callback still runs; it may return later."""
    sub = subscribe(VIDEO)
    entered, go_on = threading.Event(), threading.Event()
    after = Calls()

    @sub.on_init
    def hang(frame):
        entered.set()
        assert go_on.wait(PATIENCE)

    sub.on_init(after)
    sub.start()
    assert entered.wait(PATIENCE)
    assert sub.close(timeout=0.05) is False
    go_on.set()
    assert sub.close()


def test_a_signal_handler_may_close(simulator, subscribe):
    """Also while its own thread sits in get()."""
    sub = subscribe(METRICS)
    closed = Calls()
    previous = signal.signal(signal.SIGALRM, lambda *args: closed(sub.close()))
    try:
        with sub:
            simulator.wait_for_connections(1)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            assert list(sub) == []
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert closed.next() is True


def test_close_discards_and_counts_what_waits(simulator, subscribe):
    """Buffered frames are discarded by close(), never lost from the figures."""
    sub = subscribe(METRICS)
    sub.start()
    simulator.wait_for_connections(1)
    for number in range(5):
        simulator.publish("robot-01", "metrics", telemetry(number))
    assert value(sub.get(PATIENCE)) == 0
    while sub.status()[METRICS].buffered < 4:
        assert not sub.wait(timeout=0.01)
    sub.close()
    status = sub.status()[METRICS]
    assert (status.received, status.delivered, status.discarded) == (5, 1, 4)


def test_a_signal_handler_does_not_wait_for_itself(simulator, subscribe):
    """On top of our own code, which holds a lock, close() marks the end and waits for nobody."""
    sub = subscribe(METRICS)
    sub.start()
    simulator.wait_for_connections(1)
    (reader,) = sub._roster.present()
    with sub._lock, sub._dispatcher._lock, reader.lane._lock:  # as a handler would find them
        assert sub.close() is True
    with pytest.raises(Closed):
        sub.get()
    assert sub.close()
    assert sub.status()[METRICS].state is State.ENDED


def test_ctrl_c_while_start_waits_closes(subscribe, free_port, monkeypatch):
    """KeyboardInterrupt comes out of start(), and no thread is left."""
    sub = subscribe(METRICS, base_url=f"ws://127.0.0.1:{free_port}")

    def interrupt(predicate, deadline):
        raise KeyboardInterrupt

    monkeypatch.setattr(sub._inbox, "wait_until", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sub.start(timeout=PATIENCE)
    assert sub.status()[METRICS].state is State.ENDED


def test_run_ends_in_time_on_a_busy_stream(simulator, subscribe):
    """The time is up even where there is always a frame to hand over."""
    sub = subscribe(METRICS)
    handed = []

    @sub.on_telemetry
    def again(frame):
        handed.append(frame)
        simulator.publish("robot-01", "metrics", telemetry(1))
        simulator.publish("robot-01", "metrics", telemetry(2))

    @sub.on_state
    def begin(change):
        if change.current is State.AUTHENTICATING:
            simulator.wait_for_connections(1)
            simulator.publish("robot-01", "metrics", telemetry(0))

    sub.run(timeout=0.3)
    assert handed
    assert sub.status()[METRICS].state is State.ENDED


def test_get_ends_in_time_where_all_is_filtered(simulator, subscribe):
    """A flood of frames for others does not keep get() from giving up."""
    sub = subscribe(METRICS)
    with sub:
        simulator.wait_for_connections(1)
        over = threading.Event()

        def flood():
            while not over.is_set():
                simulator.publish("robot-01", "metrics", telemetry(1, source="robot-02"))

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            with pytest.raises(queue.Empty):
                sub.get(timeout=0.1)
        finally:
            over.set()
            flooding.join(PATIENCE)


def test_frames_go_to_whoever_waits(simulator, subscribe):
    """While one thread handles its frame the others get the next ones."""
    sub = subscribe(METRICS)
    everybody = threading.Barrier(3)

    def consume():
        sub.get(PATIENCE)
        everybody.wait(PATIENCE)  # none comes through before all have a frame

    with sub:
        simulator.wait_for_connections(1)
        threads = [threading.Thread(target=consume) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(3):
            simulator.publish("robot-01", "metrics", telemetry(number))
        for thread in threads:
            thread.join(PATIENCE)
        assert not everybody.broken
        assert sub.status()[METRICS].delivered == 3


def test_get_beside_callbacks_connects_nothing(simulator, subscribe):
    """The mistake is told before anything is started, and run() is still there."""
    sub = subscribe(VIDEO)
    sub.on_init(lambda frame: sub.close())
    with pytest.raises(RuntimeError, match="not both"):
        sub.get()
    assert sub.status()[VIDEO].state is State.IDLE
    sub.run(PATIENCE)
    assert sub.status()[VIDEO].delivered == 1


def test_start_says_so_where_another_thread_closes(subscribe, free_port):
    """It does not return as if every stream were open."""
    sub = subscribe(METRICS, base_url=f"ws://127.0.0.1:{free_port}")
    sub.on_state(print)
    closer = threading.Timer(0.05, sub.close)
    closer.start()
    with pytest.raises(Closed):
        sub.start(timeout=PATIENCE)
    closer.join()


def test_ctrl_c_while_run_begins_closes(subscribe, monkeypatch):
    """KeyboardInterrupt before the first callback leaves no thread either."""
    sub = subscribe(METRICS)

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(sub._runner, "use_this_thread", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sub.run(PATIENCE)
    assert sub.status()[METRICS].state is State.ENDED
    assert sub.close()


def test_a_close_on_top_of_a_close_does_not_wait(simulator, subscribe, monkeypatch):
    """A signal handler that interrupts close() itself returns at once."""
    sub = subscribe(METRICS)
    sub.start()
    simulator.wait_for_connections(1)
    inner = []
    original = sub._roster.join

    def interrupted(deadline):
        inner.append(sub.close(timeout=PATIENCE))
        return original(deadline)

    monkeypatch.setattr(sub._roster, "join", interrupted)
    assert sub.close()
    assert inner == [True]


def test_a_handler_may_close_while_a_stream_is_added(simulator, subscribe, monkeypatch):
    """The reader that it could not see yet is stopped as well."""
    sub = subscribe()
    sub.start()
    original = subscription_reader.Reader

    def interrupted(*args):
        reader = original(*args)
        sub.close()  # as a handler would, on top of add()
        return reader

    monkeypatch.setattr(subscription_reader, "Reader", interrupted)
    sub.add(METRICS)
    assert sub.close()
    assert simulator.wait_for_connections(0)


def test_nothing_is_called_after_close_gave_up(simulator, subscribe):
    """Once close() has returned False, the callback that sits there is the last one."""
    sub = subscribe(VIDEO)
    entered, go_on = threading.Event(), threading.Event()
    after = Calls()

    @sub.on_init
    def hang(frame):
        entered.set()
        assert go_on.wait(PATIENCE)

    sub.on_init(after)
    sub.on_state(lambda change: entered.is_set() and after(change))
    sub.start()
    assert entered.wait(PATIENCE)
    assert sub.close(timeout=0.05) is False
    go_on.set()
    assert sub.close()
    assert after.none()


def test_a_removed_stream_that_hangs_keeps_nobody_waiting(simulator, subscribe):
    """Its key callable may sit for ever; the others end as they would without it."""
    entered, go_on = threading.Event(), threading.Event()

    def key():
        if threading.current_thread().name.endswith("logs"):
            entered.set()
            assert go_on.wait(PATIENCE)
        return simulator.api_key

    sub = subscribe(METRICS, LOGS, api_key=key)
    with sub:
        assert entered.wait(PATIENCE)
        simulator.wait_for_connections(1)
        sub.remove(LOGS)
        simulator.close(4402)
        with pytest.raises(PaymentRequiredError):
            sub.wait(PATIENCE)
        go_on.set()


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": "plx_secret_key", "base_url": "bad"},
        {"api_key": "plx_secret_key\n"},
        {"api_key": b"plx_secret_key"},
        {"api_key": "plx_secret_key", "proxy": "ftp://x"},
    ],
)
def test_a_traceback_with_locals_does_not_show_the_key(arguments):
    """A report of a wrong argument may show every variable on the way."""
    try:
        Subscription(METRICS, **arguments)
    except ConfigError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in told.stack if "plexus_sync" in frame.filename]
    frames = [frame for frame in frames if "tests" not in frame.filename]
    assert frames
    assert not any("secret_key" in str(frame.locals) for frame in frames)


def test_a_key_from_the_environment_is_not_shown_either(monkeypatch):
    """A wrong one is told of without its text, in variables too."""
    monkeypatch.setenv("PLEXUS_API_KEY", "plx_secret key")
    sub = Subscription(METRICS)
    try:
        sub.start()
    except ConfigError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "".join(str(f.locals) for f in told.stack if f.filename.endswith("settings.py"))
    assert shown
    assert "secret" not in shown


# What it refuses, and what it never shows.


def test_a_forked_child_touches_nothing(simulator, subscribe):
    """In a child every use is refused, close() does nothing, and the parent goes on."""
    sub = subscribe(METRICS)
    with sub:
        simulator.wait_for_connections(1)
        child = os.fork()
        if child == 0:
            try:
                refused = 0
                for use in (sub.get, sub.start, sub.status, lambda: sub.add(LOGS), sub.wait):
                    try:
                        use()
                    except RuntimeError:
                        refused += 1
                os._exit(0 if refused == 5 and sub.close() is True else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        simulator.publish("robot-01", "metrics", telemetry(1))
        assert value(sub.get(PATIENCE)) == 1
        assert sub.status()[METRICS].reconnects == 0


def test_it_cannot_be_pickled_or_copied(subscribe):
    """It holds threads and sockets."""
    sub = subscribe(METRICS)
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="Subscription"):
            copier(sub)


def test_the_key_is_never_shown(simulator, subscribe, caplog):
    """Not in a repr, not in a record of the log, not where a server sends it back."""
    key = "plx_0123456789abcdef0123456789abcdef"
    simulator.keys.add(key)
    sub = subscribe(METRICS, api_key=key)
    errors = Calls()
    sub.on_error(errors)
    with sub, caplog.at_level(logging.DEBUG):
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", f"not json but {key}")
        simulator.publish("robot-01", "metrics", {"type": "error", "message": f"bad key {key}"})
        assert sub.get(PATIENCE).message == f"bad key {key}"  # what was sent is handed over
        simulator.close(4402, reason=f"no plan for {key}")
        with pytest.raises(PaymentRequiredError) as raised:
            sub.get(PATIENCE)
        shown = [repr(sub), str(sub.status()), str(raised.value), repr(raised.value)]
        shown += [str(errors.next()), caplog.text, repr(vars(raised.value))]
    assert "[api key]" in caplog.text
    assert not any(key in text for text in shown)


def test_repr_tells_streams_and_state(subscribe):
    """A glance says what is watched and whether it runs."""
    sub = subscribe(METRICS, LOGS)
    assert repr(sub) == "<Subscription robot-01/metrics, robot-01/logs; idle>"
    with sub:
        assert "running" in repr(sub)
    assert "closed" in repr(sub)
    assert "no streams" in repr(subscribe())


# Fairness and freshness.


def test_one_busy_stream_does_not_starve_another(simulator, subscribe):
    """While thousands of metrics wait, an event is handed over after a few of them."""
    sub = subscribe(MetricsStream("robot-01", buffer=Buffer(10_000)), LOGS)
    entered, go_on = threading.Event(), threading.Event()
    order = []
    done = Calls()

    @sub.on_frame
    def note(frame):
        entered.set()
        assert go_on.wait(PATIENCE)
        order.append(type(frame))
        # A turn is a millisecond: long enough for many of these, much too short for all.
        if isinstance(frame, EventFrame):
            done(frame)

    with sub:
        simulator.wait_for_connections(2)
        for number in range(5000):
            simulator.publish("robot-01", "metrics", telemetry(number))
        simulator.publish("robot-01", "logs", EVENT)
        assert entered.wait(PATIENCE)
        streams = {stream.kind: stream for stream in sub.status()}
        while sub.status()[streams["metrics"]].received < 5000:
            assert not sub.wait(timeout=0.01)
        while sub.status()[streams["logs"]].received < 1:
            assert not sub.wait(timeout=0.01)
        go_on.set()
        done.next()
    assert order.count(TelemetryFrame) < 5000


def test_a_slow_callback_sees_the_freshest_picture(simulator, subscribe):
    """Pictures that were overtaken are dropped and counted, without a Gap."""
    sub = subscribe(VIDEO)
    calls = Calls()
    entered, go_on = threading.Event(), threading.Event()

    @sub.on_frame
    def slow(frame):
        calls(frame)
        if isinstance(frame, VideoFrame):
            entered.set()
            assert go_on.wait(PATIENCE)

    with sub:
        simulator.wait_for_connections(1)
        for number in range(10):
            simulator.publish("robot-01", "video", dict(PICTURE, timestamp=number))
            if number == 0:
                assert entered.wait(PATIENCE)
        while sub.status()[VIDEO].dropped < 8:
            assert not sub.wait(timeout=0.01)
        go_on.set()
        pictures = [calls.until(lambda frame: isinstance(frame, VideoFrame)) for _ in range(2)]
    assert [picture.timestamp for picture in pictures] == [0, 9]
    status = sub.status()[VIDEO]
    assert (status.dropped, status.gaps) == (8, 0)


def test_a_gateway_outage_leaves_a_gap(simulator, subscribe):
    """From the first gateway_reconnecting until data comes again, before that data."""
    sub = subscribe(METRICS)
    with sub:
        simulator.wait_for_connections(1)
        simulator.publish("robot-01", "metrics", telemetry(1))
        assert value(sub.get(PATIENCE)) == 1
        simulator.gateway_outage(0.01)
        notice = sub.get(PATIENCE)
        assert isinstance(notice, GatewayReconnectingFrame)
        while simulator.publish("robot-01", "metrics", telemetry(2)) == 0:
            assert not sub.wait(timeout=0.01)
        gap, frame = sub.get(PATIENCE), sub.get(PATIENCE)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.dropped, gap.stream) == ("gateway", 0, METRICS)
    assert gap.started_at == notice.received_at
    assert gap.ended_at == frame.received_at


def test_frames_of_others_are_filtered_and_counted(simulator, subscribe):
    """Points of other devices, and cameras nobody asked for, do not come through."""
    video = VideoStream("robot-01", cameras=["front"])
    sub = subscribe(METRICS, video)
    with sub:
        simulator.wait_for_connections(2)
        simulator.publish("robot-01", "metrics", telemetry(1))
        simulator.publish("robot-01", "metrics", telemetry(2, source="robot-02"))
        mixed = telemetry(3)["points"] + telemetry(4, source="robot-02")["points"]
        simulator.publish("robot-01", "metrics", {"type": "telemetry", "points": mixed})
        simulator.publish("robot-01", "video", dict(PICTURE, camera_id="rear"))
        simulator.publish("robot-01", "video", PICTURE)
        values, cameras = [], []
        while len(values) < 2 or len(cameras) < 1:
            frame = sub.get(PATIENCE)
            if isinstance(frame, TelemetryFrame):
                values.append(value(frame))
            elif isinstance(frame, VideoFrame):
                cameras.append(frame.camera_id)
        assert (values, cameras) == ([1, 3], ["front"])
        assert sub.status()[METRICS].filtered == 1
        assert sub.status()[video].filtered == 1


def test_reconnect_settings_are_used(simulator, subscribe):
    """max_attempts ends a stream, with what happened last as the cause."""
    sub = subscribe(METRICS, reconnect=Reconnect(initial=0.001, max_attempts=2))
    with sub:
        simulator.wait_for_connections(1)
        simulator.stop()
        with pytest.raises(RetriesExhausted) as raised:
            sub.get(PATIENCE)
    assert isinstance(raised.value.__cause__, ConnectionLost)


def test_a_connection_that_is_over_keeps_no_buffers(simulator, subscribe):
    """While a stream waits, or has ended, what it read into is given back."""

    def frame_readers():
        gc.collect()
        return [found for found in gc.get_objects() if isinstance(found, FrameReader)]

    before = frame_readers()  # of other tests
    sub = subscribe(METRICS, reconnect=Reconnect(on_code={1000: "end"}))
    sub.on_telemetry(lambda frame: None)
    sub.start(PATIENCE)
    simulator.publish("robot-01", "metrics", telemetry(1))
    simulator.wait_for_connections(1)
    simulator.close(1000)
    assert sub.wait(PATIENCE)
    assert [found for found in frame_readers() if found not in before] == []
    assert sub.close()
