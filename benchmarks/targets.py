"""What this library wants to reach, as data; the report says where it does."""

from __future__ import annotations

from typing import Optional, Tuple

import attrs

__all__ = ["LATENCY_TARGETS", "RATIO_TARGETS", "SOCKET_TARGETS", "RatioTarget"]

_APP, _SYNC, _PICOWS = "websocketapp_json", "websockets_orjson", "picows_orjson"


@attrs.frozen
class RatioTarget:
    """Our frames a second as a multiple of a peer's."""

    case: str
    peer: str
    required: float
    goal: Optional[float] = None


def _telemetry(case: str, app: float, sync: float, picows: float) -> Tuple[RatioTarget, ...]:
    return (
        RatioTarget(case, _APP, app),
        RatioTarget(case, _SYNC, sync),
        RatioTarget(case, _PICOWS, picows, 1.0),
    )


RATIO_TARGETS = (
    *_telemetry("telemetry-1-documented", 12, 2.5, 0.7),
    *_telemetry("telemetry-10-documented", 20, 1.4, 0.7),
    RatioTarget("telemetry-10-documented", "picows_msgspec", 1.0),
    *_telemetry("telemetry-10-service", 20, 1.4, 0.7),
    RatioTarget("telemetry-10-service", "picows_msgspec", 1.0),
    *_telemetry("telemetry-100-documented", 25, 1, 0.8),
    RatioTarget("jpeg-50", _APP, 80),
    RatioTarget("jpeg-50", _PICOWS, 1.5, 3.0),
)

# At 5,000 frames a second: (percentile, required to be no worse than, the goal).
LATENCY_TARGETS = (("p50", _SYNC, _PICOWS), ("p99", _SYNC, _PICOWS))

# With 1,000 sockets: (what, required to be below, the goal).
SOCKET_TARGETS = (("cpu_us", 45.0, 25.0), ("kb_per_stream", 64.0, 40.0))
