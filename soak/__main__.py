"""The command: ``python -m soak``; exit status 1 on any number that is not accounted for."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Dict

from .clients import NAMES
from .compare import compare
from .report import write_peers, write_soak
from .run import scenarios, soak

BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"[{time.monotonic() - BEGAN:5.0f} s] {text}", flush=True)


def main() -> int:
    """Do as the module says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--client", choices=NAMES, default="plexus-sync")
    parser.add_argument(
        "--scenarios", action="store_true", help="one fault each first, then the random ones"
    )
    parser.add_argument(
        "--compare", action="store_true", help="all clients side by side, with --scenarios"
    )
    parser.add_argument("--json", type=Path, help="a file for the results")
    parser.add_argument("--write", type=Path, help="the folder of the reliability page's figures")
    options = parser.parse_args()
    # The losses are meant, and counted; a bug would be told as an error.
    logging.getLogger("plexus_sync").setLevel(logging.ERROR)
    _say(f"seed {options.seed}")
    if options.compare:
        results = compare(options.minutes, options.seed, _say)
        if options.write:
            write_peers(results, options.write)
        return 0
    results = {}
    if options.scenarios:
        results["scenarios"] = scenarios(options.client, options.seed, _say)
    result = results["soak"] = soak(options.client, options.minutes, options.seed, _say)
    _tell(result)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.write:
        write_soak(result, options.write)
    ours = options.client == "plexus-sync"
    return 1 if ours and result["faults"] else 0


def _tell(result: Dict[str, Any]) -> None:
    for kind, row in result["streams"].items():
        _say(f"{kind}: " + ", ".join(f"{what} {value}" for what, value in row.items()))
    for kind, row in result["back"].items():
        _say(f"back after {kind}: " + ", ".join(f"{what} {value}" for what, value in row.items()))
    for phase, row in result["process"].items():
        _say(f"{phase}: " + ", ".join(f"{what} {value}" for what, value in row.items()))
    for fault in result["faults"]:
        _say(f"FAILED: {fault}")
    if not result["faults"] and result["client"] == "plexus-sync":
        _say("every number is accounted for")


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a peer may have left threads behind that nobody can wake
