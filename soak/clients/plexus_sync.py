"""Our own subscription: what the guides show, with shorter times."""

from __future__ import annotations

import time
from typing import Any, Dict, List

from plexus_sync import (
    EventFrame,
    Gap,
    LogsStream,
    MetricsStream,
    Reconnect,
    State,
    Stream,
    StreamStatus,
    Subscription,
    TelemetryFrame,
    VideoFrame,
    VideoStream,
)

from ..feed import SOURCE
from .base import KEY, PING_INTERVAL, PING_TIMEOUT, Client

CONNECT_TIMEOUT = 2.0
MAXIMUM = 2.0  # seconds between two attempts


class Ours(Client):
    """One subscription with three streams; callbacks on its own thread."""

    def __init__(self) -> None:
        super().__init__()
        self._slow = 0.0
        self.final_errors: List[str] = []

    def start(self, url: str) -> None:
        """Start the subscription."""
        streams = (MetricsStream(SOURCE), LogsStream(SOURCE), VideoStream(SOURCE))
        self.sub = Subscription(
            *streams,
            api_key=KEY,
            base_url=url,
            connect_timeout=CONNECT_TIMEOUT,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            reconnect=Reconnect(initial=0.2, maximum=MAXIMUM),
            compression="deflate",
        )
        self.sub.on_frame(self._take)
        self.sub.on_error(self._note)
        self.sub.start()

    def stop(self) -> bool:
        """Close it."""
        return self.sub.close()

    def slow_down(self, seconds: float) -> None:
        """Make one callback take so long; there is one thread for all of them."""
        self._slow = seconds

    def status(self) -> Dict[str, StreamStatus]:
        """Return the figures by kind of stream."""
        return {stream.kind: status for stream, status in self.sub.status().items()}

    @property
    def ended(self) -> List[str]:
        """The streams that have failed."""
        over = (State.FAILED, State.ENDED)
        return [kind for kind, status in self.status().items() if status.state in over]

    def _note(self, error: Any) -> None:
        if error.final:
            self.final_errors.append(str(error))

    def _take(self, frame: Any) -> None:
        seconds, self._slow = self._slow, 0.0
        if seconds:
            time.sleep(seconds)
        stream: Stream = frame.stream
        tally = self.tallies[stream.kind]
        if isinstance(frame, Gap):
            tally.tell(frame.reason, frame.dropped)
        elif isinstance(frame, TelemetryFrame):
            tally.number(frame.points[0].value)
        elif isinstance(frame, EventFrame):
            tally.number(frame.value)
        elif isinstance(frame, VideoFrame):
            tally.number(frame.width or 0)
        else:
            tally.others += 1


def new() -> Ours:
    """Return a new one."""
    return Ours()
