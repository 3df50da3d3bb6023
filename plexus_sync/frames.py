"""What arrives: one value object for each type of frame, and ``Gap`` for what did not arrive.

Source: 'Live streams', 'Received frames' of each stream; the fields beyond the document were
observed of the running service (docs/protocol.rst lists them). A field that is absent on the wire
is None here. ``stream``, ``received_at`` and ``raw`` are local: they are never taken from the wire
and are no part of equality.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Union

import attrs

from .errors import ConfigError
from .files import write_whole
from .streams import Stream

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

__all__ = [
    "Camera",
    "ErrorFrame",
    "EventFrame",
    "Frame",
    "Gap",
    "GatewayReconnectingFrame",
    "InitFrame",
    "OnlineSource",
    "Point",
    "TelemetryFrame",
    "UnknownFrame",
    "VideoFrame",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _to_datetime(timestamp: Union[int, float, None]) -> Optional[datetime]:
    if timestamp is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=timestamp)
    except (OverflowError, ValueError):  # ValueError: nan, which comes from no wire
        return None


def _local() -> Any:
    return attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen(hash=False)
class Point:
    """One value of one metric at one time.

    ``value`` is any JSON value; ``timestamp`` is milliseconds since the epoch as sent, int or
    float, possibly negative; ``class_`` is ``"metric"`` or ``"event"``; ``alert`` an int;
    ``tags`` maps str to what the device put there. Source: 'Metrics stream', ``points``.
    """

    source_id: str
    metric: str
    value: Any
    timestamp: Union[int, float, None] = None
    class_: Optional[str] = None
    alert: Optional[int] = None
    tags: Optional[Dict[str, Any]] = None

    @property
    def time(self) -> Optional[datetime]:
        """The timestamp as an aware UTC datetime; None where it is missing or out of range."""
        return _to_datetime(self.timestamp)


@attrs.frozen(hash=False)
class TelemetryFrame:
    """One or more points of one device, as the gateway flushed them ('Metrics stream')."""

    points: Tuple[Point, ...]
    stream: Optional[Stream] = _local()
    received_at: Optional[float] = _local()
    raw: Optional[bytes] = _local()


@attrs.frozen(hash=False)
class EventFrame:
    """One log event; the fields are those of a ``Point`` ('Logs stream')."""

    source_id: str
    metric: str
    value: Any
    timestamp: Union[int, float, None] = None
    class_: Optional[str] = None
    alert: Optional[int] = None
    tags: Optional[Dict[str, Any]] = None
    stream: Optional[Stream] = _local()
    received_at: Optional[float] = _local()
    raw: Optional[bytes] = _local()

    @property
    def time(self) -> Optional[datetime]:
        """The timestamp as an aware UTC datetime; None where it is missing or out of range."""
        return _to_datetime(self.timestamp)


@attrs.frozen(hash=False)
class Camera:
    """One camera of an online source; ``video_type`` is ``"normal"``, ``"thermal"`` or None."""

    camera_id: str
    video_type: Optional[str] = None


@attrs.frozen(hash=False)
class OnlineSource:
    """One device of the organisation that is online; ``sensors`` is any JSON value."""

    source_id: str
    cameras: Tuple[Camera, ...] = ()
    platform: Optional[str] = None
    sensors: Any = None


@attrs.frozen(hash=False)
class InitFrame:
    """The online devices and their cameras ('Video stream', ``init``).

    It lists every source of the organisation, and comes again after each upstream reconnect.
    """

    online_sources: Tuple[OnlineSource, ...]
    stream: Optional[Stream] = _local()
    received_at: Optional[float] = _local()
    raw: Optional[bytes] = _local()


def _needs_images(error: ImportError) -> ImportError:
    return ImportError(f"{error}; pictures need an extra: pip install 'plexus-sync[images]'")


@attrs.frozen(hash=False)
class VideoFrame:
    """One picture of one camera ('Video stream', ``video_frame``).

    ``source_id`` is None where the service sent none. ``jpeg`` is the picture as sent, base64 taken
    off; the service does not check that it is a JPEG. ``width`` and ``height`` are pixels,
    ``timestamp`` milliseconds since the epoch, ``video_type`` ``"normal"``, ``"thermal"`` or None.
    Thermal cameras add ``sensor_width`` and ``sensor_height`` (cells), ``temp_min`` and
    ``temp_max`` (°C) and, for small sensors, ``temps`` (°C, row by row).
    """

    source_id: Optional[str]
    camera_id: str
    jpeg: bytes = attrs.field(repr=False)
    width: Optional[int] = None
    height: Optional[int] = None
    timestamp: Union[int, float, None] = None
    video_type: Optional[str] = None
    sensor_width: Optional[int] = None
    sensor_height: Optional[int] = None
    temp_min: Optional[float] = None
    temp_max: Optional[float] = None
    temps: Optional[Tuple[float, ...]] = attrs.field(default=None, repr=False)
    stream: Optional[Stream] = _local()
    received_at: Optional[float] = _local()
    raw: Optional[bytes] = _local()

    @property
    def time(self) -> Optional[datetime]:
        """The timestamp as an aware UTC datetime; None where it is missing or out of range."""
        return _to_datetime(self.timestamp)

    def save(self, path: Union[str, Path], *, overwrite: bool = False) -> None:
        """Write the JPEG to ``path``, whole or not at all.

        A file that is there already is kept, and FileExistsError raised, unless ``overwrite``.
        """
        write_whole(Path(path), self.jpeg, overwrite=overwrite)

    def to_pil(self) -> Image.Image:
        """Return the decoded picture as a ``PIL.Image.Image`` (extra ``images``).

        What is no JPEG, or a broken one, raises Pillow's own error.
        """
        try:
            from PIL import Image
        except ImportError as error:
            raise _needs_images(error) from error
        import io

        # Nothing but JPEG: who sends the picture must not choose among Pillow's decoders, some of
        # which are old, and one of which runs Ghostscript.
        image = Image.open(io.BytesIO(self.jpeg), formats=("JPEG",))
        image.load()
        return image

    def to_numpy(self, order: str = "rgb") -> np.ndarray[Any, Any]:
        """Return the decoded picture as uint8 of shape (height, width, 3) (extra ``images``).

        ``order`` is that of the three channels: ``"rgb"``, or ``"bgr"`` as OpenCV wants it.
        """
        if order not in ("rgb", "bgr"):
            raise ConfigError(f"order={order!r} is not allowed: it must be 'rgb' or 'bgr'")
        try:
            import numpy as np
        except ImportError as error:
            raise _needs_images(error) from error
        pixels = np.asarray(self.to_pil().convert("RGB"))
        return np.ascontiguousarray(pixels[..., ::-1] if order == "bgr" else pixels)

    def temperatures(self) -> np.ndarray[Any, Any]:
        """Return the cells in °C: float32, (sensor_height, sensor_width); needs extra ``images``.

        ValueError where the frame carries none, or not as many as the sensor has cells.
        """
        try:
            import numpy as np
        except ImportError as error:
            raise _needs_images(error) from error
        if self.temps is None or self.sensor_width is None or self.sensor_height is None:
            raise ValueError(
                f"this frame of camera {self.camera_id!r} carries no temperatures: only thermal "
                "cameras with a small sensor send them"
            )
        if len(self.temps) != self.sensor_width * self.sensor_height:
            raise ValueError(
                f"this frame of camera {self.camera_id!r} carries {len(self.temps)} temperatures "
                f"for a sensor of {self.sensor_width} x {self.sensor_height} cells"
            )
        return np.array(self.temps, dtype=np.float32).reshape(self.sensor_height, self.sensor_width)


@attrs.frozen(hash=False)
class GatewayReconnectingFrame:
    """The service has lost its gateway and tries again; the connection stays ('Metrics stream').

    ``delay_s`` is seconds until the service's next attempt; ``max_attempts`` comes on video only.
    """

    attempt: int
    delay_s: Union[int, float]
    max_attempts: Optional[int] = None
    stream: Optional[Stream] = _local()
    received_at: Optional[float] = _local()
    raw: Optional[bytes] = _local()


@attrs.frozen(hash=False)
class ErrorFrame:
    """The service reports an error of its own in a frame (observed, not documented)."""

    message: Optional[str] = None
    stream: Optional[Stream] = _local()
    received_at: Optional[float] = _local()
    raw: Optional[bytes] = _local()


@attrs.frozen(hash=False)
class UnknownFrame:
    """A frame of a type that this version does not know; ``data`` is the decoded object."""

    type: str
    data: Dict[str, Any]
    stream: Optional[Stream] = _local()
    received_at: Optional[float] = _local()
    raw: Optional[bytes] = _local()


_GRAVITY = ("overflow", "gateway", "connection")  # the later the graver, for merged gaps


@attrs.frozen(hash=False)
class Gap:
    """Data may be missing here, between the frame before and the frame after.

    ``started_at``: when the link was last known to deliver; ``ended_at``: when the stream was open
    again (both seconds since the epoch, local clock). ``reason``: ``"connection"``, ``"gateway"``
    or ``"overflow"``; ``dropped`` counts the frames that the buffer dropped, 0 but for overflow.
    The service sends no sequence numbers: how many frames it never sent is not to be known.
    """

    stream: Stream
    started_at: float
    ended_at: float
    reason: str
    dropped: int = 0

    def merged(self, later: Gap) -> Gap:
        """Return the one Gap that stands for this and a later one with no frame between."""
        return Gap(
            self.stream,
            min(self.started_at, later.started_at),
            max(self.ended_at, later.ended_at),
            max(self.reason, later.reason, key=_GRAVITY.index),
            self.dropped + later.dropped,
        )


Frame = Union[
    TelemetryFrame,
    EventFrame,
    InitFrame,
    VideoFrame,
    GatewayReconnectingFrame,
    ErrorFrame,
    UnknownFrame,
    Gap,
]
