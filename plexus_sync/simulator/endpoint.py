"""The server: listens, upgrades, and hands each client to a session."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from typing import Any, Optional

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from . import protocol
from .connection import Session
from .registry import Registry
from .values import Settings
from .wire import WAKE_TIMEOUT, Listener, Wire

logger = logging.getLogger("plexus_sync.simulator")

# The library's own, which nobody can switch on: at DEBUG it logs every frame, keys included.
_quiet = logging.Logger("plexus_sync.simulator.websockets", level=logging.CRITICAL + 1)

# Seconds for clients to answer the close frame at the end, before TCP is ended all the same.
GRACE = 0.3
# A slow video reader's share of the kernel, so that pictures held for it are held in its outbox.
VIDEO_SEND_BUFFER = 64 * 1024


class _Peer(ServerConnection):
    """The library's connection, with names for the threads that serve it."""

    def __init__(self, sock: Wire, *args: Any, **kwargs: Any) -> None:
        handler = threading.current_thread()
        handler.name = f"plexus-sync simulator client {sock.number}"
        sock.adopt(handler)  # before there is a reader, which might close the wire at once
        super().__init__(sock, *args, **kwargs)
        sock.reader = self.recv_events_thread
        sock.reader.name = f"plexus-sync simulator reader {sock.number}"


class Endpoint:
    """The listening side of a simulator. Started and stopped once."""

    def __init__(self, host: str, port: int, settings: Settings, registry: Registry) -> None:
        self._host, self._port = host, port
        self._settings = settings
        self._registry = registry
        self._url: Optional[str] = None
        self._listener: Optional[Listener] = None
        self._server: Optional[Server] = None
        self._acceptor: Optional[threading.Thread] = None

    @property
    def url(self) -> str:
        """Where it listens."""
        if self._url is None:
            raise RuntimeError("the simulator has no URL before it is started")
        return self._url

    def start(self) -> None:
        """Bind the port and accept clients from now on."""
        listener = self._listener = Listener(self._host, self._port, self._registry.add_wire)
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._url = f"ws://{host}:{listener.getsockname()[1]}"
        self._server = serve(
            self._handle,
            sock=listener,
            process_request=_judge_request,
            create_connection=_Peer,
            # The running service compresses with the full window of 15 bits, the library's own
            # default is 12.
            compression=None,
            extensions=[ServerPerMessageDeflateFactory()],
            ping_interval=None,  # see keepalive.py; 13.1 does not know it and takes no notice
            logger=_quiet,
        )
        self._acceptor = threading.Thread(
            target=self._server.serve_forever,
            name="plexus-sync simulator acceptor",
            # Must not keep the interpreter alive, nor must the handlers, which inherit this.
            daemon=True,
        )
        self._acceptor.start()

    def stop(self) -> None:
        """Tell all clients that the server restarts, and wait until every thread has ended."""
        assert self._listener is not None
        assert self._server is not None
        assert self._acceptor is not None
        sessions = self._registry.shut()
        # Not by the library's shutdown(): it closes the socket under a loop that may only just
        # have begun, and would then fail.
        self._listener.wake()
        self._acceptor.join(WAKE_TIMEOUT)
        wires = self._registry.wires()
        for wire in wires:
            wire.stall(0.0)
        for session in sessions:
            session.end(protocol.RESTART)
        upgraded = {session.wire for session in sessions}
        for wire in wires:
            if wire not in upgraded:
                wire.abort()
        deadline = time.monotonic() + GRACE
        for wire in wires:
            wire.join(deadline)
            wire.abort()
        for wire in wires:
            wire.join()
        self._server.shutdown()
        self._acceptor.join()
        close_pipe(self._server)

    def _handle(self, websocket: ServerConnection) -> None:
        """Serve one client, on its own thread."""
        wire, upgrade = websocket.socket, websocket.request
        assert isinstance(wire, Wire)
        assert upgrade is not None
        request = protocol.parse_target(upgrade.path)
        assert request is not None
        if request.stream == protocol.VIDEO:
            with contextlib.suppress(OSError):  # it has gone again
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, VIDEO_SEND_BUFFER)
        try:
            Session(websocket, wire, request, self._settings, self._registry).run()
        except Exception:
            logger.exception("the simulator failed to serve %s", request)


def _judge_request(websocket: ServerConnection, request: Request) -> Optional[Response]:
    """Refuse what the service does not know, as it does: HTTP 403 and an empty body."""
    if protocol.parse_target(request.path) is None:
        return websocket.respond(403, "")
    return None


def close_pipe(server: Any) -> None:
    """Close the pipe that woke the server's loop, which the library left open before 17."""
    for end in ("shutdown_watcher", "shutdown_notifier"):
        descriptor = getattr(server, end, None)
        if isinstance(descriptor, int):
            os.close(descriptor)
