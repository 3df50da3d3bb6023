"""Any bytes through ``decode`` and ``StreamDecoder``: a frame of its type, or FrameError."""

from __future__ import annotations

import json
import random
from typing import Any, Callable, Iterable, List, Tuple, Union

from plexus_sync import (
    ErrorFrame,
    EventFrame,
    FrameError,
    GatewayReconnectingFrame,
    InitFrame,
    LogsStream,
    MetricsStream,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
    VideoStream,
    decode,
)
from plexus_sync.decode import StreamDecoder

from .seeds import GOOD, SAMPLES

RUNS = 500_000
MAX_LENGTH = 2000
WORDS: Tuple[bytes, ...] = (
    b'"type":',
    b'"telemetry"',
    b'"points":[',
    b'"source_id":"robot-01"',
    b'"metric":',
)
WORDS += (b'"value":', b'"class":', b'"timestamp":', b'"tags":{', b'"alert":', b'"event"')
WORDS += (b'"video_frame"', b'"camera_id":', b'"frame":', b'"temps":[', b'"init"', b'"error"')
WORDS += (b'"online_sources":', b'"cameras":', b'"gateway_reconnecting"', b'"attempt":')
WORDS += (b'"delay_s":', b'"message":', b"null", b"1e309", b"-0", b"\\ud800", b"\\u0000")

NAMES = [word[1:-2].decode() for word in WORDS if word.endswith(b'":')]
KINDS = {
    "telemetry": TelemetryFrame,
    "event": EventFrame,
    "init": InitFrame,
    "video_frame": VideoFrame,
    "gateway_reconnecting": GatewayReconnectingFrame,
    "error": ErrorFrame,
}
DECODERS = [
    StreamDecoder(stream, keep_raw)
    for stream in (
        MetricsStream("robot-01"),
        LogsStream("robot-01"),
        VideoStream("robot-01", ["front"]),
    )
    for keep_raw in (False, True)
]


def seeds() -> Iterable[bytes]:
    """Return where to begin."""
    return SAMPLES


# What may stand where something else stood.
_VALUES: Tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    2**63,
    10**30,
    "",
    "é🤖",
    "robot-01",
    "front",
    "/9j/",
)
_VALUES += ([], {}, [[]], {"type": "event"}, ["a", {"camera_id": "b"}], [{"source_id": "robot-01"}])


def _places(value: Any) -> List[Tuple[Any, Any]]:
    """Return each container within a value with each of its keys or positions."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    places = [(value, key) for key in keys]
    inner = [value[key] for key in keys if isinstance(value[key], (dict, list))]
    return places + [place for container in inner for place in _places(container)]


def mutate(data: bytes, size: int, seed: int, default: Callable[[bytes, int], bytes]) -> bytes:
    """Change what is JSON as JSON, every other time: msgspec's own branches guide nobody."""
    rng = random.Random(seed)
    try:
        frame = json.loads(data)
        places = _places(frame) if isinstance(frame, dict) else []
    except (ValueError, RecursionError):
        places = []
    if not places or rng.random() < 0.5:
        return default(data, size)
    container, key = rng.choice(places)
    change = rng.randrange(4)
    if change == 0:
        del container[key]
    elif change == 1:
        container[key] = rng.choice(_VALUES)
    elif change == 2:
        other, place = rng.choice(_places(json.loads(rng.choice(GOOD))))
        container[key] = other[place]
    elif isinstance(container, dict):
        container[rng.choice(NAMES)] = container[key]
    else:
        container.append(container[key])
    return json.dumps(frame, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")[
        :size
    ]


def _pairs(pairs: List[Tuple[str, Any]]) -> Any:
    members = dict(pairs)
    return members if len(members) == len(pairs) else ("twice", members)


def _decoded(data: Union[bytes, str]) -> Any:
    try:
        return decode(data)
    except FrameError as error:
        excerpt = error.excerpt
    assert len(excerpt) <= 200
    return None


def one_input(data: bytes) -> None:
    """Decode it as bytes and as str, alone and for each kind of stream."""
    frame = _decoded(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return  # msgspec does not look into members that it skips; FrameReader has done so before
    assert _decoded(text) == frame, "bytes and str differ"
    if frame is not None:
        repr(frame)
        wire = json.loads(text, object_pairs_hook=_pairs)
        if isinstance(wire, dict):  # a member that comes twice has no one meaning
            assert type(frame) is KINDS.get(wire["type"], UnknownFrame)
    for decoder in DECODERS:
        try:
            one = decoder.frame(data, 1.0)
        except FrameError:
            assert frame is None or isinstance(frame, VideoFrame)
            continue
        assert one is None or frame is not None
        if one is not None and not isinstance(one, TelemetryFrame):  # whose points are filtered
            assert one == frame
