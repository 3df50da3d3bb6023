"""What the parts of the simulator tell each other, and its user."""

from __future__ import annotations

from typing import Optional, Set, Tuple

import attrs


@attrs.frozen
class Connection:
    """A client's connection, as it was when asked for."""

    source_id: str
    stream: str
    """``"metrics"``, ``"logs"`` or ``"video"``."""
    authenticated: bool
    metrics: Optional[Tuple[str, ...]] = None
    """The metrics asked for; None is all of them."""
    cameras: Tuple[str, ...] = ()
    """The cameras asked for; none is what the service's document calls the default."""
    timeout: Optional[int] = None
    """Seconds asked for; None is the service's default."""


@attrs.frozen
class Received:
    """A message that a client sent, the first included; a key in it shows as ``***``."""

    source_id: str
    stream: str
    text: str


@attrs.frozen(eq=False)
class Outage:
    """One outage of the gateway; ``until`` on the monotonic clock, in seconds."""

    mode: str
    until: float


@attrs.define
class Settings:
    """What all sessions share: times in seconds, and which keys are good (sets that change)."""

    sources: Tuple[str, ...]
    cameras: Tuple[str, ...]
    auth_timeout: float
    video_timeout: float
    ping_interval: Optional[float]
    ping_timeout: Optional[float]
    gateway_retry_delay: float
    gateway_retries: int
    keys: Set[str] = attrs.field(repr=False)
    unpaid_keys: Set[str] = attrs.field(repr=False)
    expired_keys: Set[str] = attrs.field(repr=False)
    key_database_down: bool = False

    def secrets(self) -> Tuple[str, ...]:
        """Return every key there is, good or bad."""
        return (*self.keys, *self.unpaid_keys, *self.expired_keys)
