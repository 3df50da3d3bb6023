"""What a command puts out, on stdout: JSON lines for programs, lines and tables for people."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from types import TracebackType
from typing import Any, Iterator, Mapping, Optional, Sequence, Type, TypeVar

import attrs

from .describe import Item, Line
from .exits import Problem
from .messages import Messages, is_terminal, write

__all__ = ["Board", "JsonOutput", "Output", "PlainOutput", "open_output", "writing"]


OutputT = TypeVar("OutputT", bound="Output")


@attrs.frozen
class Board:
    """A picture of how things are, drawn anew again and again where a terminal can do it.

    ``pictures`` are JPEGs by name, ``done`` the part of the time that has passed.
    """

    title: str
    pictures: Mapping[str, bytes]
    lines: Sequence[Line]
    done: float


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Say in one sentence why nothing can be written; a closed pipe is left to main()."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Problem(
            f"the output cannot be written ({error.strerror}): make room, or send it elsewhere"
        ) from None


class Output:
    """Where items and tables go. ``for_people`` tells which of an item's forms is shown."""

    for_people = True

    def __init__(self, messages: Messages) -> None:
        self.messages = messages

    def show(self, item: Item) -> None:
        """Show one item."""
        raise NotImplementedError

    def table(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show rows of the same columns."""
        raise NotImplementedError

    def board(self, board: Board) -> None:
        """Draw the board, where this kind of output can."""

    def close(self) -> None:
        """Leave the terminal as it was."""

    def __enter__(self: OutputT) -> OutputT:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def _print(self, text: str) -> None:
        self.messages.before_output()
        with writing():
            write(sys.stdout, text + "\n")


class JsonOutput(Output):
    """One JSON object a line, in ASCII, so that no locale can harm it."""

    for_people = False

    def show(self, item: Item) -> None:
        """Print the item's records."""
        if item.records:
            self._print("\n".join(json.dumps(record) for record in item.records))

    def table(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print the rows; each says in its own ``type`` what it is."""
        for row in rows:
            self._print(json.dumps({"type": title, **row}))


class PlainOutput(Output):
    """Text without colours, for terminals where rich is not installed."""

    def show(self, item: Item) -> None:
        """Print the item's line."""
        self._print("  ".join(text for text, _ in item.line if text).rstrip())

    def table(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print the rows below each other, columns in line."""
        texts = [list(rows[0])] + [["" if v is None else str(v) for v in r.values()] for r in rows]
        widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
        for row in texts:
            self._print("  ".join(f"{t:<{w}}" for t, w in zip(row, widths)).rstrip())


def open_output(messages: Messages, as_json: bool) -> Output:
    """Return what suits whoever reads: a person at a terminal, or a program."""
    if as_json or not is_terminal(sys.stdout):
        return JsonOutput(messages)
    if importlib.util.find_spec("rich") is None:
        return PlainOutput(messages)
    from .pretty import RichOutput  # the extra "cli": imported only where it is used

    return RichOutput(messages)
