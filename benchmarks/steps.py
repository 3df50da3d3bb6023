"""Where the time of a frame goes: ``python -m benchmarks.steps CASE``, as JSON.

Each step of ours alone, on one thread and with prepared frames, and what else could decode the
same texts. Of many repetitions the least counts, since other processes only ever add.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Callable, Dict, List, Literal, Optional, Tuple, Union

import msgspec
import orjson

from plexus_sync import Buffer, MetricsStream, TelemetryFrame
from plexus_sync.buffers import LOAN, LOAN_BYTES
from plexus_sync.callbacks import Callbacks
from plexus_sync.deadline import Deadline
from plexus_sync.dispatch import Dispatcher
from plexus_sync.framing import LARGE, FrameReader
from plexus_sync.inbox import Inbox, Lane
from plexus_sync.sorting import may_hold_notice

from .cases import case_named
from .frames import blob
from .touch import Meter, handler

__all__ = ["STEPS", "steps"]

STEPS = {
    "cut": "copy into the buffer and cut out of it (framing.py)",
    "look": "look for a gateway_reconnecting (sorting.py)",
    "put": "put into the lane (inbox.py)",
    "decode": "decode and filter (decode.py)",
    "hand": "hand over, count, call the callback (dispatch.py)",
    "orjson": "*orjson to dicts, and the same callback*",
    "structs": "*msgspec into its own Structs*",
}
REPETITIONS = 25


class _Point(msgspec.Struct, rename={"class_": "class"}):
    source_id: str
    metric: str
    value: Any
    timestamp: Union[int, float, None] = None
    class_: Optional[str] = None
    alert: Optional[int] = None
    tags: Optional[Dict[str, Any]] = None


class _Telemetry(msgspec.Struct):
    points: Tuple[_Point, ...]
    type: Literal["telemetry"]


def _least(function: Callable[[], object], frames: int) -> float:
    """Return the least time of one call, in µs a frame."""
    found = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found) / frames * 1e6


def _cut(data: bytes) -> List[List[bytes]]:
    reader = FrameReader(len(data))
    batches = []
    rest = memoryview(data)
    while rest:
        room = reader.room()[:LARGE]
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        batches.append(reader.received(count))
        rest = rest[count:]
    return [batch for batch in batches if batch]


def steps(case: str) -> Dict[str, float]:
    """Return the µs a frame of each of ``STEPS``."""
    data = blob(case_named(case))[0]
    batches = _cut(data)
    texts = [text for batch in batches for text in batch]
    entries = [(text, 1.0, None, None) for text in texts]
    loan = max(1, min(LOAN, LOAN_BYTES * len(texts) // sum(map(len, texts))))
    loans = [entries[at : at + loan] for at in range(0, len(entries), loan)]
    inbox, callbacks, meter = Inbox(), Callbacks(), Meter()
    callbacks.add(handler("metrics", "objects", meter), TelemetryFrame)
    stream = MetricsStream("robot-01", buffer=Buffer(len(texts)))
    touch_dicts = handler("metrics", "dicts", meter)
    parse_structs = msgspec.json.Decoder(_Telemetry).decode

    def new_lane() -> Lane:
        return Lane(stream, inbox, keep_raw=False)

    def put(lane: Lane) -> None:
        for batch in batches:
            lane.put([(text, 1.0, None, None) for text in batch])

    def put_and_hand() -> None:
        lane = new_lane()
        put(lane)
        Dispatcher(inbox, callbacks, str).run(Deadline(None), lane.empty)

    def decode(lane: Lane) -> None:
        for loan in loans:
            lane.decoder.frames(loan)

    lane, count = new_lane(), len(texts)
    found = {
        "cut": _least(lambda: _cut(data), count),
        "look": _least(lambda: [may_hold_notice(batch) for batch in batches], count),
        "put": _least(lambda: put(new_lane()), count),
        "decode": _least(lambda: decode(lane), count),
        "orjson": _least(lambda: [touch_dicts(orjson.loads(text)) for text in texts], count),
        "structs": _least(lambda: [parse_structs(text) for text in texts], count),
    }
    found["hand"] = _least(put_and_hand, count) - found["put"] - found["decode"]
    return found


if __name__ == "__main__":
    print(json.dumps(steps(sys.argv[1])))
