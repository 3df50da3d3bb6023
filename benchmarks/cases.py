"""What is measured: one object for each case, as data."""

from __future__ import annotations

from typing import Iterable, Tuple

import attrs

__all__ = ["CASES", "FULL", "QUICK", "Case", "Plan", "case_named"]


@attrs.frozen
class Case:
    """One kind of frame on one kind of connection."""

    name: str
    title: str
    kind: str = "metrics"  # or "video"
    points: int = 0
    shape: str = "documented"  # or "service"; see frames.py
    jpeg_kb: int = 0
    tls: bool = False
    deflate: bool = False


def _how(options: Iterable[str]) -> str:
    return "".join({"tls": ", TLS", "deflate": ", permessage-deflate"}[o] for o in options)


def _telemetry(points: int, shape: str, **options: bool) -> Case:
    name = "-".join((f"telemetry-{points}", shape, *options))
    plural = "point" if points == 1 else "points"
    return Case(
        name,
        f"{points} {plural}, {shape} shape{_how(options)}",
        points=points,
        shape=shape,
        **options,
    )


def _jpeg(kilobytes: int, **options: bool) -> Case:
    name = "-".join((f"jpeg-{kilobytes}", *options))
    return Case(
        name, f"{kilobytes} KB JPEG{_how(options)}", kind="video", jpeg_kb=kilobytes, **options
    )


CASES: Tuple[Case, ...] = (
    _telemetry(1, "documented"),
    _telemetry(1, "service"),
    _telemetry(10, "documented"),
    _telemetry(10, "service"),
    _telemetry(100, "documented"),
    _telemetry(100, "service"),
    _jpeg(20),
    _jpeg(50),
    _jpeg(200),
    _telemetry(10, "documented", tls=True),
    _telemetry(10, "service", tls=True),
    _jpeg(50, tls=True),
    _telemetry(10, "documented", deflate=True),
    _telemetry(10, "service", deflate=True),
    _jpeg(50, deflate=True),
)

# The latency and the many sockets are measured with these frames.
PACED = _telemetry(10, "documented")

# Of these it is told where the time goes.
PROFILED = (
    "telemetry-1-documented",
    "telemetry-10-documented",
    "telemetry-10-service",
    "telemetry-100-documented",
)


def case_named(name: str) -> Case:
    """Return the case of that name."""
    return next(case for case in CASES if case.name == name)


@attrs.frozen
class Plan:
    """How much of it, for how long; all times are seconds."""

    cases: Tuple[Case, ...]
    rounds: int
    window: float  # of one run of one client; a slow client gets up to max_window
    max_window: float
    case_limit: float  # no new round of a case begins after it, however slow the machine
    latency_rates: Tuple[Tuple[int, float], ...]  # frames/s, and for how long
    latency_rounds: int
    sockets: Tuple[int, ...]
    socket_clients: Tuple[str, ...]
    socket_window: float
    socket_rounds: int
    import_rounds: int


FULL = Plan(
    cases=CASES,
    rounds=4,
    window=0.2,
    max_window=0.8,
    case_limit=27.0,
    latency_rates=((100, 2.0), (5000, 0.8)),
    latency_rounds=3,
    sockets=(10, 100, 1000),
    socket_clients=(
        "ours",
        "websocketapp_json",
        "websocket_client_orjson",
        "websockets_orjson",
        "aiohttp_orjson",
        "picows_orjson",
    ),
    socket_window=2.0,
    socket_rounds=1,
    import_rounds=7,
)

QUICK = Plan(
    cases=tuple(
        case_named(name)
        for name in (
            "telemetry-1-documented",
            "telemetry-10-documented",
            "telemetry-10-service",
            "telemetry-100-documented",
            "jpeg-50",
            "telemetry-10-documented-tls",
            "telemetry-10-documented-deflate",
        )
    ),
    rounds=1,
    window=0.1,
    max_window=0.4,
    case_limit=10.0,
    latency_rates=((100, 0.5), (5000, 0.4)),
    latency_rounds=1,
    sockets=(10, 100),
    socket_clients=("ours", "websocketapp_json", "picows_orjson"),
    socket_window=0.6,
    socket_rounds=1,
    import_rounds=1,
)
