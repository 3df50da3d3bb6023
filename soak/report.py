"""The figures of a soak and of the comparison, for the page on reliability."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

from conformance.report import grid
from plexus_sync import __version__

from .clients import NAMES
from .faults import STREAMS
from .run import PEERS_PATIENCE
from .server import RATES


def _write(lines: List[str], results: Dict[str, Any], folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join([".. Written by make soak.", "", *lines]) + "\n"
    (folder / f"{name}.inc").write_text(text, encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _versions(*packages: str) -> str:
    named = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{date}, Python {platform.python_version()}, {named or f'plexus-sync {__version__}'}"


# What one stream's row of a soak shows, and what it is called.
_COLUMNS = {
    "sent": "Sent",
    "delivered": "Delivered",
    "told": "In a Gap",
    "counted": "Dropped, counted",
    "bad": "Bad",
    "filtered": "Filtered",
    "silent": "Unaccounted for",
    "wrong": "Twice or late",
    "gaps": "Gaps",
    "reconnects": "Reconnects",
}


def write_soak(result: Dict[str, Any], folder: Path) -> None:
    """Write ``soak.json``, and ``soak.inc`` for the page to include."""
    streams = result["streams"]
    rows: List[Tuple[str, ...]] = [("", *STREAMS)]
    for column, title in _COLUMNS.items():
        rows.append((title, *(f"{streams[kind][column]:,}" for kind in STREAMS)))
    back: List[Tuple[str, ...]] = [("Fault", "Times", "Back after, median", "longest", "Not back")]
    for kind, row in result["back"].items():
        seconds = (f"{row[name]} s" for name in ("median", "longest"))
        back.append((kind, str(row["times"]), *seconds, str(row["never"])))
    phases = {
        "before": "before the start",
        "warm": "after a fifth of the time",
        "end": "at the end",
        "closed": "after close()",
    }
    process: List[Tuple[str, ...]] = [("", "Memory", "Threads", "Descriptors")]
    for phase, title in phases.items():
        row = result["process"][phase]
        figures = (f"{row['memory']} MB", str(row["threads"]), str(row["descriptors"]))
        process.append((title, *figures))
    verdict = "; ".join(result["faults"]) or "Every number is accounted for"
    rates = ", ".join(f"{rate:.0f} {kind}" for kind, rate in RATES.items())
    lines = [
        f"{result['minutes']:g} minutes, {result['injected']} faults, seed {result['seed']} "
        f"({_versions()}); frames a second: {rates}. {verdict}.",
        *("", *grid(rows), ""),
        "How long after the end of a fault data came again on every stream:",
        *("", *grid(back), ""),
        "The process:",
        *("", *grid(process)),
    ]
    _write(lines, result, folder, "soak")


def _cell(row: Dict[str, Any]) -> str:
    """Say what became of one client in one scenario."""
    if row["back"] is not None:
        said = [f"{row['back']:.1f} s"]
    else:
        said = ["**ended**" if row["ended"] else f"**not in {PEERS_PATIENCE:.0f} s**"]
    if row["silent"]:
        said.append(f"**{row['silent']} lost silently**")
    for what, title in (("told", "told"), ("counted", "counted"), ("wrong", "twice")):
        if row[what]:
            said.append(f"{row[what]} {title}")
    if row["foreign taken"]:
        said.append(f"**{row['foreign taken']} taken that are another's**")
    return ", ".join(said)


def _summary(soak: Dict[str, Any]) -> List[str]:
    """Return what one client's random faults came to."""
    rows = list(soak["streams"].values())

    def total(what: str) -> int:
        return sum(row.get(what, 0) for row in rows)

    never = sum(row["never"] for row in soak["back"].values())
    return [
        f"{100 * total('delivered') / total('sent'):.0f} %",
        f"{total('told'):,}",
        f"{total('counted'):,}",
        f"{total('silent'):,}",
        f"{total('foreign taken'):,}",
        f"{total('wrong'):,}",
        f"{never} of {soak['injected']}",
        str(soak["endings"]),
        f"{max(row['longest silence'] for row in rows):.0f} s",
    ]


def _table(rows: List[List[str]]) -> List[str]:
    """Return a table whose cells may break."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 24 19 19 19 19", ""]
    for row in rows:
        for index, cell in enumerate(row):
            lines.append(f"   {'  ' if index else '* '}- {cell}".rstrip())
    return lines


def write_peers(results: Dict[str, Any], folder: Path) -> None:
    """Write ``peers.json``, and ``peers.inc`` for the page to include."""
    titles = ["", *NAMES.values()]
    table = [["One fault each", *NAMES.values()]]
    for title in results["plexus-sync"]["scenarios"]:
        table.append([title, *(_cell(results[name]["scenarios"][title]) for name in NAMES)])
    soaks = {name: results[name]["soak"] for name in NAMES}
    ours = soaks["plexus-sync"]
    labels = (
        "delivered",
        "lost, and told",
        "dropped, and counted",
        "lost silently",
        "taken, and another device's",
        "delivered twice or late",
        f"not back in time ({PEERS_PATIENCE:.0f} s, ours 10 s)",
        "ended by themselves, and started again",
        "longest silence",
    )
    columns = [_summary(soak) for soak in soaks.values()]
    together = [titles, *([label, *row] for label, row in zip(labels, zip(*columns)))]
    peers = _versions("websocket-client", "websockets")
    lines = [
        f"One fault each, to three streams at once ({peers}). First, how long after the end of "
        "the fault data came again on all three; then how many frames were lost.",
        *("", *_table(table), ""),
        f"{ours['minutes']:g} minutes of random faults with the seed {ours['seed']}:",
        *("", *_table([list(row) for row in together])),
    ]
    _write(lines, results, folder, "peers")
