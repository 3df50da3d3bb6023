"""The frames that the sender sends: JSON texts with changing values, as WebSocket frames."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from typing import Any, Dict, List, Tuple

from .cases import Case

__all__ = ["blob", "close_frame", "text_frame", "timed_templates"]

BLOB_BYTES = 512 * 1024  # what is sent at once; the values repeat only after so many bytes
SENT_AT = -1.25e300  # stands in a template where the time of sending goes

_METRICS = (
    "battery.percent",
    "cpu.percent",
    "temperature",
    "arm.joint_1.position",
    "arm.joint_2.position",
    "arm.joint_3.velocity",
    "base.odometry.x",
    "base.odometry.y",
    "nav.goal_distance",
    "gripper.force",
)
_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 section 7.2.1: taken off each compressed message


def _documented(number: int, value: Any, source: str) -> Dict[str, Any]:
    return {
        "source_id": source,
        "metric": _METRICS[number % len(_METRICS)],
        "value": value,
        "timestamp": 1746969660000 + number,
        "class": "metric",
        "alert": 0,
    }


def _service(number: int, value: Any, source: str) -> Dict[str, Any]:
    """Return a point as the running service sends it: other members, in order of the alphabet."""
    return {
        "class": "metric",
        "metric": _METRICS[number % len(_METRICS)],
        "org_id": "default",
        "source_id": source,
        "timestamp": 1795328317119 + number,
        "trace_id": f"{number & 0xFFFF:04x}",
        "v": 1,
        "value": value,
    }


def _telemetry(case: Case, first: int, values: List[Any], source: str) -> Dict[str, Any]:
    if case.shape == "service":
        return {
            "points": [_service(first + i, value, source) for i, value in enumerate(values)],
            "type": "telemetry",
        }
    points = [_documented(first + i, value, source) for i, value in enumerate(values)]
    return {"type": "telemetry", "points": points}


def _picture(case: Case, number: int, chance: random.Random) -> Dict[str, Any]:
    # Random bytes behind the head of a JPEG: nobody decodes the picture, and it is as
    # incompressible as one.
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF" + chance.getrandbits(case.jpeg_kb * 8192 - 96).to_bytes(
        case.jpeg_kb * 1024 - 12, "little"
    )
    return {
        "type": "video_frame",
        "source_id": "robot-01",
        "camera_id": "front",
        "frame": base64.b64encode(jpeg + b"\xff\xd9").decode(),
        "width": 640,
        "height": 480,
        "timestamp": 1746969660000 + number,
    }


def _text(frame: Dict[str, Any]) -> bytes:
    return json.dumps(frame, separators=(",", ":")).encode()


def _values(count: int, chance: random.Random) -> List[Any]:
    """Return numbers as robots send them: mostly floats of a few digits, some whole."""
    return [
        chance.randrange(1000) if chance.random() < 0.3 else round(chance.uniform(-100, 100), 3)
        for _ in range(count)
    ]


def text_frame(payload: bytes, first: int = 0x81) -> bytes:
    """Return a whole, unmasked WebSocket frame; text unless ``first`` says otherwise."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def close_frame() -> bytes:
    """Return a close frame with 1000."""
    return text_frame(struct.pack("!H", 1000), 0x88)


def blob(case: Case, source: str = "robot-01") -> Tuple[bytes, int, int]:
    """Return many frames as one string of bytes, how many, and the bytes of their texts.

    It can be sent any number of times: what is compressed refers to nothing before its beginning.
    """
    chance = random.Random(7)
    # Context takeover, 15 bits and zlib's own level: what the service answers with.
    deflate = zlib.compressobj(wbits=-15) if case.deflate else None
    frames: List[bytes] = []
    size = text_bytes = 0
    while size < BLOB_BYTES and len(frames) < 2000:
        number = len(frames)
        if case.kind == "video":
            text = _text(_picture(case, number, chance))
        else:
            values = _values(case.points, chance)
            text = _text(_telemetry(case, number * case.points, values, source))
        if deflate is None:
            frame = text_frame(text)
        else:
            packed = deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)
            frame = text_frame(packed[: -len(_TAIL)], 0x81 | 0x40)
        frames.append(frame)
        size += len(frame)
        text_bytes += len(text)
    return b"".join(frames), len(frames), text_bytes


def timed_templates(case: Case) -> List[Tuple[bytes, bytes]]:
    """Return texts that are cut where the value of the first point, the time of sending, goes."""
    chance = random.Random(7)
    templates = []
    for number in range(64):
        values = [SENT_AT, *_values(case.points - 1, chance)]
        text = _text(_telemetry(case, number * case.points, values, "robot-01"))
        before, after = text.split(json.dumps(SENT_AT).encode())
        templates.append((before, after))
    return templates
