"""How examples are run: as their readers run them, in processes of their own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds before a test that hangs fails instead; a loaded machine is slow


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


@pytest.fixture
def launch(tmp_path):
    """Start programs, in the test's own folder; end what is left of them afterwards."""
    programs = []

    def launch(*command, env):
        programs.append(Program(command, tmp_path, env))
        return programs[-1]

    # A process started where Ctrl-C is ignored, as in a shell's background, would ignore it too.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield launch
    signal.signal(signal.SIGINT, handler)
    for program in programs:
        program.kill()


@pytest.fixture
def environment():
    """Make the environment of an example that is to find a simulator."""

    def environment(simulator, *paths):
        return {
            **os.environ,
            "PLEXUS_API_KEY": simulator.api_key,
            "PLEXUS_DATA_API_URL": simulator.url,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *paths]),
            "PYTHONASYNCIODEBUG": "1",  # tells of a loop that another thread has touched
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    return environment


@pytest.fixture
def start(launch, environment):
    """Start an example by its name; none may ever show a traceback."""
    programs = []

    def start(name, simulator, *arguments, folder=ROOT / "examples"):
        path = str(folder / f"{name}.py")
        program = launch(sys.executable, path, *arguments, env=environment(simulator))
        programs.append(program)
        return program

    yield start
    for program in programs:
        assert "Traceback" not in program.output, program.output
