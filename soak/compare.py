"""All clients through the same scenarios and the same random faults, each with its own server."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict

from .clients import NAMES
from .remote import ROOT


def compare(minutes: float, seed: int, say: Callable[[str], None]) -> Dict[str, Any]:
    """Run all clients at the same time; return their results by name."""
    with tempfile.TemporaryDirectory() as folder:
        processes = {}
        for name in NAMES:
            say(f"{name} begins")
            file = Path(folder) / f"{name}.json"
            arguments = ("--client", name, "--scenarios", "--minutes", str(minutes))
            processes[name] = subprocess.Popen(
                (sys.executable, "-m", "soak", *arguments, "--seed", str(seed), "--json", file),
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # websocket-client logs what on_error is told
            )
        results = {}
        for name, process in processes.items():
            process.wait()
            results[name] = json.loads((Path(folder) / f"{name}.json").read_text("utf-8"))
            say(f"{name} is through")
    return results
