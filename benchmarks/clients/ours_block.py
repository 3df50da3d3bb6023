"""plexus-sync with a buffer that stops reading where the callback is slower than the sender."""

from __future__ import annotations

from plexus_sync import Buffer

from ..touch import Handler
from . import Connect, ours

STYLE = ours.STYLE


def run(connect: Connect, handle: Handler) -> None:
    """Hand frames over until the server closes."""
    ours.run(connect, handle, buffer=Buffer(1000, "block"))
