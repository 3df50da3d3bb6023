"""What the service accepts and says, as data: paths, keys, close codes, frames.

Pure: no socket, no clock, no thread.
"""

from __future__ import annotations

import json
import re
from typing import Any, Container, Dict, Iterable, List, Mapping, Optional, Tuple, Union
from urllib.parse import parse_qs, unquote

import attrs

METRICS, LOGS, VIDEO = "metrics", "logs", "video"
STREAMS = (METRICS, LOGS, VIDEO)

NO_CODE = 1005  # RFC 6455, 7.4.1: a close frame without a code
NO_CLOSE_FRAME = 1006  # RFC 6455, 7.4.1: TCP ended without a close frame

Frame = Dict[str, Any]

# Fifteen digits: thirty million years, and no trouble with a float.
_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,15}\s*")
_KEY = re.compile(r"plx_\w+")
_REDACTED = "***"


@attrs.frozen
class Request:
    """What a client asked for with its URL."""

    source_id: str
    stream: str
    metrics: Optional[Tuple[str, ...]] = None
    """The metrics asked for; None is all of them, () none (``metrics=,``)."""
    cameras: Tuple[str, ...] = ()
    """The cameras asked for; the service sends every camera all the same."""
    timeout: Optional[int] = None
    """Seconds after which the service ends a video stream; None is its default."""


@attrs.frozen
class Close:
    """A way to end a connection. ``NO_CLOSE_FRAME``: only TCP ends, as on a crash."""

    code: int
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        known = 1000 <= self.code <= 1014 and self.code != 1004
        if not known and not 3000 <= self.code <= 4999:
            raise ValueError(
                f"code {self.code} cannot be sent in a close frame: "
                "use 1000 to 1003, 1005 to 1014, or 3000 to 4999"
            )
        if self.reason and self.code in (NO_CODE, NO_CLOSE_FRAME):
            raise ValueError(f"code {self.code} has no reason on the wire: leave it out")
        if len(self.reason.encode()) > 123:  # RFC 6455: 125 bytes less the code
            raise ValueError("the reason of a close frame has at most 123 bytes")


HANG_UP = Close(NO_CLOSE_FRAME)
GATEWAY_ERROR = Close(1011, "gateway error")
PING_TIMEOUT = Close(1011, "keepalive ping timeout")
RESTART = Close(1012)
STREAM_TIMEOUT = Close(4008, "stream timeout")


def unauthorized(stream: str) -> Close:
    """Tell how a client with a bad key, or none in time, is sent away."""
    return Close(4001 if stream == VIDEO else 4401, "unauthorized")


def payment_required(stream: str) -> Close:
    """Tell how a client whose plan has no API access is sent away."""
    return Close(4002 if stream == VIDEO else 4402, "payment required")


def parse_target(target: str) -> Optional[Request]:
    """Understand the target of an upgrade request; None is what gets HTTP 403."""
    path, _, query = target.partition("?")
    # Decoded as a whole before it is split, so %2F in a source is a slash: observed.
    parts = unquote(path).split("/")
    if len(parts) != 6 or parts[:3] != ["", "v1", "sources"] or parts[5] != "stream":
        return None
    source_id, stream = parts[3:5]
    if not source_id or stream not in STREAMS:
        return None
    fields = parse_qs(query, keep_blank_values=True)
    if stream == METRICS:
        return Request(source_id, stream, metrics=_metric_names(fields.get("metrics", [""])[-1]))
    if stream == LOGS:
        return Request(source_id, stream)
    cameras = tuple(fields.get("camera_id", []))
    if "timeout" not in fields:
        return Request(source_id, stream, cameras=cameras)
    timeout = fields["timeout"][-1]
    if not _WHOLE_NUMBER.fullmatch(timeout):
        return None
    return Request(source_id, stream, cameras=cameras, timeout=int(timeout))


def _metric_names(text: str) -> Optional[Tuple[str, ...]]:
    """Split the parameter: empty is no filter, a lone comma one that lets nothing through."""
    if not text:
        return None
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def refuse(
    message: Union[str, bytes],
    stream: str,
    *,
    keys: Container[str],
    unpaid: Container[str],
    expired: Container[str],
) -> Optional[Close]:
    """Judge a client's first message: None lets it in, else it tells how it is sent away."""
    auth = _object(message)
    if auth is None:
        return HANG_UP
    key = auth.get("api_key")
    if auth.get("type") != "auth" or not isinstance(key, str) or key in expired:
        return unauthorized(stream)
    if key in unpaid:
        return payment_required(stream)
    return None if key in keys else unauthorized(stream)


def redact(message: Union[str, bytes], secrets: Iterable[str]) -> str:
    """Return a client's message as text, without any key that is in it."""
    text = message if isinstance(message, str) else message.decode("utf-8", "replace")
    auth = _object(text)
    if auth is not None and auth.get("api_key"):
        text = json.dumps({**auth, "api_key": _REDACTED}, ensure_ascii=False)
    for secret in filter(None, secrets):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _REDACTED, text)
    return _KEY.sub(_REDACTED, text)


def _object(message: Union[str, bytes]) -> Optional[Dict[str, Any]]:
    """Read a text message that holds a JSON object; None is anything else."""
    if isinstance(message, bytes):
        return None
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def encode(frame: Mapping[str, Any]) -> bytes:
    """Write a frame as the service does: with spaces, non-ASCII escaped, points sorted."""
    # Seen so of the running service: a batch's keys come in alphabetical order.
    ordered = frame.get("type") in ("telemetry", "event")
    return json.dumps(frame, sort_keys=ordered).encode()


def filter_points(
    frame: Mapping[str, Any], metrics: Optional[Container[str]]
) -> Optional[Mapping[str, Any]]:
    """Leave the points of these metrics in a frame; None is a frame with none left.

    Anything but a telemetry frame with a list of points is returned as it is.
    """
    points = frame.get("points")
    if metrics is None or frame.get("type") != "telemetry" or not isinstance(points, list):
        return frame
    kept = [p for p in points if not isinstance(p, dict) or p.get("metric") in metrics]
    return {**frame, "points": kept} if kept else None


def point(source_id: str, metric: str, value: object, timestamp: int, trace_id: str) -> Frame:
    """Make a data point in the service's own shape; ``timestamp`` in ms since the epoch."""
    return {
        "class": "metric",
        "metric": metric,
        "org_id": "default",
        "source_id": source_id,
        "timestamp": timestamp,
        "trace_id": trace_id,
        "v": 1,
        "value": value,
    }


def telemetry(points: List[Frame]) -> Frame:
    """Make the frame of a batch of points."""
    return {"points": points, "type": "telemetry"}


def event(source_id: str, metric: str, value: object, timestamp: int, trace_id: str) -> Frame:
    """Make a log event: a point at the top level; ``timestamp`` in ms since the epoch."""
    fields = point(source_id, metric, value, timestamp, trace_id)
    return {**fields, "class": "event", "type": "event"}


def video_type(camera_id: str) -> str:
    """Tell what kind of camera has this name: the one called "thermal" is thermal."""
    return "thermal" if camera_id == "thermal" else "normal"


def init(sources: Iterable[str], cameras: Iterable[str]) -> Frame:
    """Make the frame that lists every source of the organisation, all with these cameras."""
    listed = [{"camera_id": name, "video_type": video_type(name)} for name in cameras]
    return {
        "type": "init",
        "online_sources": [
            {"source_id": source_id, "platform": "", "sensors": None, "cameras": listed}
            for source_id in sources
        ],
    }


def video_frame(
    source_id: str, camera_id: str, jpeg: str, size: Tuple[int, int], timestamp: int
) -> Frame:
    """Make the frame of one picture, base64 JPEG; ``timestamp`` in ms since the epoch."""
    width, height = size
    return {
        "type": "video_frame",
        "source_id": source_id,
        "camera_id": camera_id,
        "frame": jpeg,
        "width": width,
        "height": height,
        "timestamp": timestamp,
    }


def reconnecting(stream: str, attempt: int, attempts: int, delay: float) -> Frame:
    """Make the notice that the gateway is out of reach; ``delay`` in seconds."""
    limit = {"max_attempts": attempts} if stream == VIDEO else {}
    shown = int(delay) if delay == int(delay) else delay
    return {"type": "gateway_reconnecting", "attempt": attempt, **limit, "delay_s": shown}
