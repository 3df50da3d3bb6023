"""What to watch: one value object for each of the service's three endpoints.

They validate at once, can be compared, hashed, pickled and used as keys, and know their exact
URL. Source: 'Live streams', the sections of each stream and their query parameters.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar, Iterable, Optional, Tuple, Union
from urllib.parse import quote

import attrs

from .errors import ConfigError
from .plain import clean

__all__ = ["Buffer", "LogsStream", "MetricsStream", "Stream", "VideoStream"]

_MIB = 1024 * 1024


def _refuse(field: str, value: object, allowed: str) -> ConfigError:
    return ConfigError(f"{field}={value!r} is not allowed: {allowed}")


def is_count(value: object, minimum: int = 1) -> bool:
    """Return whether value is a whole number of at least minimum; a bool is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def is_duration(value: object) -> bool:
    """Return whether value is a finite number of seconds above 0; a bool is none."""
    # Compared with the largest float, not with inf: an int may be larger than any float.
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 < value <= sys.float_info.max
    )


def _check_source_id(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not value or "/" in value:
        raise _refuse("source_id", value, "it must be a non-empty str without '/'")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refuse("source_id", value, "it must be text that UTF-8 can encode") from None


def _check_stale_timeout(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not is_duration(value):
        raise _refuse("stale_timeout", value, "it must be seconds above 0, or None for never")


def _check_timeout(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not is_count(value):
        raise _refuse("timeout", value, "it must be whole seconds, 1 or more, or None")


def _check_buffer(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, Buffer):
        raise _refuse("buffer", value, "it must be a Buffer, such as Buffer(1000)")


def _names(field: str, value: Any) -> Tuple[str, ...]:
    """Return the names as a tuple of non-empty strings that UTF-8 can encode."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise _refuse(field, value, "it must be a list or tuple of names, also for one name")
    # A set has no order of its own: without one, equal streams would have different URLs.
    names = tuple(sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise _refuse(field, value, "each name must be a non-empty str")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise _refuse(field, value, "each name must be text that UTF-8 can encode") from None
    return names


def _to_metrics(value: Iterable[str]) -> Tuple[str, ...]:
    names = tuple(name.strip() for name in _names("metrics", value))
    if any("," in name for name in names):
        # The service splits the parameter at commas: such a name can never match.
        raise _refuse("metrics", value, "a name must not hold a comma; give one name an item")
    return names


def _to_cameras(value: Iterable[str]) -> Tuple[str, ...]:
    return _names("cameras", value)


_OVERFLOWS = ("drop_oldest", "drop_newest", "block", "error")


@attrs.frozen
class Buffer:
    """How many frames may wait for the callbacks, and what to do with the next one.

    ``size`` counts frames (on video: for each camera), ``max_bytes`` the bytes of their text for
    the whole stream; one frame always fits into an empty buffer. ``overflow``:

    * ``"drop_oldest"``: the oldest frame makes room;
    * ``"drop_newest"``: the new frame is dropped;
    * ``"block"``: the socket is not read until there is room. The server's pings then wait too,
      and it may close with 1011;
    * ``"error"``: the stream fails with ``BufferOverflow``.

    What was dropped is counted in ``status()`` and, on metrics and logs, told by a ``Gap``.
    """

    size: int = attrs.field()
    overflow: str = attrs.field(default="drop_oldest")
    max_bytes: int = attrs.field(default=64 * _MIB)

    @size.validator
    def _check_size(self, attribute: Any, value: Any) -> None:
        if not is_count(value):
            raise _refuse("size", value, "it must be a whole number of frames, 1 or more")

    @overflow.validator
    def _check_overflow(self, attribute: Any, value: Any) -> None:
        if value not in _OVERFLOWS:
            raise _refuse("overflow", value, f"it must be one of {', '.join(_OVERFLOWS)}")

    @max_bytes.validator
    def _check_max_bytes(self, attribute: Any, value: Any) -> None:
        if not is_count(value):
            raise _refuse("max_bytes", value, "it must be a whole number of bytes, 1 or more")


def _endpoint(base_url: str, source_id: str, kind: str, query: str = "") -> str:
    path = f"/v1/sources/{quote(source_id, safe='')}/{kind}/stream"
    return base_url.rstrip("/") + path + (f"?{query}" if query else "")


@attrs.frozen
class MetricsStream:
    """The live telemetry of one device ('Metrics stream').

    ``source_id``: the device, a non-empty str without ``/``. ``metrics``: the names to be sent, a
    list or tuple of str (query parameter ``metrics``); they are trimmed and hold no comma; ``()``
    is all. ``buffer``: how many frames may wait. ``stale_timeout``: seconds without a data frame
    after which the connection is given up and made anew; None, the default, waits for ever, since a
    device may be quiet for days.
    """

    kind: ClassVar[str] = "metrics"
    source_id: str = attrs.field(validator=_check_source_id)
    metrics: Tuple[str, ...] = attrs.field(default=(), converter=_to_metrics)
    buffer: Buffer = attrs.field(default=Buffer(1000), validator=_check_buffer)
    stale_timeout: Optional[float] = attrs.field(default=None, validator=_check_stale_timeout)

    def url(self, base_url: str) -> str:
        """Return the exact URL of this stream below ``base_url``."""
        names = ",".join(quote(name, safe="") for name in self.metrics)
        return _endpoint(base_url, self.source_id, self.kind, names and f"metrics={names}")

    def __str__(self) -> str:
        return f"{clean(self.source_id)}/{self.kind}"


@attrs.frozen
class LogsStream:
    """The live log events of one device ('Logs stream'; it has no query parameters).

    ``source_id``, ``buffer`` and ``stale_timeout`` are those of ``MetricsStream``.
    """

    kind: ClassVar[str] = "logs"
    source_id: str = attrs.field(validator=_check_source_id)
    buffer: Buffer = attrs.field(default=Buffer(1000), validator=_check_buffer)
    stale_timeout: Optional[float] = attrs.field(default=None, validator=_check_stale_timeout)

    def url(self, base_url: str) -> str:
        """Return the exact URL of this stream below ``base_url``."""
        return _endpoint(base_url, self.source_id, self.kind)

    def __str__(self) -> str:
        return f"{clean(self.source_id)}/{self.kind}"


@attrs.frozen
class VideoStream:
    """The live JPEG pictures of one device's cameras ('Video stream').

    ``source_id`` and ``stale_timeout`` are those of ``MetricsStream``. ``cameras``: the camera ids
    to ask for, a list or tuple of str; ``()`` sends no parameter and filters nothing. ``timeout``:
    whole seconds after which the server ends the stream; without it the server's
    own default applies and the stream is renewed. ``buffer`` counts for each camera, so that the
    default hands over the freshest picture of each; a picture of a 65th camera is dropped, and
    frames that are no pictures have 100 places of their own.
    """

    kind: ClassVar[str] = "video"
    source_id: str = attrs.field(validator=_check_source_id)
    cameras: Tuple[str, ...] = attrs.field(default=(), converter=_to_cameras)
    timeout: Optional[int] = attrs.field(default=None, validator=_check_timeout)
    buffer: Buffer = attrs.field(default=Buffer(1), validator=_check_buffer)
    stale_timeout: Optional[float] = attrs.field(default=None, validator=_check_stale_timeout)

    def url(self, base_url: str) -> str:
        """Return the exact URL of this stream below ``base_url``."""
        query = [f"camera_id={quote(camera, safe='')}" for camera in self.cameras]
        if self.timeout is not None:
            query.append(f"timeout={self.timeout}")
        return _endpoint(base_url, self.source_id, self.kind, "&".join(query))

    def __str__(self) -> str:
        return f"{clean(self.source_id)}/{self.kind}"


Stream = Union[MetricsStream, LogsStream, VideoStream]
