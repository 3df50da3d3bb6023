"""docs/benchmarks.rst, from the JSON data and from notes.rst, which a person writes."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence

from .clients import LABELS, PEERS
from .steps import STEPS
from .summary import median_of, ratio_of, targets

__all__ = ["write"]

Results = Dict[str, Any]
NOTES = Path(__file__).with_name("notes.rst")
HEAD = """\
.. Made by ``make bench``: do not edit; the words at the end are those of benchmarks/notes.rst.

Benchmarks
==========

``make bench`` runs plexus-sync and the other ways to read these streams in Python side by side on
your machine, in under ten minutes, and writes this page; ``make bench-quick`` takes two, and
writes to ``build/``. Each client is a process of its own and reads from one sender in another
process, over loopback. The programs are those in ``benchmarks/clients/``, one small file each.

The speed of a machine changes within seconds, so **the ratios count**: two clients are compared
only in runs that directly follow one another, once in each of {rounds} rounds of changing order,
and the median of these ratios stands first, the least and the greatest behind it.
"""


def _heading(text: str, line: str = "-") -> List[str]:
    return ["", text, line * len(text), ""]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> List[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (header, *rows):
        for index, cell in enumerate(row):
            mark = "* -" if index == 0 else "  -"
            lines.append(f"   {mark} {cell}".rstrip())
    return [*lines, ""]


def _figure(name: str, folder: Path, alt: str) -> List[str]:
    if not (folder / f"{name}.svg").exists():
        return []
    return [f".. image:: benchmarks/{name}.svg", f"   :alt: {alt}", "   :width: 100%", ""]


def _number(value: Optional[float], digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _failures(found: Dict[str, Any]) -> List[str]:
    """Return who was not measured and, in one line, why."""
    return [
        f"Not measured: {client}: ``{' '.join(why.replace('`', '').split())[:200]}``\n"
        for client, why in found["failures"].items()
    ]


def _ratio(results: Results, case: str, peer: str, we: str, unit: str) -> str:
    found = ratio_of(results, case, peer, we, unit)
    return "" if found is None else "{:.2f} ({:.2f} to {:.2f})".format(*found)


def _overview(results: Results) -> List[str]:
    cases = [name for name, found in results["throughput"].items() if found["runs"]]
    rows = []
    for name in cases:
        row = [results["throughput"][name]["title"]]
        for peer in PEERS:
            ratio = ratio_of(results, name, peer)
            row.append("" if ratio is None else f"{ratio[0]:.2f}")
        rows.append(row)
    return [
        *_heading("The ratios"),
        "Frames a second that plexus-sync hands to its callback, with default settings, as a",
        "multiple of what the other hands over.",
        "",
        *_table(["case", *(LABELS[peer] for peer in PEERS)], rows),
    ]


def _targets(results: Results) -> List[str]:
    return [
        *_heading("What is to be reached"),
        *_table(("what", "required", "goal", "reached", ""), targets(results)),
    ]


def _case(results: Results, name: str, folder: Path) -> List[str]:
    found = results["throughput"][name]
    rows = []
    for client, label in LABELS.items():
        runs = found["runs"].get(client, ())
        rate = median_of(runs, "frames_per_second")
        if rate is None:
            continue
        rows.append(
            (
                label,
                _number(rate),
                _number(median_of(runs, "cpu_us"), 1),
                _ratio(results, name, client, "ours", "frames_per_second"),
                _ratio(results, name, client, "ours_block", "frames_per_second"),
                _ratio(results, name, client, "ours_block", "cpu_us"),
            )
        )
    size, text = found["wire_bytes_per_frame"], found["text_bytes_per_frame"]
    lines = [
        *_heading(found["title"], "~"),
        f"{size:,.0f} bytes a frame on the wire, {text:,.0f} of them text before compression."
        if size < text
        else f"{size:,.0f} bytes a frame.",
        "",
    ]
    header = (
        "client",
        "frames/s",
        "CPU µs a frame",
        "we, default",
        "we, block",
        "our CPU to its CPU, block",
    )
    lines += _table(header, rows)
    lines += _failures(found)
    return lines + _figure(name, folder, f"Frames a second: {found['title']}")


def _latency(results: Results, folder: Path) -> List[str]:
    lines = [
        *_heading("Latency"),
        "From just before the sender's system call to the first line of the callback, in µs; the",
        "clock is one for both processes. Frames of 10 points; the median of the rounds.",
        "",
    ]
    for rate, found in results["latency"].items():
        lines += _heading(f"{int(rate):,} frames a second", "~")
        header = ("client", "p50", "p99", "p99.9", "samples", "CPU µs a frame", "frames/s")
        rows = []
        for client, rounds in found["rounds"].items():
            row = [_number(median_of(rounds, key)) for key in ("p50", "p99", "p99.9")]
            row.append(_number(found["samples"][client]))
            row.append(_number(median_of(rounds, "cpu_us"), 1))
            row.append(_number(median_of(rounds, "frames_per_second")))
            rows.append((LABELS[client], *row))
        lines += _table(header, rows)
        lines += _figure(f"latency-{rate}", folder, f"Latency at {rate} frames a second")
    return lines


def _sockets(results: Results, folder: Path) -> List[str]:
    found = results.get("sockets")
    if not found:
        return []
    lines = [
        *_heading("Many sockets"),
        "10 frames/s of 10 points on each socket, in one process. Memory is what the process",
        "holds above one that has a single stream, for each further stream; with 10 streams that",
        "is mostly noise.",
        "",
    ]
    rows = []
    for size in found["sizes"]:
        for client, sizes in found["results"].items():
            runs = sizes.get(str(size), ())
            if runs:
                keys = (("cpu_us", 1), ("kb_per_stream", 0), ("frames_per_second", 0))
                figures = (_number(median_of(runs, key), digits) for key, digits in keys)
                rows.append((f"{size:,}", LABELS[client], *figures))
    header = ("sockets", "client", "CPU µs a frame", "KB a stream", "frames/s handed over")
    lines += _table(header, rows)
    lines += _failures(found)
    for size in found["sizes"]:
        for key in ("cpu_us", "kb_per_stream"):
            lines += _figure(f"sockets-{size}-{key}", folder, f"{size} sockets: {key}")
    return lines


def _steps(results: Results) -> List[str]:
    found = results.get("steps")
    if not found:
        return []
    titles = [results["throughput"].get(case, {}).get("title", case) for case in found]
    rows = [
        (label, *(_number(of_case[step], 2) for of_case in found.values()))
        for step, label in STEPS.items()
    ]
    return [
        *_heading("Where the time goes"),
        "µs a frame of each step alone, on one thread: what the threads cost each other, and what",
        "the system does for the socket, comes to it. Below it the texts decoded by others.",
        "",
        *_table(("step", *titles), rows),
    ]


def _imports(results: Results, folder: Path) -> List[str]:
    found = results.get("imports")
    if not found:
        return []
    rows = [
        (name, _number(statistics.median(values) * 1000), _number(found["modules"][name]))
        for name, values in found["seconds"].items()
    ]
    return [
        *_heading("Import"),
        *_table(("imported", "ms, the interpreter's start included", "modules loaded"), rows),
        *_figure("imports", folder, "Import time"),
    ]


def write(results: Results, file: Path) -> None:
    """Write the page."""
    folder = file.parent / "benchmarks"
    lines = [HEAD.format(rounds=results["rounds"])]
    if results["quick"]:
        lines += [".. note:: Made by ``make bench-quick``: one round, and so only a hint.", ""]
    lines += _overview(results) + _targets(results) + _heading("Throughput")
    for name, found in results["throughput"].items():
        if found["runs"]:
            lines += _case(results, name, folder)
    lines += _latency(results, folder) + _sockets(results, folder)
    lines += _steps(results) + _imports(results, folder)
    lines += _heading("Machine and versions")
    lines += [f"* {what}: {value}" for what, value in results["machine"].items()]
    lines += [f"* the whole run took {results['seconds']} s", ""]
    text = "\n".join(lines) + "\n" + NOTES.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
