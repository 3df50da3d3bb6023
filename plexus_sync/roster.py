"""Who is watched: the readers of one subscription, and what they have come to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Dict, List, Optional

from .deadline import Deadline
from .errors import Closed, ConfigError, PlexusError, StreamError
from .inbox import Inbox
from .latch import owns
from .settings import Settings
from .state import State
from .status import StreamStatus
from .streams import Stream

if TYPE_CHECKING:
    from .reader import Reader

__all__ = ["Roster"]

_OPENED = frozenset((State.OPEN, State.ENDED))


class Roster:
    """Readers by their streams; any thread may add, remove, start, stop and look."""

    def __init__(self, settings: Settings, inbox: Inbox) -> None:
        self._settings = settings
        self._inbox = inbox
        # Guards all below. Never held while anybody waits for a reader or user code runs.
        # Re-entrant, for a signal handler that closes in the middle of anything.
        self._lock = threading.RLock()
        self._readers: Dict[Stream, Reader] = {}
        self._removed: List[Reader] = []  # for join()
        self._started = self._stopped = False

    def add(self, stream: Stream) -> None:
        """Watch a stream, from now on where the others are started."""
        # Here, since all that connects (tenacity, websocket-client, HTTP) hangs on it, and who only
        # decodes or unpickles frames does without; not later, on a reader's thread, where a fork
        # could catch an import half done and leave its lock to the child for ever.
        from .reader import Reader

        with self._lock:
            if self._stopped:
                raise Closed("the subscription is closed: make a new one to add a stream")
            if stream in self._readers:
                raise ConfigError(f"{stream!r} is there already: remove it first, or watch it once")
            reader = self._readers[stream] = Reader(stream, self._settings, self._inbox)
            if self._started:
                reader.start()
            if self._was_stopped():  # by a signal handler, which did not see this reader
                reader.stop()

    def _was_stopped(self) -> bool:
        return self._stopped

    def remove(self, stream: Stream) -> None:
        """Watch a stream no more; what waits of it is discarded, its error forgotten."""
        with self._lock:
            reader = next((r for r in self._readers.values() if r.stream == stream), None)
            if reader is None:
                raise ConfigError(f"{stream!r} is not there: status() lists what is")
            del self._readers[reader.stream]
            self._removed = [*(r for r in self._removed if not r.join(0)), reader]
        reader.stop()
        self._inbox.live.discard(reader)  # nobody waits for it, should it hang
        self._inbox.wake()

    def start(self) -> None:
        """Start every reader."""
        with self._lock:
            self._started = True
            for reader in self._readers.values():
                reader.start()

    def stop(self) -> None:
        """Make every reader end, once and for all."""
        with self._lock:
            first, self._stopped = not self._stopped, True
            never_started = first and not self._started
            readers = [*self._readers.values(), *self._removed]
        for reader in readers:
            if never_started:
                reader.abandon()
            reader.stop()
        self._inbox.wake()

    def join(self, deadline: Deadline) -> bool:
        """Wait for the threads of all readers; return whether they have ended."""
        with self._lock:
            readers = [*self._readers.values(), *self._removed]
        return all(reader.join(deadline.remaining()) for reader in readers)

    def present(self) -> List[Reader]:
        """Return the readers that were not removed."""
        with self._lock:
            return list(self._readers.values())

    def status(self) -> Dict[Stream, StreamStatus]:
        """Return a snapshot of each of them."""
        return {reader.stream: reader.status() for reader in self.present()}

    def all_ended(self) -> bool:
        """Return whether nothing more can come; without streams there is nothing that has ended."""
        return not self._inbox.live and self._started and bool(self._readers)

    def all_handed_over(self) -> bool:
        """Return whether, moreover, nothing waits to be handed over."""
        return self.all_ended() and all(reader.lane.empty() for reader in self.present())

    def all_opened_or_one_failed(self) -> bool:
        """Return whether start() need not wait any longer."""
        states = {reader.state for reader in self.present()}
        return State.FAILED in states or states <= _OPENED

    def first_final_error(self) -> Optional[StreamError]:
        """Return the error that ended a stream before any other, None where none did."""
        failed = [reader for reader in self.present() if reader.final_error is not None]
        return min(failed, key=lambda reader: reader.final_at).final_error if failed else None

    def last_failure(self) -> Optional[PlexusError]:
        """Return what went wrong with one of the streams, None where nothing did."""
        failed = [reader for reader in self.present() if reader.last_error is not None]
        return max(failed, key=lambda reader: reader.last_error_at).last_error if failed else None

    def holds_lock(self) -> bool:
        """Return whether the calling thread is in the middle of something here."""
        readers = [*self._readers.values(), *self._removed]
        return owns(self._lock) or any(reader.holds_lock() for reader in readers)
