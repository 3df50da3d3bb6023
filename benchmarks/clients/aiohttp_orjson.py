"""aiohttp with orjson, on asyncio, from bytes."""

from __future__ import annotations

import asyncio

import aiohttp
import orjson

from ..touch import Handler
from . import AUTH, Connect

STYLE = "dicts"
ON_LOOP = True


def run(connect: Connect, handle: Handler) -> None:
    """Hand frames over until the server closes."""
    asyncio.run(_run(connect, handle))


async def _run(connect: Connect, handle: Handler) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def receive(url: str) -> None:
            async with session.ws_connect(
                url,
                ssl=connect.ssl_context or True,
                compress=15 if connect.deflate else 0,
                max_msg_size=0,
                decode_text=False,
            ) as connection:
                await connection.send_str(AUTH)
                async for message in connection:
                    handle(orjson.loads(message.data))

        await asyncio.gather(*map(receive, connect.urls))
