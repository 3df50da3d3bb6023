"""Text of strangers, made fit to be shown."""

from __future__ import annotations

import pytest

from plexus_sync.plain import clean, short


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 🤖", "plain é 🤖"),
        ("", ""),
        ("\x1b[2J\r\n\t\x9b", "\\x1b[2J\\r\\n\\t\\x9b"),
        ("\u202e\u2028\ufeff", "\\u202e\\u2028\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\0\x7f", "\\x00\\x7f"),
    ],
)
def test_clean(text, shown):
    """What steers a terminal, ends a line or turns the reading direction is spelled out."""
    assert clean(text) == shown


def test_short():
    """What is too long is cut, and says so; what is spelled out may be longer."""
    assert short("a" * 500) == "a" * 500
    assert short("a" * 501) == "a" * 500 + "..."
    assert short("a\nb", 2) == "a\\n..."
