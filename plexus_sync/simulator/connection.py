"""One client of the simulator, from the upgrade to its end.

Three threads serve it: the library's reader (answers pings, sees the end of TCP), the handler
here (the first frame, then whatever else the client says) and the sender (all that is sent).
"""

from __future__ import annotations

import threading
import time
from typing import Optional, Union

import attrs
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from . import protocol
from .outage import plan
from .outbox import Outbox, Put
from .protocol import VIDEO, Close, Request
from .registry import Registry
from .sender import Expiry, Interruption, Item, Sender
from .values import Connection, Outage, Received, Settings
from .wire import Wire

# After about this many messages that it did not ask for, the service reads no more: observed.
MESSAGES_READ = 100
# As many stale pictures the service was seen to hold for a slow reader, before one gap.
PICTURES_HELD = 155
# "All is kept for a while" for a slow reader of the other streams: 16 minutes at 10 frames/s.
FRAMES_HELD = 10_000
# What publish() may be ahead of a reader: enough to keep the sender busy, little to hold.
PUBLISHED_AHEAD = 1_000


class Session:
    """Serves one client. ``run`` is called on its handler thread, once; the rest on any."""

    def __init__(
        self,
        websocket: ServerConnection,
        wire: Wire,
        request: Request,
        settings: Settings,
        registry: Registry,
    ) -> None:
        self.request = request
        self.metrics = None if request.metrics is None else frozenset(request.metrics)
        self.wire = wire
        self.authenticated = False  # the registry's, under its lock
        self._websocket = websocket
        self._settings = settings
        self._registry = registry
        self._outbox: Outbox[Item] = Outbox()
        # Set once the connection is to end, so that a handler that stopped reading reads again:
        # without a reader the library does not see the client's close frame.
        self._ending = threading.Event()
        self._sender = Sender(websocket, wire, request.stream, settings, self._outbox, self._on_end)

    def describe(self) -> Connection:
        """Tell about this connection; called under the registry's lock."""
        return Connection(authenticated=self.authenticated, **attrs.asdict(self.request))

    # Any thread

    def offer(self, payload: bytes, wait: bool) -> bool:
        """Have a frame sent; False if this client will not get it.

        A frame of the devices never waits (``wait`` False): as observed, a slow reader loses
        the pictures it has no room for; on the other streams it is sent away in the end.
        """
        if self.wire.stalled:
            return False
        video = self.request.stream == VIDEO
        limit = PUBLISHED_AHEAD if wait else PICTURES_HELD if video else FRAMES_HELD
        put = self._outbox.put(payload, limit, wait)
        if put is Put.FULL and not video:
            self.end(protocol.PING_TIMEOUT)
        return put is Put.TAKEN

    def interrupt(self, outage: Outage, seconds: float, greet: bool = False) -> None:
        """Lose the gateway, for so many seconds from now."""
        planned = plan(
            outage.mode,
            self.request.stream,
            seconds,
            self._settings.gateway_retry_delay,
            self._settings.gateway_retries,
        )
        order = Interruption(outage, planned, time.monotonic(), greet or planned.reconnected)
        self._outbox.hold(outage)
        self._outbox.order(order)

    def end(self, close: Close) -> None:
        """End the connection, after the frames that are queued; without a close frame at once."""
        self._registry.forget(self)
        if close == protocol.HANG_UP:
            self._outbox.close()
            self.wire.abort()
        else:
            self._outbox.order(close, last=True)
        self._ending.set()

    def _on_end(self) -> None:
        """Take no more frames, and read again; called by the sender."""
        self._registry.forget(self)
        self._outbox.close()
        self._ending.set()

    # The handler thread

    def run(self) -> None:
        """Serve the client until the connection has ended."""
        self._sender.start()
        try:
            if self._registry.register(self):
                self._authenticate()
            else:
                self.end(protocol.RESTART)
            self._read()
        except ConnectionClosed:
            pass  # what a handler waits for
        finally:
            self._on_end()
            self._sender.join()

    def _authenticate(self) -> None:
        """Judge the first frame, or that there is none in time."""
        try:
            message = self._websocket.recv(timeout=self._settings.auth_timeout)
        except TimeoutError:
            self.end(protocol.unauthorized(self.request.stream))
            return
        self._note(message)
        refusal = self._judge(message)
        if refusal is None and self.request.stream == VIDEO:
            refusal = self._set_expiry()
        if refusal is None:
            self._open()
        else:
            self.end(refusal)

    def _judge(self, message: Union[str, bytes]) -> Optional[Close]:
        settings = self._settings
        if settings.key_database_down:
            return protocol.HANG_UP
        return protocol.refuse(
            message,
            self.request.stream,
            keys=settings.keys,
            unpaid=settings.unpaid_keys,
            expired=settings.expired_keys,
        )

    def _set_expiry(self) -> Optional[Close]:
        """Have a video stream end in time; for no time at all at once, without an ``init``."""
        asked = self.request.timeout
        seconds = self._settings.video_timeout if asked is None else asked
        if seconds <= 0:
            return protocol.STREAM_TIMEOUT
        self._outbox.order(Expiry(time.monotonic() + seconds))
        return None

    def _open(self) -> None:
        """Let the client in; what it is told first is queued before anyone can publish to it."""
        met = self._registry.outage()
        if met is not None:
            self.interrupt(met, met.until - time.monotonic(), greet=True)
        elif self.request.stream == VIDEO:
            init = protocol.init(self._settings.sources, self._settings.cameras)
            self._outbox.order(protocol.encode(init))
        later = self._registry.admit(self)
        if later is not None and later is not met:  # it began in between
            self.interrupt(later, later.until - time.monotonic())

    def _read(self) -> None:
        """Take what the client says, to no effect; too much of it stays unread."""
        for _ in range(MESSAGES_READ):
            self._note(self._websocket.recv())
        self._ending.wait()
        while True:
            self._websocket.recv()

    def _note(self, message: Union[str, bytes]) -> None:
        """Keep what the client said, without any key."""
        text = protocol.redact(message, self._settings.secrets())
        self._registry.note(Received(self.request.source_id, self.request.stream, text))
