"""A stream in figures, as ``Subscription.status()`` shows it."""

from __future__ import annotations

from typing import Optional

import attrs

from .errors import PlexusError
from .state import State

__all__ = ["StreamStatus"]


@attrs.frozen
class StreamStatus:
    """A snapshot of one stream.

    Frames: ``received == delivered + dropped + filtered + bad + discarded + buffered``, always.
    ``since``: when the state was entered, ``last_frame_at``: when the last frame came (seconds
    since the epoch, local clock). ``attempts``: connection attempts so far; ``reconnects``: how
    often the stream was open again after a loss. ``points``: points handed over; ``gaps``: gaps
    handed over; ``bytes``: the text of all frames received.
    """

    state: State
    since: float
    attempts: int = 0
    last_error: Optional[PlexusError] = None
    received: int = 0
    delivered: int = 0
    dropped: int = 0
    filtered: int = 0
    bad: int = 0
    discarded: int = 0
    buffered: int = 0
    points: int = 0
    bytes: int = 0
    gaps: int = 0
    reconnects: int = 0
    last_frame_at: Optional[float] = None
