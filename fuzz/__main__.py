"""Run all harnesses, a million inputs in all; ``python -m fuzz [--scale 0.01] [--write FOLDER]``.

Ends with 1 at the first input that crashes or hangs, and says where it is kept.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict

from .report import write

ROOT = Path(__file__).parent.parent
HARNESSES = ("decode", "framing", "upgrade")
TIMEOUT = 10  # seconds for one input; real ones take milliseconds
MEMORY_MB = 1024
_DONE = re.compile(r"^Done (\d+) in ", re.MULTILINE)
_FIGURES = re.compile(r" cov: (\d+) ft: (\d+) corp: (\d+)/")
_KEPT = re.compile(r"Test unit written to (\S+)")


def _prepare(name: str, build: Path) -> Path:
    """Write the seeds and the words of a harness; what was found before stays."""
    module: Any = importlib.import_module(f"fuzz.{name}")
    corpus = build / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(module.seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    words = ("".join(f"\\x{byte:02x}" for byte in word) for word in module.WORDS)
    (build / f"{name}.dict").write_text("".join(f'"{word}"\n' for word in words))
    return corpus


def fuzz(name: str, runs: int, seed: int, build: Path) -> Dict[str, Any]:
    """Run one harness; return its figures, with a ``finding`` where there is one."""
    corpus = _prepare(name, build)
    module: Any = importlib.import_module(f"fuzz.{name}")
    options = (
        f"-atheris_runs={runs}",
        f"-seed={seed}",
        f"-timeout={TIMEOUT}",
        f"-max_len={module.MAX_LENGTH}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-dict={build / name}.dict",
        f"-artifact_prefix={build / name}-",
        "-verbosity=1",
    )
    began = time.monotonic()
    process = subprocess.run(
        (sys.executable, "-m", "fuzz.harness", name, *options, str(corpus)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    output = process.stdout
    row: Dict[str, Any] = {"seconds": round(time.monotonic() - began), "seed": seed, "runs": 0}
    done, figures = _DONE.search(output), _FIGURES.findall(output)
    if done is not None and figures:
        row["runs"] = int(done[1])
        row.update(zip(("coverage", "features", "corpus"), map(int, figures[-1])))
    if process.returncode or row["runs"] < runs:
        kept = _KEPT.search(output)
        row["finding"] = kept[1] if kept else "no input was kept"
        row["output"] = output[-3000:]
    return row


def main() -> int:
    """Do as the module says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the million runs")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--write", type=Path, help="the folder of the reliability page's figures")
    options = parser.parse_args()
    rows = {}
    for name in HARNESSES:
        module: Any = importlib.import_module(f"fuzz.{name}")
        runs = max(1, round(module.RUNS * options.scale))
        row = rows[name] = fuzz(name, runs, options.seed, options.build.resolve())
        if "finding" in row:
            print(row["output"])
            print(f"FAILED: {name}, kept in {row['finding']}")
            return 1
        print(f"{name}: " + ", ".join(f"{what} {value}" for what, value in row.items()))
    print(f"{sum(row['runs'] for row in rows.values())} runs without a crash or a hang")
    if options.write:
        write(rows, options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
