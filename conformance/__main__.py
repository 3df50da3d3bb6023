"""Run the suite, tell and write down what it found; fails where ours is not as it must be."""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List

import websocket
import websockets.version

import plexus_sync

from .fuzzingserver import RUNNING, Share, run
from .report import Results, exceptions, page, table

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "conformance.rst"
OURS = "plexus-sync"
CASES = 517  # all that the suite has
ALLOWED = {"OK": CASES, "INFORMATIONAL": 3, "NON-STRICT": 0}

LONG = ["9.*", "12.*", "13.*"]  # large messages and compression: minutes on Python 2.7
# The long ones first, and each with a server of its own, so that all processors have work.
SHARES = [
    *(Share(OURS, [f"13.{number}.*"]) for number in range(1, 8)),
    *(Share(OURS, [f"12.{number}.*"]) for number in range(1, 6)),
    Share(OURS, ["9.*"]),
    *(Share(client, ["*"], LONG) for client in (OURS, "websocket-client", "websockets")),
]


def main() -> int:
    """Do as the module says; return the exit code."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--wstest", required=True, help="the suite's command")
    wstest = os.path.abspath(parser.parse_args().wstest)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    began = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda share: run(wstest, share), SHARES))
    results: Results = {}
    for client in (OURS, "websocket-client", "websockets"):
        results[client] = {}
    for share, behaviours in zip(SHARES, found):
        results[share.client].update(behaviours)
    versions = {
        OURS: plexus_sync.__version__,
        "websocket-client": websocket.__version__,
        "websockets": websockets.version.version,
    }
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(results, versions, _version(wstest)), encoding="utf-8")
    print("\n".join([*table(results, versions), *exceptions(results)]))
    print(f"{time.monotonic() - began:.0f} s; written to {PAGE}")
    faults = _faults(list(results[OURS].values()))
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


def _stop(number: int, frame: Any) -> None:
    """End at once, whatever the threads are waiting for, and leave no server behind."""
    for server in list(RUNNING):
        server.terminate()
    os._exit(128 + number)


def _version(wstest: str) -> str:
    """Return the name and version of the suite."""
    python = pathlib.Path(wstest).with_name("python")
    program = "import autobahntestsuite; print(autobahntestsuite.version)"
    output = subprocess.run([str(python), "-c", program], check=True, stdout=subprocess.PIPE)
    return f"autobahntestsuite {output.stdout.decode().strip()}"


def _faults(behaviours: List[str]) -> List[str]:
    """Return what is not as it must be."""
    faults = []
    if len(behaviours) != CASES:
        faults.append(f"{len(behaviours)} cases were run, {CASES} should have been")
    for behaviour in sorted(set(behaviours)):
        count, allowed = behaviours.count(behaviour), ALLOWED.get(behaviour, 0)
        if count > allowed:
            faults.append(f"{count} cases {behaviour}, of which {allowed} are allowed")
    return faults


if __name__ == "__main__":
    sys.exit(main())
