"""Keeps book of when a stream was not delivering, and says where a Gap must stand. Pure."""

from __future__ import annotations

from typing import Optional

from .frames import Gap
from .streams import Stream

__all__ = ["GapBook"]


class GapBook:
    """The times between which data of one stream may be missing; all in seconds since the epoch.

    Two things can be under way: an *outage*, from the first gateway_reconnecting until data comes
    again, and a *loss*, from when a connection last delivered until the stream is open again.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._delivered_at: Optional[float] = None  # None: never open so far, so nothing to miss
        self._outage_since: Optional[float] = None
        self._lost_since: Optional[float] = None

    @property
    def in_outage(self) -> bool:
        """Whether the service's own gateway is away."""
        return self._outage_since is not None

    def delivering(self, at: float) -> None:
        """Note that bytes came on an open stream: whatever was sent before has arrived."""
        self._delivered_at = at

    def gateway_notice(self, at: float) -> None:
        """Note a gateway_reconnecting frame."""
        if self._outage_since is None:
            self._outage_since = at

    def data(self, at: float) -> Optional[Gap]:
        """Note a data frame; return the Gap that stands before it."""
        if self._outage_since is None:
            return None
        gap = Gap(self._stream, self._outage_since, at, "gateway")
        self._outage_since = None
        return gap

    def lost(self) -> None:
        """Note that the connection is gone, or was not made again."""
        if self._lost_since is None and self._delivered_at is not None:
            outage = self._outage_since
            self._lost_since = (
                self._delivered_at if outage is None else min(outage, self._delivered_at)
            )

    def opened(self, at: float) -> Optional[Gap]:
        """Note that the stream is open; return the Gap that stands before its first frame."""
        self._delivered_at = at
        if self._lost_since is None:
            return None
        gap = Gap(self._stream, self._lost_since, at, "connection")
        self._lost_since = self._outage_since = None
        return gap
