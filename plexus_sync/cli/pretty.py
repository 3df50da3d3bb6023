"""Output for people where rich is installed: colours, a table, and a board that is drawn anew.

The one module that imports rich. Texts are always ``Text``, never markup: what a device sends
must not be taken for it.
"""

from __future__ import annotations

import io
from typing import Any, List, Mapping, Optional, Sequence

from rich import box
from rich.color import Color
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from .describe import Item, Line
from .messages import Messages
from .output import Board, Output, writing

__all__ = ["RichOutput"]

# The sixteen colours of the terminal, so that it looks right on light and dark alike.
THEME = Theme(
    {
        "source": "bold",
        "metric": "cyan",
        "event": "magenta",
        "camera": "blue",
        "number": "green",
        "text": "default",
        "warm": "yellow",
        "gap": "bold yellow",
        "good": "bold green",
        "bad": "bold red",
        "bar.complete": "blue",
        "bar.finished": "blue",
    }
)
PICTURE = (24, 9)  # columns and lines; a cell shows two pixels, one above the other
BOARD_LINES = 24  # a terminal with fewer lines has no room for a board and the frames above it


def thumbnail(jpeg: bytes, columns: int, lines: int) -> Text:
    """Return a picture made of coloured half blocks."""
    from PIL import Image  # the demo has it, by the extra "simulator"

    picture = (
        Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB").resize((columns, 2 * lines))
    )
    pixels = picture.tobytes()
    text = Text(no_wrap=True)

    def colour(column: int, row: int) -> Color:
        at = 3 * (row * columns + column)
        return Color.from_rgb(*pixels[at : at + 3])

    for line in range(lines):
        for column in range(columns):
            above, below = colour(column, 2 * line), colour(column, 2 * line + 1)
            text.append("\N{UPPER HALF BLOCK}", Style(color=above, bgcolor=below))
        text.append("\n" if line + 1 < lines else "")
    return text


def styled(line: Line) -> Text:
    """Return a line as rich's text."""
    text = Text()
    for index, (piece, style) in enumerate(line):
        if piece:
            text.append("  " if index else "")
            text.append(piece, style)
    return text


class RichOutput(Output):
    """Colours where the terminal has them."""

    def __init__(self, messages: Messages, console: Optional[Console] = None) -> None:
        super().__init__(messages)
        self._console = console or Console(theme=THEME, highlight=False)
        self._live: Optional[Live] = None

    def show(self, item: Item) -> None:
        """Print the item's line; above the board, where there is one, cut to fit."""
        self.messages.before_output()
        with writing():
            if self._live is None:
                self._console.print(styled(item.line), soft_wrap=True)
            else:
                self._console.print(styled(item.line), no_wrap=True, overflow="ellipsis")

    def table(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print a table with a row for each."""
        table = Table(box=box.SIMPLE_HEAD, header_style="bold")
        for name, example in rows[0].items():
            is_text = isinstance(example, str)
            table.add_column(name, justify="left" if is_text else "right", no_wrap=is_text)
        for row in rows:
            table.add_row(*(Text("" if v is None else str(v)) for v in row.values()))
        self.messages.before_output()
        with writing():
            self._console.print(table)

    def board(self, board: Board) -> None:
        """Draw the board below everything else, in place of the one before."""
        if self._live is None:
            if self._console.height < BOARD_LINES or not self._console.is_terminal:
                return
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        with writing():
            self._live.update(self._drawn(board), refresh=True)

    def close(self) -> None:
        """Take the board away, and give the terminal its cursor back."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _drawn(self, board: Board) -> RenderableType:
        grid = Table.grid(padding=(0, 2), expand=True)
        cells: List[RenderableType] = []
        if self._console.color_system is not None and not self._console.no_color:
            for name, jpeg in board.pictures.items():
                grid.add_column(width=PICTURE[0], no_wrap=True)
                cells.append(Group(Text(name, "camera"), thumbnail(jpeg, *PICTURE)))
        grid.add_column(ratio=1)
        bar = ProgressBar(total=1.0, completed=board.done, width=None)
        lines = [styled(line) for line in board.lines]
        cells.append(Group(*lines, Text(), bar))
        grid.add_row(*cells)
        return Panel(grid, title=Text(board.title, "bold"), box=box.ROUNDED, border_style="blue")
