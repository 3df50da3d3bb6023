"""Waking a thread that sits in a system call, from any thread or from a signal handler."""

from __future__ import annotations

import contextlib
import threading
from typing import Callable, Generic, Iterator, List, Optional, TypeVar

from .deadline import Deadline
from .latch import Latch, owns
from .loss import ABNORMAL, Lost

__all__ = ["Interrupt", "in_time"]

T = TypeVar("T")


class Interrupt(Latch):
    """A latch that also wakes whatever its reader is sitting in when it is set."""

    def __init__(self) -> None:
        super().__init__()
        self._wakers: List[Callable[[], None]] = []
        # Whoever leaves waking() must not be woken any more. Re-entrant, for a signal handler that
        # calls set() while its own thread is inside.
        self._lock = threading.RLock()

    def set(self) -> None:
        """Set it, wake everybody who waits, and call every waker."""
        super().set()
        with self._lock:
            for wake in self._wakers:
                wake()

    def holds_lock(self) -> bool:
        """Return whether the calling thread is in the middle of set() or waking()."""
        return owns(self._lock)

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have ``wake`` called when it is set, at once where it is set already.

        ``wake`` must neither block nor raise.
        """
        with self._lock:
            self._wakers.append(wake)
        try:
            if self.is_set():
                wake()
            yield
        finally:
            with self._lock:
                self._wakers.remove(wake)


class _Call(Generic[T]):
    """A call that runs on a thread of its own and may be abandoned before it is over."""

    def __init__(
        self, function: Callable[[], T], discard: Callable[[T], None], over: Latch
    ) -> None:
        self.result: List[T] = []
        self.error: Optional[BaseException] = None
        self._function = function
        self._discard = discard
        self._over = over
        # Whether the result is taken or thrown away is decided once, by whoever comes first.
        self._lock = threading.Lock()
        self._abandoned = False

    def run(self) -> None:
        try:
            result = self._function()
        except Exception as error:
            self.error = error
        else:
            with self._lock:
                abandoned = self._abandoned
                self.result.append(result)
            if abandoned:
                self._discard(result)
        self._over.set()

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            results = list(self.result)
        for result in results:
            self._discard(result)


def in_time(
    function: Callable[[], T],
    deadline: Deadline,
    interrupt: Interrupt,
    what: str,
    discard: Callable[[T], None] = lambda result: None,
) -> T:
    """Return ``function()``, or raise ``Lost`` when the time is up or the interrupt set.

    For calls that know no time limit and cannot be woken, such as ``getaddrinfo``: they run on a
    daemon thread, which is left alone when nobody waits for it any more; ``discard`` is then
    called with what it returns.
    """
    wake = Latch()  # the call is over, or nobody wants it any more
    call = _Call(function, discard, wake)
    # A daemon: an interpreter that exits must not wait for somebody else's DNS server.
    thread = threading.Thread(target=call.run, name=f"plexus-sync {what}", daemon=True)
    with interrupt.waking(wake.set):
        thread.start()
        wake.wait(deadline.remaining())
    if call.result and not interrupt.is_set():
        thread.join()
        return call.result[0]
    if call.error is not None:
        thread.join()
        raise call.error
    call.abandon()
    raise Lost(ABNORMAL, f"{what} took longer than connect_timeout")
