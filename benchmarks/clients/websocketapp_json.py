"""websocket-client's WebSocketApp with json: what everybody writes."""

from __future__ import annotations

import json
from typing import Any

import websocket

from ..touch import Handler
from . import AUTH, Connect
from .threads import for_each

STYLE = "dicts"


def run(connect: Connect, handle: Handler, **options: Any) -> None:
    """Hand frames over until the server closes."""

    def on_open(app: websocket.WebSocketApp) -> None:
        app.send(AUTH)

    def on_message(app: websocket.WebSocketApp, message: str) -> None:
        handle(json.loads(message))

    def receive(url: str) -> None:
        app = websocket.WebSocketApp(url, on_open=on_open, on_message=on_message)
        app.run_forever(sslopt={"context": connect.ssl_context}, **options)

    for_each(connect, receive)
