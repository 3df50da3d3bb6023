"""What can go wrong: the table of faults, and a schedule of them that a seed decides."""

from __future__ import annotations

import random
from typing import Any, Callable, Dict, List, Tuple

import attrs

STREAMS = ("metrics", "logs", "video")


@attrs.frozen
class Fault:
    """One fault: what, to which streams, and how much of it.

    ``slow``: seconds that the client's next callback takes; the one part that is not the server's.
    """

    kind: str
    streams: Tuple[str, ...] = STREAMS
    seconds: float = 0.0
    code: int = 0
    count: int = 0
    slow: float = 0.0

    @classmethod
    def from_json(cls, members: Dict[str, Any]) -> Fault:
        """Return the fault that ``attrs.asdict`` made this of."""
        return cls(**{**members, "streams": tuple(members["streams"])})


# Codes that are worth a reconnect, from the table in docs/interface.rst; 1005 has no code.
CODES = (1000, 1001, 1005, 1011, 1012, 1013, 1014, 4008)

# How often each comes, in a schedule, and what it draws for itself.
_DRAWN: Dict[str, Tuple[int, Callable[[random.Random], Dict[str, Any]]]] = {
    "cut": (3, lambda rng: {}),
    "reset": (3, lambda rng: {}),
    "half-open": (2, lambda rng: {}),
    "pause": (1, lambda rng: {"seconds": 0.5}),
    "close": (4, lambda rng: {"code": rng.choice(CODES)}),
    "refuse": (1, lambda rng: {"seconds": rng.uniform(0.5, 4)}),
    "busy": (1, lambda rng: {"seconds": rng.uniform(0.5, 3)}),
    "mute": (1, lambda rng: {"seconds": rng.uniform(1, 4)}),
    "slam": (1, lambda rng: {"seconds": rng.uniform(0.5, 2)}),
    "unauthorized": (1, lambda rng: {}),
    "outage": (2, lambda rng: {"seconds": rng.uniform(0.5, 3)}),
    "outage-end": (1, lambda rng: {"seconds": rng.uniform(0.5, 3)}),
    "garbage": (3, lambda rng: {"count": rng.randint(1, 5)}),
    "foreign": (2, lambda rng: {"count": rng.randint(1, 5)}),
    "fragments": (1, lambda rng: {"count": rng.randint(1, 20)}),
    "violation": (2, lambda rng: {}),
    "burst": (2, lambda rng: {"count": 3000, "slow": rng.uniform(0.5, 1.5)}),
    "slow": (2, lambda rng: {"slow": rng.uniform(0.5, 3)}),
}
_ALL_STREAMS = {"refuse", "slow"}  # these have no single stream


def draw(rng: random.Random) -> List[Fault]:
    """Return what comes next: one fault, and now and then two at once."""
    faults = []
    for _ in range(1 if rng.random() < 0.75 else 2):
        (kind,) = rng.choices(list(_DRAWN), [weight for weight, _ in _DRAWN.values()])
        every = kind in _ALL_STREAMS or rng.random() < 0.3
        streams = STREAMS if every else (rng.choice(STREAMS),)
        faults.append(Fault(kind, streams, **_DRAWN[kind][1](rng)))
    return faults


# One fault each, for the table in which the clients stand side by side.
SCENARIOS: Dict[str, Fault] = {
    "TCP ends in the middle of a frame (FIN)": Fault("cut"),
    "reset in the middle of a frame (RST)": Fault("reset"),
    "half-open: nothing comes any more, no FIN, no pong": Fault("half-open"),
    "close 1001, going away": Fault("close", code=1001),
    "close 1011, gateway error": Fault("close", code=1011),
    "close 4008, the stream's time-out": Fault("close", code=4008),
    "connections refused for 3 s": Fault("refuse", seconds=3),
    "HTTP 503 for 3 s": Fault("busy", seconds=3),
    "the upgrade is never answered, for 3 s": Fault("mute", seconds=3),
    "accepted and closed at once, for 3 s": Fault("slam", seconds=3),
    "the key is refused once (4401)": Fault("unauthorized"),
    "the gateway is away for 3 s": Fault("outage", seconds=3),
    "the gateway is away for 3 s, then 1011": Fault("outage-end", seconds=3),
    "three frames that are no frames": Fault("garbage", count=3),
    "three frames of another device": Fault("foreign", count=3),
    "a reserved bit is set": Fault("violation", count=1),
    "a masked frame that claims 2^63 bytes": Fault("violation", count=6),
    "a callback takes 4 s": Fault("slow", slow=4),
    "3000 frames at once while a callback takes 1 s": Fault("burst", count=3000, slow=1),
}
