"""One small file for each client: what its user would write, as fast as its library lets him.

Each has ``STYLE``, what it hands over ("dicts" or "objects"), and ``run(connect, handle)``, which
hands every frame of every source to ``handle`` until the server has closed all connections. Those
with ``ON_LOOP`` have no other thread than the one that runs their event loop.
"""

from __future__ import annotations

import ssl
from typing import List, Optional

import attrs

__all__ = ["AUTH", "LABELS", "PEERS", "Connect"]

AUTH = '{"type":"auth","api_key":"plx_benchmark"}'

LABELS = {
    "ours": "plexus-sync",
    "ours_block": 'plexus-sync, Buffer(1000, "block")',
    "websocketapp_json": "WebSocketApp + json",
    "websocketapp_json_tuned": "WebSocketApp + json, skip_utf8_validation",
    "websocket_client_orjson": "websocket-client + orjson",
    "websockets_orjson": "websockets (sync) + orjson",
    "aiohttp_orjson": "aiohttp + orjson",
    "picows_orjson": "picows + orjson",
    "picows_msgspec": "picows + msgspec, our classes",
}
PEERS = tuple(name for name in LABELS if not name.startswith("ours"))


@attrs.frozen
class Connect:
    """Where to, and how."""

    base_url: str
    sources: List[str]
    kind: str
    ssl_context: Optional[ssl.SSLContext]
    deflate: bool

    @property
    def urls(self) -> List[str]:
        """One URL for each source."""
        return [f"{self.base_url}/{source}" for source in self.sources]
