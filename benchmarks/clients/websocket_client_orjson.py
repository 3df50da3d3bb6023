"""websocket-client's plain connection with orjson: bytes as they came, no check of UTF-8 twice."""

from __future__ import annotations

import orjson
import websocket

from ..touch import Handler
from . import AUTH, Connect
from .threads import for_each

STYLE = "dicts"


def run(connect: Connect, handle: Handler) -> None:
    """Hand frames over until the server closes."""

    def receive(url: str) -> None:
        connection = websocket.create_connection(
            url, skip_utf8_validation=True, sslopt={"context": connect.ssl_context}
        )
        connection.send(AUTH)
        while True:
            opcode, data = connection.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                break
            handle(orjson.loads(data))
        connection.shutdown()

    for_each(connect, receive)
