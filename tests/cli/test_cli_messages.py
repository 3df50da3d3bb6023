"""Notes and the status line on stderr."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from plexus_sync.cli.messages import Messages, is_terminal, write

LOGGER = logging.getLogger("plexus_sync")


def test_a_note_is_a_line(capsys):
    """It says which program speaks; an empty one is none."""
    Messages().note("it is so")
    Messages().note("")
    assert capsys.readouterr().err == "plexus-sync: it is so\n"


def test_without_a_terminal_there_is_no_status_line(capsys):
    """A log file is no place for a line that is written over."""
    messages = Messages()
    messages.status("going on")
    messages.clear()
    assert capsys.readouterr().err == ""


def test_the_status_line_is_written_over(terminal):
    """Each covers the one before, is cut to the screen, and makes way for a note."""
    screens = terminal()
    messages = Messages()
    messages.status("long status")
    messages.status("short")
    messages.note("hello")
    assert screens.err.getvalue() == ("\rlong status\rshort      \r     \rplexus-sync: hello\n")
    messages.status("x" * 200)
    assert screens.err.getvalue().endswith("\r" + "x" * 99)


def test_the_status_line_makes_way_for_output_on_the_same_screen(terminal, monkeypatch):
    """It stays where output goes elsewhere."""
    screens = terminal()
    messages = Messages()
    messages.status("status")
    messages.before_output()
    assert screens.err.getvalue() == "\rstatus\r      \r"
    messages.status("status")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    messages.before_output()
    assert screens.err.getvalue().endswith("\rstatus")


def test_a_closed_stderr_is_no_trouble(monkeypatch):
    """There is nobody to tell."""
    monkeypatch.setattr(sys, "stderr", None)
    Messages().note("hello")
    Messages().status("hello")
    assert not is_terminal(None)
    assert not is_terminal(object())


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", b"\\xb0 \\u2192"), ("latin-1", b"\xb0 \\u2192")]
)
def test_what_an_encoding_lacks_is_spelled_out(encoding, shown):
    """No locale makes the command fail."""
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding=encoding)
    write(stream, "° →")
    assert data.getvalue() == shown
    stream.detach()


def test_the_log_is_told(capsys):
    """From the level on; an error only where it is a bug, since main() tells the others."""
    level = LOGGER.level
    with Messages().telling_the_log(logging.INFO):
        LOGGER.info("base_url is fine")
        LOGGER.debug("too much")
        LOGGER.error("final")
        try:
            raise RuntimeError("bug")
        except RuntimeError:
            LOGGER.exception("broken")
    LOGGER.info("later")
    err = capsys.readouterr().err
    assert err.startswith("plexus-sync: --url is fine\nplexus-sync: broken\nTraceback")
    assert "RuntimeError: bug" in err
    assert "final" not in err
    assert (LOGGER.level, LOGGER.handlers) == (level, [])


def test_a_stderr_that_nobody_reads_is_no_trouble(monkeypatch):
    """As with ``2>&1 | head -1``."""

    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    Messages().note("hello")
