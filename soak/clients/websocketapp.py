"""``websocket-client``'s WebSocketApp, with the reconnect and the keepalive that it offers."""

from __future__ import annotations

from typing import Any, Dict

import websocket

from .base import AUTH, PING_INTERVAL, PING_TIMEOUT, WAIT, Peer


class App(Peer):
    """``run_forever(reconnect=...)``; told is what ``on_error`` and ``on_close`` tell."""

    def __init__(self) -> None:
        super().__init__()
        self._apps: Dict[str, Any] = {}

    def _watch(self, kind: str, url: str) -> None:
        tell = self.tallies[kind].tell
        app = self._apps[kind] = websocket.WebSocketApp(
            url,
            on_open=lambda app: app.send(AUTH),
            on_message=lambda app, message: self.show(kind, message),
            on_error=lambda app, error: tell("on_error"),
            on_close=lambda app, code, reason: tell("on_close"),
        )
        # It wants an interval above the time-out, and finds out late where the two are close.
        app.run_forever(reconnect=WAIT, ping_interval=2 * PING_INTERVAL, ping_timeout=PING_TIMEOUT)

    def _close(self, kind: str) -> None:
        self._apps[kind].close()


def new() -> App:
    """Return a new one."""
    return App()
