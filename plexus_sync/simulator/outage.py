"""What a client sees while the service has lost its upstream gateway. Pure."""

from __future__ import annotations

import math
from typing import Optional, Tuple

import attrs

from .protocol import GATEWAY_ERROR, HANG_UP, STREAM_TIMEOUT, VIDEO, Close

REFUSED, CLOSES, HUNG, RESTARTS = "refused", "closes", "hung", "restart"
MODES = (REFUSED, CLOSES, HUNG, RESTARTS)

# Of a hung gateway the service was seen to speak after 38 s, then every 12 s; with the 2 s
# between attempts that it announces, this is what a test with shorter ones scales with.
_HUNG_FIRST = 38 / 2
_HUNG_STEP = 12 / 2


@attrs.frozen
class Plan:
    """One connection's way through an outage, in seconds from where the outage met it."""

    notices: Tuple[float, ...]
    """When each ``gateway_reconnecting`` is sent, the first being attempt 1."""
    ends_at: float
    ending: Optional[Close]
    """How the connection is given up; None where data comes again."""
    reconnected: bool
    """Whether the service made a new upstream connection, so that video gets an ``init``."""


def plan(mode: str, stream: str, seconds: float, delay: float, retries: int) -> Plan:
    """Plan an outage that lasts ``seconds``, with ``delay`` seconds between the attempts.

    The service finds out at its next attempt that the gateway is back, so data comes again at
    the first attempt at or after the end, never sooner.
    """
    if mode == RESTARTS:
        return Plan((), seconds, None, True)
    first, step = (_HUNG_FIRST * delay, _HUNG_STEP * delay) if mode == HUNG else (0.0, delay)
    if seconds <= first:  # the gateway woke up before anyone lost patience, or at once
        return Plan((), seconds, None, False)
    # Hair's breadth: seconds that are computed from a clock are never a round multiple.
    attempts = math.ceil((seconds - first) / step - 1e-9)
    notices = tuple(first + step * n for n in range(min(attempts, retries)))
    if attempts <= retries:
        return Plan(notices, first + step * attempts, None, True)
    return Plan(notices, first + step * retries, _giving_up(mode, stream), False)


def _giving_up(mode: str, stream: str) -> Close:
    """Tell how the service ends a connection, as observed of the running service."""
    if mode == CLOSES:
        return HANG_UP
    if mode == HUNG and stream == VIDEO:
        return STREAM_TIMEOUT
    return GATEWAY_ERROR
