"""What the command's tests share: running it in this process, with and without a terminal."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from helpers import PATIENCE, InThread

import plexus_sync
from plexus_sync.cli import main

ROOT = Path(plexus_sync.__file__).parent.parent


@attrs.frozen
class Result:
    """What a run of the command gave."""

    code: int
    out: str
    err: str

    @property
    def records(self):
        """The lines of stdout, each of which must be JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def said(self, code, *words):
        """Assert the exit code, and that stderr holds one sentence with these words in it."""
        assert self.code == code, self
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        assert lines[0].startswith("plexus-sync: ")
        for word in words:
            assert word in lines[0]


@pytest.fixture
def run(capsys):
    """Run the command in this process."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


class Screen(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        """Say that it is one."""
        return True


@attrs.frozen
class Terminal:
    """Two streams on one screen, or on screens of their own."""

    out: Screen
    err: Screen


@pytest.fixture
def terminal(monkeypatch):
    """Make stdout and stderr terminals of 100 x 40 with colours, when it is called."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")

    def terminal():
        # Not before the test is running: pytest sets both streams at its start.
        made = Terminal(Screen(), Screen())
        monkeypatch.setattr(sys, "stdout", made.out)
        monkeypatch.setattr(sys, "stderr", made.err)
        return made

    return terminal


@pytest.fixture
def without(monkeypatch):
    """Make modules look as if they were not installed."""
    import importlib.util

    original = importlib.util.find_spec

    def without(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, package=None: None if name in names else original(name, package),
        )

    return without


@pytest.fixture
def at(monkeypatch):
    """Have the command find a server, and the key that it lets in."""

    def at(simulator):
        monkeypatch.setenv("PLEXUS_DATA_API_URL", simulator.url)
        monkeypatch.setenv("PLEXUS_API_KEY", simulator.api_key)
        return simulator

    return at


@pytest.fixture
def quiet(simulator, at):
    """Run a simulator that sends only what is published, found by the command."""
    return at(simulator)


@pytest.fixture
def busy(at):
    """Run a simulator whose device sends, found by the command."""
    from plexus_sync.simulator import Simulator

    with Simulator(rate=50.0, video_rate=20.0) as simulator:
        yield at(simulator)


@pytest.fixture
def beside():
    """Do something on another thread while the command runs."""
    calls = []
    yield lambda function, *arguments: calls.append(InThread(function, *arguments))
    for call in calls:
        call.result()


@pytest.fixture
def spawn():
    """Run the command as a process of its own, whose end the test waits for."""
    processes = []

    def spawn(*arguments, stdout=subprocess.PIPE):
        # Whoever runs the tests in the background may have it ignore SIGINT.
        program = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from plexus_sync.cli import main; sys.exit(main())"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            universal_newlines=True,
        )
        processes.append(process)
        return process

    yield spawn
    for process in processes:
        process.kill()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()
        process.stderr.close()


@pytest.fixture
def ended():
    """Wait until a process has ended; return its exit code and what it said on stderr."""

    def ended(process, number=None):
        if number is not None:
            process.send_signal(number)
        return process.wait(PATIENCE), process.stderr.read()

    return ended


@pytest.fixture
def interrupts():
    """Let Ctrl-C reach the test's process as usual, however it was started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
