"""The bounded buffer of video, in which the freshest picture of each camera waits.

As pure as the other one, in ``buffers.py``, and used in the same way.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, List, Optional, Tuple, Union

import attrs

from .buffers import Item, drops_oldest
from .decode import Decoded, Entry
from .frames import Gap
from .streams import Buffer, Stream
from .wire import camera_of

__all__ = ["MAX_CAMERAS", "OTHER_FRAMES", "PictureBuffer"]

MAX_CAMERAS = 64  # names come from the server; each costs a queue
OTHER_FRAMES = 100  # places for frames that are no pictures


@attrs.define(eq=False)
class _Queue:
    """The waiting frames of one camera, or those that are no pictures."""

    places: int
    entries: Deque[Tuple[int, Entry]] = attrs.field(factory=deque)  # with the stretch of each


class PictureBuffer:
    """For video: ``size`` pictures of each camera, so that the freshest can be handed over.

    The order of hand-over is kept as a row of queues, one for each waiting frame. A picture that
    replaces an older one of its camera takes over its turn, so that a camera that is faster than
    the others is not for ever sent to the back. A Gap, or a frame that is no picture, begins a new
    *stretch*: turns are not taken over across it, since what came after must not overtake it.
    """

    def __init__(self, stream: Stream) -> None:
        self.lent: Deque[Item] = deque()
        self._policy: Buffer = stream.buffer
        self._row: Deque[Union[_Queue, Gap]] = deque()
        self._cameras: Dict[str, _Queue] = {}
        self._others = _Queue(OTHER_FRAMES)
        self._stretch = 0
        self._frames = 0
        self._bytes = 0
        self._taken: List[Entry] = []  # out of the row, and not yet lent

    def is_crowded(self) -> bool:
        """Return whether it would be better to read on a little later."""
        return self._frames > 0

    def is_drained(self) -> bool:
        """Return whether it is time to read on."""
        return self._frames == 0

    def extend(self, entries: List[Entry]) -> Tuple[int, int]:
        """Put the first where nothing waits; return how many frames that is, and their bytes.

        So quick callbacks get every picture, also of a read that brought several.
        """
        entry = entries[0]
        if self._frames or self._queue_for(entry) is None:
            return 0, 0
        self.offer(entry)
        return 1, len(entry[0])

    def offer(self, entry: Entry) -> int:
        """Put a frame; return how many frames were dropped, itself perhaps among them.

        Raises BufferFull where the policy is not to drop.
        """
        queue = self._queue_for(entry)
        if queue is None:
            return 1
        size = len(entry[0])
        dropped = 0
        while self._frames and self._bytes + size > self._policy.max_bytes:
            if not drops_oldest(self._policy):
                return 1
            self._drop_oldest_of(self._first_queue())
            dropped += 1
        takes_turn = False
        if len(queue.entries) >= queue.places:
            if not drops_oldest(self._policy):
                return 1
            takes_turn = queue.entries[0][0] == self._stretch
            self._drop_oldest_of(queue, keep_turn=takes_turn)
            dropped += 1
        if queue is self._others:
            self._stretch += 1
        queue.entries.append((self._stretch, entry))
        self._frames += 1
        self._bytes += size
        if not takes_turn:
            self._row.append(queue)
        return dropped

    def put_gap(self, gap: Gap) -> None:
        """Put a Gap at the end."""
        self._stretch += 1
        last = self._row[-1] if self._row else None
        if isinstance(last, Gap):
            self._row[-1] = last.merged(gap)
        else:
            self._row.append(gap)

    def next_loan(self) -> List[Entry]:
        """Take out what is to be lent next: one frame, so that what waits stays the freshest."""
        gap: Optional[Gap] = None
        if self._taken or not self._row:
            return list(self._taken)  # there still: Ctrl-C came while it was decoded
        item = self._row.popleft()
        if isinstance(item, Gap):
            gap = item
            if not self._row:
                self.lent.append(gap)
                return []
            item = self._row.popleft()
            assert not isinstance(item, Gap), "two gaps always have a frame between"
        self._taken = [(*self._take_from(item)[:3], gap)]
        return list(self._taken)

    def lend(self, loan: List[Entry], items: List[Decoded]) -> None:
        """Lend what was made of ``next_loan``."""
        self.lent.extend(items)
        self._taken = []

    def empty(self) -> bool:
        """Return whether nothing waits, not even a Gap."""
        return not self._row and not self._taken and not self.lent

    def clear(self) -> None:
        """Throw everything away."""
        self.lent.clear()
        self._taken = []
        self._row.clear()
        for queue in (*self._cameras.values(), self._others):
            queue.entries.clear()
        self._frames = self._bytes = 0

    def _queue_for(self, entry: Entry) -> Optional[_Queue]:
        camera = camera_of(entry[2])
        if camera is None:
            return self._others
        queue = self._cameras.get(camera)
        if queue is None and len(self._cameras) < MAX_CAMERAS:
            queue = self._cameras[camera] = _Queue(self._policy.size)
        return queue

    def _take_from(self, queue: _Queue) -> Entry:
        entry = queue.entries.popleft()[1]
        self._frames -= 1
        self._bytes -= len(entry[0])
        return entry

    def _first_queue(self) -> _Queue:
        return next(item for item in self._row if not isinstance(item, Gap))

    def _drop_oldest_of(self, queue: _Queue, keep_turn: bool = False) -> None:
        """Drop a frame and its turn; Gaps that then have nothing between them become one."""
        self._take_from(queue)
        if keep_turn:
            return
        row = self._row
        index = row.index(queue)
        del row[index]
        if 0 < index < len(row):
            before, after = row[index - 1], row[index]
            if isinstance(before, Gap) and isinstance(after, Gap):
                row[index - 1] = before.merged(after)
                del row[index]
