"""What one client is still to be sent: the frames between those who make and who sends."""

from __future__ import annotations

import enum
import threading
from collections import deque
from typing import Deque, Generic, Optional, TypeVar

T = TypeVar("T")


class Put(enum.Enum):
    """What became of a frame that was put into an outbox."""

    TAKEN = enum.auto()
    REFUSED = enum.auto()
    """The outbox is closed, or on hold: the frame is lost, as live data is."""
    FULL = enum.auto()


class Outbox(Generic[T]):
    """A queue of frames and orders for the thread that sends, in the order they came.

    ``hold`` turns new frames away, as long as the gateway is lost; orders still pass.
    """

    def __init__(self) -> None:
        # The one lock: the frames come from any thread, and one takes them.
        self._changed = threading.Condition()
        self._items: Deque[T] = deque()
        self._holder: Optional[object] = None
        self._closed = False

    def put(self, frame: T, limit: int, wait: bool) -> Put:
        """Queue a frame. With ``limit`` items there already, wait for room or return ``FULL``."""
        with self._changed:
            while wait and len(self._items) >= limit and self._open():
                self._changed.wait()
            if not self._open():
                return Put.REFUSED
            if len(self._items) >= limit:
                return Put.FULL
            self._items.append(frame)
            self._changed.notify_all()
            return Put.TAKEN

    def _open(self) -> bool:
        return not self._closed and self._holder is None

    def order(self, item: T, last: bool = False) -> None:
        """Queue what no limit applies to; nothing is taken after the ``last``."""
        with self._changed:
            if not self._closed:
                self._items.append(item)
                self._closed = last
                self._changed.notify_all()

    def hold(self, holder: object) -> None:
        """Turn new frames away until this holder, or a later one, lets them in again."""
        with self._changed:
            self._holder = holder
            self._changed.notify_all()

    def resume(self, holder: object) -> None:
        """Take frames again, unless another holder came since."""
        with self._changed:
            if self._holder is holder:
                self._holder = None

    def close(self) -> None:
        """Take nothing more and forget what is queued."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def take(self, timeout: Optional[float]) -> Optional[T]:
        """Return the next item; None when there is none in time, or none will ever come."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout)
            if not self._items:
                return None
            self._changed.notify_all()
            return self._items.popleft()

    @property
    def finished(self) -> bool:
        """Whether nothing is left and nothing will come."""
        with self._changed:
            return self._closed and not self._items
