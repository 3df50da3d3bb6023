"""The face of the library: registration, start and end, and the two ways to receive."""

from __future__ import annotations

import os
import queue
import ssl
import threading
from types import TracebackType
from typing import Any, Dict, Iterator, Optional, Set, Type, TypeVar

from .deadline import Deadline
from .dispatch import Dispatcher, Finished
from .errors import Closed, ConfigError, PlexusError, StreamError
from .frames import Frame
from .inbox import Inbox
from .latch import owns
from .reconnect import Reconnect
from .registration import Registration
from .roster import Roster
from .runner import Runner
from .settings import ApiKey, KeySource, Settings, hide
from .state import StateChange
from .status import StreamStatus
from .streams import LogsStream, MetricsStream, Stream, VideoStream, is_duration

__all__ = ["Subscription"]

S = TypeVar("S", bound="Subscription")


class Subscription(Registration):
    """Watches any number of streams, each on a socket and a thread of its own.

    Either callbacks are registered, and :meth:`run` calls them on the caller's thread, or
    :meth:`start` (``with``) on a background thread; or none are, and the subscription is a queue
    to :meth:`get` from or to iterate over.

    Nothing connects before :meth:`start`, :meth:`run`, :meth:`get` or ``with``. It is for single
    use: closed is closed.

    ``api_key``: a str; or a callable that returns a fresh one, called on the stream's thread before
    every attempt; without it the environment's ``PLEXUS_API_KEY``, then the ``api_key`` of
    ``~/.plexus/config.json``. ``base_url``: by default the environment's ``PLEXUS_DATA_API_URL``,
    then ``wss://api.plexus.company``. ``connect_timeout``: seconds for DNS, TCP, TLS, upgrade and
    auth together. ``ping_interval``, ``ping_timeout``: seconds between pings, and until something
    must have come after one. ``max_frame_bytes``: a larger message ends the connection (1009).
    ``keep_raw``: keep each frame's text in ``.raw``. ``ssl_context``: None for the system's
    authorities. ``proxy``: None for none, a URL, or ``"env"`` for the environment's.
    ``allow_insecure``: plain ``ws://`` to other hosts than this one, or through their proxies.

    Source: 'Live streams', 'Handshake'.
    """

    def __init__(
        self,
        *streams: Stream,
        api_key: ApiKey = None,
        base_url: Optional[str] = None,
        reconnect: Optional[Reconnect] = None,
        connect_timeout: float = 10.0,
        ping_interval: float = 20.0,
        ping_timeout: float = 20.0,
        max_frame_bytes: int = 16 * 1024 * 1024,
        compression: Optional[str] = None,
        keep_raw: bool = False,
        ssl_context: Optional[ssl.SSLContext] = None,
        proxy: Optional[str] = None,
        allow_insecure: bool = False,
    ) -> None:
        api_key, proxy = hide(api_key), hide(proxy)  # before anything can raise
        self._settings = Settings(
            keys=KeySource(api_key),
            base_url=base_url,
            reconnect=Reconnect() if reconnect is None else reconnect,
            connect_timeout=connect_timeout,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            max_frame_bytes=max_frame_bytes,
            compression=compression,
            keep_raw=keep_raw,
            ssl_context=ssl_context,
            proxy=proxy,
            allow_insecure=allow_insecure,
        )
        super().__init__()
        self._pid = os.getpid()
        self._inbox = Inbox()
        self._roster = Roster(self._settings, self._inbox)
        self._dispatcher = Dispatcher(self._inbox, self._callbacks, self._settings.keys.scrub)
        self._runner = Runner(self._dispatcher, self._inbox)
        # Guards what is below: which way was chosen, and the end. Never held while anybody waits
        # or user code runs. Re-entrant, for a signal handler that calls close().
        self._lock = threading.RLock()
        self._mode: Optional[str] = None  # "callbacks" or "queue" from the start on
        self._closed = False
        self._outcome: Optional[StreamError] = None  # what it had ended with before close()
        self._closing: Set[int] = set()  # threads inside close() or remove()
        for stream in streams:
            self.add(stream)

    # Streams.

    def add(self, stream: Stream) -> None:
        """Watch one more stream, from now on where it is running."""
        self._check_process()
        if not isinstance(stream, (MetricsStream, LogsStream, VideoStream)):
            raise ConfigError(
                f"a {type(stream).__name__} is no stream: pass a MetricsStream, LogsStream or "
                "VideoStream, a list of them with a star: Subscription(*streams)"
            )
        self._roster.add(stream)

    def remove(self, stream: Stream) -> None:
        """Stop watching a stream; what is buffered of it is discarded, its error forgotten."""
        self._check_process()
        self._roster.remove(stream)

    def status(self) -> Dict[Stream, StreamStatus]:
        """Return a snapshot of every stream that was not removed."""
        self._check_process()
        return self._roster.status()

    # Start and end.

    def start(self, timeout: Optional[float] = None) -> None:
        """Start in the background; a second call starts nothing.

        ConfigError where there is no API key, ``Closed`` after :meth:`close`. With a ``timeout`` in
        seconds, wait until every stream is open; else close, and raise the final error of a stream
        that has failed, or TimeoutError from the last failure.
        """
        deadline = self._deadline(timeout)
        self._begin("callbacks" if self._callbacks.want_frames() else "queue", background=True)
        if timeout is None:
            return
        try:
            opened = self._inbox.wait_until(self._start_is_over, deadline)
        except BaseException:
            self.close()
            raise
        failed, cause = self._roster.first_final_error(), self._roster.last_failure()
        if opened and failed is None:
            if self._closed:
                raise Closed("the subscription was closed before every stream was open")
            return
        self.close()
        if failed is not None:
            raise failed.with_traceback(None)
        raise TimeoutError(
            f"not every stream was open within {timeout} s "
            f"({'still connecting' if cause is None else cause}); check base_url and network"
        ) from cause

    def run(self, timeout: Optional[float] = None) -> None:
        """Start, call the callbacks on this thread until all streams have ended, and close.

        Returns when all have ended normally, when ``timeout`` seconds have passed or after
        :meth:`close`; raises the first final error where a stream has failed.
        """
        deadline = self._deadline(timeout)
        refused = False
        try:  # from here on, since Ctrl-C may come between any two lines
            try:
                self._begin("callbacks", background=False)
            except (PlexusError, RuntimeError):
                refused = True
                raise
            self._runner.run(deadline, self._all_handed_over)
            self.close()
            self._dispatcher.tell_notices()
        finally:
            if not refused:
                self.close()
                self._runner.end()
        self._raise_outcome()

    def get(self, timeout: Optional[float] = None) -> Frame:
        """Return the next frame or Gap; starts where need be (queue mode).

        ``queue.Empty`` when ``timeout`` seconds have passed. When all streams have ended and
        nothing waits any more: the first final error, ``Closed`` where there was none.
        """
        deadline = self._deadline(timeout)
        if self._mode is None and not self._closed and not self._callbacks.want_frames():
            self.start()
        if self._mode == "callbacks" or (self._mode is None and not self._closed):
            raise RuntimeError(
                "callbacks for frames are registered, so frames go to them: use get() and "
                "iteration, or callbacks, not both"
            )
        try:
            return self._dispatcher.next(deadline, self._all_handed_over)
        except queue.Empty:
            raise queue.Empty(f"nothing came within {timeout} s; status() tells why") from None
        except Finished:
            self._inbox.wake()  # another thread may sit in get() too
        self._raise_outcome()
        raise Closed("the subscription is closed or all of its streams have ended: make a new one")

    def __iter__(self) -> Iterator[Frame]:
        while True:
            try:
                frame = self.get()
            except Closed:
                return
            yield frame

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until all streams have ended and, with callbacks, all frames are handed over.

        Returns False when ``timeout`` seconds have passed; raises the first final error.
        """
        deadline = self._deadline(timeout)
        if self._dispatcher.is_calling():
            raise RuntimeError("wait() inside a callback would wait for itself: return from it")
        if self._mode is None and not self._closed:
            raise RuntimeError("nothing to wait for: start() comes first")
        if not self._inbox.wait_until(self._over, deadline):
            return False
        self._raise_outcome()
        return True

    def close(self, timeout: float = 5.0) -> bool:
        """End everything; from any thread, state, callback or signal handler, and again.

        What waits in the buffers is discarded. Returns False where, after ``timeout`` seconds, a
        thread still sits in a callback or in a call that cannot be woken; it touches nothing more.
        A signal handler that interrupts this library's own code does not wait: the interrupted
        call sees the end, and ``run`` or ``with`` waits for the threads.
        """
        if os.getpid() != self._pid:
            self._closed = True  # a forked child: threads and sockets are the parent's
            return True
        deadline = self._deadline(timeout)
        me = threading.get_ident()
        interrupts_us = (
            me in self._closing
            or owns(self._lock)
            or self._dispatcher.holds_lock()
            or self._inbox.lookout.holds_lock()
            or self._roster.holds_lock()
        )
        if not interrupts_us:
            self._closing.add(me)
        try:
            return self._close(deadline, wait=not interrupts_us)
        finally:
            if not interrupts_us:
                self._closing.discard(me)

    def _close(self, deadline: Deadline, wait: bool) -> bool:
        with self._lock:
            if not self._closed:
                ended = self._roster.all_ended()
                self._outcome = self._roster.first_final_error() if ended else None
                self._closed = True
        self._roster.stop()
        if not wait:
            # A signal handler on top of our own code: a reader may want the lock that this very
            # thread holds, so to wait here would be to wait for ourselves. run() closes again.
            return True
        readers_ended = self._roster.join(deadline)
        if self._runner.join(deadline):
            return readers_ended
        self._callbacks.mute()  # whoever sits in one may return, to nobody
        return False

    def __enter__(self: S) -> S:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_roster") or os.getpid() != self._pid:
            # A traceback that shows the locals of __init__; a child, where locks may be held.
            return "<Subscription; not usable>"
        streams = ", ".join(str(stream) for stream in self._roster.status()) or "no streams"
        state = "closed" if self._closed else "idle" if self._mode is None else "running"
        return f"<Subscription {streams}; {state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Subscription holds threads and sockets: it cannot be pickled or copied")

    # Behind the face.

    def _begin(self, mode: str, background: bool) -> None:
        """Fix the mode and start the readers; where all runs already, nothing is to do."""
        if not self._closed:
            self._settings.keys.resolve()
        begun = False
        try:
            with self._lock:
                if self._closed:
                    raise Closed("the subscription is closed: make a new one")
                if self._mode is not None:
                    if not background:
                        raise RuntimeError(
                            "it is running already: run() cannot follow start() or get()"
                        )
                    return
                self._mode, begun = mode, True
                self._roster.start()
                if mode == "callbacks":
                    if background:
                        self._runner.start(lambda: self._closed, self.close)
                    else:
                        self._runner.use_this_thread()
        except BaseException:
            if begun:  # Ctrl-C on the way, or no more threads to be had
                self.close()
                self._runner.end()
            raise

    def _all_handed_over(self) -> bool:
        return self._closed or self._roster.all_handed_over()

    def _over(self) -> bool:
        if self._mode == "queue" or self._closed:
            return self._closed or self._roster.all_ended()
        told = self._dispatcher.idle and not self._inbox.notices
        return self._roster.all_handed_over() and told

    def _start_is_over(self) -> bool:
        return self._closed or self._roster.all_opened_or_one_failed()

    def _raise_outcome(self) -> None:
        error = self._outcome if self._closed else self._roster.first_final_error()
        if error is not None:
            raise error.with_traceback(None)

    def _allow(self, wanted: Optional[Type[Any]]) -> None:
        self._check_process()
        if self._mode == "queue" and wanted not in (StateChange, PlexusError):
            raise RuntimeError(
                "it runs as a queue, fixed at the start: register callbacks for frames before, or "
                "take the frames from get()"
            )

    def _deadline(self, timeout: Optional[float]) -> Deadline:
        self._check_process()
        if timeout is not None and timeout != 0 and not is_duration(timeout):
            raise ConfigError(
                f"timeout={timeout!r} is not allowed: it must be seconds, 0 or more, or None"
            )
        return Deadline(timeout)

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError(
                f"this Subscription belongs to process {self._pid}, from which this was forked: "
                "make one of your own here"
            )
