"""A plot for each case, as SVG that is the same for the same figures."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, Dict, List, Tuple

from .clients import LABELS
from .summary import median_of

__all__ = ["draw_all"]

OURS, THEIRS = "#1a6fb5", "#b8bec6"
Bar = Tuple[str, float, float, float]  # label, median, least, greatest


def _bars(
    title: str,
    unit: str,
    bars: List[Bar],
    file: Path,
    logarithmic: bool = False,
    spread: str = "median, with the least and the greatest",
) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "plexus-sync"
    mpl.rcParams["svg.fonttype"] = "path"
    import matplotlib.pyplot as plt

    bars = bars[::-1]  # the first one on top
    labels, medians = [bar[0] for bar in bars], [bar[1] for bar in bars]
    errors = [[bar[1] - bar[2] for bar in bars], [bar[3] - bar[1] for bar in bars]]
    colours = [OURS if label.startswith("plexus-sync") else THEIRS for label in labels]
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.36 * len(bars)))
    axes.barh(labels, medians, xerr=errors, color=colours, ecolor="#555", capsize=2)
    for index, (_, median, _, greatest) in enumerate(bars):
        axes.annotate(
            f"{median:,.0f}" if median >= 100 else f"{median:.3g}",
            (greatest, index),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    if logarithmic:
        axes.set_xscale("log")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(f"{unit}: {spread}", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.margins(x=0.12)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _bar(label: str, values: List[float]) -> Bar:
    return label, statistics.median(values), min(values), max(values)


def _throughput(results: Dict[str, Any], folder: Path) -> None:
    for name, found in results["throughput"].items():
        bars = [
            _bar(label, [run["frames_per_second"] for run in found["runs"][client]])
            for client, label in LABELS.items()
            if client in found["runs"]
        ]
        if bars:
            _bars(found["title"], "frames a second", bars, folder / f"{name}.svg")


def _latency(results: Dict[str, Any], folder: Path) -> None:
    for rate, found in results["latency"].items():
        # The bar is p50, its line reaches up to p99.
        bars = []
        for client, label in LABELS.items():
            rounds = found["rounds"].get(client)
            if rounds:
                p50, p99 = median_of(rounds, "p50"), median_of(rounds, "p99")
                assert p50 is not None
                assert p99 is not None
                bars.append((label, p50, p50, max(p50, p99)))
        if bars:
            title = f"From send to callback at {int(rate):,} frames a second: p50, line to p99"
            file = folder / f"latency-{rate}.svg"
            _bars(title, "µs", bars, file, logarithmic=True, spread="median of the rounds")


def _sockets(results: Dict[str, Any], folder: Path) -> None:
    found = results.get("sockets", {})
    for size in found.get("sizes", ()):
        for key, unit in (("cpu_us", "µs of CPU a frame"), ("kb_per_stream", "KB a stream")):
            bars = []
            for client, label in LABELS.items():
                runs = found["results"].get(client, {}).get(str(size), [])
                values = [run[key] for run in runs if key in run]
                if values:
                    bars.append(_bar(label, values))
            if bars:
                title = f"{size:,} sockets, 10 frames/s each of 10 points: {unit}"
                _bars(title, unit, bars, folder / f"sockets-{size}-{key}.svg")


def _imports(results: Dict[str, Any], folder: Path) -> None:
    found = results.get("imports", {}).get("seconds", {})
    bars = [_bar(name, [value * 1000 for value in values]) for name, values in found.items()]
    if bars:
        _bars("Starting an interpreter that imports", "ms", bars, folder / "imports.svg")


def draw_all(results: Dict[str, Any], folder: Path) -> None:
    """Draw every case that was measured."""
    for draw in (_throughput, _latency, _sockets, _imports):
        draw(results, folder)
