"""Checks of what a simulator is given: each says what is wrong and what to do."""

from __future__ import annotations

import importlib.util
import math
from typing import Iterable, Optional, Tuple

from .protocol import STREAMS


def check_rate(name: str, rate: float) -> None:
    """Refuse what is no number of frames a second."""
    if not (0 <= rate < math.inf):
        raise ValueError(f"{name} {rate!r} is no number of frames a second: use 0 or more")


def check_stream(stream: Optional[str]) -> None:
    """Refuse a stream that the service does not have."""
    if stream is not None and stream not in STREAMS:
        raise ValueError(f"stream {stream!r} is not known: use one of {', '.join(STREAMS)}")


def strings(name: str, values: Iterable[str]) -> Tuple[str, ...]:
    """Copy an argument; a bare str would be taken for one of its letters each."""
    if isinstance(values, str):
        raise ValueError(f"{name} must be a sequence of strings, not one string")
    return tuple(values)


def source_ids(values: Iterable[str]) -> Tuple[str, ...]:
    """Copy the names of devices; one with a '/' could never be asked for."""
    found = strings("sources", values)
    for name in found:
        if not name or "/" in name:
            raise ValueError(f"the source {name!r} is not allowed: it must be a text without '/'")
    return found


def need_pillow() -> None:
    """Say what is missing before anybody waits for a picture; without importing it."""
    if importlib.util.find_spec("PIL") is None:
        raise ImportError(
            "pictures are drawn with Pillow: "
            "pip install 'plexus-sync[simulator]', or use video_rate=0"
        )
