"""From the text of a message to a frame: pure, and the only room that knows the wire's names.

A message is parsed into a *wire object* (one C pass: JSON, UTF-8, types, base64 left alone), and
a wire object becomes a public frame. The two steps are apart because a stream's reader needs the
first one where it must know a frame's type or camera, while the second, dearer one runs where the
callbacks run, and never for a frame that an overflow has dropped.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple, Type, Union

import msgspec

from .errors import ConfigError, FrameError
from .frames import (
    Camera,
    ErrorFrame,
    EventFrame,
    Frame,
    GatewayReconnectingFrame,
    InitFrame,
    OnlineSource,
    Point,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
)
from .streams import Stream, VideoStream

__all__ = [
    "StreamDecoder",
    "Wire",
    "camera_of",
    "decode",
    "frame_error",
    "is_gateway_notice",
    "parse",
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


class _Telemetry(msgspec.Struct, tag="telemetry"):
    points: Tuple[Point, ...]


class _Event(msgspec.Struct, tag="event", rename={"class_": "class"}):
    source_id: str
    metric: str
    value: Any
    timestamp: Union[int, float, None] = None
    class_: Optional[str] = None
    alert: Optional[int] = None
    tags: Optional[Dict[str, Any]] = None


class _Camera(msgspec.Struct):
    camera_id: str
    video_type: Optional[str] = None


class _Source(msgspec.Struct):
    source_id: str
    cameras: Optional[List[Union[str, _Camera]]] = None
    platform: Optional[str] = None
    sensors: Any = None


class _Init(msgspec.Struct, tag="init"):
    online_sources: Optional[List[_Source]]


class _Video(msgspec.Struct, tag="video_frame"):
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


class _Gateway(msgspec.Struct, tag="gateway_reconnecting"):
    attempt: int
    delay_s: Union[int, float]
    max_attempts: Optional[int] = None


class _Error(msgspec.Struct, tag="error"):
    message: Optional[str] = None


class _Unknown(msgspec.Struct):
    type: str
    data: Dict[str, Any]


Wire = Union[_Telemetry, _Event, _Init, _Video, _Gateway, _Error, _Unknown]

_KNOWN = (_Telemetry, _Event, _Init, _Video, _Gateway, _Error)
_KNOWN_TYPES = frozenset(cls.__struct_config__.tag for cls in _KNOWN)
_parse_known: Callable[[Union[bytes, str]], Wire] = msgspec.json.Decoder(Union[_KNOWN]).decode
_parse_object = msgspec.json.Decoder(Dict[str, Any]).decode
_parse_base64 = msgspec.json.Decoder(bytes).decode

# RecursionError: JSON nested too deep; UnicodeDecodeError and UnicodeEncodeError: no valid text.
_UNDECODABLE = (msgspec.DecodeError, RecursionError, UnicodeError)


def parse(text: Union[bytes, str]) -> Wire:
    """Return the wire object of one message; FrameError where it is none."""
    try:
        return _parse_known(text)
    except _UNDECODABLE as error:
        return _parse_unknown(text, error)


def _parse_unknown(text: Union[bytes, str], error: Exception) -> Wire:
    """Return the wire object of a type that is not known; else raise FrameError for ``error``."""
    try:
        data = _parse_object(text)
    except _UNDECODABLE as malformed:
        raise _bad_frame(text, malformed if _quotes_type(error) else error) from None
    kind = data.get("type")
    if not isinstance(kind, str) or kind in _KNOWN_TYPES:
        raise _bad_frame(text, error) from None
    return _Unknown(kind, data)


def _quotes_type(error: Exception) -> bool:
    """Return whether msgspec's message holds a type that it does not know, however long."""
    return str(error).startswith("Invalid value")


def _bad_frame(text: Union[bytes, str], error: Exception) -> FrameError:
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
    return isinstance(wire, _Gateway)


def camera_of(wire: Optional[Wire]) -> Optional[str]:
    """Return the camera that took the picture; None where the frame is no picture."""
    return wire.camera_id if isinstance(wire, _Video) else None


def _text_or_none(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _cameras(cameras: Optional[List[Union[str, _Camera]]]) -> Tuple[Camera, ...]:
    return tuple(
        Camera(camera) if isinstance(camera, str) else Camera(camera.camera_id, camera.video_type)
        for camera in cameras or ()
    )


# One function for each type: (wire object, stream, received_at, raw) -> frame. Keyword arguments
# are spelled out, since a dict built for ** costs as much as the frame.


def _telemetry(wire: _Telemetry, stream: Any, at: Any, raw: Any) -> Frame:
    return TelemetryFrame(wire.points, stream=stream, received_at=at, raw=raw)


def _event(wire: _Event, stream: Any, at: Any, raw: Any) -> Frame:
    return EventFrame(
        wire.source_id,
        wire.metric,
        wire.value,
        wire.timestamp,
        wire.class_,
        wire.alert,
        wire.tags,
        stream=stream,
        received_at=at,
        raw=raw,
    )


def _init(wire: _Init, stream: Any, at: Any, raw: Any) -> Frame:
    sources = tuple(
        OnlineSource(source.source_id, _cameras(source.cameras), source.platform, source.sensors)
        for source in wire.online_sources or ()
    )
    return InitFrame(sources, stream=stream, received_at=at, raw=raw)


def _video(wire: _Video, stream: Any, at: Any, raw: Any) -> Frame:
    return VideoFrame(
        _text_or_none(wire.source_id),
        wire.camera_id,
        _parse_base64(wire.frame),
        wire.width,
        wire.height,
        wire.timestamp,
        wire.video_type,
        wire.sensor_width,
        wire.sensor_height,
        wire.temp_min,
        wire.temp_max,
        wire.temps,
        stream=stream,
        received_at=at,
        raw=raw,
    )


def _gateway(wire: _Gateway, stream: Any, at: Any, raw: Any) -> Frame:
    return GatewayReconnectingFrame(
        wire.attempt, wire.delay_s, wire.max_attempts, stream=stream, received_at=at, raw=raw
    )


def _error(wire: _Error, stream: Any, at: Any, raw: Any) -> Frame:
    return ErrorFrame(wire.message, stream=stream, received_at=at, raw=raw)


def _unknown(wire: _Unknown, stream: Any, at: Any, raw: Any) -> Frame:
    return UnknownFrame(wire.type, wire.data, stream=stream, received_at=at, raw=raw)


_BUILDERS: Dict[Type[Any], Callable[..., Frame]] = {
    _Telemetry: _telemetry,
    _Event: _event,
    _Init: _init,
    _Video: _video,
    _Gateway: _gateway,
    _Error: _error,
    _Unknown: _unknown,
}


def _build(
    wire: Wire,
    text: Union[bytes, str],
    stream: Optional[Stream] = None,
    received_at: Optional[float] = None,
    raw: Optional[bytes] = None,
) -> Frame:
    try:
        return _BUILDERS[type(wire)](wire, stream, received_at, raw)
    except _UNDECODABLE as error:
        raise _bad_frame(text, error) from None


def decode(data: Union[bytes, str]) -> Frame:
    """Return the frame that one message of the service holds.

    ``data`` is the text of the message, as str or UTF-8 bytes. Nothing is filtered, and
    ``stream``, ``received_at`` and ``raw`` of the frame are None. What cannot be decoded raises
    ``FrameError``; a type that is not known gives an ``UnknownFrame``.
    """
    if not isinstance(data, (bytes, str)):
        raise ConfigError(f"data is a {type(data).__name__}: it must be the text, as bytes or str")
    return _build(parse(data), data)


class StreamDecoder:
    """Decodes and filters the frames of one stream.

    The filters of the service are not reliable (a viewer of one camera may be sent all of them,
    and a frame of another device can slip in), so both are applied again here.
    """

    __slots__ = ("_cameras", "_keep_raw", "_source_id", "_stream")

    def __init__(self, stream: Stream, keep_raw: bool) -> None:
        self._stream = stream
        self._source_id = stream.source_id
        self._cameras = frozenset(stream.cameras if isinstance(stream, VideoStream) else ())
        self._keep_raw = keep_raw

    def wanted(self, wire: Wire) -> bool:
        """Return whether the frame passes; points of other devices are left out of it."""
        if isinstance(wire, _Telemetry):
            return self._keep_own_points(wire)
        if isinstance(wire, _Event):
            return wire.source_id == self._source_id
        if isinstance(wire, _Video):
            # An id that is missing or no text was seen on pictures of the stream's own device.
            own = not isinstance(wire.source_id, str) or wire.source_id == self._source_id
            return own and (not self._cameras or wire.camera_id in self._cameras)
        return True

    def is_data(self, wire: Wire) -> bool:
        """Return whether the frame is a telemetry, event or video frame of this stream."""
        return isinstance(wire, (_Telemetry, _Event, _Video)) and self.wanted(wire)

    def frame(
        self, text: bytes, received_at: float, wire: Optional[Wire] = None
    ) -> Optional[Frame]:
        """Return the frame, None where it was filtered; FrameError where it is none.

        ``wire`` spares the parsing where somebody has done it already.
        """
        if wire is None:
            wire = parse(text)
        if not self.wanted(wire):
            return None
        return _build(wire, text, self._stream, received_at, text if self._keep_raw else None)

    def _keep_own_points(self, wire: _Telemetry) -> bool:
        points = wire.points
        for point in points:
            if point.source_id != self._source_id:
                break
        else:
            return True
        own = tuple(point for point in points if point.source_id == self._source_id)
        if own:  # else the frame is left as it is, for whoever asks again
            wire.points = own
        return bool(own)
