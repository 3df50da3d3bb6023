"""One stream's life on its thread, with connections that do what the test says."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest
from helpers import PATIENCE, FakeClock, picture, point, take, telemetry

from plexus_sync import (
    AuthenticationError,
    Buffer,
    BufferOverflow,
    ConfigError,
    ConnectionLost,
    Gap,
    GatewayError,
    HandshakeError,
    MetricsStream,
    PaymentRequiredError,
    PlexusError,
    ProtocolError,
    Reconnect,
    RetriesExhausted,
    State,
    StateChange,
    StreamError,
    VideoStream,
)
from plexus_sync.deadline import Deadline
from plexus_sync.inbox import Inbox
from plexus_sync.loss import Lost
from plexus_sync.reader import Reader
from plexus_sync.settings import KeySource, Settings
from plexus_sync.state import Event

METRICS = MetricsStream("robot-01")
KEY = "plx_0123456789abcdefghijklmnopqrstuv"
DATA = telemetry(point(1))
MORE = telemetry(point(2))
SOON = {"initial": 0.001, "maximum": 0.001}  # seconds to wait for the next attempt
NEVER = Lost(503, "later", retry_after=300)  # its wait is over when somebody ends it

HOLD = "hold"  # a step of a script: nothing comes until the reader is stopped


class FakeConnection:
    """A connection that does, in ``open`` or ``receive``, what a script says.

    A step is HOLD, an error to raise, a list of messages, or a function to call. The first step of
    a script that is an error or a function is done by ``open``, where ``at_open`` says so.
    """

    awaits_pong = False

    def __init__(self, script, stop, at_open):
        self._script = iter(script)
        self._stop = stop
        self._at_open = at_open
        self.keys = []
        self.closed = []
        self.url = None

    def open(self, url, settings, deadline):
        """Remember the URL."""
        self.url = url
        if self._at_open:
            self.receive(0)

    def authenticate(self, key):
        """Remember the key."""
        self.keys.append(key.reveal())

    def receive(self, timeout):
        """Do the next step."""
        step = next(self._script, HOLD)
        if step is HOLD:
            assert self._stop.wait(PATIENCE)
            raise Lost(1006, "woken")
        if isinstance(step, BaseException):
            raise step
        return step() if callable(step) else step

    def ping(self):
        """Do nothing."""

    def close(self, code):
        """Remember the code."""
        self.closed.append(code)


class Mark:
    """A step of a script that does nothing but let the test know that it was reached."""

    def __init__(self):
        self._reached = threading.Event()

    def __call__(self):
        """Be reached."""
        self._reached.set()

    def wait(self):
        """Wait until it was reached."""
        assert self._reached.wait(PATIENCE)


class Bench:
    """A reader, and a script for each of its connections."""

    def __init__(
        self, *scripts, stream=METRICS, api_key=KEY, at_open=False, clocks=(), **reconnect
    ):
        self.inbox = Inbox()
        self.connections = []
        left = iter(scripts)

        def connect(line, settings, stop):
            self.connections.append(FakeConnection(next(left, [HOLD]), stop, at_open))
            return self.connections[-1]

        self.settings = Settings(
            keys=KeySource(api_key), reconnect=Reconnect(**{**SOON, **reconnect})
        )
        self.reader = Reader(stream, self.settings, self.inbox, connect, *clocks)

    def __enter__(self):
        self.reader.start()
        return self

    def __exit__(self, *exc_info):
        self.reader.stop()
        assert self.reader.join(PATIENCE)

    def reaches(self, state, times=1):
        """Wait until the reader has told a state so often."""
        assert self.inbox.wait_until(
            lambda: self.states.count(state) >= times, Deadline(PATIENCE)
        ), self.states

    def lives(self):
        """Let it live until it ends by itself."""
        self.reader.start()
        assert self.reader.join(PATIENCE), self.states
        return self

    @property
    def changes(self):
        """The state changes that were told."""
        return [notice for notice in list(self.inbox.notices) if isinstance(notice, StateChange)]

    @property
    def states(self):
        """The states that were told."""
        return [change.current for change in self.changes]

    @property
    def errors(self):
        """The errors that were told."""
        return [notice for notice in list(self.inbox.notices) if isinstance(notice, PlexusError)]

    def taken(self):
        """Take everything from the lane: Gaps, and the texts of frames."""
        return [
            item if isinstance(item, Gap) else item[0]
            for taken in iter(lambda: take(self.reader.lane), ())
            for item in taken
        ]


def records(caplog, level):
    """Return the messages that were logged at a level."""
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.fixture(autouse=True)
def _log_everything(caplog):
    caplog.set_level(logging.DEBUG, "plexus_sync")


class TestLife:
    """The states, one after the other."""

    def test_one_connection(self, caplog):
        """A stream connects, signs in, opens, and ends when it is stopped."""
        with Bench([[DATA]]) as bench:
            bench.reaches(State.OPEN)
            assert bench.reader.state is State.OPEN
        assert bench.changes == [
            StateChange(METRICS, State.IDLE, State.CONNECTING),
            StateChange(METRICS, State.CONNECTING, State.AUTHENTICATING),
            StateChange(METRICS, State.AUTHENTICATING, State.OPEN),
            StateChange(METRICS, State.OPEN, State.ENDED),
        ]
        assert bench.errors == []
        assert bench.reader.final_error is None
        (connection,) = bench.connections
        assert connection.url == "wss://api.plexus.company/v1/sources/robot-01/metrics/stream"
        assert connection.keys == [KEY]
        assert connection.closed == [1000]
        assert records(caplog, logging.INFO) == [
            "robot-01/metrics: open",
            "robot-01/metrics: ended",
        ]

    def test_thread(self):
        """It lives on a daemon thread of its own, whose name says which stream it is."""
        seen = []

        def look():
            seen.append(threading.current_thread())
            return [DATA]

        with Bench([look]) as bench:
            bench.reaches(State.OPEN)
        (thread,) = seen
        assert thread.name == "plexus-sync reader robot-01/metrics"
        assert thread.daemon
        assert thread is not threading.current_thread()

    def test_live(self):
        """It stands among the living from start to end."""
        bench = Bench()
        assert bench.inbox.live == set()
        with bench:
            bench.reaches(State.CONNECTING)
            assert bench.inbox.live == {bench.reader}
        assert bench.inbox.live == set()

    def test_status(self):
        """A snapshot has state, attempts and the lane's figures, also before the start."""
        wall = FakeClock(5000.0)
        sent = Mark()
        foreign = telemetry(point(source_id="robot-02"))
        bench = Bench([[foreign, DATA], sent], clocks=(FakeClock(), wall))
        before = bench.reader.status()
        assert (before.state, before.since, before.attempts) == (State.IDLE, 5000.0, 0)
        assert (before.received, before.last_error, before.reconnects) == (0, None, 0)
        wall.advance(5)
        with bench:
            sent.wait()
            status = bench.reader.status()
        assert (status.state, status.since, status.attempts) == (State.OPEN, 5005.0, 1)
        assert (status.received, status.filtered, status.buffered) == (2, 1, 1)
        assert (status.last_frame_at, status.bytes) == (5005.0, len(foreign) + len(DATA))
        status = bench.reader.status()
        assert (status.state, status.discarded, status.buffered) == (State.ENDED, 1, 0)

    def test_join(self):
        """Waiting for a thread is possible before its start, in it, and with a time limit."""
        bench = Bench([lambda: inside.append(bench.reader.join(None)) or [DATA]])
        inside = []
        assert bench.reader.join(None) is True
        with bench:
            bench.reaches(State.OPEN)
            assert bench.reader.join(0.01) is False
        assert inside == [False]
        assert bench.reader.join(None) is True


class TestReconnecting:
    """Losses that pass."""

    def test_once(self, caplog):
        """A loss is told, waited for, and followed by another connection with a Gap before it."""
        with Bench([[DATA], Lost(1011, "gateway error")], [[MORE]]) as bench:
            bench.reaches(State.OPEN, times=2)
            status = bench.reader.status()
        assert bench.states == [
            State.CONNECTING,
            State.AUTHENTICATING,
            State.OPEN,
            State.WAITING,
            State.CONNECTING,
            State.AUTHENTICATING,
            State.OPEN,
            State.ENDED,
        ]
        assert bench.changes[3].reason == "gateway error"
        (error,) = bench.errors
        assert isinstance(error, GatewayError)
        assert (error.final, error.stream, error.code) == (False, METRICS, 1011)
        assert (status.attempts, status.reconnects, status.last_error) == (2, 1, error)
        assert bench.reader.last_error is error
        assert [connection.closed for connection in bench.connections] == [[1000], [1000]]
        (warning,) = records(caplog, logging.WARNING)
        assert warning.startswith(str(error))
        assert warning.endswith(" s)")

    def test_error_before_waiting(self):
        """The error is told before the state that follows from it."""
        with Bench([Lost(1006, "x")]) as bench:
            bench.reaches(State.WAITING)
        kinds = [type(notice) for notice in bench.inbox.notices]
        assert kinds[2:4] == [ConnectionLost, StateChange]

    def test_gap(self):
        """Frames, the Gap and frames again come in this order."""
        sent = Mark()
        with Bench([[DATA], Lost(1006, "")], [[MORE], sent]) as bench:
            sent.wait()
            first, gap, second = bench.taken()
        assert (first, second) == (DATA, MORE)
        assert (gap.reason, gap.stream) == ("connection", METRICS)
        assert gap.started_at <= gap.ended_at

    def test_attempts_that_never_open(self):
        """An attempt that fails counts as an attempt, and not as a reconnection."""
        lost = [Lost(1006, "refused")]
        with Bench(lost, lost, lost, [[DATA]]) as bench:
            bench.reaches(State.OPEN)
            status = bench.reader.status()
        assert (status.attempts, status.reconnects) == (4, 0)
        assert [type(error) for error in bench.errors] == [ConnectionLost] * 3

    def test_attempt_that_fails_before_the_auth_frame(self):
        """A connection that cannot be made is waited for without having signed in."""
        with Bench([Lost(1006, "refused")], at_open=True) as bench:
            bench.reaches(State.WAITING)
        assert bench.states[:2] == [State.CONNECTING, State.WAITING]
        assert bench.connections[0].keys == []

    def test_renewal(self, caplog):
        """A video stream's renewal is no error, and no warning."""
        with Bench(
            [[picture()], Lost(4008, "stream timeout")],
            [[picture()]],
            stream=VideoStream("robot-01"),
        ) as bench:
            bench.reaches(State.OPEN, times=2)
        assert bench.errors == []
        assert bench.changes[3].reason == "renewed"
        assert bench.reader.last_error is None
        assert records(caplog, logging.WARNING) == []

    def test_warnings_are_throttled(self, caplog):
        """Many losses in a short time are told to on_error each, and to the log once."""
        clock = FakeClock()
        lost = [Lost(1006, "refused")]
        with Bench(*[lost] * 20, [[DATA]], clocks=(clock,)) as bench:
            bench.reaches(State.OPEN)
        assert len(bench.errors) == 20
        assert len(records(caplog, logging.WARNING)) == 1

    def test_drops_are_logged(self, caplog):
        """What the buffer drops is logged."""
        stream = MetricsStream("robot-01", buffer=Buffer(1))
        sent = Mark()
        with Bench([[DATA, MORE, DATA], sent], stream=stream):
            sent.wait()
        assert records(caplog, logging.WARNING) == [
            "robot-01/metrics: buffer full, 2 frames dropped"
        ]


class TestFinal:
    """Ends by themselves."""

    @pytest.mark.parametrize(
        ("scripts", "error"),
        [
            ([[Lost(4402, "payment required")]], PaymentRequiredError),
            ([[Lost(4401, "unauthorized")]] * 2, AuthenticationError),
            ([[Lost(403, "forbidden")]], HandshakeError),
            ([[Lost(1002, "masked")]] * 3, ProtocolError),
        ],
    )
    def test_final_error(self, caplog, scripts, error):
        """The final error is told once, kept, logged as an error, and the stream has failed."""
        clock = FakeClock()
        bench = Bench(*scripts, clocks=(clock,)).lives()
        assert [type(told) for told in bench.errors] == [error] * len(scripts)
        assert [told.final for told in bench.errors] == [False] * (len(scripts) - 1) + [True]
        last = bench.errors[-1]
        assert bench.reader.final_error is last
        assert bench.reader.last_error is last
        assert bench.reader.final_at == clock()
        assert bench.reader.state is State.FAILED
        assert bench.changes[-1].reason == last.reason
        assert records(caplog, logging.ERROR) == [str(last)]
        assert bench.inbox.live == set()

    def test_normal_end(self, caplog):
        """An end that the caller wanted is no error."""
        bench = Bench([[DATA], Lost(1000, "bye")], on_code={1000: "end"}).lives()
        assert bench.states[-1] is State.ENDED
        assert bench.errors == []
        assert bench.reader.final_error is None
        assert records(caplog, logging.INFO)[-1] == "robot-01/metrics: ended"

    def test_own_timeout(self):
        """A video stream whose timeout has passed has ended normally."""
        clock = FakeClock()
        stream = VideoStream("robot-01", timeout=2)

        def later():
            clock.advance(2)
            return []

        script = [[picture()], later, Lost(4008, "stream timeout")]
        bench = Bench(script, stream=stream, clocks=(clock,)).lives()
        assert bench.reader.state is State.ENDED
        assert bench.errors == []

    @pytest.mark.parametrize("attempts", [1, 3])
    def test_retries_exhausted(self, attempts):
        """After the last attempt its own failure is told, and the final error from it."""
        bench = Bench(*[[Lost(1006, "refused")]] * 5, max_attempts=attempts).lives()
        *failures, exhausted = bench.errors
        assert [type(error) for error in failures] == [ConnectionLost] * attempts
        assert isinstance(exhausted, RetriesExhausted)
        assert exhausted.final
        assert exhausted.stream == METRICS
        assert exhausted.__cause__ is failures[-1]
        assert f"after {attempts} attempts" in str(exhausted)
        assert bench.reader.final_error is exhausted
        assert bench.reader.state is State.FAILED
        assert bench.reader.status().attempts == attempts

    def test_max_elapsed(self):
        """The seconds of failing may be limited, too."""
        bench = Bench(*[[Lost(1006, "x")]] * 5000, max_elapsed=0.02).lives()
        assert isinstance(bench.errors[-1], RetriesExhausted)

    def test_overflow(self):
        """A buffer that is to fail when it is full ends the stream at once."""
        stream = MetricsStream("robot-01", buffer=Buffer(2, overflow="error"))
        bench = Bench([[DATA, DATA, DATA, MORE]], stream=stream).lives()
        (error,) = bench.errors
        assert isinstance(error, BufferOverflow)
        assert error.final
        assert "buffer of 2 frames was full" in str(error)
        assert error.stream == stream
        assert bench.reader.state is State.FAILED
        assert bench.connections[0].closed == [1000]
        status = bench.reader.status()
        assert (status.received, status.dropped, status.buffered) == (3, 1, 2)

    @pytest.mark.parametrize("bug", [ZeroDivisionError("oops"), SystemExit(3)])
    def test_bug(self, caplog, bug):
        """A bug of ours ends the stream, is told as final, and leaves its traceback in the log."""
        bench = Bench([[DATA], bug]).lives()
        (error,) = bench.errors
        assert type(error) is StreamError
        assert error.final
        assert repr(bug) in str(error)
        assert bench.reader.final_error is error
        assert bench.reader.state is State.FAILED
        assert bench.connections[0].closed == [1000]
        assert "Traceback" in caplog.text
        assert "in receive" in caplog.text
        assert bench.inbox.live == set()

    def test_attempt_that_returns(self):
        """An attempt that returned would be a bug of ours."""
        bench = Bench()
        bench.reader._attempt = lambda: bench.reader._enter(Event.CONNECT)
        bench.lives()
        assert "never returns" in str(bench.errors[0])


class TestKey:
    """The API key of each attempt."""

    def test_asked_for_each_attempt(self):
        """A callable is asked before every attempt, on the reader's thread."""
        threads = []

        def key():
            threads.append(threading.current_thread().name)
            return f"plx_{len(threads)}"

        with Bench([Lost(1006, "")], [Lost(4401, "")], [[DATA]], api_key=key) as bench:
            bench.reaches(State.OPEN)
        keys = [connection.keys for connection in bench.connections]
        assert keys == [["plx_1"], ["plx_2"], ["plx_3"]]
        assert set(threads) == {"plexus-sync reader robot-01/metrics"}

    @pytest.mark.parametrize(
        "raised", [LookupError(f"no {KEY}"), SystemExit(1), KeyboardInterrupt()]
    )
    def test_raises(self, caplog, raised):
        """What the callable raises is a failed attempt, told with it as the cause."""
        answers = iter([raised, raised, KEY])

        def key():
            answer = next(answers)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        with Bench([[DATA]], api_key=key) as bench:
            bench.reaches(State.OPEN)
            status = bench.reader.status()
        assert [type(error) for error in bench.errors] == [AuthenticationError] * 2
        for error in bench.errors:
            assert error.__cause__ is raised
            assert error.final is False
            assert error.stream == METRICS
            assert type(raised).__name__ in str(error)
            assert KEY not in str(error)
        assert bench.states[:3] == [State.CONNECTING, State.WAITING, State.CONNECTING]
        assert status.attempts == 3
        assert len(bench.connections) == 1
        assert KEY not in caplog.text

    def test_raises_for_ever(self):
        """Attempts that fail for want of a key are counted like others."""

        def key():
            raise LookupError

        bench = Bench(api_key=key, max_attempts=2).lives()
        assert [type(error) for error in bench.errors] == [
            AuthenticationError,
            AuthenticationError,
            RetriesExhausted,
        ]
        assert bench.connections == []

    @pytest.mark.parametrize("value", [None, b"plx_bytes", "", "plx a"])
    def test_returns_no_key(self, value):
        """What is no key is a failed attempt too, and the cause says what was wrong."""
        bench = Bench(api_key=lambda: value, max_attempts=1).lives()
        assert isinstance(bench.errors[0], AuthenticationError)
        assert isinstance(bench.errors[0].__cause__, ConfigError)
        assert bench.connections == []

    def test_never_told(self, caplog):
        """A server that sends the key back does not get it into errors, states or the log."""
        reason = f"bad key {KEY}!"
        bench = Bench([Lost(4401, reason)], [Lost(4401, reason)]).lives()
        for error in bench.errors:
            assert error.reason == "bad key [api key]!"
            assert KEY not in repr(error) + str(error)
        assert KEY not in str(bench.changes)
        assert KEY not in caplog.text
        assert "[api key]" in caplog.text


class TestStop:
    """Somebody's stop, in every state."""

    def ended(self, bench):
        """Assert that the stream has ended normally, without any error."""
        assert bench.states[-1] is State.ENDED
        assert bench.reader.state is State.ENDED
        assert bench.reader.final_error is None
        assert bench.inbox.live == set()
        assert bench.reader.lane.closed

    def test_idle(self):
        """What is stopped before it is started makes no attempt."""
        bench = Bench()
        bench.reader.stop()
        bench.lives()
        assert bench.states == [State.ENDED]
        assert bench.connections == []
        self.ended(bench)

    def test_abandoned(self):
        """A stream that was never started can be ended without a thread."""
        bench = Bench()
        bench.reader.abandon()
        assert bench.changes == [StateChange(METRICS, State.IDLE, State.ENDED)]
        assert bench.reader.join(None)

    def test_connecting(self):
        """While it connects; what that raises is no error then."""
        with Bench([HOLD], at_open=True) as bench:
            bench.reaches(State.CONNECTING)
        assert bench.states == [State.CONNECTING, State.ENDED]
        assert bench.errors == []
        self.ended(bench)

    def test_authenticating(self):
        """While it waits for the first frame."""
        with Bench([HOLD]) as bench:
            bench.reaches(State.AUTHENTICATING)
        assert bench.states == [State.CONNECTING, State.AUTHENTICATING, State.ENDED]
        assert bench.errors == []
        self.ended(bench)

    def test_open(self):
        """While it reads; what waits is discarded."""
        with Bench([[DATA, MORE], HOLD]) as bench:
            bench.reaches(State.OPEN)
        assert bench.errors == []
        status = bench.reader.status()
        assert status.buffered == 0
        assert status.received == status.discarded
        self.ended(bench)

    def test_waiting(self):
        """While it waits for the next attempt."""
        with Bench([NEVER]) as bench:
            bench.reaches(State.WAITING)
        assert bench.states[-2:] == [State.WAITING, State.ENDED]
        assert [type(error) for error in bench.errors] == [HandshakeError]
        self.ended(bench)

    def test_waiting_for_the_callbacks(self):
        """While the buffer blocks it."""
        stream = MetricsStream("robot-01", buffer=Buffer(1, overflow="block"))
        bench = Bench([[DATA, DATA, DATA]], stream=stream)
        blocked = Mark()
        get = bench.reader.lane._room.get
        bench.reader.lane._room = SimpleNamespace(
            get=lambda: blocked() or get(), put=bench.reader.lane._room.put
        )
        with bench:
            blocked.wait()
            assert bench.reader.status().buffered == 1
        status = bench.reader.status()
        assert (status.received, status.discarded) == (1, 1)
        self.ended(bench)

    @pytest.mark.parametrize("raises", [False, True])
    def test_asking_for_the_key(self, raises):
        """While the callable is at work; what it returns or raises then matters no more."""
        asked, go_on = threading.Event(), threading.Event()

        def key():
            asked.set()
            assert go_on.wait(PATIENCE)
            if raises:
                raise LookupError
            return KEY

        with Bench(api_key=key) as bench:
            assert asked.wait(PATIENCE)
            bench.reader.stop()
            assert bench.reader.join(0.01) is False
            go_on.set()
        assert bench.errors == []
        self.ended(bench)

    @pytest.mark.parametrize("code", [4402, 4401, 1006])
    def test_overtaken(self, code):
        """Whatever code the connection ends with after the stop, it is an end and no failure."""

        def stop_and_lose():
            bench.reader.stop()
            raise Lost(code, "too late")

        bench = Bench([[DATA], stop_and_lose], max_attempts=1)
        bench.lives()
        assert bench.errors == []
        self.ended(bench)

    def test_last_attempt(self):
        """A stop during the last attempt allowed is an end, not exhaustion."""
        with Bench([HOLD], max_attempts=1) as bench:
            bench.reaches(State.AUTHENTICATING)
        assert bench.errors == []
        self.ended(bench)

    def test_ended(self):
        """After the end a stop does nothing more."""
        bench = Bench([Lost(4402, "")]).lives()
        told = len(bench.inbox.notices)
        bench.reader.stop()
        bench.reader.stop()
        assert bench.reader.state is State.FAILED
        assert len(bench.inbox.notices) == told

    def test_wakes_the_line(self):
        """The line of the connection is woken, so that a read of the socket returns."""
        woken = threading.Event()
        bench = Bench()

        def connect(line, settings, stop):
            line.wake = woken.set
            connection = FakeConnection([], stop, False)
            connection.receive = lambda timeout: woken.wait(PATIENCE) and fail()
            return connection

        def fail():
            raise Lost(1006, "woken")

        bench.reader._connect = connect
        with bench:
            bench.reaches(State.AUTHENTICATING)
        assert woken.is_set()
        self.ended(bench)


class TestSilence:
    """The warning that there may be no such device."""

    def test_once_in_a_life(self, caplog):
        """It is logged once, however many connections are silent."""
        clock = FakeClock()

        def open_by_time():
            clock.advance(1)

        def half_a_minute():
            clock.advance(30)

        script = [open_by_time, half_a_minute, Lost(1012, "")]
        with Bench(script, script, [[DATA]], clocks=(clock,)) as bench:
            bench.reaches(State.OPEN, times=3)
        silent = [text for text in records(caplog, logging.WARNING) if "source_id" in text]
        assert len(silent) == 1
        assert silent[0].startswith("robot-01/metrics: open for 30 s without a data frame.")

    def test_never_for_a_device_that_is_known(self, caplog):
        """A stream that brought data once may be quiet after a reconnect."""
        clock = FakeClock()

        def open_by_time():
            clock.advance(1)

        def half_a_minute():
            clock.advance(30)

        script = [open_by_time, half_a_minute, Lost(1012, "")]
        with Bench([[DATA], Lost(1012, "")], script, [[DATA]], clocks=(clock,)) as bench:
            bench.reaches(State.OPEN, times=3)
        assert not [text for text in records(caplog, logging.WARNING) if "source_id" in text]
