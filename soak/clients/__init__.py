"""Who runs through the soak: our subscription, and three things that people write themselves."""

from __future__ import annotations

import importlib
from typing import Any

from .base import Client

__all__ = ["NAMES", "Client", "client"]

# The name on the command line, and what the tables call it.
NAMES = {
    "plexus-sync": "plexus-sync",
    "websocketapp": "websocket-client, WebSocketApp",
    "websockets": "websockets, sync client",
    "loop": "websocket-client, own loop",
}


def client(name: str) -> Client:
    """Return a new client of this name."""
    module: Any = importlib.import_module(f".{name.replace('-', '_')}", __package__)
    made: Client = module.new()
    return made
