"""The service's keepalive: when to ping, when to give up. Pure.

websockets 13.1, the newest for Python 3.8, has none in its threaded server, and later ones
cannot be told to wait for a stalled line: so the simulator has its own, the same everywhere.
"""

from __future__ import annotations

import math
from typing import Optional

PING = "ping"
EXPIRED = "expired"


class Keepalive:
    """Ping every ``interval`` seconds; no pong within ``timeout`` seconds ends it.

    ``interval`` None is no keepalive; ``timeout`` None is pings that need no answer.
    """

    def __init__(self, interval: Optional[float], timeout: Optional[float], now: float) -> None:
        self._interval = math.inf if interval is None else interval
        self._timeout = math.inf if timeout is None else timeout
        self._pinged_at: Optional[float] = None
        self.next_at = now + self._interval
        """When to call ``check`` again, on the clock of the ``now`` that was given."""

    def check(self, now: float, answered: bool) -> Optional[str]:
        """Tell what is due: ``PING``, ``EXPIRED`` or nothing (None).

        ``answered`` tells whether the pong to the last ping has come.
        """
        if now < self.next_at:
            return None
        if self._pinged_at is not None:
            if not answered and now >= self._pinged_at + self._timeout:
                return EXPIRED
            ping_at = self._pinged_at + self._interval
            waiting = not answered and self._timeout != math.inf
            if waiting or now < ping_at:
                self.next_at = self._pinged_at + self._timeout if waiting else ping_at
                return None
        self._pinged_at = now
        self.next_at = now + min(self._interval, self._timeout)
        return PING
