"""From wire objects to the public frames; pure.

Parsing and building are apart because a stream's reader needs the first where it must know a
frame's type or camera, while the second, dearer one runs where the callbacks run, and never for a
frame that an overflow has dropped.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple, Type, Union

from .errors import ConfigError
from .frames import (
    Camera,
    ErrorFrame,
    EventFrame,
    Frame,
    GatewayReconnectingFrame,
    InitFrame,
    OnlineSource,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
)
from .streams import Stream, VideoStream
from .wire import (
    UNDECODABLE,
    Wire,
    WireCamera,
    WireError,
    WireEvent,
    WireGateway,
    WireInit,
    WireTelemetry,
    WireUnknown,
    WireVideo,
    bad_frame,
    parse,
    parse_base64,
)

__all__ = ["StreamDecoder", "decode"]


def _text_or_none(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _cameras(cameras: Optional[List[Union[str, WireCamera]]]) -> Tuple[Camera, ...]:
    return tuple(
        Camera(camera) if isinstance(camera, str) else Camera(camera.camera_id, camera.video_type)
        for camera in cameras or ()
    )


# One function for each type: (wire object, stream, received_at, raw) -> frame. Keyword arguments
# are spelled out, since a dict built for ** costs as much as the frame.


def _telemetry(wire: WireTelemetry, stream: Any, at: Any, raw: Any) -> Frame:
    return TelemetryFrame(wire.points, stream=stream, received_at=at, raw=raw)


def _event(wire: WireEvent, stream: Any, at: Any, raw: Any) -> Frame:
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


def _init(wire: WireInit, stream: Any, at: Any, raw: Any) -> Frame:
    sources = tuple(
        OnlineSource(source.source_id, _cameras(source.cameras), source.platform, source.sensors)
        for source in wire.online_sources or ()
    )
    return InitFrame(sources, stream=stream, received_at=at, raw=raw)


def _video(wire: WireVideo, stream: Any, at: Any, raw: Any) -> Frame:
    return VideoFrame(
        _text_or_none(wire.source_id),
        wire.camera_id,
        parse_base64(wire.frame),
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


def _gateway(wire: WireGateway, stream: Any, at: Any, raw: Any) -> Frame:
    return GatewayReconnectingFrame(
        wire.attempt, wire.delay_s, wire.max_attempts, stream=stream, received_at=at, raw=raw
    )


def _error(wire: WireError, stream: Any, at: Any, raw: Any) -> Frame:
    return ErrorFrame(wire.message, stream=stream, received_at=at, raw=raw)


def _unknown(wire: WireUnknown, stream: Any, at: Any, raw: Any) -> Frame:
    return UnknownFrame(wire.type, wire.data, stream=stream, received_at=at, raw=raw)


_BUILDERS: Dict[Type[Any], Callable[..., Frame]] = {
    WireTelemetry: _telemetry,
    WireEvent: _event,
    WireInit: _init,
    WireVideo: _video,
    WireGateway: _gateway,
    WireError: _error,
    WireUnknown: _unknown,
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
    except UNDECODABLE as error:
        raise bad_frame(text, error) from None


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
        if isinstance(wire, WireTelemetry):
            return self._keep_own_points(wire)
        if isinstance(wire, WireEvent):
            return wire.source_id == self._source_id
        if isinstance(wire, WireVideo):
            # An id that is missing or no text was seen on pictures of the stream's own device.
            own = not isinstance(wire.source_id, str) or wire.source_id == self._source_id
            return own and (not self._cameras or wire.camera_id in self._cameras)
        return True

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

    def _keep_own_points(self, wire: WireTelemetry) -> bool:
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
