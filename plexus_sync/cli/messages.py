"""What a command says beside its output, on stderr: notes, and a status line on a terminal."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import threading
from typing import Iterator, Optional, TextIO

from ..throttle import LOGGER
from .exits import in_words_of_the_command

__all__ = ["Messages", "is_terminal", "write"]


def is_terminal(stream: object) -> bool:
    """Return whether somebody looks at the stream; one that was closed may be None."""
    return bool(getattr(stream, "isatty", bool)())


def write(stream: Optional[TextIO], text: str) -> None:
    """Write and flush; what the stream's encoding lacks is spelled out.

    Python has None for a stream that was closed when it started: then there is nobody to tell.
    """
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens: no reason to end, or to end otherwise
        write(sys.stderr, text)


class Messages:
    """Notes that stay, and one status line that is written over; both are for people only."""

    def __init__(self, prog: str = "plexus-sync") -> None:
        self._prog = prog
        # Notes come from the readers' threads too, by way of the log.
        self._lock = threading.RLock()
        self._shown = 0  # characters of the status line

    def note(self, text: str) -> None:
        """Say one sentence."""
        if text:
            with self._lock:
                self.clear()
                _say(f"{self._prog}: {text}\n")

    def status(self, text: str) -> None:
        """Show what goes on at the moment, where stderr is a terminal."""
        if not is_terminal(sys.stderr):
            return
        # One column is left free: a full line would make the terminal begin another.
        text = text[: shutil.get_terminal_size().columns - 1]
        with self._lock:
            _say(f"\r{text:<{self._shown}}")
            self._shown = len(text)

    def before_output(self) -> None:
        """Take the status line away where output goes to the same screen."""
        if is_terminal(sys.stdout):
            self.clear()

    def clear(self) -> None:
        """Take the status line away."""
        with self._lock:
            if self._shown:
                _say(f"\r{'':<{self._shown}}\r")
                self._shown = 0

    @contextlib.contextmanager
    def telling_the_log(self, level: int) -> Iterator[None]:
        """Say what the library logs, from ``level`` on; what is final only where it is a bug."""
        handler = _Handler(self, level)
        before = LOGGER.level
        LOGGER.addHandler(handler)
        LOGGER.setLevel(level)
        try:
            yield
        finally:
            LOGGER.setLevel(before)
            LOGGER.removeHandler(handler)


class _Handler(logging.Handler):
    """Turns records of the log into notes."""

    def __init__(self, messages: Messages, level: int) -> None:
        super().__init__(level)
        self._messages = messages

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out the errors that main() says, in its own words."""
        return record.levelno < logging.ERROR or record.exc_info is not None

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        self._messages.note(in_words_of_the_command(self.format(record)))
