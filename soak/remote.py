"""The server's process, from the other side."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Type

import attrs

from .faults import Fault

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds for the process to end


class Server:
    """Runs from the beginning of a ``with`` block to its end."""

    def __init__(self, seed: int) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "soak.server", str(seed)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Server:
        self.url = f"ws://127.0.0.1:{self._hear()}"
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._process.kill()
        self._process.communicate(timeout=PATIENCE)

    def inject(self, faults: List[Fault]) -> Dict[str, int]:
        """Have faults done; return, when they are over, the number that comes next, by stream."""
        numbers: Dict[str, int] = self._ask([attrs.asdict(fault) for fault in faults])
        return numbers

    def finish(self) -> Dict[str, Any]:
        """Have it send no more; return its ledger."""
        ledger: Dict[str, Any] = self._ask("finish")
        return ledger

    def _ask(self, what: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server of the soak has ended; its last words are above")
        return json.loads(line)
