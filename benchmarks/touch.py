"""What every client does with a frame: look at each point, or take the bytes of the picture.

Each client hands its decoded frame to the same kind of function, so that what is compared is the
way up to it. Dicts are looked into as dicts, objects as objects.
"""

from __future__ import annotations

import base64
import time
from typing import Any, Callable, List

__all__ = ["Handler", "Meter", "handler"]

Handler = Callable[[Any], None]


class Meter:
    """What was handed over so far; read by another thread."""

    __slots__ = ("bytes", "frames", "latencies")

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self.latencies: List[float] = []


def _telemetry_dicts(meter: Meter) -> Handler:
    def handle(frame: Any) -> None:
        for point in frame["points"]:
            _metric, _value = point["metric"], point["value"]
        meter.frames += 1

    return handle


def _telemetry_objects(meter: Meter) -> Handler:
    def handle(frame: Any) -> None:
        for point in frame.points:
            _metric, _value = point.metric, point.value
        meter.frames += 1

    return handle


def _picture_dicts(meter: Meter) -> Handler:
    def handle(frame: Any) -> None:
        meter.bytes += len(base64.b64decode(frame["frame"]))
        meter.frames += 1

    return handle


def _picture_objects(meter: Meter) -> Handler:
    def handle(frame: Any) -> None:
        meter.bytes += len(frame.jpeg)
        meter.frames += 1

    return handle


def _timed_dicts(meter: Meter) -> Handler:
    now, note = time.monotonic, meter.latencies.append

    def handle(frame: Any) -> None:
        note(now() - frame["points"][0]["value"])
        for point in frame["points"]:
            _metric, _value = point["metric"], point["value"]
        meter.frames += 1

    return handle


def _timed_objects(meter: Meter) -> Handler:
    now, note = time.monotonic, meter.latencies.append

    def handle(frame: Any) -> None:
        note(now() - frame.points[0].value)
        for point in frame.points:
            _metric, _value = point.metric, point.value
        meter.frames += 1

    return handle


_HANDLERS = {
    ("metrics", "dicts"): _telemetry_dicts,
    ("metrics", "objects"): _telemetry_objects,
    ("video", "dicts"): _picture_dicts,
    ("video", "objects"): _picture_objects,
    ("timed", "dicts"): _timed_dicts,
    ("timed", "objects"): _timed_objects,
}


def handler(what: str, style: str, meter: Meter) -> Handler:
    """Return the function for metrics, video or timed frames, as dicts or objects."""
    return _HANDLERS[what, style](meter)
