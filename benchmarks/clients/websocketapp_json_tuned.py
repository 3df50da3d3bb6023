"""WebSocketApp with json, and without the check of UTF-8, which it makes in Python."""

from __future__ import annotations

from ..touch import Handler
from . import Connect, websocketapp_json

STYLE = websocketapp_json.STYLE


def run(connect: Connect, handle: Handler) -> None:
    """Hand frames over until the server closes."""
    websocketapp_json.run(connect, handle, skip_utf8_validation=True)
