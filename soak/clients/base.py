"""What the soak wants of a client, and what the three peers share: a thread for each stream."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import Dict, List, Optional, Union

from ..faults import STREAMS
from ..feed import SOURCE
from ..tally import Tally

KEY = "plx_soak"
PING_INTERVAL = 1.0  # seconds, small, so that many faults fit into the time
PING_TIMEOUT = 1.0
WAIT = 1  # seconds between two attempts of a peer
AUTH = json.dumps({"type": "auth", "api_key": KEY})
RESTART = 5.0  # seconds until a supervisor starts again what has ended
JOIN = 3.0  # seconds for a peer's thread to end


class Client:
    """Fills one tally for each stream from ``start`` to ``stop``."""

    def __init__(self) -> None:
        self.tallies: Dict[str, Tally] = {kind: Tally() for kind in STREAMS}

    def start(self, url: str) -> None:
        """Connect all streams."""
        raise NotImplementedError

    def stop(self) -> bool:
        """End; return whether all has ended."""
        raise NotImplementedError

    def slow_down(self, seconds: float) -> None:
        """Make the next callback take so long, once."""
        raise NotImplementedError

    @property
    def ended(self) -> List[str]:
        """The streams that are given up, for which nothing will come any more."""
        raise NotImplementedError


class Peer(Client):
    """Runs ``_watch`` on a thread for each stream, until it returns or raises."""

    def __init__(self) -> None:
        super().__init__()
        self._stopping = threading.Event()
        self._threads: Dict[str, threading.Thread] = {}
        self._slow = dict.fromkeys(STREAMS, 0.0)
        self.supervised = False  # whether what ended by itself is started again
        self.endings = 0

    def start(self, url: str) -> None:
        """Start a thread for each stream."""
        for kind in STREAMS:
            self._threads[kind] = threading.Thread(
                target=self._run,
                args=(kind, f"{url}/v1/sources/{SOURCE}/{kind}/stream"),
                daemon=True,
            )
            self._threads[kind].start()

    def stop(self) -> bool:
        """Ask the threads to end; a thread that hangs in a socket is left there."""
        self._stopping.set()
        for kind in STREAMS:
            with contextlib.suppress(Exception):
                self._close(kind)
        for thread in self._threads.values():
            thread.join(JOIN)
        return not any(thread.is_alive() for thread in self._threads.values())

    def slow_down(self, seconds: float) -> None:
        """Do it for each stream, since each has a thread."""
        self._slow = dict.fromkeys(STREAMS, seconds)

    @property
    def ended(self) -> List[str]:
        """The streams whose thread has ended."""
        return [kind for kind, thread in self._threads.items() if not thread.is_alive()]

    def _run(self, kind: str, url: str) -> None:
        while True:
            try:
                self._watch(kind, url)
            except Exception:
                pass  # what a supervisor sees
            if self._stopping.is_set():
                return
            self.endings += 1
            if not self.supervised:
                return
            self.tallies[kind].tell("started again")
            self._stopping.wait(RESTART)

    def _watch(self, kind: str, url: str) -> None:
        """Do what people write; to be filled in."""
        raise NotImplementedError

    def _close(self, kind: str) -> None:
        """Make ``_watch`` return; to be filled in."""
        raise NotImplementedError

    def show(self, kind: str, message: Union[str, bytes]) -> None:
        """Be the callback: take the frame apart, as the service's document shows it."""
        seconds, self._slow[kind] = self._slow[kind], 0.0
        if seconds:
            time.sleep(seconds)
        tally = self.tallies[kind]
        frame = json.loads(message)
        number: Optional[int] = None
        if frame["type"] == "telemetry":
            point = frame["points"][0]
            source, number = point["source_id"], point["value"]
        elif frame["type"] == "event":
            source, number = frame["source_id"], frame["value"]
        elif frame["type"] == "video_frame":
            source, number = frame["source_id"], frame["width"]
        if number is None:
            tally.others += 1
        elif source != SOURCE:
            tally.foreign += 1
        else:
            tally.number(number)
