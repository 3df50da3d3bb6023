"""Output for people, by rich."""

from __future__ import annotations

import errno
import io

import pytest
from PIL import Image
from rich.console import Console
from rich.text import Text

from plexus_sync.cli.describe import Item
from plexus_sync.cli.exits import Problem
from plexus_sync.cli.messages import Messages
from plexus_sync.cli.output import Board
from plexus_sync.cli.pretty import THEME, RichOutput, thumbnail

ITEM = Item((("12:00", "dim"), ("", "text"), ("[red]x[/red] " + "y" * 50, "metric")))


def jpeg(colour=(250, 10, 10)):
    """Return a picture of one colour."""
    data = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(data, "JPEG")
    return data.getvalue()


BOARD = Board("robot-01", {"front": jpeg()}, ((("open", "good"),), ()), 0.5)


@pytest.fixture
def screen():
    """Make an output whose console writes to a file; return it and a function that reads it."""

    def screen(**options):
        options = {
            "width": 40,
            "height": 30,
            "force_terminal": True,
            "color_system": "truecolor",
            **options,
        }
        file = io.StringIO()
        console = Console(
            file=file, theme=THEME, highlight=False, legacy_windows=False, _environ={}, **options
        )
        output = RichOutput(Messages(), console)
        return output, lambda: Text.from_ansi(file.getvalue()).plain, file

    return screen


def test_a_line_has_colours_and_no_markup(screen):
    """What a device sends is never taken for markup; a long line is not cut."""
    output, read, file = screen()
    output.show(ITEM)
    assert read().rstrip("\n") == "12:00  [red]x[/red] " + "y" * 50
    assert "\x1b[36m" in file.getvalue()


def test_a_table(screen):
    """Numbers to the right, text to the left, nothing where there is none."""
    output, read, _ = screen()
    output.table("summary", [{"name": "a", "n": 1}, {"name": "bcd", "n": None}])
    lines = [line.rstrip() for line in read().splitlines() if line.strip()]
    assert lines[0].split() == ["name", "n"]
    assert lines[2:] == ["  a      1", "  bcd"]


def test_a_board_stays_below_the_lines(screen):
    """It holds pictures and lines; what is shown above it is cut to fit."""
    output, read, file = screen()
    with output:
        output.board(BOARD)
        assert "▀" in read()
        output.show(ITEM)
        output.board(BOARD)
    output.close()
    assert "robot-01" in read()
    assert "12:00  [red]x[/red] " + "y" * 19 + "…" in read()
    assert file.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in file.getvalue()


@pytest.mark.parametrize("options", [{"height": 20}, {"force_terminal": False}])
def test_no_board_where_there_is_no_room(screen, options):
    """Nor where nobody looks."""
    output, read, _ = screen(**options)
    output.board(BOARD)
    output.close()
    assert read() == ""


@pytest.mark.parametrize("options", [{"no_color": True}, {"color_system": None}])
def test_no_pictures_without_colours(screen, options):
    """Half blocks without colours would show nothing."""
    output, read, _ = screen(**options)
    with output:
        output.board(BOARD)
        assert "open" in read()
        assert "▀" not in read()


def test_a_thumbnail_has_the_colours_of_the_picture():
    """Each cell shows two pixels."""
    text = thumbnail(jpeg(), 3, 2)
    assert text.plain == "▀▀▀\n▀▀▀"
    red, green, blue = text.spans[0].style.color.triplet
    assert red > 200
    assert max(green, blue) < 60


def test_a_full_disk_is_told_in_a_sentence(screen, monkeypatch):
    """Whatever is written."""
    output, _, file = screen()
    monkeypatch.setattr(file, "flush", fail)
    for write in (lambda: output.show(ITEM), lambda: output.table("t", [{"a": 1}])):
        with pytest.raises(Problem, match="No space left"):
            write()


def fail():
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")
