"""From the JSON data to the figures that count: medians of ratios, and what was to be reached."""

from __future__ import annotations

import statistics
from typing import Any, Dict, Iterable, List, Optional, Tuple

from .clients import LABELS
from .targets import LATENCY_TARGETS, RATIO_TARGETS, SOCKET_TARGETS

__all__ = ["Row", "median_of", "ratio_of", "summary", "targets"]

Results = Dict[str, Any]
# What, required, goal, reached, verdict: texts for a table.
Row = Tuple[str, str, str, str, str]


def median_of(runs: Iterable[Dict[str, float]], key: str) -> Optional[float]:
    """Return the median of one figure over the runs that have it."""
    values = [run[key] for run in runs if key in run]
    return statistics.median(values) if values else None


def ratio_of(
    results: Results, case: str, peer: str, we: str = "ours", unit: str = "frames_per_second"
) -> Optional[Tuple[float, float, float]]:
    """Return median, least and greatest of our ratios to a peer."""
    found = results["throughput"].get(case, {}).get("ratios", {})
    values = found.get(unit, {}).get(we, {}).get(peer)
    return (statistics.median(values), min(values), max(values)) if values else None


def _verdict(required_met: bool, goal_met: Optional[bool]) -> str:
    if not required_met:
        return "**missed**"
    return "met" if goal_met is None else "goal met" if goal_met else "met; goal not"


def _ratio_rows(results: Results) -> List[Row]:
    rows = []
    for target in RATIO_TARGETS:
        found = ratio_of(results, target.case, target.peer)
        if found is None:
            continue
        blocked = ratio_of(results, target.case, target.peer, "ours_block")
        best = found[0]
        goal_met = None if target.goal is None else best >= target.goal
        rows.append(
            (
                f"{results['throughput'][target.case]['title']}: rate to {LABELS[target.peer]}",
                f"{target.required:g}",
                "" if target.goal is None else f"{target.goal:g}",
                f"{best:.2f}" + ("" if blocked is None else f" (block: {blocked[0]:.2f})"),
                _verdict(best >= target.required, goal_met),
            )
        )
    return rows


def _latency_rows(results: Results) -> List[Row]:
    rounds = results["latency"].get("5000", {}).get("rounds", {})
    rows = []
    for percentile, peer, best_peer in LATENCY_TARGETS:
        ours, theirs, best = (
            median_of(rounds.get(name, ()), percentile) for name in ("ours", peer, best_peer)
        )
        if ours is not None and theirs is not None and best is not None:
            rows.append(
                (
                    f"latency at 5,000 frames/s, {percentile}",
                    f"{theirs:.0f} µs ({LABELS[peer]})",
                    f"{best:.0f} µs ({LABELS[best_peer]})",
                    f"{ours:.0f} µs",
                    _verdict(ours <= theirs, ours <= best),
                )
            )
    return rows


def _socket_rows(results: Results) -> List[Row]:
    runs = results.get("sockets", {}).get("results", {}).get("ours", {}).get("1000", ())
    names = {"cpu_us": "CPU a frame, µs", "kb_per_stream": "KB a stream above the first"}
    rows = []
    for key, required, goal in SOCKET_TARGETS:
        value = median_of(runs, key)
        if value is not None:
            rows.append(
                (
                    f"1,000 sockets: {names[key]}",
                    f"{required:g}",
                    f"{goal:g}",
                    f"{value:.1f}",
                    _verdict(value < required, value < goal),
                )
            )
    return rows


def targets(results: Results) -> List[Row]:
    """Return what was to be reached and what was, as far as it was measured."""
    return [*_ratio_rows(results), *_latency_rows(results), *_socket_rows(results)]


def summary(results: Results) -> List[str]:
    """Return lines for the terminal: the ratios first, then what was to be reached."""
    lines = []
    for case, found in results["throughput"].items():
        lines.append(f"{found['title']}: our frames/s as a multiple of")
        for peer in LABELS:
            told = []
            for we, name in (("ours", "default"), ("ours_block", "block")):
                ratio = ratio_of(results, case, peer, we)
                if ratio is not None:
                    told.append("{} {:6.2f} ({:.2f} to {:.2f})".format(name, *ratio))
            if told:
                lines.append(f"  {LABELS[peer]:44}" + "   ".join(told))
        lines += [f"  {name}: {why}" for name, why in found["failures"].items()]
    lines += [
        f"{what}: {reached}, required {required}, goal {goal or '-'}: {verdict}"
        for what, required, goal, reached, verdict in targets(results)
    ]
    return lines
