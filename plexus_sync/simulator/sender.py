"""The thread that sends to one client, and keeps the times of its connection.

It alone writes frames: what the outbox holds, pings, an outage's notices, the close frame. Only
the answers to the client's own pings and close come from the library's reader thread.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Callable, Optional, Union

import attrs
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from . import keepalive, protocol
from .outage import Plan
from .outbox import Outbox
from .protocol import VIDEO, Close
from .values import Outage, Settings
from .wire import Wire


@attrs.frozen
class Expiry:
    """An order to end the stream at this time (monotonic)."""

    at: float


@attrs.frozen
class Interruption:
    """An order to go through an outage that met this connection at ``since`` (monotonic)."""

    outage: Outage
    plan: Plan
    since: float
    greet: bool
    """Whether a video client gets an ``init`` after it."""

    def next_at(self, noticed: int) -> float:
        """Tell when it is to be told again, or is over, after so many notices."""
        times = self.plan.notices[noticed:]
        return self.since + (times[0] if times else self.plan.ends_at)


Item = Union[bytes, Close, Expiry, Interruption]


class Sender:
    """Sends what is in ``outbox``, until the connection has ended or a close is sent.

    ``on_end`` is called when the sender ends the connection, before the close frame is sent.
    """

    def __init__(
        self,
        websocket: ServerConnection,
        wire: Wire,
        stream: str,
        settings: Settings,
        outbox: Outbox[Item],
        on_end: Callable[[], None],
    ) -> None:
        self._websocket = websocket
        self._wire = wire
        self._stream = stream
        self._settings = settings
        self._outbox = outbox
        self._on_end = on_end
        self._keepalive = keepalive.Keepalive(
            settings.ping_interval, settings.ping_timeout, time.monotonic()
        )
        self._pong: Optional[threading.Event] = None
        self._expires_at = math.inf
        self._interruption: Optional[Interruption] = None
        self._noticed = 0
        self._thread = threading.Thread(
            target=self._run,
            name=f"plexus-sync simulator sender {wire.number}",
            daemon=True,  # must not keep the interpreter alive
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            close = self._send()
            self._on_end()
            if close is not None:
                self._finish(close)
        except ConnectionClosed:
            self._on_end()

    def _send(self) -> Optional[Close]:
        """Send until the connection is to end; return how, None if it has ended already."""
        while True:
            now = time.monotonic()
            due = self._keep_times(now)
            if due is not None:
                return due
            next_at = min(self._expires_at, self._keepalive.next_at, self._outage_next_at())
            item = self._outbox.take(min(max(0.0, next_at - now), threading.TIMEOUT_MAX))
            if isinstance(item, bytes):
                self._write(item)
            elif isinstance(item, Close):
                return item
            elif isinstance(item, Expiry):
                self._expires_at = item.at
            elif isinstance(item, Interruption):
                self._begin_outage(item)
            elif self._outbox.finished:
                return None

    def _keep_times(self, now: float) -> Optional[Close]:
        """Send what is due by now; return how the connection is to end, if it is."""
        if now >= self._expires_at:
            return protocol.STREAM_TIMEOUT
        answered = self._pong is not None and self._pong.is_set()
        due = self._keepalive.check(now, answered)
        if due == keepalive.EXPIRED:
            return protocol.PING_TIMEOUT
        if due == keepalive.PING:
            self._pong = self._websocket.ping()  # four random bytes, as the service's
        return self._pass_outage(now)

    def _begin_outage(self, order: Interruption) -> None:
        """Go into an outage; one that is under way gives place to it."""
        former = self._interruption
        if former is not None and (former.greet or self._noticed):  # its init is still owed
            order = attrs.evolve(order, greet=True)
        self._interruption, self._noticed = order, 0

    def _outage_next_at(self) -> float:
        order = self._interruption
        return math.inf if order is None else order.next_at(self._noticed)

    def _pass_outage(self, now: float) -> Optional[Close]:
        """Send the notices that are due; return how the connection ends, if it does."""
        order, settings = self._interruption, self._settings
        while order is not None and now >= order.next_at(self._noticed):
            if self._noticed == len(order.plan.notices):
                return self._end_outage(order)
            self._noticed += 1
            notice = protocol.reconnecting(
                self._stream, self._noticed, settings.gateway_retries, settings.gateway_retry_delay
            )
            self._write(protocol.encode(notice))
        return None

    def _end_outage(self, order: Interruption) -> Optional[Close]:
        self._interruption = None
        if order.plan.ending is not None:
            return order.plan.ending
        if order.greet and self._stream == VIDEO:
            init = protocol.init(self._settings.sources, self._settings.cameras)
            self._write(protocol.encode(init))
        self._outbox.resume(order.outage)
        return None

    def _write(self, payload: bytes) -> None:
        """Send a text frame with these bytes, be they UTF-8 or not."""
        # Not websocket.send(): in 13.1 it cannot make a text frame of bytes.
        with self._websocket.send_context():
            self._websocket.protocol.send_text(payload)

    def _finish(self, close: Close) -> None:
        """End the connection; with a close frame, wait for the client's as well."""
        if close == protocol.HANG_UP:
            self._wire.abort()
            return
        code = None if close.code == protocol.NO_CODE else close.code
        # Not websocket.close(): it cannot send a close frame without a code.
        with self._websocket.send_context():
            self._websocket.protocol.send_close(code, close.reason)
