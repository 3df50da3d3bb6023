"""One stream's life on a thread of its own: connect, read, judge the end, come back."""

from __future__ import annotations

import math
import threading
import time
from typing import Callable, Optional, Tuple

import attrs
import tenacity

from .endings import Action
from .errors import AuthenticationError, BufferOverflow, PlexusError, RetriesExhausted, StreamError
from .gaps import GapBook
from .inbox import Inbox, Lane, LaneFull
from .interrupt import Interrupt
from .judge import Judge, Verdict
from .line import Line
from .loss import Lost
from .plain import short
from .retrying import Failed, retrying
from .session import SILENCE, Session
from .settings import Secret, Settings
from .state import Event, State, StateChange, advance
from .status import StreamStatus
from .streams import Stream
from .throttle import LOGGER, Throttle
from .transport import Connection

__all__ = ["Reader"]

Connect = Callable[[Line, Settings, Interrupt], Connection]


class _Stopped(Exception):
    """Somebody called stop()."""


class Reader:
    """Watches one stream until it is stopped or has ended; runs no user code but the key callable.

    ``connect`` and the clocks are seams for tests.
    """

    def __init__(
        self,
        stream: Stream,
        settings: Settings,
        inbox: Inbox,
        connect: Connect = Connection,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stream = stream
        self.lane = Lane(stream, inbox, settings.keep_raw)
        self.final_error: Optional[StreamError] = None
        self.final_at = math.inf  # on the monotonic clock, to find the first of several
        self._settings = settings
        self._inbox = inbox
        self._connect = connect
        self._clock = clock
        self._wall = wall
        self._url = stream.url(settings.base_url)
        self._judge = Judge(stream, settings.reconnect)
        self._book = GapBook(stream)
        self._throttle = Throttle(clock)
        self._silence_told = self._was_open = self._had_data = False
        self._stop = Interrupt()
        self._session: Optional[Session] = None  # of the connection that is
        self._state = State.IDLE
        self._since = wall()
        self._attempts = self._reconnects = 0
        self._last_error: Optional[PlexusError] = None
        self.last_error_at = -math.inf  # on the monotonic clock
        # One thread a socket, since a blocking read is the fastest one; a daemon, since it may sit
        # in a call that nobody can wake, and the interpreter's exit must not wait for it.
        self._thread = threading.Thread(
            target=self._live, name=f"plexus-sync reader {stream}", daemon=True
        )

    def start(self) -> None:
        """Start the thread, unless a signal handler has closed everything just before."""
        if self._state is not State.IDLE:
            return
        self._inbox.live.add(self)
        self._thread.start()

    def stop(self) -> None:
        """Make the thread end as soon as it can; wakes it from whatever it waits for."""
        self.lane.close()
        if self._state not in (State.ENDED, State.FAILED) and not self._stop.is_set():
            LOGGER.info("%s: ended", self.stream)
        self._stop.set()

    def holds_lock(self) -> bool:
        """Return whether the calling thread is in the middle of something here."""
        session = self._session
        return (
            self.lane.holds_lock()
            or self._stop.holds_lock()
            or (session is not None and session.holds_lock())
        )

    def abandon(self) -> None:
        """End a stream whose thread was never started."""
        self._end(Event.END, None)

    def join(self, timeout: Optional[float]) -> bool:
        """Wait for the thread; return whether it has ended. What never started has."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            try:
                self._thread.join(timeout)
            except RuntimeError:
                pass  # a handler's exception came out of its start(), and it is just beginning
        return not self._thread.is_alive()

    @property
    def state(self) -> State:
        """The state of the stream."""
        return self._state

    @property
    def last_error(self) -> Optional[PlexusError]:
        """What went wrong last, None where nothing did."""
        return self._last_error

    def status(self) -> StreamStatus:
        """Return a snapshot."""
        return StreamStatus(
            state=self._state,
            since=self._since,
            attempts=self._attempts,
            last_error=self._last_error,
            reconnects=self._reconnects,
            **self.lane.figures(),
        )

    # What follows runs on the reader's thread.

    def _live(self) -> None:
        try:
            self._end(*self._outcome())
        except BaseException as bug:
            LOGGER.exception("%s: a bug in plexus-sync ended the stream", self.stream)
            self._end(
                Event.FAIL,
                StreamError(
                    self._settings.keys.scrub(
                        f"{self.stream}: a bug in plexus-sync: {bug!r}; please report it with the "
                        "traceback in the log"
                    ),
                    stream=self.stream,
                    final=True,
                ),
            )
        finally:
            self._inbox.live.discard(self)
            self._inbox.wake()

    def _outcome(self) -> Tuple[Event, Optional[StreamError]]:
        """Make attempts until one is the last; return how the stream ends."""
        loop = retrying(self._settings.reconnect, self._stop, self._wait)
        try:
            loop(self._attempt)
        except _Stopped:
            return Event.END, None
        except Failed as failed:
            verdict = failed.verdict
            return (Event.FAIL if verdict.action is Action.FAIL else Event.END), verdict.error
        except tenacity.RetryError as error:
            if self._stop.is_set():
                return Event.END, None
            last = error.last_attempt.exception()
            assert isinstance(last, Failed)
            self._tell(last.verdict)
            exhausted = RetriesExhausted(
                f"{self.stream}: given up after {self._attempts} attempts, the last one for: "
                f"{last.verdict.reason}. Raise max_attempts or max_elapsed of Reconnect to go on "
                "longer",
                stream=self.stream,
                final=True,
            )
            exhausted.__cause__ = last.verdict.error
            return Event.FAIL, exhausted
        raise AssertionError("an attempt never returns")

    def _attempt(self) -> None:
        """Make one connection and use it until it is lost; raises Failed or _Stopped."""
        if self._stop.is_set():
            raise _Stopped
        self._attempts += 1
        self._enter(Event.CONNECT)
        key = self._fetch_key()
        if self._stop.is_set():  # the callable may have taken its time
            raise _Stopped
        line = Line()
        connection = self._connect(line, self._settings, self._stop)
        session = self._session = Session(
            self.lane,
            self._settings,
            self._book,
            connection,
            self._enter,
            self._throttle.warning,
            self._warn_of_silence,
            self._inbox.lookout,
            self._clock,
            self._wall,
        )
        try:
            with self._stop.waking(line.wake):
                session.run(self._url, key)
        except Lost as lost:
            loss, run = lost.loss, session.achieved()
            self._had_data = self._had_data or run.data
        except LaneFull:
            raise Failed(self._overflow_verdict()) from None
        finally:
            connection.close(1000)
            self._session = None  # and its buffers, for as long as there is no other
        if self._stop.is_set():
            raise _Stopped
        self._book.lost()
        reason = short(self._settings.keys.scrub(loss.reason))
        raise Failed(self._judge.verdict(attrs.evolve(loss, reason=reason), run))

    def _fetch_key(self) -> Secret:
        try:
            return self._settings.keys.fetch()
        except BaseException as error:
            # Its text is the caller's and may hold the key: only its class is told.
            message = f"no API key could be had: {type(error).__name__}"
            told = AuthenticationError(
                f"{self.stream}: {message}; trying again. Mend the api_key callable, whose own "
                "error is the __cause__",
                stream=self.stream,
                reason=message,
            )
            told.__cause__ = error
            spacing = self._judge.spacing(0.0)
            raise Failed(Verdict(Action.RETRY, message, told, earliest=spacing)) from None

    def _overflow_verdict(self) -> Verdict:
        buffer = self.stream.buffer
        reason = f"the buffer of {buffer.size} frames was full"
        error = BufferOverflow(
            f"{self.stream}: {reason} and its overflow is 'error'; make the callbacks faster or "
            "the buffer larger, or choose another overflow",
            stream=self.stream,
            reason=reason,
            final=True,
        )
        return Verdict(Action.FAIL, reason, error)

    def _wait(self, verdict: Verdict, seconds: float) -> None:
        """Tell what went wrong, before tenacity sleeps."""
        self._tell(verdict)
        if verdict.error is not None:
            self._throttle.warning("retry", f"{verdict.error} (in {seconds:.1f} s)")
        self._enter(Event.LOSE, verdict.reason)

    def _tell(self, verdict: Verdict) -> None:
        if verdict.error is not None:
            self._last_error, self.last_error_at = verdict.error, self._clock()
            self._inbox.tell(verdict.error)

    def _enter(self, event: Event, reason: str = "") -> None:
        previous, current = self._state, advance(self._state, event)
        if event is Event.OPEN:
            LOGGER.info("%s: open", self.stream)
            self._reconnects += self._was_open
            self._was_open = True
        self._since = self._wall()
        self._state = current
        self._inbox.tell(StateChange(self.stream, previous, current, reason))

    def _end(self, event: Event, error: Optional[StreamError]) -> None:
        if error is not None:
            self._last_error = self.final_error = error
            self.final_at = self._clock()
            self._inbox.tell(error)
            LOGGER.error("%s", error)
        elif not self._stop.is_set():  # else stop() has said so, on its caller's thread
            LOGGER.info("%s: ended", self.stream)
        self._enter(event, error.reason if error is not None else "")

    def _warn_of_silence(self) -> None:
        if not self._silence_told and not self._had_data:
            self._silence_told = True
            LOGGER.warning(
                "%s: open for %d s without a data frame. The device may be off, or there is none "
                "of this name: the service does not tell; check source_id",
                self.stream,
                SILENCE,
            )
