"""Output for programs, and for people without rich."""

from __future__ import annotations

import errno
import io
import json
import sys

import pytest

from plexus_sync.cli.describe import Item
from plexus_sync.cli.exits import Exit, Problem
from plexus_sync.cli.messages import Messages
from plexus_sync.cli.output import Board, JsonOutput, Output, PlainOutput, open_output

ITEM = Item((("12:00", "dim"), ("", "dim"), ("°C", "text")), ({"a": "°"}, {"b": None}))
ROWS = [{"name": "one", "n": 1}, {"name": "three", "n": None}]
BOARD = Board("title", {}, (), 0.5)


class Full(io.StringIO):
    """A stream that cannot take more."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        """Fail."""
        raise self.error


def test_json(capsys):
    """Each record is a line of ASCII; what is for people only is left out."""
    with JsonOutput(Messages()) as output:
        output.show(ITEM)
        output.show(Item((("closing words", "dim"),)))
        output.board(BOARD)
        output.table("summary", ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '{"a": "\\u00b0"}'
    assert [json.loads(line) for line in lines[1:]] == [
        {"b": None},
        {"type": "summary", "name": "one", "n": 1},
        {"type": "summary", "name": "three", "n": None},
    ]


def test_plain(capsys):
    """Lines without colours, tables with their columns in line."""
    with PlainOutput(Messages()) as output:
        output.show(ITEM)
        output.board(BOARD)
        output.table("summary", ROWS)
    assert capsys.readouterr().out == "12:00  °C\nname   n\none    1\nthree\n"


def test_who_reads_decides(terminal, without, monkeypatch):
    """People at a terminal have rich where it is installed; programs have JSON."""
    from plexus_sync.cli.pretty import RichOutput

    terminal()
    assert isinstance(open_output(Messages(), as_json=False), RichOutput)
    assert isinstance(open_output(Messages(), as_json=True), JsonOutput)
    without("rich")
    assert isinstance(open_output(Messages(), as_json=False), PlainOutput)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(open_output(Messages(), as_json=False), JsonOutput)


def test_a_full_disk_is_told_in_a_sentence(monkeypatch):
    """Not in a traceback."""
    monkeypatch.setattr(sys, "stdout", Full(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(Problem, match="No space left on device") as caught:
        JsonOutput(Messages()).show(ITEM)
    assert caught.value.code == Exit.FAILED


def test_a_closed_pipe_comes_through(monkeypatch):
    """It is no failure: main() ends quietly."""
    monkeypatch.setattr(sys, "stdout", Full(BrokenPipeError()))
    with pytest.raises(BrokenPipeError):
        JsonOutput(Messages()).show(ITEM)


def test_a_closed_stdout_takes_everything(monkeypatch):
    """Python has None for it."""
    monkeypatch.setattr(sys, "stdout", None)
    open_output(Messages(), as_json=False).show(ITEM)


def test_the_base_shows_nothing():
    """Each kind of output must say how."""
    output = Output(Messages())
    with pytest.raises(NotImplementedError):
        output.show(ITEM)
    with pytest.raises(NotImplementedError):
        output.table("summary", ROWS)
