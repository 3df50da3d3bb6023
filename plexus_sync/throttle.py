"""A log that stays readable when something goes wrong a thousand times a second."""

from __future__ import annotations

import logging
import time
from typing import Callable, Dict, Tuple

from .plain import short

__all__ = ["LOGGER", "Throttle"]

LOGGER = logging.getLogger("plexus_sync")

LONGEST = 2000  # characters of a message; what cannot be decoded is quoted with less than 1000
INTERVAL = 10.0  # seconds; often enough to follow, seldom enough to read


class Throttle:
    """Lets one warning of each kind through in ``INTERVAL`` seconds, and says what it held back.

    For one thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: Dict[str, Tuple[float, int]] = {}  # when it last came through, held back since

    def warning(self, kind: str, message: str) -> None:
        """Log a warning of one kind, or hold it back."""
        now = self._clock()
        last, held_back = self._last.get(kind, (-INTERVAL, 0))
        if now - last < INTERVAL:
            self._last[kind] = (last, held_back + 1)
            return
        self._last[kind] = (now, 0)
        more = f" ({held_back} more like it since)" if held_back else ""
        LOGGER.warning("%s%s", short(message, LONGEST), more)
