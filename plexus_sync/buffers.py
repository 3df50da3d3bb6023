"""The bounded buffers between a reader and the callbacks: what stays, what goes, where Gaps stand.

Pure data structures without a lock; their owner has one. Gaps stand between the frames and take
no place: two of them always have a frame between.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, Optional, Tuple, Union

import attrs

from .frames import Gap
from .streams import Buffer, Stream, VideoStream
from .wire import Wire, camera_of

__all__ = ["BufferFull", "Entry", "FrameBuffer", "PictureBuffer", "Taken", "new_buffer"]

# One frame that waits: its text, when it came (seconds since the epoch), and its wire object where
# the reader had to make one. A tuple, since one is made for every frame.
Entry = Tuple[bytes, float, Optional[Wire]]

# What is handed over at once: nothing, a frame, a Gap, or a Gap and the frame behind it. The pair
# must not be torn apart: frames dropped after the Gap was taken would need a second Gap, and with
# a slow on_gap nothing but Gaps would ever be handed over.
Taken = Tuple[Union[Entry, Gap], ...]

MAX_CAMERAS = 64  # names come from the server; each costs a queue
OTHER_FRAMES = 100  # places on video for frames that are no pictures


class BufferFull(Exception):
    """There is no room, and the policy is not to drop."""


def _drops_oldest(policy: Buffer) -> bool:
    """Return whether the oldest makes room, not the newest; BufferFull where neither may."""
    if policy.overflow in ("block", "error"):
        raise BufferFull
    return policy.overflow == "drop_oldest"


def _append_gap(row: Deque[Any], gap: Gap) -> None:
    last = row[-1] if row else None
    if isinstance(last, Gap):
        row[-1] = last.merged(gap)
    else:
        row.append(gap)


class FrameBuffer:
    """First in, first out, for metrics and logs; what it drops leaves a Gap in its place."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._policy: Buffer = stream.buffer
        self._items: Deque[Union[Entry, Gap]] = deque()
        self._frames = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._frames

    def offer(self, entry: Entry) -> int:
        """Put a frame at the end; return how many frames were dropped, itself perhaps among them.

        Raises BufferFull where the policy is not to drop.
        """
        size = len(entry[0])
        dropped = 0
        while self._frames and (
            self._frames >= self._policy.size or self._bytes + size > self._policy.max_bytes
        ):
            if not _drops_oldest(self._policy):
                self.put_gap(self._overflow_gap(entry))
                return 1
            self._drop_oldest()
            dropped += 1
        self._items.append(entry)
        self._frames += 1
        self._bytes += size
        return dropped

    def put_gap(self, gap: Gap) -> None:
        """Put a Gap at the end."""
        _append_gap(self._items, gap)

    def take(self) -> Taken:
        """Take what comes next from the front."""
        if not self._items:
            return ()
        item = self._items.popleft()
        if isinstance(item, Gap):
            return (item, self._take_frame()) if self._items else (item,)
        self._count_out(item)
        return (item,)

    def empty(self) -> bool:
        """Return whether nothing waits, not even a Gap."""
        return not self._items

    def clear(self) -> None:
        """Throw everything away."""
        self._items.clear()
        self._frames = self._bytes = 0

    def _take_frame(self) -> Entry:
        entry = self._items.popleft()
        assert not isinstance(entry, Gap), "two gaps always have a frame between"
        self._count_out(entry)
        return entry

    def _count_out(self, entry: Entry) -> None:
        self._frames -= 1
        self._bytes -= len(entry[0])

    def _drop_oldest(self) -> None:
        """Drop the first frame; what stands for it becomes one with the Gaps beside it."""
        before = self._items[0]
        if isinstance(before, Gap):
            self._items.popleft()
        gap = self._overflow_gap(self._take_frame())
        if isinstance(before, Gap):
            gap = before.merged(gap)
        after = self._items[0] if self._items else None
        if isinstance(after, Gap):
            self._items[0] = gap.merged(after)
        else:
            self._items.appendleft(gap)

    def _overflow_gap(self, entry: Entry) -> Gap:
        return Gap(self._stream, entry[1], entry[1], "overflow", 1)


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
        self._policy: Buffer = stream.buffer
        self._row: Deque[Union[_Queue, Gap]] = deque()
        self._cameras: Dict[str, _Queue] = {}
        self._others = _Queue(OTHER_FRAMES)
        self._stretch = 0
        self._frames = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._frames

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
            if not _drops_oldest(self._policy):
                return 1
            self._drop_oldest_of(self._first_queue())
            dropped += 1
        takes_turn = False
        if len(queue.entries) >= queue.places:
            if not _drops_oldest(self._policy):
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
        _append_gap(self._row, gap)

    def take(self) -> Taken:
        """Take what comes next."""
        if not self._row:
            return ()
        item = self._row.popleft()
        if not isinstance(item, Gap):
            return (self._take_from(item),)
        if not self._row:
            return (item,)
        queue = self._row.popleft()
        assert not isinstance(queue, Gap), "two gaps always have a frame between"
        return (item, self._take_from(queue))

    def empty(self) -> bool:
        """Return whether nothing waits, not even a Gap."""
        return not self._row

    def clear(self) -> None:
        """Throw everything away."""
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


def new_buffer(stream: Stream) -> Union[FrameBuffer, PictureBuffer]:
    """Return the buffer that fits the stream."""
    return PictureBuffer(stream) if isinstance(stream, VideoStream) else FrameBuffer(stream)
