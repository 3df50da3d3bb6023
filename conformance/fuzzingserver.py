"""The suite's server in a process of its own, and what it has found."""

from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import tempfile
import time
from typing import Any, Dict, List, Set

import attrs

from .clients import CLIENTS, echo_plexus_sync

START = 60.0  # seconds for Python 2.7 to come up
POLL = 0.05

RUNNING: Set[subprocess.Popen[bytes]] = set()  # for whoever is told to stop


@attrs.frozen
class Share:
    """Some cases of the suite, for one client; the patterns are the suite's own."""

    client: str
    cases: List[str]
    without: List[str] = attrs.field(factory=list)


def run(wstest: str, share: Share) -> Dict[str, str]:
    """Run the cases of a share; return the behaviour that the suite saw in each."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        held.close()
        specification = {
            "url": f"ws://127.0.0.1:{port}",
            "outdir": folder,
            "cases": share.cases,
            "exclude-cases": share.without,
        }
        path = pathlib.Path(folder)
        (path / "spec.json").write_text(json.dumps(specification), encoding="utf-8")
        with open(path / "log", "wb") as log:
            server = subprocess.Popen(
                # The embedded web server, on a fixed port, is not wanted.
                [wstest, "-m", "fuzzingserver", "-s", str(path / "spec.json"), "-u", "0"],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        RUNNING.add(server)
        try:
            _wait_for(server, port, path / "log")
            return _drive(f"ws://127.0.0.1:{port}", share.client, path)
        finally:
            server.terminate()
            server.wait()
            RUNNING.discard(server)


def _wait_for(server: subprocess.Popen[bytes], port: int, log: pathlib.Path) -> None:
    """Wait until it listens."""
    until = time.monotonic() + START
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(POLL)
    raise RuntimeError(f"the suite's server does not start:\n{log.read_text(errors='replace')}")


def _drive(url: str, client: str, folder: pathlib.Path) -> Dict[str, str]:
    count = int(echo_plexus_sync(f"{url}/getCaseCount")[-1])
    for number in range(1, count + 1):
        CLIENTS[client](f"{url}/runCase?case={number}&agent={client}")
    echo_plexus_sync(f"{url}/updateReports?agent={client}")
    found = json.loads((folder / "index.json").read_text(encoding="utf-8"))[client]
    if len(found) != count:
        raise RuntimeError(f"{count} cases for {client}, but the suite reports {len(found)}")
    return {case: _behaviour(result) for case, result in found.items()}


def _behaviour(result: Dict[str, Any]) -> str:
    """Return what it did in a case; its way of closing counts where the rest was good."""
    if result["behavior"] in ("OK", "NON-STRICT") and result["behaviorClose"] != "OK":
        return str(result["behaviorClose"])
    return str(result["behavior"])
