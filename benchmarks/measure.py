"""The measurements: each returns plain data for the JSON file."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Sequence

from .cases import PACED, Case, Plan
from .clients import LABELS, PEERS
from .frames import blob
from .processes import ROOT, Broken, Client, Sender, clients

__all__ = ["imports", "latency", "many_sockets", "steps", "throughput"]

Say = Callable[[str], None]

# websocket-client knows no permessage-deflate.
NO_DEFLATE = ("websocketapp_json", "websocketapp_json_tuned", "websocket_client_orjson")
PER_SOCKET = 10.0  # frames a second


def _order(peers: Sequence[str], number: int) -> List[str]:
    """Return who runs after whom in a round: every peer stands between our two variants.

    Every second round goes the other way round, so that neither is always the first.
    """
    order = ["ours"]
    for index, peer in enumerate(peers):
        order += [peer, "ours" if index % 2 else "ours_block"]
    return order[::-1] if number % 2 else order


def throughput(case: Case, plan: Plan, cert: Dict[str, str], say: Say) -> Dict[str, Any]:
    """Return rates and CPU time of every client, and the ratios of runs next to each other."""
    peers = [peer for peer in PEERS if not (case.deflate and peer in NO_DEFLATE)]
    runs: Dict[str, List[Dict[str, float]]] = {}
    # By unit, by our variant, by peer: one for each round.
    ratios: Dict[str, Dict[str, Dict[str, List[float]]]] = {"frames_per_second": {}, "cpu_us": {}}
    failures: Dict[str, str] = {}
    with Sender("blast", case, cert=cert["cert"] if case.tls else None) as sender, clients(
        ["ours", "ours_block", *peers]
    ) as ready:

        def rate(name: str) -> Optional[Dict[str, float]]:
            if name in failures:
                return None
            try:
                got = ready[name].measure(
                    sender,
                    case,
                    ca=cert["ca"] if case.tls else None,
                    window=plan.window,
                    max_window=plan.max_window,
                )
            except Broken as broken:
                failures[name] = str(broken)
                say(f"  {broken}")
                return None
            run = {
                "frames_per_second": got["frames"] / got["seconds"],
                "cpu_us": got["cpu"] / got["frames"] * 1e6,
            }
            runs.setdefault(name, []).append(run)
            return run

        end = time.monotonic() + plan.case_limit
        for number in range(plan.rounds):
            if number and time.monotonic() > end:
                break
            order = _order(peers, number)
            measured = [rate(name) for name in order]
            for index in range(1, len(order) - 1, 2):
                peer, theirs = order[index], measured[index]
                for beside in (index - 1, index + 1):
                    we, mine = order[beside], measured[beside]
                    if mine is not None and theirs is not None:
                        for unit, kept in ratios.items():
                            ratio = mine[unit] / theirs[unit]
                            kept.setdefault(we, {}).setdefault(peer, []).append(ratio)
    data, count, text_bytes = blob(case)
    return {
        "title": case.title,
        "wire_bytes_per_frame": len(data) / count,
        "text_bytes_per_frame": text_bytes / count,
        "runs": runs,
        "ratios": ratios,
        "failures": failures,
    }


def _percentiles(samples: List[float]) -> Dict[str, float]:
    """Return p50, p99 and p99.9 in microseconds."""
    ordered = sorted(samples)
    return {
        name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e6
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    }


def latency(rate: int, seconds: float, plan: Plan, say: Say) -> Dict[str, Any]:
    """Return the percentiles of the time from send to callback, of each client and round."""
    names = ["ours", *PEERS]
    rounds: Dict[str, List[Dict[str, float]]] = {}
    counts: Dict[str, int] = dict.fromkeys(names, 0)
    failures: Dict[str, str] = {}
    with Sender("paced", PACED, rate) as sender, clients(names) as ready:
        for number in range(plan.latency_rounds):
            for name in names[::-1] if number % 2 else names:
                if name in failures:
                    continue
                try:
                    got = ready[name].measure(
                        sender, PACED, what="timed", window=seconds, max_window=seconds
                    )
                except Broken as broken:
                    failures[name] = str(broken)
                    say(f"  {broken}")
                    continue
                told = _percentiles(got["latencies"])
                told["cpu_us"] = got["cpu"] / got["frames"] * 1e6
                told["frames_per_second"] = got["frames"] / got["seconds"]
                rounds.setdefault(name, []).append(told)
                counts[name] += len(got["latencies"])
    return {"rounds": rounds, "samples": counts, "failures": failures}


def many_sockets(plan: Plan, say: Say) -> Dict[str, Any]:
    """Return CPU time a frame and memory a stream for growing numbers of sockets."""
    sizes = (1, *plan.sockets)
    results: Dict[str, Dict[str, List[Dict[str, float]]]] = {}
    failures: Dict[str, str] = {}
    for number in range(plan.socket_rounds):
        for size in sizes:
            for name in plan.socket_clients[::-1] if number % 2 else plan.socket_clients:
                sources = [f"robot-{index:04d}" for index in range(size)]
                client = Client(name)
                try:
                    with Sender("fan", PACED, PER_SOCKET) as sender:
                        got = client.ready().measure(
                            sender,
                            PACED,
                            sources=sources,
                            once=True,
                            rate=size * PER_SOCKET,
                            window=plan.socket_window,
                            max_window=plan.socket_window,
                        )
                except Broken as broken:
                    failures[f"{name} x {size}"] = str(broken)
                    say(f"  {broken}")
                    continue
                finally:
                    client.end()
                result = {
                    "frames_per_second": got["frames"] / got["seconds"],
                    "cpu_us": got["cpu"] / got["frames"] * 1e6,
                    "resident_kb": got["resident_kb"],
                }
                first = results.get(name, {}).get("1")
                if size > 1 and first:
                    base = statistics.median(run["resident_kb"] for run in first)
                    result["kb_per_stream"] = (got["resident_kb"] - base) / (size - 1)
                results.setdefault(name, {}).setdefault(str(size), []).append(result)
    return {"sizes": list(plan.sockets), "results": results, "failures": failures}


def steps(cases: Sequence[str]) -> Dict[str, Dict[str, float]]:
    """Return where the time of a frame goes, in a process of its own for each case."""
    return {
        case: json.loads(
            subprocess.check_output((sys.executable, "-m", "benchmarks.steps", case), cwd=ROOT)
        )
        for case in cases
    }


IMPORTS = {
    "python, nothing imported": "pass",
    "websocket-client": "import websocket",
    "websocket-client, json": "import websocket, json",
    "websockets.sync.client, orjson": "import websockets.sync.client, orjson",
    "aiohttp, orjson": "import aiohttp, orjson",
    "picows, orjson": "import picows, orjson",
    LABELS["ours"]: "import plexus_sync",
}


def imports(plan: Plan) -> Dict[str, Any]:
    """Return the wall time of an interpreter that imports, and how many modules that loads."""
    seconds: Dict[str, List[float]] = {name: [] for name in IMPORTS}
    modules: Dict[str, int] = {}
    for name, statement in IMPORTS.items():
        counted = f"{statement}\nimport sys; print(len(sys.modules))"
        modules[name] = int(subprocess.check_output((sys.executable, "-c", counted)))
    for _ in range(plan.import_rounds):
        for name, statement in IMPORTS.items():
            began = time.perf_counter()
            subprocess.run((sys.executable, "-c", statement), check=True)
            seconds[name].append(time.perf_counter() - began)
    return {"seconds": seconds, "modules": modules}
