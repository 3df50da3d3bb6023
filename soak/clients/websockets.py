"""``websockets``: its sync client in a ``for`` loop, in a loop that reconnects."""

from __future__ import annotations

import inspect
import time
from typing import Any, Dict

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .base import AUTH, PING_INTERVAL, PING_TIMEOUT, WAIT, Peer

# Older versions know no keepalive for it.
KEEPALIVE: Dict[str, Any] = (
    {"ping_interval": PING_INTERVAL, "ping_timeout": PING_TIMEOUT}
    if "ping_interval" in inspect.signature(connect).parameters
    else {}
)


class Loop(Peer):
    """Told is whatever ends the ``for`` loop or is raised."""

    def __init__(self) -> None:
        super().__init__()
        self._open: Dict[str, Any] = {}

    def _watch(self, kind: str, url: str) -> None:
        while not self._stopping.is_set():
            try:
                with connect(url, **KEEPALIVE) as ws:
                    self._open[kind] = ws
                    ws.send(AUTH)
                    for message in ws:
                        self.show(kind, str(message))
            except (ConnectionClosed, OSError):
                pass
            self.tallies[kind].tell("the loop ended")
            time.sleep(WAIT)

    def _close(self, kind: str) -> None:
        self._open[kind].close()


def new() -> Loop:
    """Return a new one."""
    return Loop()
