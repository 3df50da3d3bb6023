"""One time limit carried through several steps, on the monotonic clock."""

from __future__ import annotations

import time
from typing import Callable, Optional

__all__ = ["MAX_WAIT", "Deadline"]

MAX_WAIT = 1_000_000.0  # seconds; more than 2**31 ms is refused by the system


FOR_EVER = 1e9  # seconds; the operating system's calls overflow above some more


class Deadline:
    """A point in time on the monotonic clock, or none at all.

    ``timeout`` is in seconds from now; None never expires. ``clock`` is for tests.
    """

    __slots__ = ("_at", "_clock")

    def __init__(
        self, timeout: Optional[float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._at = None if timeout is None else clock() + min(timeout, FOR_EVER)

    def remaining(self) -> Optional[float]:
        """Return the seconds that are left, never below 0; None where there is no limit."""
        return None if self._at is None else max(0.0, self._at - self._clock())

    def expired(self) -> bool:
        """Return whether the time is up."""
        return self._at is not None and self._clock() >= self._at
