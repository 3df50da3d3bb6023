"""Where readers and the dispatcher meet: a lane for each stream, fair turns, one wake-up a batch.

The hand-over uses ``SimpleQueue`` and no condition variable, because its ``put`` may be called
from a signal handler at any moment, and what was put stays there for whoever asks next.
"""

from __future__ import annotations

import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Any, Callable, Deque, Dict, List, Optional, Set, Tuple, Union

from .buffers import BufferFull, FrameBuffer
from .deadline import Deadline
from .decode import Entry, StreamDecoder
from .errors import PlexusError
from .frames import Gap
from .latch import owns
from .lookout import Lookout
from .pictures import PictureBuffer
from .state import StateChange
from .streams import Stream, VideoStream

__all__ = ["Inbox", "Lane", "LaneFull", "Notice"]

Notice = Union[StateChange, PlexusError]


PAUSE = 0.005  # seconds; the interpreter's own interval for changing threads
MAX_NOTICES = 10_000  # a stream that flaps makes some hundred an hour


class LaneFull(Exception):
    """A buffer with overflow="error" was full."""


class Inbox:
    """All lanes of one subscription, and what its readers have to tell beside frames."""

    def __init__(self) -> None:
        # Lanes that have something, each at most once; None only wakes the dispatcher.
        self.ready: SimpleQueue[Optional[Lane]] = SimpleQueue()
        # State changes and errors overtake frames, so they are not in the lanes. Bounded, for a
        # queue that nobody reads: there the oldest go, and status() still tells the last error.
        self.notices: Deque[Notice] = deque(maxlen=MAX_NOTICES)
        self.live: Set[object] = set()  # the readers that may still bring something
        self.lanes: Set[Lane] = set()  # all that are open
        self.lookout = Lookout(self.ready.empty)
        self._watchers: List[SimpleQueue[None]] = []

    def tell(self, notice: Notice) -> None:
        """Leave a notice for ``on_state`` or ``on_error``."""
        self.notices.append(notice)
        self.wake()

    def wake(self) -> None:
        """Make the dispatcher and everybody in ``wait_until`` look around."""
        if self.ready.empty():  # else whoever takes what stands there will look around
            self.put_in_the_row(None)
        self.wake_watchers()

    def put_in_the_row(self, lane: Optional[Lane]) -> None:
        """Let a lane that has something stand ready."""
        self.ready.put(lane)
        self.lookout.wake()

    def next_lane(self, timeout: Optional[float]) -> Optional[Lane]:
        """Wait for a lane that has something; None is only a wake. ``Empty`` when time is up."""
        if not self.lookout.is_open:
            return self.ready.get(timeout=timeout)
        if self.ready.empty():
            if timeout == 0:
                raise Empty
            self.lookout.wait(timeout)
        return None if self.ready.empty() else self.ready.get()

    def put_all_in_the_row(self) -> None:
        """Let every lane stand ready; one that does already, or has nothing, does no harm."""
        for lane in tuple(self.lanes):
            self.put_in_the_row(lane)

    def wake_watchers(self) -> None:
        """Make everybody in ``wait_until`` look around."""
        for watcher in tuple(self._watchers):
            watcher.put(None)

    def wait_until(self, predicate: Callable[[], bool], deadline: Deadline) -> bool:
        """Wait until the predicate holds, which is looked at after each wake; return whether."""
        watcher: SimpleQueue[None] = SimpleQueue()
        self._watchers.append(watcher)
        try:
            while not predicate():
                watcher.get(timeout=deadline.remaining())
        except Empty:
            return predicate()
        finally:
            self._watchers.remove(watcher)
        return True


class Lane:
    """The way of one stream's frames from its reader to the dispatcher, and their accounting.

    Counters up to ``last_frame_at`` belong to the reader and change under the lock; those from
    ``delivered`` on belong to the dispatcher, which alone writes them and needs no lock.
    """

    def __init__(self, stream: Stream, inbox: Inbox, keep_raw: bool) -> None:
        self.stream = stream
        self.decoder = StreamDecoder(stream, keep_raw)
        self._inbox = inbox
        inbox.lanes.add(self)
        self._buffer: Union[FrameBuffer, PictureBuffer] = (
            PictureBuffer(stream) if isinstance(stream, VideoStream) else FrameBuffer(stream)
        )
        # What the dispatcher is to hand over next; it takes from the left without the lock.
        self.lent = self._buffer.lent
        self._blocks = stream.buffer.overflow == "block"
        # Guards the buffer and the flags below between reader, dispatcher and status(); held for a
        # few operations on data, never while anybody waits. Re-entrant, because a signal handler
        # that calls close() may interrupt a dispatcher that holds it.
        self._lock = threading.RLock()
        self._scheduled = False  # stands in inbox.ready, or is in the dispatcher's hands
        self.closed = False  # written by close() alone
        self._awaited = False  # the reader waits for room
        self._taken_from = False  # since the reader last waited for nothing
        self._room: SimpleQueue[None] = SimpleQueue()
        self.received = 0
        self.bytes = 0
        self.filtered_early = 0
        self.dropped = 0
        self.last_frame_at: Optional[float] = None
        self.delivered = 0
        self.filtered_late = 0
        self.bad = 0
        self.points = 0
        self.gaps = 0

    # For the reader.

    def put(self, entries: List[Entry]) -> int:
        """Put one read's frames; return how many frames were dropped.

        Waits for room where the policy is to block; raises LaneFull where it is to fail.
        """
        dropped = 0
        while entries:
            with self._lock:
                if self.closed:
                    break
                count = self._extend(entries)
                # To drop what has no room is for callbacks that do not keep up, not for a reader
                # that had its turn first.
                hurries = self._taken_from and self._buffer.is_crowded()
                if count < len(entries) and (self._blocks or not hurries):
                    count, lost = self._fill(entries, count)
                    dropped += lost
                entries = entries[count:]
                self._schedule()
                self._awaited = bool(entries) or hurries
            if entries and not hurries and not self._blocks:
                raise LaneFull
            if entries and self._blocks:
                self._room.get()  # perhaps too early, for a token that is left over: then again
            elif hurries:
                self._wait_a_little()
        return dropped

    def put_at_once(self, entries: List[Entry], patient: bool) -> Tuple[List[Entry], int]:
        """Put frames without waiting; return those without room, and how many were dropped.

        For whoever reads in the reader's place. Nothing is dropped where they are ``patient``,
        since they hand over next. Raises LaneFull where the policy is to fail.
        """
        dropped = 0
        with self._lock:
            if self.closed:
                return [], 0
            count = self._extend(entries)
            # One that has no room in the empty buffer never has.
            if count < len(entries) and not (patient and count):
                count, dropped = self._fill(entries, count)
            self._schedule()
            if count < len(entries) and not (patient or self._blocks):
                raise LaneFull
        return entries[count:], dropped

    def pass_on(self, entries: List[Entry]) -> bool:
        """Lend a few frames that are handed over next; return whether that could be.

        For the dispatcher: what waits for nobody need not go through the buffer.
        """
        buffer = self._buffer
        if isinstance(buffer, PictureBuffer) or not buffer.may_pass(entries):
            return False
        items = self.decoder.frames(entries)
        with self._lock:
            if not self.closed:
                size = buffer.pass_on(entries, items)
                self._count(len(entries), size, entries[-1][1])
                self._taken_from = True
                self._schedule()
        return True

    def put_gap(self, gap: Optional[Gap]) -> None:
        """Put a Gap behind the frames that are there; None is none."""
        if gap is not None:
            with self._lock:
                if not self.closed:
                    self._buffer.put_gap(gap)
                    self._schedule()

    def count_filtered(self, text: bytes, at: float) -> None:
        """Count a frame that the reader filtered."""
        with self._lock:
            if not self.closed:
                self._count(1, len(text), at)
                self.filtered_early += 1

    # For the dispatcher.

    def lend(self) -> bool:
        """Fill ``lent``, which is empty, with frames; return whether something is in it.

        Where nothing is, the lane is out of the row.
        """
        with self._lock:
            if self.closed:
                self._buffer.clear()
            elif self.lent:  # by get() in a signal handler
                return True
            loan = self._buffer.next_loan()
            self._taken_from = True
            if self._awaited and self._buffer.is_drained():
                self._room.put(None)
                self._awaited = False
            if not loan:
                self._scheduled = bool(self.lent)
                return self._scheduled
        # Decoded while they are still in the buffer, without the lock: the reader may go on, and
        # Ctrl-C loses nothing.
        frames = self.decoder.frames(loan)
        with self._lock:
            if not self.closed:
                self._buffer.lend(loan, frames)
        return True

    def end_turn(self) -> None:
        """Go to the back of the row, since there is more."""
        self._inbox.put_in_the_row(self)

    def empty(self) -> bool:
        """Return whether nothing waits, not even a Gap."""
        return self._buffer.empty()

    # For anybody.

    def close(self) -> None:
        """Discard what waits, take nothing more, and let a reader go that waits for room."""
        # On top of lend(), in a signal handler: it must find what it began with; the next clears.
        interrupts_us = self.holds_lock()
        with self._lock:
            self.closed = True
            if not interrupts_us:
                self._buffer.clear()
        self._room.put(None)
        self._inbox.lanes.discard(self)

    def holds_lock(self) -> bool:
        """Return whether the calling thread is in the middle of something here."""
        return owns(self._lock)

    def figures(self) -> Dict[str, Any]:
        """Return the counters as the fields of a StreamStatus that have their names."""
        with self._lock:
            # The dispatcher may be counting at this moment, but only frames received before: so
            # what is neither here nor there still waits, or is in its hands.
            delivered, bad = self.delivered, self.bad
            filtered = self.filtered_early + self.filtered_late
            rest = self.received - delivered - self.dropped - filtered - bad
            return {
                "received": self.received,
                "delivered": delivered,
                "dropped": self.dropped,
                "filtered": filtered,
                "bad": bad,
                "discarded": rest if self.closed else 0,
                "buffered": 0 if self.closed else rest,
                "points": self.points,
                "bytes": self.bytes,
                "gaps": self.gaps,
                "last_frame_at": self.last_frame_at,
            }

    def _wait_a_little(self) -> None:
        """Let the dispatcher work; what comes meanwhile is in the socket's own buffer."""
        try:
            self._room.get(timeout=PAUSE)
        except Empty:
            self._taken_from = False  # a slow callback: no more of this until it has returned

    def _extend(self, entries: List[Entry]) -> int:
        """Put entries as far as there is room for them at once; return how many."""
        count, size = self._buffer.extend(entries)
        if count:
            self._count(count, size, entries[count - 1][1])
        return count

    def _fill(self, entries: List[Entry], index: int) -> Tuple[int, int]:
        """Offer entries from index on until one has no room; return its index and the dropped."""
        dropped = 0
        offer = self._buffer.offer
        try:
            while index < len(entries):
                entry = entries[index]
                dropped += offer(entry)
                self._count(1, len(entry[0]), entry[1])
                index += 1
        except BufferFull:
            if not self._blocks:  # the frame that breaks the buffer is dropped
                self._count(1, len(entry[0]), entry[1])
                dropped += 1
        self.dropped += dropped
        return index, dropped

    def _count(self, frames: int, size: int, at: float) -> None:
        self.received += frames
        self.bytes += size
        self.last_frame_at = at

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._inbox.put_in_the_row(self)
