"""The processes of a benchmark: senders and clients, each started, asked and ended by its pid."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Iterator, List, Optional, Sequence, Type

from .cases import Case

__all__ = ["Broken", "Client", "Sender", "certificates", "clients"]

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds for any one answer


class Broken(Exception):
    """A process did not answer as it should; the message says which one."""


class _Process:
    """A Python process whose lines are awaited for a limited time."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.name = " ".join((module, *arguments))
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            (sys.executable, "-m", f"benchmarks.{module}", *arguments),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Neither the user's key nor his proxies take part.
            env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        )
        self._errors: List[str] = []
        for read in (self._read_lines, self._read_errors):
            threading.Thread(target=read, daemon=True).start()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors = [*self._errors[-9:], line]

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._broken("has ended") from None

    def hear(self) -> str:
        """Return its next line."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise self._broken("does not answer") from None
        if not line:
            self._process.wait(PATIENCE)
            raise self._broken("has ended")
        return line

    def end(self) -> None:
        """End it and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def _broken(self, what: str) -> Broken:
        return Broken(f"{self.name} {what}: {''.join(self._errors[-3:]).strip()}")


class Sender(_Process):
    """A sender that serves until it is left as a context manager."""

    def __init__(self, mode: str, case: Case, rate: float = 0, cert: Optional[str] = None) -> None:
        more = ("--cert", cert) if cert is not None else ()
        super().__init__("sender", mode, case.name, str(rate), *more)
        self._scheme = "wss" if case.tls else "ws"
        self.port = int(self.hear())

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def hang_up(self) -> None:
        """Make it close the connections that are open, without waiting for that."""
        self.say("stop")

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.end()


class Client(_Process):
    """One client, idle until it is asked to measure."""

    def __init__(self, name: str) -> None:
        super().__init__("client", name)
        self.client = name

    def ready(self) -> Client:
        """Wait until it has imported what it needs."""
        self.hear()
        return self

    def measure(self, sender: Sender, case: Case, once: bool = False, **job: Any) -> Dict[str, Any]:
        """Have it receive from the sender for a while; return what it measured.

        With ``once`` it is not asked again, and nobody waits until it has closed its sockets.
        """
        job.setdefault("sources", ["robot-01"])
        job.setdefault("what", case.kind)
        job.setdefault("ca", None)
        job.update(url=sender.url, kind=case.kind, deflate=case.deflate)
        self.say(json.dumps(job))
        answer: Dict[str, Any] = json.loads(self.hear())
        if "idle" in answer:
            raise self._broken("lost its connection")
        if not once:
            sender.hang_up()
            self.hear()  # idle again
        if "error" in answer:
            raise self._broken(answer["error"])
        if not answer["frames"]:
            raise self._broken("received nothing while it was measured")
        return answer


@contextlib.contextmanager
def clients(names: Sequence[str]) -> Iterator[Dict[str, Client]]:
    """Start clients all at once; end them at the end."""
    started = {name: Client(name) for name in names}
    try:
        for client in started.values():
            client.ready()
        yield started
    finally:
        for client in started.values():
            client.end()


@contextlib.contextmanager
def certificates(folder: Path) -> Iterator[Dict[str, str]]:
    """Make an authority and a certificate for loopback; yield the names of their files."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    yield {"ca": str(folder / "ca.pem"), "cert": str(folder / "server.pem")}
