"""What arrives, in the two forms in which a command shows it: JSON for programs, a line for people.

Pure. What a device sends is text of strangers: in a line for people every character that could
steer a terminal is spelled out.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, Optional, Tuple, Union

import attrs

from ..frames import (
    ErrorFrame,
    EventFrame,
    Frame,
    Gap,
    GatewayReconnectingFrame,
    InitFrame,
    OnlineSource,
    Point,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
)
from ..plain import clean

__all__ = ["Item", "clean", "clock", "describe", "event_item", "gap_item", "point_item", "value"]

Record = Dict[str, Any]
# Pieces of text, each with the name of its style; pretty.py says how they look.
Line = Tuple[Tuple[str, str], ...]

NAME_WIDTH = 18  # of metrics and events, so that values stand below each other


@attrs.frozen
class Item:
    """One thing to show: a line for people, any number of records for programs."""

    line: Line
    records: Tuple[Record, ...] = ()


def value(anything: Any) -> str:
    """Return a JSON value as people read it: text without quotes, all else as JSON."""
    if isinstance(anything, str):
        return clean(anything)
    return clean(json.dumps(anything, ensure_ascii=False))


def clock(time: Union[datetime, float, None]) -> str:
    """Return a point in time as this machine's time of day, to the millisecond."""
    try:
        if isinstance(time, float):
            time = datetime.fromtimestamp(time, timezone.utc)
        if time is not None:
            return time.astimezone().strftime("%H:%M:%S.%f")[:-3]
    except (OverflowError, OSError, ValueError):
        pass  # a device may send any number, and the year 9999 has no local time
    return "--:--:--.---"


def _present(**fields: Any) -> Record:
    """Return a record without the fields that are absent, as on the wire."""
    return {name.rstrip("_"): field for name, field in fields.items() if field is not None}


def _source(frame: Any) -> str:
    return clean(frame.stream.source_id) if frame.stream is not None else ""


def _fields(point: Union[Point, EventFrame]) -> Record:
    tags = {"tags": point.tags} if point.tags is not None else {}
    absent = _present(timestamp=point.timestamp, class_=point.class_, alert=point.alert)
    return {
        "source_id": point.source_id,
        "metric": point.metric,
        "value": point.value,  # null is a value
        **absent,
        **tags,
    }


def point_record(point: Point) -> Record:
    """Return the record of one point."""
    return {"type": "point", **_fields(point)}


def _style_of(anything: Any) -> str:
    if isinstance(anything, str):
        return "text"
    return "number" if isinstance(anything, (int, float)) else "dim"


def point_item(point: Point, received_at: Optional[float] = None) -> Item:
    """Describe one point."""
    line = (
        (clock(point.time or received_at), "dim"),
        (clean(point.source_id), "source"),
        (f"{clean(point.metric):<{NAME_WIDTH}}", "metric"),
        (value(point.value), _style_of(point.value)),
    )
    return Item(line, (point_record(point),))


def event_item(frame: EventFrame) -> Item:
    """Describe one log event."""
    grave = "error" in frame.metric or bool(frame.alert)
    shown = "" if frame.value == frame.metric else value(frame.value)
    line = (
        (clock(frame.time or frame.received_at), "dim"),
        (clean(frame.source_id), "source"),
        (f"{clean(frame.metric):<{NAME_WIDTH}}", "bad" if grave else "event"),
        (shown, "text"),
        (value(frame.tags) if frame.tags else "", "dim"),
    )
    return Item(line, ({"type": "event", **_fields(frame)},))


def video_item(frame: VideoFrame) -> Item:
    """Describe one picture; the picture itself is left out."""
    record = _present(
        type="video_frame",
        source_id=frame.source_id,
        camera_id=frame.camera_id,
        jpeg_bytes=len(frame.jpeg),
        width=frame.width,
        height=frame.height,
        timestamp=frame.timestamp,
        video_type=frame.video_type,
        sensor_width=frame.sensor_width,
        sensor_height=frame.sensor_height,
        temp_min=frame.temp_min,
        temp_max=frame.temp_max,
    )
    size = f"{frame.width} x {frame.height}, " if frame.width and frame.height else ""
    heat = ""
    if frame.temp_min is not None and frame.temp_max is not None:
        heat = f"{frame.temp_min:.1f} to {frame.temp_max:.1f} °C"
    line = (
        (clock(frame.time or frame.received_at), "dim"),
        (clean(frame.source_id or "") or _source(frame), "source"),
        (f"{clean(frame.camera_id):<{NAME_WIDTH}}", "camera"),
        (f"{size}{len(frame.jpeg) / 1000:.1f} kB", "number"),
        (heat, "warm"),
    )
    return Item(line, (record,))


def gap_item(gap: Gap) -> Item:
    """Describe a gap."""
    record = {
        "type": "gap",
        "source_id": gap.stream.source_id,
        "stream": gap.stream.kind,
        "started_at": gap.started_at,
        "ended_at": gap.ended_at,
        "reason": gap.reason,
        "dropped": gap.dropped,
    }
    lasted = f"{max(0.0, gap.ended_at - gap.started_at):.2f} s"
    dropped = f", {gap.dropped} frames dropped" if gap.dropped else ""
    line = (
        (clock(gap.ended_at), "dim"),
        (clean(gap.stream.source_id), "source"),
        (f"{'gap in ' + gap.stream.kind:<{NAME_WIDTH}}", "gap"),
        (f"{lasted} may be missing ({gap.reason}{dropped})", "gap"),
    )
    return Item(line, (record,))


def _init_source(source: OnlineSource) -> Tuple[Record, str]:
    cameras = [
        _present(camera_id=camera.camera_id, video_type=camera.video_type)
        for camera in source.cameras
    ]
    names = ", ".join(clean(camera.camera_id) for camera in source.cameras) or "no camera"
    record = _present(
        source_id=source.source_id,
        cameras=cameras,
        platform=source.platform,
        sensors=source.sensors,
    )
    return record, f"{clean(source.source_id)} ({names})"


def _init_item(frame: InitFrame) -> Item:
    sources = [_init_source(source) for source in frame.online_sources]
    shown = ", ".join(text for _, text in sources) or "nothing"
    return Item(
        _remark(frame, "online", shown, "good"),
        ({"type": "init", "online_sources": [record for record, _ in sources]},),
    )


def _remark(frame: Any, name: str, text: str, style: str) -> Line:
    return (
        (clock(frame.received_at), "dim"),
        (_source(frame), "source"),
        (f"{name:<{NAME_WIDTH}}", style),
        (text, style),
    )


def _gateway_item(frame: GatewayReconnectingFrame) -> Item:
    of = f" of {frame.max_attempts}" if frame.max_attempts is not None else ""
    text = f"the service tries again: attempt {frame.attempt}{of}, next in {frame.delay_s} s"
    record = _present(
        type="gateway_reconnecting",
        attempt=frame.attempt,
        delay_s=frame.delay_s,
        max_attempts=frame.max_attempts,
    )
    return Item(_remark(frame, "no gateway", text, "gap"), (record,))


def describe(frame: Frame) -> Iterator[Item]:
    """Yield what is to be shown of a frame or Gap: one item, of telemetry one for each point."""
    if isinstance(frame, TelemetryFrame):
        for point in frame.points:
            yield point_item(point, frame.received_at)
    elif isinstance(frame, EventFrame):
        yield event_item(frame)
    elif isinstance(frame, VideoFrame):
        yield video_item(frame)
    elif isinstance(frame, Gap):
        yield gap_item(frame)
    elif isinstance(frame, InitFrame):
        yield _init_item(frame)
    elif isinstance(frame, GatewayReconnectingFrame):
        yield _gateway_item(frame)
    elif isinstance(frame, ErrorFrame):
        text = value(frame.message or "no reason given")
        record = _present(type="error", message=frame.message)
        yield Item(_remark(frame, "service error", text, "bad"), (record,))
    else:
        yield _unknown_item(frame)


def _unknown_item(frame: UnknownFrame) -> Item:
    return Item(_remark(frame, clean(frame.type), value(frame.data), "dim"), (frame.data,))
