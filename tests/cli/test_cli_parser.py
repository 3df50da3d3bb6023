"""The command line as a whole."""

from __future__ import annotations

import pytest

COMMANDS = ("demo", "tail", "snapshot", "simulate", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples(run, command):
    """Examples are what people look for."""
    result = run(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert "examples:\n  plexus-sync " + command in result.out


def test_the_help_of_all(run):
    """It names every command, the exit codes, and completion."""
    out = run("--help").out
    for word in (*COMMANDS, "130 interrupted", "--print-completion bash"):
        assert word in out


def test_version(run):
    """It is the library's."""
    from plexus_sync import __version__

    assert run("--version").out == f"plexus-sync {__version__}\n"


@pytest.mark.parametrize("command", ["tail", "snapshot", "doctor"])
def test_there_is_no_option_for_the_key(run, command):
    """It would stand in the list of processes; the help says so."""
    assert "There is no --key" in run(command, "--help").out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "COMMAND"),
        (["dance"], "dance"),
        (["tail", "smells", "robot-01"], "smells"),
        (["tail", "metrics"], "SOURCE"),
        (["tail", "metrics", "robot-01", "--key", "plx_x"], "--key"),
        (["tail", "metrics", "robot-01", "--sec", "5"], "--sec"),
        (["snapshot", "robot-01"], "PATH"),
    ],
)
def test_usage(run, arguments, word):
    """One sentence, and where to read more."""
    run(*arguments).said(2, word, "--help")
