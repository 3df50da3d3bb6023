"""The command: ``python -m benchmarks.run [--quick] [--out FOLDER] [--only PREFIX]``.

Writes FOLDER/benchmarks.rst, FOLDER/benchmarks/results.json and a plot for each case beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Dict

from . import measure
from .cases import FULL, PROFILED, QUICK
from .machine import describe
from .plots import draw_all
from .processes import ROOT, certificates
from .report import write
from .summary import summary

BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"[{time.monotonic() - BEGAN:5.0f} s] {text}", flush=True)


def _measure(quick: bool, only: str) -> Dict[str, Any]:
    plan = QUICK if quick else FULL
    results: Dict[str, Any] = {"quick": quick, "rounds": plan.rounds, "machine": describe()}
    for what, value in results["machine"].items():
        _say(f"{what}: {value}")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        cert = stack.enter_context(certificates(Path(folder)))
        results["throughput"] = {}
        for case in plan.cases:
            if case.name.startswith(only):
                _say(case.title)
                got = measure.throughput(case, plan, cert, _say)
                results["throughput"][case.name] = got
    results["latency"] = {}
    for rate, seconds in plan.latency_rates:
        if "latency".startswith(only):
            _say(f"latency at {rate} frames/s")
            results["latency"][str(rate)] = measure.latency(rate, seconds, plan, _say)
    if "sockets".startswith(only):
        _say("many sockets")
        results["sockets"] = measure.many_sockets(plan, _say)
    if "steps".startswith(only):
        _say("where the time goes")
        results["steps"] = measure.steps(PROFILED)
    if "imports".startswith(only):
        _say("imports")
        results["imports"] = measure.imports(plan)
    results["seconds"] = round(time.monotonic() - BEGAN)
    return results


def main() -> None:
    """Measure, write, and print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer cases, one round: under 2 min")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--only", default="", help="the beginning of a case's name, for one look")
    parser.add_argument("--report", action="store_true", help="write anew from results.json")
    options = parser.parse_args()
    folder = options.out / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    if options.report:
        results = json.loads(file.read_text(encoding="utf-8"))
    else:
        results = _measure(options.quick, options.only)
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw_all(results, folder)
    write(results, options.out / "benchmarks.rst")
    print("\n".join(summary(results)))
    _say(f"written: {options.out / 'benchmarks.rst'}, {folder}")


if __name__ == "__main__":
    main()
