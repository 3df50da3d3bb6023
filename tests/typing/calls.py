"""Typed calls that only the type checker reads: what users write must check, strictly."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from plexus_sync import (
    Buffer,
    Frame,
    Gap,
    LogsStream,
    MetricsStream,
    PlexusError,
    Point,
    Reconnect,
    StateChange,
    Stream,
    StreamStatus,
    Subscription,
    TelemetryFrame,
    VideoFrame,
    VideoStream,
    decode,
)

sub = Subscription(
    MetricsStream("robot-01", metrics=["battery.percent"], buffer=Buffer(10, "block")),
    LogsStream("robot-01", stale_timeout=60),
    VideoStream("robot-02", cameras=("front", "rear"), timeout=60),
    api_key=lambda: "plx_...",
    reconnect=Reconnect(on_code={1012: "now"}),
)


@sub.on_telemetry
def show(frame: TelemetryFrame) -> None:
    """Stay what it was: a decorator returns the function with its own type."""
    points: Tuple[Point, ...] = frame.points
    print(points, frame.received_at)


@sub.on_metric("joint.*")
def joint(point: Point) -> None:
    """Take a point."""
    print(point.value, point.time)


def on_gap(gap: Gap) -> None:
    """Take a gap."""
    print(gap.dropped + 1, gap.reason.upper())


def on_error(error: PlexusError) -> None:
    """Take an error."""
    print(error.final)


def on_state(change: StateChange) -> None:
    """Take a state change."""
    print(change.current.value)


def on_picture(frame: VideoFrame) -> None:
    """Take a picture."""
    width: Optional[int] = frame.width
    print(len(frame.jpeg), width, frame.to_numpy("bgr").shape)


show(decode(b"{}"))  # type: ignore[arg-type]  # it may be any frame
sub.on_gap(on_gap)
sub.on_error(on_error)
sub.on_state(on_state)
sub.on_video_frame(on_picture)
sub.on_metric("battery.*", joint)
sub.off(show)

frames: List[Frame] = list(sub)
status: Dict[Stream, StreamStatus] = sub.status()
with sub as entered:
    again: Subscription = entered
closed: bool = sub.close()
