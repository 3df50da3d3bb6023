"""A process that runs one client and tells what it measured: ``python -m benchmarks.client NAME``.

Each line on standard input is a job, each line on standard output an answer, both JSON. A second
thread samples the meter while the client receives, so that the client's own loop holds nothing
but what its user would write.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import ssl
import sys
import threading
import time
from typing import Any, Dict, Tuple

from .clients import Connect
from .touch import Meter, handler

WARM_UP = 0.05  # seconds from the first frame on
PATIENCE = 15.0  # seconds for the first frame
SETTLE = 8.0  # seconds until all of many sockets are connected
POLL = 0.0005
QUICKLY = 0.0001  # seconds; the interpreter's own interval is 5 ms


def _resident_kb() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _at_next_frame(meter: Meter, limit: float) -> Tuple[int, float, float]:
    """Return frames, time and CPU time as a frame is counted, so that slow ones are not halved."""
    frames, end = meter.frames, time.perf_counter() + limit
    while meter.frames == frames and time.perf_counter() < end:
        time.sleep(POLL)
    return meter.frames, time.perf_counter(), time.process_time()


def _await_rate(meter: Meter, rate: float) -> None:
    """Wait until nearly all of so many frames a second come, or never will."""
    end = time.perf_counter() + SETTLE
    while time.perf_counter() < end:
        frames, began = meter.frames, time.perf_counter()
        time.sleep(0.5)
        if meter.frames - frames > 0.9 * rate * (time.perf_counter() - began):
            return


def _sample(meter: Meter, job: Dict[str, Any]) -> Dict[str, Any]:
    end = time.perf_counter() + PATIENCE
    while not meter.frames:
        if time.perf_counter() > end:
            return {"error": f"no frame in {PATIENCE} s"}
        time.sleep(POLL)
    time.sleep(WARM_UP)
    if "rate" in job:
        _await_rate(meter, job["rate"])
    limit = job["max_window"]
    frames, began, cpu = _at_next_frame(meter, limit)
    first_latency = len(meter.latencies)
    time.sleep(job["window"])
    while meter.frames - frames < 8 and time.perf_counter() - began < limit:
        time.sleep(POLL)
    frames_then, ended, cpu_then = _at_next_frame(meter, limit)
    latencies = meter.latencies[first_latency:]  # before the collector makes every thread wait
    gc.collect()
    return {
        "frames": frames_then - frames,
        "seconds": ended - began,
        "cpu": cpu_then - cpu,
        "resident_kb": _resident_kb(),
        "latencies": latencies,
    }


def _tell(answer: Dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    """Do one job after the other until standard input ends."""
    client = importlib.import_module(f".clients.{sys.argv[1]}", __package__)
    if getattr(client, "ON_LOOP", False):
        # A loop that lets go of the interpreter's lock for moments, and more often than a thread
        # would insist, lets the sampling thread wait for seconds. There is no other to be favoured.
        sys.setswitchinterval(QUICKLY)
    _tell({"ready": True})
    for line in sys.stdin:
        job = json.loads(line)
        meter = Meter()
        sampler = threading.Thread(target=lambda: _tell(_sample(meter, job)), daemon=True)  # noqa: B023
        context = ssl.create_default_context(cafile=job["ca"]) if job["ca"] else None
        connect = Connect(job["url"], job["sources"], job["kind"], context, job["deflate"])
        sampler.start()
        client.run(connect, handler(job["what"], client.STYLE, meter))
        sampler.join()
        _tell({"idle": True})
    # Some of the clients leave threads behind that wait for their time-outs.
    os._exit(0)


if __name__ == "__main__":
    main()
