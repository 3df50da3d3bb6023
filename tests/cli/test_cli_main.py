"""The command's ends: by itself, by a mistake, by Ctrl-C, by a closed pipe."""

from __future__ import annotations

import builtins
import io
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import plexus_sync
from plexus_sync.cli import main, tail

MODULE = str(Path(plexus_sync.__file__).with_name("__main__.py"))


def test_the_module_is_the_command(monkeypatch, capsys):
    """``python -m plexus_sync`` exits with the command's code."""
    monkeypatch.setattr(sys, "argv", ["plexus-sync", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(MODULE, run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("plexus-sync ")


def test_the_module_can_be_imported():
    """By tools that import everything, and without running."""
    assert runpy.run_path(MODULE)["main"] is main


def test_ctrl_c_in_this_process(monkeypatch, capsys):
    """It is an exit code, and not a word."""

    def interrupted(args, messages):
        raise KeyboardInterrupt

    monkeypatch.setattr(tail, "run", interrupted)
    assert main(["tail", "metrics", "robot-01"]) == 130
    assert capsys.readouterr() == ("", "")


class ClosedPipe(io.StringIO):
    """A pipe nobody reads, with a descriptor."""

    def __init__(self, descriptor):
        super().__init__()
        self.descriptor = descriptor

    def fileno(self):
        """Return the descriptor."""
        return self.descriptor

    def flush(self):
        """Fail."""
        raise BrokenPipeError


def test_a_closed_pipe_in_this_process(monkeypatch, capsys):
    """The rest of the output goes nowhere, since the interpreter flushes once more at its end."""
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", ClosedPipe(writing))
    assert main(["--version"]) == 0
    assert os.write(writing, b"rest") == 4
    os.close(writing)
    assert capsys.readouterr().err == ""


def test_a_closed_stdout(monkeypatch):
    """Python has None for it."""
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--nonsense"]) == 2
    assert main(["--version"]) == 0


def test_a_bug_is_not_hidden(monkeypatch):
    """What is not the user's to fix has its traceback."""

    def broken(args, messages):
        raise ZeroDivisionError

    monkeypatch.setattr(tail, "run", broken)
    with pytest.raises(ZeroDivisionError):
        main(["tail", "metrics", "robot-01"])


def test_verbose_says_what_the_library_logs(run, busy):
    """On stderr, beside the output."""
    result = run("tail", "metrics", "robot-01", "--count", 1, "-v")
    assert "robot-01/metrics: open" in result.err


def test_ctrl_c(busy, spawn, ended):
    """A process ends with 130, without a traceback."""
    process = spawn("tail", "metrics", "robot-01")
    assert process.stdout.readline()
    assert ended(process, signal.SIGINT) == (130, "")


def test_a_closed_pipe(busy, spawn, ended):
    """As with ``| head -1``: quietly."""
    process = spawn("tail", "metrics", "robot-01")
    assert process.stdout.readline()
    process.stdout.close()
    assert ended(process) == (0, "")


def test_a_full_disk(spawn, ended):
    """One sentence, and no more from the interpreter's end."""
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:
        process = spawn("--version", stdout=full)
        code, err = ended(process)
    assert code == 1
    assert err.count("\n") == 1
    assert "No space left" in err


@pytest.mark.parametrize("program", [["-m", "plexus_sync"], None])
def test_ctrl_c_while_it_is_imported(tmp_path, program):
    """It is an exit code, and not the traceback of an import."""
    name = "parser" if program is None else "__init__"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'plexus_sync.cli' + {'.parser' if name == 'parser' else ''!r}:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
    )
    program = program or ["-c", "import sys; from plexus_sync.cli import main; sys.exit(main())"]
    done = subprocess.run(
        [sys.executable, *program, "--version"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(MODULE).parent.parent}"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_before_anything_runs(monkeypatch):
    """The same in this process."""

    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr("plexus_sync.cli.command.main", interrupted)
    assert main([]) == 130


def test_ctrl_c_while_the_module_is_imported(monkeypatch):
    """The same for ``python -m plexus_sync``."""
    original = builtins.__import__

    def interrupted(name, *args, **kwargs):
        if name == "plexus_sync.cli":
            raise KeyboardInterrupt
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(MODULE)
    assert caught.value.code == 130
