"""The synchronous client of websockets with orjson, from bytes."""

from __future__ import annotations

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_connection

from ..touch import Handler
from . import AUTH, Connect
from .threads import for_each

STYLE = "dicts"


def run(connect: Connect, handle: Handler) -> None:
    """Hand frames over until the server closes."""

    def receive(url: str) -> None:
        with open_connection(
            url,
            ssl=connect.ssl_context,
            compression="deflate" if connect.deflate else None,
            max_size=None,
            max_queue=None,
        ) as connection:
            connection.send(AUTH)
            try:
                while True:
                    handle(orjson.loads(connection.recv(decode=False)))
            except ConnectionClosed:
                pass

    for_each(connect, receive)
