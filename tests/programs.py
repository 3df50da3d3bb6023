"""Programs in processes of their own, as their users run them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from helpers import PATIENCE

ROOT = Path(__file__).resolve().parents[1]


class Program:
    """A program that runs, and what it prints on either stream."""

    def __init__(self, command, cwd, env):
        self.lines = []
        self._seen = 0
        self._over = False
        self._changed = threading.Condition()
        # A session of its own: Ctrl-C goes to all processes of a terminal's group, and so here.
        self.process = subprocess.Popen(
            command,
            cwd=str(cwd),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            universal_newlines=True,
        )
        # A daemon: what cannot be ended must not keep the tests from their end.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self):
        """All that it has printed."""
        return "".join(self.lines)

    def wait_for(self, pattern, patience=PATIENCE):
        """Wait for a line that the pattern is found in, after the last such line."""
        deadline = time.monotonic() + patience
        with self._changed:
            while True:
                while self._seen < len(self.lines):
                    self._seen += 1
                    found = re.search(pattern, self.lines[self._seen - 1])
                    if found:
                        return found
                left = deadline - time.monotonic()
                if self._over or left <= 0:
                    raise AssertionError(f"no line with {pattern!r} in:\n{self.output}")
                self._changed.wait(left)

    def interrupt(self):
        """Press Ctrl-C; return the exit code when all of its processes have ended."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.wait()

    def wait(self):
        """Wait until all of its processes have ended; return the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), f"a child of it is left:\n{self.output}"
        return code

    def kill(self):
        """End what is left of it: kindly first, for it may have children in groups of their own."""
        for number in (signal.SIGINT, signal.SIGKILL):
            if self._reader.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                self._reader.join(PATIENCE / 3)
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()
