"""The wire's names and shapes: the text of a message becomes a wire object, in one C pass.

JSON, UTF-8 and types are checked; base64 is left alone. Source: 'Received frames' of each stream in
'Live streams', and what the running service was seen to send beside them.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple, Type, Union

import msgspec

from .errors import FrameError
from .frames import Point
from .streams import Stream

__all__ = [
    "UNDECODABLE",
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
]

EXCERPT_BYTES = 200  # enough to recognise a frame, too little to flood a log


def _teach_wire_name(cls: Type[Any], attribute: str, wire_name: str) -> None:
    """Let msgspec fill ``attribute`` of an attrs class from a JSON member of another name.

    msgspec takes the names of ``__attrs_attrs__`` for the wire's and sets them on the instance.
    So the slot gets a second name, and msgspec is shown a list of fields that has the wire's; it
    keeps what it has read in a cache on the class, and the class is put back as it was.
    """
    fields = cls.__attrs_attrs__
    setattr(cls, wire_name, cls.__dict__[attribute])
    cls.__annotations__[wire_name] = cls.__annotations__[attribute]
    cls.__attrs_attrs__ = tuple(
        field.evolve(name=wire_name) if field.name == attribute else field for field in fields
    )
    try:
        msgspec.json.Decoder(cls)
    finally:
        cls.__attrs_attrs__ = fields
        del cls.__annotations__[wire_name]


_teach_wire_name(Point, "class_", "class")


class WireTelemetry(msgspec.Struct, tag="telemetry"):
    """``telemetry``; its points are public already, the one place where speed pays for that."""

    points: Tuple[Point, ...]


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


class WireVideo(msgspec.Struct, tag="video_frame"):
    """``video_frame``; the picture stays as it stands in the text until somebody wants it."""

    camera_id: str
    frame: msgspec.Raw
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


Wire = Union[WireTelemetry, WireEvent, WireInit, WireVideo, WireGateway, WireError, WireUnknown]

_KNOWN = (WireTelemetry, WireEvent, WireInit, WireVideo, WireGateway, WireError)
_KNOWN_TYPES = frozenset(cls.__struct_config__.tag for cls in _KNOWN)
_parse_known: Callable[[Union[bytes, str]], Wire] = msgspec.json.Decoder(Union[_KNOWN]).decode
_parse_object = msgspec.json.Decoder(Dict[str, Any]).decode
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
    return isinstance(wire, (WireTelemetry, WireEvent, WireVideo))


def camera_of(wire: Optional[Wire]) -> Optional[str]:
    """Return the camera that took the picture; None where the frame is no picture."""
    return wire.camera_id if isinstance(wire, WireVideo) else None
