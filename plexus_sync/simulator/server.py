"""The simulator as its user sees it."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Iterable, List, Optional, Set, Type

from . import protocol
from .arguments import check_rate, check_stream, need_pillow, source_ids, strings
from .devices import Device
from .endpoint import Endpoint
from .feed import Feed
from .outage import MODES, REFUSED
from .protocol import Close
from .registry import Publishable, Registry
from .values import Connection, Outage, Received, Settings
from .wire import Wire


class Simulator:
    """The service's three endpoints on loopback, for tests and for trying things out.

    It behaves as the service's document says and, where the running service was observed to do
    otherwise, as it does. A video viewer is sent every camera of the device, whatever
    ``camera_id`` it asked for: so it was observed. ``metrics`` is obeyed.

    Devices are simulated for each of ``sources``: a robot that sends ``rate`` batches a second,
    a fifth as many log events, and ``video_rate`` pictures a second from each of ``cameras``
    (one named "thermal" is a thermal camera). With a rate of 0 there is only what ``publish``
    brings. A stream stands still while nobody watches it, and starts from the same ``seed``
    with the same values. Any other source is silent for ever.

    All times are in seconds: ``auth_timeout`` for the first frame, ``video_timeout`` for a video
    stream that asked for none, ``ping_interval`` and ``ping_timeout`` of the server's keepalive
    (None: no pings, or no limit), ``gateway_retry_delay`` between ``gateway_retries`` attempts.

    ``keys``, ``unpaid_keys`` and ``expired_keys`` are sets that may be changed at any time; a
    key in ``expired_keys`` is refused whatever else is said of it. ``key_database_down``, when
    set to True, ends the connection of whoever sends a first frame, without a close frame.

    A simulator is used once: ``with`` starts and stops it, or ``start`` and ``stop``.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        sources: Iterable[str] = ("robot-01",),
        cameras: Iterable[str] = ("front", "rear", "thermal"),
        rate: float = 10.0,
        video_rate: float = 10.0,
        keys: Iterable[str] = ("plx_simulator",),
        unpaid_keys: Iterable[str] = (),
        expired_keys: Iterable[str] = (),
        auth_timeout: float = 10.0,
        video_timeout: float = 600.0,
        ping_interval: Optional[float] = 20.0,
        ping_timeout: Optional[float] = 20.0,
        gateway_retry_delay: float = 2.0,
        gateway_retries: int = 5,
        seed: int = 0,
    ) -> None:
        check_rate("rate", rate)
        check_rate("video_rate", video_rate)
        if not (gateway_retry_delay > 0 and gateway_retries >= 1):
            raise ValueError("gateway_retry_delay must be above 0, gateway_retries at least 1")
        accepted = strings("keys", keys)
        self.api_key = accepted[0] if accepted else ""
        self._settings = Settings(
            sources=source_ids(sources),
            cameras=strings("cameras", cameras),
            auth_timeout=auth_timeout,
            video_timeout=video_timeout,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            gateway_retry_delay=gateway_retry_delay,
            gateway_retries=gateway_retries,
            keys=set(accepted),
            unpaid_keys=set(strings("unpaid_keys", unpaid_keys)),
            expired_keys=set(strings("expired_keys", expired_keys)),
        )
        if video_rate and self._settings.cameras:
            need_pillow()
        self._registry = Registry(self._wake)
        self._feeds = {
            source_id: Feed(
                Device(source_id, seed), self._registry, rate, video_rate, self._settings.cameras
            )
            for source_id in self._settings.sources
        }
        self._endpoint = Endpoint(host, port, self._settings, self._registry)
        # The one lock: start and stop may come from any threads, and each happens once.
        self._lock = threading.Lock()
        self._started = self._running = False

    # Life

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start to listen; an ``OSError`` says so if the port is taken."""
        with self._lock:
            if self._started:
                raise RuntimeError("a Simulator is used once: make a new one")
            self._started = self._running = True
        try:
            self._endpoint.start()
        except BaseException:
            self._running = False
            raise
        for feed in self._feeds.values():
            feed.start()

    def stop(self) -> None:
        """Close every connection with 1012, as a restart does, and wait for all threads.

        Without a client that keeps it from it this takes no time, else a third of a second.
        """
        with self._lock:
            running, self._running = self._running, False
        if not running:
            return
        for feed in self._feeds.values():
            feed.stop()
        self._endpoint.stop()
        for feed in self._feeds.values():
            feed.join()

    @property
    def url(self) -> str:
        """Where it listens, as ``ws://127.0.0.1:PORT``."""
        return self._endpoint.url

    # Keys

    @property
    def keys(self) -> Set[str]:
        """The keys that are let in."""
        return self._settings.keys

    @property
    def unpaid_keys(self) -> Set[str]:
        """The keys of a plan without API access: 4402, on video 4002."""
        return self._settings.unpaid_keys

    @property
    def expired_keys(self) -> Set[str]:
        """The keys that are refused, even if they are in another set: 4401, on video 4001."""
        return self._settings.expired_keys

    @property
    def key_database_down(self) -> bool:
        """Whether no key can be judged: the connection ends without a close frame."""
        return self._settings.key_database_down

    @key_database_down.setter
    def key_database_down(self, down: bool) -> None:
        self._settings.key_database_down = down

    # What is sent

    def publish(self, source_id: str, stream: str, frame: Publishable) -> int:
        """Send a frame of your own to all that watch this stream; return how many those are.

        A dict is sent as JSON, and its points are filtered for a client that asked for some
        metrics; a str or bytes is sent as it is, in a text frame, whether it is valid or not.
        It waits for a client that reads slower than you publish. A client that is stalled, or
        without its gateway, does not get the frame and is not counted.
        """
        check_stream(stream)
        if not self._running:
            raise RuntimeError("the simulator is not running: publish between start and stop")
        return self._registry.deliver(source_id, stream, frame, wait=True)

    # Faults

    def close(
        self,
        code: int,
        reason: str = "",
        source: Optional[str] = None,
        stream: Optional[str] = None,
    ) -> int:
        """Close the connections of a source, of a kind of stream, of both or all; count them.

        What was published before is sent before. 1005 is a close frame without a code, 1006
        the end of TCP without a close frame. They no longer count as connections at once.
        """
        check_stream(stream)
        close = Close(code, reason)
        sessions = self._registry.select(source, stream)
        for session in sessions:
            session.end(close)
        return len(sessions)

    def cut(self, source: Optional[str] = None, stream: Optional[str] = None) -> int:
        """End TCP without a close frame, as a killed server does; return how many it met.

        With neither a source nor a stream, clients that are not upgraded yet are cut as well.
        """
        cut = self.close(protocol.NO_CLOSE_FRAME, source=source, stream=stream)
        if source is None and stream is None:
            for wire in self._registry.wires():
                wire.abort()
        return cut

    def stall(
        self, seconds: float, source: Optional[str] = None, stream: Optional[str] = None
    ) -> None:
        """Send nothing at all for so long, no pong either, but keep TCP open; 0 ends a stall.

        With neither a source nor a stream, clients to come are stalled too. Frames of that time
        are lost.
        """
        check_stream(stream)
        until = time.monotonic() + seconds
        if source is None and stream is None:
            wires: Iterable[Wire] = self._registry.stall(until)
        else:
            wires = [session.wire for session in self._registry.select(source, stream)]
        for wire in wires:
            wire.stall(until)

    def gateway_outage(self, seconds: float, mode: str = REFUSED) -> None:
        """Lose the upstream gateway for so long; data of that time is lost.

        Clients are told at each attempt, ``gateway_retry_delay`` apart, and data comes again
        with the first attempt after the end, on video after another ``init``. When
        ``gateway_retries`` have failed: 1011. Clients that come during it are told as well.
        By ``mode``, as observed of the running service:

        - ``"refused"``: the above;
        - ``"closes"``: the gateway closes before its own init; after the last attempt TCP ends
          without a close frame;
        - ``"hung"``: the first notice after 19 delays, then every 6 delays, 1011 at 49 delays,
          on video 4008 (38 s, 12 s and 98 s for the service's delay of 2 s);
        - ``"restart"``: the gateway closes normally: no notice, another ``init`` on video.
        """
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is not known: use one of {', '.join(MODES)}")
        outage = Outage(mode, time.monotonic() + seconds)
        for session in self._registry.begin_outage(outage):
            session.interrupt(outage, seconds)

    # What clients did

    @property
    def connections(self) -> List[Connection]:
        """The clients that are connected, let in or not, in the order they came."""
        return self._registry.connections()

    @property
    def received(self) -> List[Received]:
        """What clients have sent, the first frame included, in the order it came."""
        return self._registry.received()

    def wait_for_connections(self, n: int, timeout: float = 5.0) -> bool:
        """Wait until exactly ``n`` clients are let in, and return True.

        What is published from then on reaches them. Raises ``TimeoutError`` after ``timeout``
        seconds.
        """
        if not self._registry.wait_for(n, timeout):
            there = sum(connection.authenticated for connection in self.connections)
            raise TimeoutError(f"{n} connections are not there after {timeout} s, but {there}")
        return True

    def _wake(self, source_id: str) -> None:
        feed = self._feeds.get(source_id)
        if feed is not None:
            feed.wake()
