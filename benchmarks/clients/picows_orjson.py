"""picows with orjson, on asyncio: out of picows' own buffer, without a copy."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any, Callable

import orjson
import picows

from ..touch import Handler
from . import AUTH, Connect

STYLE = "dicts"
ON_LOOP = True
_OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate"}
_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 section 7.2.2


class Listener(picows.WSListener):
    """Decodes each frame where it is received."""

    def __init__(self, loads: Callable[[Any], Any], handle: Handler) -> None:
        self.loads = loads
        self.handle = handle

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Sign in."""
        transport.send(picows.WSMsgType.TEXT, AUTH.encode())

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Hand over one frame."""
        if frame.msg_type == picows.WSMsgType.TEXT:
            self.handle(self.loads(frame.get_payload_as_memoryview()))
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()


class InflatingListener(Listener):
    """picows leaves permessage-deflate to its user, who needs these lines for it."""

    def __init__(self, loads: Callable[[Any], Any], handle: Handler) -> None:
        super().__init__(loads, handle)
        self.inflate = zlib.decompressobj(-15).decompress

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Hand over one frame."""
        if frame.msg_type == picows.WSMsgType.TEXT and frame.rsv1:
            self.handle(self.loads(self.inflate(frame.get_payload_as_bytes() + _TAIL)))
        else:
            super().on_ws_frame(transport, frame)


def run(connect: Connect, handle: Handler, loads: Callable[[Any], Any] = orjson.loads) -> None:
    """Hand frames over until the server closes."""
    listener = InflatingListener if connect.deflate else Listener

    async def receive(url: str) -> None:
        transport, _ = await picows.ws_connect(
            lambda: listener(loads, handle),
            url,
            ssl_context=connect.ssl_context,
            extra_headers=_OFFER if connect.deflate else None,
        )
        await transport.wait_disconnected()

    async def all_of_them() -> None:
        await asyncio.gather(*map(receive, connect.urls))

    asyncio.run(all_of_them())
