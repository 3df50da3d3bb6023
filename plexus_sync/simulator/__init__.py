"""A simulator of the service, for tests and for trying things out. Needs an extra.

``pip install 'plexus-sync[simulator]'`` brings what it needs.
"""

try:
    import websockets as _websockets  # noqa: F401
except ImportError as exc:
    raise ImportError(
        "plexus_sync.simulator needs websockets: pip install 'plexus-sync[simulator]'"
    ) from exc

from .server import Simulator
from .values import Connection, Received

__all__ = ["Connection", "Received", "Simulator"]
