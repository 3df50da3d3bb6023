"""Text of strangers, fit to be shown: it steers no terminal and begins no line of a log."""

from __future__ import annotations

__all__ = ["clean", "short"]


def clean(text: str) -> str:
    """Return the text with everything spelled out that is not meant to be seen."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(text: str, limit: int = 500) -> str:
    """Return the text cleaned, and cut where it is longer than anybody reads."""
    # Cut first: a peer may send megabytes. 500: our own reasons have less than 200.
    return clean(text[:limit]) + ("..." if len(text) > limit else "")
