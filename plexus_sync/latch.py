"""An event that is set once, and that a signal handler may set.

``threading.Event`` takes a lock inside ``set()``: a handler that runs while its own thread holds
that lock would wait for itself. A bare lock has no such moment.
"""

from __future__ import annotations

import threading
from typing import Optional

__all__ = ["Latch", "owns"]


def owns(lock: threading.RLock) -> bool:
    """Return whether the calling thread holds a re-entrant lock, as Condition asks it."""
    return bool(lock._is_owned())  # type: ignore[attr-defined]


class Latch:
    """Set once, never cleared; ``set``, ``is_set`` and ``wait`` are those of ``Event``."""

    def __init__(self) -> None:
        self._is_set = False
        self._gate = (
            threading.Lock()
        )  # locked until set; whoever comes through lets the next one in
        self._gate.acquire()

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it and wake everybody who waits."""
        self._is_set = True
        self._open_gate()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is set, or ``timeout`` seconds; return whether it is set."""
        limit = -1 if timeout is None else max(0, min(timeout, threading.TIMEOUT_MAX))
        if not self._is_set and self._gate.acquire(timeout=limit):
            self._open_gate()
        return self._is_set

    def _open_gate(self) -> None:
        try:
            self._gate.release()
        except RuntimeError:
            pass  # open already: two calls of set(), or set() beside a waiter that came through
