"""Who is connected, and what has befallen the service: what all threads of a simulator share."""

from __future__ import annotations

import threading
import time
from typing import Callable, Dict, FrozenSet, List, Mapping, Optional, Protocol, Tuple, Union

from .protocol import Close, Request, encode, filter_points
from .values import Connection, Outage, Received
from .wire import Wire

Channel = Tuple[str, str]
# Connections that have ended are forgotten when this many more have come, and twice as many:
# to look at all of them each time would make a thousand clients slow to come.
SWEEP_FROM = 16

Publishable = Union[Mapping[str, object], str, bytes]


class Client(Protocol):
    """What the registry knows of a session."""

    request: Request
    wire: Wire
    metrics: Optional[FrozenSet[str]]
    authenticated: bool
    """The registry's, under its lock."""

    def describe(self) -> Connection:
        """Tell about this connection."""

    def offer(self, payload: bytes, wait: bool) -> bool:
        """Have a frame sent; False if this client will not get it."""

    def interrupt(self, outage: Outage, seconds: float) -> None:
        """Lose the gateway, for so many seconds from now."""

    def end(self, close: Close) -> None:
        """End the connection."""


class Registry:
    """The clients of one simulator. Nothing here waits for a client, but for ``deliver``."""

    def __init__(self, on_admit: Callable[[str], None]) -> None:
        # The one lock. Held for a look or a change only; sessions are told after it is let go.
        self._changed = threading.Condition()
        self._on_admit = on_admit
        self._wires: List[Wire] = []
        self._sweep_at = SWEEP_FROM
        self._sessions: List[Client] = []
        self._audiences: Dict[Channel, Tuple[Client, ...]] = {}
        self._received: List[Received] = []
        self._outage: Optional[Outage] = None
        self._stalled_until = 0.0
        self._shut = False

    # What connections do

    def add_wire(self, wire: Wire) -> bool:
        """Take in a new TCP connection; False if the simulator is stopping."""
        with self._changed:
            if self._shut:
                return False
            wire.stall(self._stalled_until)
            if len(self._wires) >= self._sweep_at:
                self._wires = [known for known in self._wires if not known.done]
                self._sweep_at = 2 * len(self._wires) + SWEEP_FROM
            self._wires.append(wire)
            self._changed.notify_all()
            return True

    def register(self, session: Client) -> bool:
        """Take in a client after its upgrade; False if the simulator is stopping."""
        with self._changed:
            if self._shut:
                return False
            self._sessions.append(session)
            self._changed.notify_all()
            return True

    def admit(self, session: Client) -> Optional[Outage]:
        """Let a client have the stream it asked for; return the outage there is, if any."""
        channel = (session.request.source_id, session.request.stream)
        with self._changed:
            if session in self._sessions:  # else it was cut or closed meanwhile
                session.authenticated = True
                self._audiences[channel] = (*self._audiences.get(channel, ()), session)
                self._changed.notify_all()
            outage = self._outage
        self._on_admit(session.request.source_id)
        return outage if outage is not None and time.monotonic() < outage.until else None

    def forget(self, session: Client) -> None:
        """Drop a client that has gone, or is about to be; it may have been dropped before."""
        channel = (session.request.source_id, session.request.stream)
        with self._changed:
            if session not in self._sessions:
                return
            self._sessions.remove(session)
            left = tuple(s for s in self._audiences.get(channel, ()) if s is not session)
            self._audiences[channel] = left
            if not left:
                del self._audiences[channel]
            self._changed.notify_all()

    def note(self, received: Received) -> None:
        """Keep a message that a client sent."""
        with self._changed:
            self._received.append(received)
            self._changed.notify_all()

    # What the simulator and its devices do

    def watched(self, source_id: str, stream: str) -> bool:
        """Tell whether anyone watches this stream."""
        return (source_id, stream) in self._audiences

    def deliver(self, source_id: str, stream: str, frame: Publishable, wait: bool) -> int:
        """Hand a frame to all that watch the stream; return how many will get it."""
        payloads: Dict[object, Optional[bytes]] = {}
        reached = 0
        for session in self._audiences.get((source_id, stream), ()):
            if session.metrics not in payloads:
                payloads[session.metrics] = _payload(frame, session)
            payload = payloads[session.metrics]
            if payload is not None and session.offer(payload, wait):
                reached += 1
        return reached

    def outage(self) -> Optional[Outage]:
        """Return the outage there is now, if any."""
        with self._changed:
            outage = self._outage
        return outage if outage is not None and time.monotonic() < outage.until else None

    def begin_outage(self, outage: Outage) -> Tuple[Client, ...]:
        """Lose the gateway; return the clients that are to be told."""
        with self._changed:
            self._outage = outage
            return tuple(s for s in self._sessions if s.authenticated)

    def stall(self, until: float) -> Tuple[Wire, ...]:
        """Stall the clients to come until then (monotonic); return those that are there."""
        with self._changed:
            self._stalled_until = until
            return tuple(self._wires)

    def select(self, source_id: Optional[str], stream: Optional[str]) -> Tuple[Client, ...]:
        """Return the clients of a source, of a kind of stream, of both, or all."""
        with self._changed:
            return tuple(
                s
                for s in self._sessions
                if source_id in (None, s.request.source_id) and stream in (None, s.request.stream)
            )

    def wires(self) -> Tuple[Wire, ...]:
        """Return every TCP connection, whether it was upgraded or not."""
        with self._changed:
            return tuple(self._wires)

    def shut(self) -> Tuple[Client, ...]:
        """Take in nobody from now on; return the clients that are there."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()
            return tuple(self._sessions)

    # What the user of the simulator asks

    def connections(self) -> List[Connection]:
        """Describe the clients that are connected."""
        with self._changed:
            return [session.describe() for session in self._sessions]

    def received(self) -> List[Received]:
        """Return what clients have sent, in the order it came."""
        with self._changed:
            return list(self._received)

    def wait_for(self, authenticated: int, timeout: float) -> bool:
        """Wait until exactly so many clients are let in; False when the time is up."""

        def there() -> bool:
            return sum(s.authenticated for s in self._sessions) == authenticated

        with self._changed:
            return self._changed.wait_for(there, timeout)


def _payload(frame: Publishable, session: Client) -> Optional[bytes]:
    """Write a frame as this client is to get it; None if its filter leaves nothing of it."""
    if isinstance(frame, str):
        return frame.encode()
    if isinstance(frame, bytes):
        return frame
    kept = filter_points(frame, session.metrics)
    return None if kept is None else encode(kept)
