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
        (["tail", "metrics", "robot-01", "--sec", "5"], "--sec"),
        (["snapshot", "robot-01"], "PATH"),
    ],
)
def test_usage(run, arguments, word):
    """One sentence, and where to read more."""
    run(*arguments).said(2, word, "--help")


@pytest.mark.parametrize("command", [["tail", "metrics"], ["snapshot"], ["doctor"]])
@pytest.mark.parametrize("option", [["--key", "plx_SECRET"], ["--api-key=plx_SECRET"], ["--key"]])
def test_a_key_on_the_command_line(run, command, option):
    """It is refused with what to do instead, and not shown once more."""
    result = run(*command, "robot-01", *option)
    result.said(2, "there is no --key, because", "--key-file PATH or PLEXUS_API_KEY")
    assert "SECRET" not in result.err
    assert "--api-key" not in run(command[0], "--help").out


@pytest.mark.parametrize(
    "arguments",
    [["tail", "metrics", "r1", "--kee=plx_SECRET"], ["plx_SECRET"], ["demo", "plx_SECRET"]],
)
def test_no_error_shows_a_key(run, arguments):
    """Whatever it was given as."""
    result = run(*arguments)
    result.said(2, "[api key]")
    assert "SECRET" not in result.err


def test_an_unknown_option_is_that_of_its_command(run):
    """The help to look at is the command's own."""
    run("tail", "metrics", "r1", "--nonsense").said(2, "--nonsense (see plexus-sync tail --help)")
    run("--nonsense", "demo").said(2, "--nonsense (see plexus-sync --help)")
