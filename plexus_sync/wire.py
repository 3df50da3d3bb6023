"""The wire's names and shapes: the text of a message becomes a wire object, in one C pass.

JSON and types are checked, and UTF-8 but in members that nobody wants; base64 is left alone.
Source: 'Received frames' of each stream in 'Live streams', and what the running service was seen to
send beside them.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Literal, Optional, Tuple, Union

import msgspec

from .errors import FrameError
from .frames import TelemetryFrame
from .streams import Stream
from .telemetry import AnyPoint, telemetry_as_documented, telemetry_as_served

__all__ = [
    "PARSERS",
    "UNDECODABLE",
    "DecodedVideo",
    "LikelyEvent",
    "LikelyTelemetry",
    "LikelyVideo",
    "Parser",
    "RawVideo",
    "Wire",
    "WireCamera",
    "WireError",
    "WireEvent",
    "WireGateway",
    "WireInit",
    "WireTelemetry",
    "WireUnknown",
    "WireVideo",
    "bad_frame",
    "camera_of",
    "frame_error",
    "is_data",
    "is_gateway_notice",
    "parse",
    "parse_base64",
    "parse_decoded_video",
]

EXCERPT_BYTES = 200  # enough to recognise a frame, too little to flood a log


class WireTelemetry(msgspec.Struct, tag="telemetry"):
    """``telemetry``; its points are public already."""

    points: Tuple[AnyPoint, ...]


class WireEvent(msgspec.Struct, tag="event", rename={"class_": "class"}):
    """``event``: the members of a point at the top level."""

    source_id: str
    metric: str
    value: Any
    timestamp: Union[int, float, None] = None
    class_: Optional[str] = None
    alert: Optional[int] = None
    tags: Optional[Dict[str, Any]] = None


class WireCamera(msgspec.Struct):
    """A camera where ``init`` gives objects."""

    camera_id: str
    video_type: Optional[str] = None


class WireSource(msgspec.Struct):
    """A device in ``init``; its cameras are names, objects or null."""

    source_id: str
    cameras: Optional[List[Union[str, WireCamera]]] = None
    platform: Optional[str] = None
    sensors: Any = None


class WireInit(msgspec.Struct, tag="init"):
    """``init``."""

    online_sources: Optional[List[WireSource]]


class WireVideo(msgspec.Struct, kw_only=True):
    """``video_frame``, but for its picture."""

    camera_id: str
    source_id: Any = None
    width: Optional[int] = None
    height: Optional[int] = None
    timestamp: Union[int, float, None] = None
    video_type: Optional[str] = None
    sensor_width: Optional[int] = None
    sensor_height: Optional[int] = None
    temp_min: Optional[float] = None
    temp_max: Optional[float] = None
    temps: Optional[Tuple[float, ...]] = None


class RawVideo(WireVideo, tag="video_frame", kw_only=True):
    """``video_frame``; the picture stays as it stands in the text until somebody wants it."""

    frame: msgspec.Raw


class WireGateway(msgspec.Struct, tag="gateway_reconnecting"):
    """``gateway_reconnecting``."""

    attempt: int
    delay_s: Union[int, float]
    max_attempts: Optional[int] = None


class WireError(msgspec.Struct, tag="error"):
    """``error``."""

    message: Optional[str] = None


class WireUnknown(msgspec.Struct):
    """Any other type."""

    type: str
    data: Dict[str, Any]


Wire = Union[
    TelemetryFrame,  # as telemetry.py has it filled
    WireTelemetry,
    WireEvent,
    WireInit,
    WireVideo,
    WireGateway,
    WireError,
    WireUnknown,
]

_KNOWN = (WireTelemetry, WireEvent, WireInit, RawVideo, WireGateway, WireError)
_KNOWN_TYPES = frozenset(cls.__struct_config__.tag for cls in _KNOWN)

# What the streams live for. A tagged class alone would do without its tag where that is missing: so
# the type is a member of these, which must be there.


class LikelyTelemetry(WireTelemetry, tag=False, kw_only=True):
    """``telemetry`` on a stream of metrics."""

    type: Literal["telemetry"]


class LikelyEvent(WireEvent, tag=False, kw_only=True):
    """``event`` on a stream of logs."""

    type: Literal["event"]


class LikelyVideo(RawVideo, tag=False, kw_only=True):
    """``video_frame`` on a stream of pictures."""

    type: Literal["video_frame"]


class DecodedVideo(WireVideo, kw_only=True):
    """The same, its picture decoded in the same pass."""

    frame: bytes
    type: Literal["video_frame"]


Parser = Callable[[bytes], Wire]


def _parser_for(wire: Any) -> Parser:
    return msgspec.json.Decoder(wire).decode


# The service puts ``type`` last: a parser for all types looks for it first, and so reads each text
# twice.
_parse_telemetry = _parser_for(LikelyTelemetry)
_parse_event = _parser_for(LikelyEvent)
_parse_video = _parser_for(LikelyVideo)

# By kind of stream, what makes the parsers for a device; where one fails, the next may do. The last
# one does not ask for the device, and takes whatever is well-formed.
PARSERS: Dict[str, Tuple[Callable[[str], Parser], ...]] = {
    "metrics": (
        lambda source_id: _parser_for(telemetry_as_documented(source_id)),
        lambda source_id: _parser_for(telemetry_as_served(source_id)),
        lambda _: _parse_telemetry,
    ),
    "logs": (lambda _: _parse_event,),
    "video": (lambda _: _parse_video,),
}
_parse_known: Callable[[Union[bytes, str]], Wire] = msgspec.json.Decoder(Union[_KNOWN]).decode
_parse_object = msgspec.json.Decoder(Dict[str, Any]).decode
parse_decoded_video = msgspec.json.Decoder(DecodedVideo).decode
parse_base64 = msgspec.json.Decoder(bytes).decode

# RecursionError: JSON nested too deep; UnicodeDecodeError and UnicodeEncodeError: no valid text.
UNDECODABLE = (msgspec.DecodeError, RecursionError, UnicodeError)


def parse(text: Union[bytes, str]) -> Wire:
    """Return the wire object of one message; FrameError where it is none."""
    try:
        return _parse_known(text)
    except UNDECODABLE as error:
        return _parse_unknown(text, error)


def _parse_unknown(text: Union[bytes, str], error: Exception) -> Wire:
    """Return the wire object of a type that is not known; else raise FrameError for ``error``."""
    try:
        data = _parse_object(text)
    except UNDECODABLE as malformed:
        raise bad_frame(text, malformed if _quotes_type(error) else error) from None
    kind = data.get("type")
    if not isinstance(kind, str) or kind in _KNOWN_TYPES:
        raise bad_frame(text, error) from None
    return WireUnknown(kind, data)


def _quotes_type(error: Exception) -> bool:
    """Return whether msgspec's message holds a type that it does not know, however long."""
    return str(error).startswith("Invalid value")


def bad_frame(text: Union[bytes, str], error: Exception) -> FrameError:
    """Return the error for a text that msgspec has refused."""
    # A frame that is an object and still bad has such a message only where it has two types.
    reason = "two types" if _quotes_type(error) else str(error) or type(error).__name__
    return frame_error(text, reason)


def frame_error(
    text: Union[bytes, str],
    reason: str,
    stream: Optional[Stream] = None,
    scrub: Callable[[str], str] = str,
) -> FrameError:
    """Return the error for one frame; ``scrub`` takes out what must not be shown."""
    # The cut comes after scrub, so that no half of a key is left; and well before the end of a text
    # that may be megabytes long.
    head = text[: 4 * EXCERPT_BYTES]
    shown = scrub(head if isinstance(head, str) else head.decode("utf-8", "backslashreplace"))
    excerpt = shown.encode("utf-8", "backslashreplace")[:EXCERPT_BYTES]
    where = "" if stream is None else f"{stream}: "
    return FrameError(
        f"{where}a frame cannot be decoded and is left out ({scrub(reason)}): {excerpt!r}",
        stream=stream,
        reason=scrub(reason),
        excerpt=excerpt,
    )


def is_gateway_notice(wire: Wire) -> bool:
    """Return whether the frame says that the service has lost its gateway."""
    return isinstance(wire, WireGateway)


def is_data(wire: Wire) -> bool:
    """Return whether it is a telemetry, event or video frame."""
    return isinstance(wire, (TelemetryFrame, WireTelemetry, WireEvent, WireVideo))


def camera_of(wire: Optional[Wire]) -> Optional[str]:
    """Return the camera that took the picture; None where the frame is no picture."""
    return wire.camera_id if isinstance(wire, WireVideo) else None
