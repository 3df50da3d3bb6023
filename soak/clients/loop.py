"""``websocket-client``'s ``create_connection`` and ``recv`` in a loop, as it is often written."""

from __future__ import annotations

import socket
import time
from typing import Any, Dict

from websocket import WebSocketException, create_connection

from .base import AUTH, WAIT, Peer


class Loop(Peer):
    """Told is what ends the inner loop; there is no ping and no time-out, as there seldom is."""

    def __init__(self) -> None:
        super().__init__()
        self._open: Dict[str, Any] = {}

    def _watch(self, kind: str, url: str) -> None:
        while not self._stopping.is_set():
            try:
                ws = self._open[kind] = create_connection(url)
                ws.send(AUTH)
                while True:
                    message = ws.recv()
                    if not message:  # what recv makes of a close frame
                        break
                    self.show(kind, message)
            except (WebSocketException, OSError):
                pass
            self.tallies[kind].tell("the loop ended")
            time.sleep(WAIT)

    def _close(self, kind: str) -> None:
        self._open[kind].sock.shutdown(socket.SHUT_RDWR)


def new() -> Loop:
    """Return a new one."""
    return Loop()
