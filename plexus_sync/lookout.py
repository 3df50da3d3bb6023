"""Who reads the open sockets: the dispatcher while it has nothing else to do, else a stand-in.

A reader whose connection brings nothing but data gives its socket away and sleeps, until something
else is to be done. So a frame that comes alone is read, decoded and handed over on one thread, with
no other to be woken; and many sockets need no more than one. A callback that takes its time must
not keep the sockets waiting: then the stand-in reads them, into the buffers.
"""

from __future__ import annotations

import math
import os
import selectors
import socket
import sys
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import Callable, Collection, Deque, List, Optional, Protocol, Tuple

from .deadline import MAX_WAIT
from .latch import owns

__all__ = ["GRACE", "Lookout", "Watched"]

# Seconds that the dispatcher may be away before the stand-in takes over: enough to hand over a full
# buffer to quick callbacks, little beside the time for which a peer waits for a pong.
GRACE = 0.1
LINGER = 10  # looks of the stand-in at a dispatcher that waits, before it sleeps until that works
# Windows has nothing better than select(), which takes 512 descriptors there.
MOST = 500 if sys.platform == "win32" else sys.maxsize


class Watched(Protocol):
    """A connection whose socket was given away."""

    def fileno(self) -> int:
        """Return the descriptor of the socket."""

    def step(self, away: float) -> bool:
        """Take what has come, without waiting; return whether some of it has no room yet.

        ``away``: seconds for which nobody has looked at the socket; inf where callbacks go on.
        """

    def rouse(self) -> None:
        """Make its reader take the socket back."""


class Lookout:
    """The sockets that were given away by the readers of one subscription.

    While it is open one thread, the dispatcher's, is in and out of ``wait``; any may call the rest.
    """

    def __init__(self, nothing_waits: Callable[[], bool]) -> None:
        self.is_open = False
        self._nothing_waits = nothing_waits  # for the dispatcher
        self._sleeps = False  # the dispatcher, who is to be woken for whatever is left for it
        self._looks = 0  # how often it has looked
        self._away_since = 0.0
        self._unfinished: Deque[Watched] = deque()  # those with more than there was room for
        # Guards that nobody registers with a selector that is closed. Re-entrant, for a signal
        # handler that closes.
        self._lock = threading.RLock()
        self._pid = 0
        self._selector: Optional[selectors.BaseSelector] = None
        self._wakers: Tuple[socket.socket, ...] = ()  # what comes out of the first wakes
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._dozes = False  # the stand-in, until the dispatcher has something to do
        self._is_over = False  # for the stand-in
        # A callback may take any time, and on its own thread nobody can see to anything else. A
        # daemon, like the reader's: the interpreter's exit must not wait for it.
        self._stand_in = threading.Thread(
            target=self._live, name="plexus-sync stand-in", daemon=True
        )

    def open(self) -> None:
        """Take sockets from now on; where it raises, ``close`` is still to be called."""
        self._pid = os.getpid()
        self._wakers = socket.socketpair()
        for waker in self._wakers:
            waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wakers[0], selectors.EVENT_READ)
        self._stand_in.start()
        self.is_open = True

    def close(self) -> None:
        """Give all sockets back, and end the stand-in; it may be called again."""
        if os.getpid() != self._pid:
            return  # never opened; or a forked child, which has no stand-in, and not these sockets
        with self._lock:
            self.is_open = False
            watched = [key.data for key in self._keys() if key.data]
        for one in watched:
            one.rouse()
        self._is_over = True
        self._bell.put(None)
        self._wake_up()
        if self._stand_in.ident is not None:
            self._stand_in.join()
        with self._lock:
            if self._selector is not None:
                self._selector.close()
        for waker in self._wakers:
            waker.close()

    def holds_lock(self) -> bool:
        """Return whether the calling thread is in the middle of something here."""
        return owns(self._lock)

    def _keys(self) -> Collection[selectors.SelectorKey]:
        """Return who is registered; nobody is after the end."""
        keys = None if self._selector is None else self._selector.get_map()
        return () if keys is None else keys.values()

    # For the readers.

    def add(self, watched: Watched) -> bool:
        """Look after a socket; return whether that can be."""
        with self._lock:
            if not self.is_open or self._selector is None or len(self._keys()) >= MOST:
                return False
            try:
                self._selector.register(watched.fileno(), selectors.EVENT_READ, watched)
            except OSError:  # the system has no room for one more
                return False
        self.wake()  # not every system sees a socket that comes while it waits
        return True

    def discard(self, watched: Watched) -> None:
        """Look after it no more."""
        with self._lock:
            if self._selector is not None and self._keys():
                self._selector.unregister(watched.fileno())

    def wake(self) -> None:
        """Make the dispatcher look around, where it waits; also from a signal handler."""
        if self._sleeps:
            self._wake_up()

    # For the dispatcher.

    def wait(self, timeout: Optional[float]) -> None:
        """Take what has come on the sockets, or wait for it; may return early, for nothing."""
        if os.getpid() != self._pid:
            raise RuntimeError(
                "a subscription cannot be used in a forked child: make a new one there"
            )
        self._looks += 1
        away = time.monotonic() - self._away_since
        if self._unfinished:
            self._finish(away)
            return
        timeout = None if timeout is None else min(timeout, MAX_WAIT)
        self._sleeps = True
        try:
            # Only now, since whoever leaves something from here on wakes us.
            events = self._select(timeout) if self._nothing_waits() else []
        finally:
            self._sleeps = False
        if self._dozes:
            self._dozes = False
            self._bell.put(None)
        self._away_since = time.monotonic()
        for key, _ in events:
            if key.data is None:
                self._drain()
            elif key.data.step(away):
                self._unfinished.append(key.data)

    def _finish(self, away: float) -> None:
        for _ in range(len(self._unfinished)):
            try:
                watched = self._unfinished.popleft()
            except IndexError:  # the stand-in had it
                return
            if watched.step(away):
                self._unfinished.append(watched)

    def _select(self, timeout: Optional[float]) -> List[Tuple[selectors.SelectorKey, int]]:
        assert self._selector is not None, "open() comes first"
        return self._selector.select(timeout)

    def _drain(self) -> None:
        try:
            self._wakers[0].recv(4096)
        except BlockingIOError:
            pass

    def _wake_up(self) -> None:
        for waker in self._wakers[1:]:
            try:
                waker.send(b"\0")
            except OSError:
                pass  # full, so there is enough to wake it; or closed

    # What follows runs on the stand-in's thread.

    def _live(self) -> None:
        quiet = 0
        while not self._is_over:
            looks = self._looks
            self._await_the_bell()
            if self._sleeps:
                quiet += 1
                if quiet >= LINGER:
                    self._doze()
                    quiet = 0
            elif self._looks == looks:
                quiet = 0
                self._stand_in_since(looks)

    def _await_the_bell(self) -> None:
        try:
            self._bell.get(timeout=GRACE)
        except Empty:
            pass

    def _doze(self) -> None:
        self._dozes = True
        if self._sleeps and not self._is_over:  # else nobody may ring
            self._bell.get()
        self._dozes = False

    def _stand_in_since(self, looks: int) -> None:
        """Take what comes until the dispatcher looks again."""
        while self._looks == looks and not self._is_over:
            self._finish(math.inf)
            somebody_wakes = False
            for key, _ in self._select(GRACE):
                if key.data is None:
                    somebody_wakes = True
                elif key.data.step(math.inf):
                    self._unfinished.append(key.data)
            if somebody_wakes:
                # What wakes the dispatcher is for it to take, however long it is away.
                self._await_the_bell()
