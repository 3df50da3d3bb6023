"""From wire objects to the public frames; pure.

Parsing and building are apart because a stream's reader needs the first where it must know a
frame's type or camera, while the second, which takes the base64 off pictures, runs where the
callbacks run, and never for a frame that an overflow has dropped.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, Union

from .errors import ConfigError, FrameError
from .frames import (
    Camera,
    ErrorFrame,
    EventFrame,
    Frame,
    Gap,
    GatewayReconnectingFrame,
    InitFrame,
    OnlineSource,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
)
from .streams import MetricsStream, Stream, VideoStream
from .telemetry import OwnTelemetry
from .wire import (
    PARSERS,
    UNDECODABLE,
    DecodedVideo,
    LikelyEvent,
    LikelyTelemetry,
    LikelyVideo,
    Parser,
    RawVideo,
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
    parse_decoded_video,
)

__all__ = ["Decoded", "Entry", "StreamDecoder", "decode"]


def _text_or_none(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _cameras(cameras: Optional[List[Union[str, WireCamera]]]) -> Tuple[Camera, ...]:
    return tuple(
        Camera(camera) if isinstance(camera, str) else Camera(camera.camera_id, camera.video_type)
        for camera in cameras or ()
    )


# One frame that waits: its text, when it came (seconds since the epoch), its wire object where the
# reader had to make one, and the Gap right before it. A tuple, since one is made for every frame.
# The Gap is in it so that the two are never torn apart: frames dropped after the Gap was taken
# would need a second Gap, and with a slow on_gap nothing but Gaps would ever be handed over.
Entry = Tuple[bytes, float, Optional[Wire], Optional[Gap]]
# What becomes of it. Plain telemetry is the frame, as nothing more is to be known of it: all is of
# the stream's own device, and no Gap stands before it. All else is kept with what it came from: a
# frame, why it is none, or None where it was filtered.
Decoded = Union[TelemetryFrame, Tuple[Entry, Union[Frame, FrameError, None]]]

# The frame that comes most is there already: it lacks its class, and what is local.
_set_class = object.__dict__["__class__"].__set__
_set_stream, _set_received_at, _set_raw = (
    TelemetryFrame.__dict__[name].__set__ for name in ("stream", "received_at", "raw")
)


# One function for each type: (wire object, stream, received_at, raw) -> frame. Keyword arguments
# are spelled out, since a dict built for ** costs as much as the frame.


def _own_telemetry(wire: TelemetryFrame, stream: Any, at: Any, raw: Any) -> Frame:
    _set_class(wire, TelemetryFrame)
    _set_stream(wire, stream)
    _set_received_at(wire, at)
    _set_raw(wire, raw)
    return wire


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


def _video(wire: Union[RawVideo, DecodedVideo], stream: Any, at: Any, raw: Any) -> Frame:
    return VideoFrame(
        _text_or_none(wire.source_id),
        wire.camera_id,
        wire.frame if isinstance(wire, DecodedVideo) else parse_base64(wire.frame),
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
    RawVideo: _video,
    WireGateway: _gateway,
    WireError: _error,
    WireUnknown: _unknown,
    LikelyTelemetry: _telemetry,
    OwnTelemetry: _own_telemetry,
    TelemetryFrame: _own_telemetry,  # what was made, taken back and is made again
    LikelyEvent: _event,
    LikelyVideo: _video,
    DecodedVideo: _video,
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
    if isinstance(data, bytes):
        try:
            data.decode()  # msgspec does not look into members that nobody wants
        except UnicodeDecodeError as error:
            raise bad_frame(data, error) from None
    return _build(parse(data), data)


class StreamDecoder:
    """Decodes and filters the frames of one stream.

    The filters of the service are not reliable (a viewer of one camera may be sent all of them,
    and a frame of another device can slip in), so both are applied again here.
    """

    __slots__ = (
        "_cameras",
        "_is_metrics",
        "_is_video",
        "_keep_raw",
        "_makers",
        "_parse_last",
        "_parse_plain",
        "_parsers",
        "_source_id",
        "_stream",
    )

    def __init__(self, stream: Stream, keep_raw: bool) -> None:
        self._stream = stream
        self._source_id = stream.source_id
        self._cameras = frozenset(stream.cameras if isinstance(stream, VideoStream) else ())
        self._keep_raw = keep_raw
        self._is_metrics = isinstance(stream, MetricsStream)
        self._is_video = isinstance(stream, VideoStream)
        self._makers = PARSERS[stream.kind]
        self._parsers: Dict[int, Parser] = {}  # those that were wanted so far: each takes 2 KB
        # What the last text was parsed with, and the last one that gave plain telemetry.
        self._parse_last = self._parse_plain = self._parser(0)

    def parse(self, text: bytes) -> Wire:
        """Return the wire object of a text; FrameError where it is none."""
        try:
            return self._parse_last(text)
        except UNDECODABLE:
            return self._parse_otherwise(text)

    def parse_at_once(self, text: bytes) -> Wire:
        """Return the same for a text that is handed over next: its picture is decoded too."""
        if self._is_video:
            try:
                return parse_decoded_video(text)
            except UNDECODABLE:
                pass  # another type, or a picture that is none
        return self.parse(text)

    def wanted(self, wire: Wire) -> bool:
        """Return whether the frame passes; points of other devices are left out of it."""
        if isinstance(wire, TelemetryFrame):
            return True  # its parser has looked
        if isinstance(wire, WireTelemetry):
            own = self._source_id
            for point in wire.points:
                if point.source_id != own:
                    return self._keep_own_points(wire)
            return True
        if isinstance(wire, WireEvent):
            return wire.source_id == self._source_id
        if isinstance(wire, WireVideo):
            # An id that is missing or no text was seen on pictures of the stream's own device.
            is_own = not isinstance(wire.source_id, str) or wire.source_id == self._source_id
            return is_own and (not self._cameras or wire.camera_id in self._cameras)
        return True

    def frame(
        self, text: bytes, received_at: float, wire: Optional[Wire] = None
    ) -> Optional[Frame]:
        """Return the frame, None where it was filtered; FrameError where it is none.

        ``wire`` spares the parsing where somebody has done it already.
        """
        if wire is None:
            wire = self.parse(text)
        if not self.wanted(wire):
            return None
        return _build(wire, text, self._stream, received_at, text if self._keep_raw else None)

    def frames(self, entries: Sequence[Entry]) -> List[Decoded]:
        """Return what becomes of each of many entries."""
        found = self._plain_frames(entries) if self._is_metrics else []
        for entry in entries[len(found) :]:
            text, received_at, wire, _ = entry
            try:
                found.append((entry, self.frame(text, received_at, wire)))
            except FrameError as error:
                found.append((entry, error))
        return found

    def _plain_frames(self, entries: Sequence[Entry]) -> List[Decoded]:
        """Return the frames of the entries before the first that is no plain telemetry.

        What nearly every frame goes through.
        """
        parse, stream, keep_raw = self._parse_plain, self._stream, self._keep_raw
        found: List[Decoded] = []
        try:
            for text, received_at, wire, gap in entries:
                if wire is not None or gap is not None:
                    break
                frame: Any = parse(text)
                _set_class(frame, TelemetryFrame)  # as in _own_telemetry
                _set_stream(frame, stream)
                _set_received_at(frame, received_at)
                _set_raw(frame, text if keep_raw else None)
                found.append(frame)
        except UNDECODABLE:
            pass
        return found

    def _parser(self, number: int) -> Parser:
        parser = self._parsers.get(number)
        if parser is None:  # reader and dispatcher may both make it; either does
            parser = self._parsers[number] = self._makers[number](self._source_id)
        return parser

    def _parse_otherwise(self, text: bytes) -> Wire:
        for number in range(len(self._makers)):
            parser = self._parser(number)
            try:
                wire = parser(text)
            except UNDECODABLE:
                continue
            self._parse_last = parser  # the next ones will be like it
            if isinstance(wire, TelemetryFrame):
                self._parse_plain = parser
            return wire
        return parse(text)

    def _keep_own_points(self, wire: WireTelemetry) -> bool:
        own = tuple(point for point in wire.points if point.source_id == self._source_id)
        if own:  # else the frame is left as it is, for whoever asks again
            wire.points = own
        return bool(own)
