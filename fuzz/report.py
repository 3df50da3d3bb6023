"""The figures of a run, for the page on reliability."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

from conformance.report import grid

TITLES = {
    "decode": "``decode`` and ``StreamDecoder``",
    "framing": "``FrameReader``, any split, with deflate",
    "upgrade": "the answer to an upgrade",
}


def write(rows: Dict[str, Any], folder: Path) -> None:
    """Write ``fuzz.json``, and ``fuzz.inc`` for the page to include."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = sum(row["runs"] for row in rows.values())
    cells: List[Tuple[str, ...]] = [("Harness", "Inputs", "Seconds", "Features reached", "Corpus")]
    for name, row in rows.items():
        figures = (row["runs"], row["seconds"], row["features"], row["corpus"])
        cells.append((TITLES[name], *(f"{figure:,}" for figure in figures)))
    lines = [
        ".. Written by make fuzz.",
        "",
        f"{runs:,} inputs on {time.strftime('%Y-%m-%d', time.gmtime())}, Python "
        f"{platform.python_version()}, without a crash or a hang:",
        "",
        *grid(cells),
    ]
    (folder / "fuzz.inc").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "fuzz.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
