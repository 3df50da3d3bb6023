"""From the lanes to the callbacks: decode, hand over in fair turns, tell what happened."""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import Empty
from typing import Callable, Deque, Optional, Set, Tuple, Union

from .buffers import Item
from .callbacks import Callbacks
from .deadline import Deadline
from .errors import FrameError
from .frames import ErrorFrame, Frame, Gap, TelemetryFrame
from .inbox import Inbox, Lane
from .latch import owns
from .throttle import Throttle
from .wire import frame_error

__all__ = ["Dispatcher", "Finished"]

GLANCE = 0.05  # seconds to look past bad and filtered frames when the time is up already
TURN = 0.001  # seconds that one stream may go on while others wait


class Finished(Exception):
    """Nothing waits and nothing more can come."""


class Dispatcher:
    """Hands over one frame at a time, on whichever thread asks for it."""

    def __init__(
        self,
        inbox: Inbox,
        callbacks: Callbacks,
        scrub: Callable[[str], str],
    ) -> None:
        self._inbox = inbox
        self._callbacks = callbacks
        self._scrub = scrub
        self._throttle = Throttle()
        self._turns: Deque[Lane] = deque()  # lanes taken from inbox.ready; the first has its turn
        self._turn_ends = 0.0
        self._turn_used = False  # every turn hands over something, however short it is
        # A frame whose Gap was just handed over: nothing may come between the two.
        self._behind_gap: Optional[Tuple[Lane, Item]] = None
        # get() may be called by several threads: one at a time takes, decodes and counts. Not held
        # while anybody waits or user code runs. Re-entrant, for signal handlers.
        self._lock = threading.RLock()
        self._telling = threading.Lock()  # never waited for
        self._calling_thread: Optional[int] = None
        self.idle = False  # waits for something to do
        self._waiting: Set[int] = set()  # threads in _wait(); several may be in get()

    def next(self, deadline: Deadline, finished: Callable[[], bool]) -> Frame:
        """Return the next frame or Gap; the notices before it are told on the way.

        Raises ``Empty`` when the time is up and ``Finished`` when ``finished()`` says so.
        """
        try:
            return self._next(deadline, finished)
        except (Empty, Finished):
            raise
        except BaseException:  # Ctrl-C: a lane may be in nobody's hands now, and a wake-up lost
            self._inbox.put_all_in_the_row()
            raise

    def _next(self, deadline: Deadline, finished: Callable[[], bool]) -> Frame:
        inbox = self._inbox
        glance_ends = 0.0
        while True:
            if inbox.notices:
                self.tell_notices()
            with self._lock:
                frame = self._take()
            if frame is not None:
                if self._waiting:
                    inbox.wake()  # this lane is in our hands: nothing else would wake the others
                return frame
            if self._turns or self._behind_gap:
                now = time.monotonic()
                glance_ends = glance_ends or now + GLANCE
                if now >= glance_ends and deadline.expired():
                    raise Empty
                continue  # a frame was bad or filtered
            if finished():
                # Its last notices may have come after the look above; on_state may add a stream.
                self.tell_notices()
                if finished():
                    raise Finished
                continue
            self._wait(deadline)

    def run(self, deadline: Deadline, finished: Callable[[], bool]) -> None:
        """Call the callbacks with all that comes, until ``finished()`` or the time is up."""
        try:
            while not deadline.expired():
                self.call(self.next(deadline, finished))
                if self._turns and self._turns[0].lent and self._behind_gap is None:
                    self._hand_over(self._turns[0], deadline)
        except (Empty, Finished):
            pass

    def _hand_over(self, lane: Lane, deadline: Deadline) -> None:
        """Call the callbacks with what is lent of a lane, until something else is to be done.

        The loop that every frame under load goes through.
        """
        lent, call = lane.lent, self._callbacks.call
        notices, nobody_waits = self._inbox.notices, self._inbox.ready.empty
        is_limited = deadline.remaining() is not None
        self._calling_thread = threading.get_ident()
        try:
            while not notices:
                if not nobody_waits() and self._turn_is_over():
                    return
                if is_limited and deadline.expired():
                    return
                try:
                    item = lent.popleft()
                except IndexError:  # all is handed over, was taken back, or the lane was closed
                    return
                if type(item) is TelemetryFrame and not lane.closed:  # as in _count
                    lane.delivered += 1
                    lane.points += len(item.points)
                    call(item)
                    continue
                frame = self._count(lane, item)
                if frame is not None:
                    call(frame)
                if self._behind_gap is not None:
                    return
        finally:
            self._calling_thread = None

    def call(self, thing: object) -> None:
        """Call the callbacks for a frame, Gap or notice."""
        self._calling_thread = threading.get_ident()
        try:
            self._callbacks.call(thing)
        finally:
            self._calling_thread = None

    def is_calling(self) -> bool:
        """Return whether the caller is itself inside a callback."""
        return self._calling_thread == threading.get_ident()

    def holds_lock(self) -> bool:
        """Return whether the calling thread is in the middle of taking a frame."""
        return owns(self._lock)

    def tell_notices(self) -> None:
        """Call ``on_state`` and ``on_error`` with what has happened."""
        # Of several threads in get() one tells; a callback that calls get() itself does not.
        if not self._telling.acquire(blocking=False):
            return
        try:
            while self._inbox.notices:
                notice = self._inbox.notices.popleft()
                if isinstance(notice, FrameError):
                    self._throttle.warning(f"{notice.stream} bad frame", str(notice))
                self.call(notice)
        finally:
            self._telling.release()

    def _wait(self, deadline: Deadline) -> None:
        self.idle = True
        if not self._inbox.live:
            self._inbox.wake_watchers()  # somebody may wait for all to be handed over
        me = threading.get_ident()
        self._waiting.add(me)
        try:
            if self._turns or self._behind_gap:
                return  # of another thread in get(), which had not seen this one wait
            lane = self._inbox.next_lane(deadline.remaining())
        finally:
            self.idle = False
            self._waiting.discard(me)
        if lane is not None:
            self._turns.append(lane)
            self._turn_ends = time.monotonic() + TURN

    def _take(self) -> Optional[Frame]:
        """Return the next frame of whose turn it is; None where nobody has anything to hand over.

        A frame that is bad or filtered is none: there may be more behind it.
        """
        if self._behind_gap is not None:
            frame = self._count(*self._behind_gap)
            self._behind_gap = None
            return frame
        while self._turns:
            lane = self._turns[0]
            if self._turn_used and self._turn_is_over():
                lane.end_turn()
                self._next_turn()
                continue
            # What was just lent is handed over in any case: a picture would age behind the others.
            if not lane.lent and not lane.lend():
                self._next_turn()
                continue
            try:
                item = lane.lent.popleft()
            except IndexError:  # it was taken back, or the lane was closed
                continue
            self._turn_used = True
            return self._count(lane, item)
        return None

    def _turn_is_over(self) -> bool:
        others_wait = len(self._turns) > 1 or not self._inbox.ready.empty()
        return others_wait and time.monotonic() >= self._turn_ends

    def _next_turn(self) -> None:
        self._turns.popleft()
        self._turn_used = False
        if self._turns:
            self._turn_ends = time.monotonic() + TURN

    def _count(self, lane: Lane, item: Item) -> Optional[Frame]:
        """Count what was taken and return it; None where there is nothing to hand over."""
        if lane.closed:
            return None  # it counts as discarded
        if isinstance(item, Gap):
            lane.gaps += 1
            return item
        frame: Union[Frame, FrameError, None]
        if isinstance(item, TelemetryFrame):
            frame = item
        else:
            (text, _, _, gap), frame = item
            if gap is not None and self._behind_gap is None:
                self._behind_gap = (lane, item)
                lane.gaps += 1
                return gap
            if frame is None:
                lane.filtered_late += 1
                return None
            if isinstance(frame, FrameError):
                lane.bad += 1
                told = frame_error(text, frame.reason, lane.stream, self._scrub)
                self._inbox.notices.append(told)
                return None
        lane.delivered += 1
        if isinstance(frame, TelemetryFrame):
            lane.points += len(frame.points)
        elif isinstance(frame, ErrorFrame):
            message = self._scrub(f"{frame.stream}: the service reports: {frame.message}")
            self._throttle.warning(f"{frame.stream} error frame", message)
        return frame
