"""picows with msgspec, into the frame classes of plexus-sync: the same objects, by other means."""

from __future__ import annotations

from typing import Any, Optional, Tuple, Union

import msgspec

from plexus_sync import TelemetryFrame, VideoFrame
from plexus_sync.telemetry import AnyPoint

from ..touch import Handler
from . import Connect, picows_orjson

STYLE = "objects"
ON_LOOP = True


class _Telemetry(msgspec.Struct):
    # With plain ``Point``, whose missing members msgspec finds by exceptions, it takes a third
    # longer and more.
    points: Tuple[AnyPoint, ...]


class _Picture(msgspec.Struct):
    camera_id: str
    frame: bytes
    source_id: Optional[str] = None
    width: Optional[int] = None
    height: Optional[int] = None
    timestamp: Union[int, float, None] = None


_decode_telemetry = msgspec.json.Decoder(_Telemetry).decode
_decode_picture = msgspec.json.Decoder(_Picture).decode


def _telemetry(data: Any) -> TelemetryFrame:
    return TelemetryFrame(_decode_telemetry(data).points)


def _picture(data: Any) -> VideoFrame:
    got = _decode_picture(data)
    return VideoFrame(got.source_id, got.camera_id, got.frame, got.width, got.height, got.timestamp)


def run(connect: Connect, handle: Handler) -> None:
    """Hand frames over until the server closes."""
    picows_orjson.run(connect, handle, _picture if connect.kind == "video" else _telemetry)
