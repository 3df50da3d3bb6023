"""The bounded buffer between a reader and the callbacks: what stays, what goes, where Gaps stand.

A pure data structure without a lock; its owner has one. Gaps stand between the frames and take
no place: two of them always have a frame between.

What is to be handed over next is *lent*: put into ``lent``, which whoever hands over empties from
its left, an entry at a time and without asking anybody.
"""

from __future__ import annotations

from collections import deque
from itertools import islice, repeat, starmap
from typing import Deque, List, Optional, Tuple, Union

from .decode import Decoded, Entry
from .frames import Gap
from .streams import Buffer, Stream

__all__ = ["BufferFull", "FrameBuffer", "Item", "drops_oldest"]

# What is lent: frames as the decoder gives them, and a Gap alone where no frame is behind it yet.
Item = Union[Decoded, Gap]

# At most so many entries, of so many bytes, are lent at once: with more the interpreter's collector
# of garbage, which counts what is new and alive, would begin to run. They are fewer after a loan
# that was taken back, as what is then dropped was decoded for nothing.
LOAN, LOAN_BYTES = 100, 40 * 1024
FEW = 32  # frames, in a buffer in which as many have their place
# The bytes by which the reader best runs ahead of the callbacks: what waits behind more of them has
# left the processor's cache when its turn comes.
AHEAD = 256 * 1024


class BufferFull(Exception):
    """There is no room, and the policy is not to drop."""


def drops_oldest(policy: Buffer) -> bool:
    """Return whether the oldest makes room, not the newest; BufferFull where neither may."""
    if policy.overflow in ("block", "error"):
        raise BufferFull
    return policy.overflow == "drop_oldest"


def _joined(first: Optional[Gap], second: Optional[Gap]) -> Optional[Gap]:
    """Return the one Gap that stands for two with no frame between, of which there may be none."""
    if first is None or second is None:
        return first or second
    return first.merged(second)


class FrameBuffer:
    """First in, first out, for metrics and logs; what it drops leaves a Gap in its place.

    What is lent counts as waiting until the next loan. Where the buffer has to know better, because
    it is full, it takes back from the right of ``lent`` what was not taken from its left: so both
    sides may reach into it at once.
    """

    def __init__(self, stream: Stream) -> None:
        self.lent: Deque[Item] = deque()
        self._stream = stream
        self._policy: Buffer = stream.buffer
        self._entries: Deque[Entry] = deque()
        self._last_gap: Optional[Gap] = None  # no frame is behind it yet
        self._loan: List[Entry] = []  # what was lent last
        self._next_loan = 1
        self._bytes = 0  # of the entries and the loan

    @property
    def _frames(self) -> int:
        return len(self._entries) + len(self._loan)

    def is_crowded(self) -> bool:
        """Return whether it would be better to read on a little later."""
        return self._bytes > AHEAD or self._frames > max(FEW, self._policy.size // 2)

    def is_drained(self) -> bool:
        """Return whether it is time to read on."""
        size = self._policy.size
        return self._bytes <= AHEAD // 4 and self._frames <= min(size // 2, max(FEW, size // 8))

    def extend(self, entries: List[Entry]) -> Tuple[int, int]:
        """Put frames at the end, as far as there is room; return how many, and their bytes.

        None of them where all together have too many bytes.
        """
        entries = entries[: max(0, self._policy.size - self._frames)]
        size = sum([len(entry[0]) for entry in entries])
        if not entries or self._bytes + size > self._policy.max_bytes:
            return 0, 0
        entries[0] = self._behind_last_gap(entries[0])
        self._entries.extend(entries)
        self._bytes += size
        return len(entries), size

    def offer(self, entry: Entry) -> int:
        """Put a frame at the end; return how many frames were dropped, itself perhaps among them.

        Raises BufferFull where the policy is not to drop.
        """
        size = len(entry[0])
        if self._is_full(size):
            self._reclaim()
        dropped = 0
        while self._is_full(size):
            if not drops_oldest(self._policy):
                self.put_gap(self._overflow_gap(entry))
                return 1
            self._drop_oldest()
            dropped += 1
        self._entries.append(self._behind_last_gap(entry))
        self._bytes += size
        return dropped

    def put_gap(self, gap: Gap) -> None:
        """Put a Gap at the end."""
        self._last_gap = _joined(self._last_gap, gap)

    def may_pass(self, entries: List[Entry]) -> bool:
        """Return whether frames may be lent at once: these are few, and no others wait."""
        if len(entries) == 1:
            return self.empty()
        count, size = len(entries), sum([len(entry[0]) for entry in entries])
        few = count <= LOAN and count <= self._policy.size
        return few and size <= LOAN_BYTES and size <= self._policy.max_bytes and self.empty()

    def next_loan(self) -> List[Entry]:
        """Return what is to be lent next, which stays here until then; all lent before is taken."""
        self._settle()
        if not self._entries:
            if self._last_gap is not None:
                self.lent.append(self._last_gap)
                self._last_gap = None
            return []
        average = self._bytes // self._frames
        count = min(self._next_loan, max(1, LOAN_BYTES // (average + 1)))
        self._next_loan = min(LOAN, 2 * self._next_loan)
        return list(islice(self._entries, count))

    def lend(self, loan: List[Entry], items: List[Decoded]) -> None:
        """Lend what was made of ``next_loan``, but for what was dropped meanwhile."""
        first = self._entries[0] if self._entries else None
        while loan and loan[0] is not first:
            del loan[0], items[0]
        # One call for all of them, since Ctrl-C may come between two.
        deque(starmap(self._entries.popleft, repeat((), len(loan))), maxlen=0)
        self._loan.extend(loan)  # behind what get() in a signal handler has lent meanwhile
        self.lent.extend(items)

    def pass_on(self, loan: List[Entry], items: List[Decoded]) -> int:
        """Lend what was made of frames that came when nothing was waiting; return their bytes."""
        self._settle()
        size = sum([len(entry[0]) for entry in loan])
        self._loan = loan
        self._bytes += size
        self.lent.extend(items)
        return size

    def empty(self) -> bool:
        """Return whether nothing waits, not even a Gap."""
        return not self._entries and not self.lent and self._last_gap is None

    def clear(self) -> None:
        """Throw everything away."""
        self.lent.clear()
        self._entries.clear()
        self._loan.clear()
        self._last_gap = None
        self._bytes = 0

    def _behind_last_gap(self, entry: Entry) -> Entry:
        if self._last_gap is not None:
            entry = (*entry[:3], self._last_gap)
            self._last_gap = None
        return entry

    def _is_full(self, size: int) -> bool:
        """Return whether a text of this size has no room; one frame always has."""
        policy = self._policy
        return self._frames > 0 and (
            self._frames >= policy.size or self._bytes + size > policy.max_bytes
        )

    def _reclaim(self) -> None:
        """Take back what was lent and not taken, and count out what was."""
        try:
            while self._loan:
                self.lent.pop()
                self._entries.appendleft(self._loan.pop())
                self._next_loan = 1
        except IndexError:
            pass  # the rest was taken
        self._settle()

    def _settle(self) -> None:
        """Count out the loan, which is all taken."""
        size = self._bytes - sum([len(entry[0]) for entry in self._loan])
        self._bytes, self._loan = size, []

    def _drop_oldest(self) -> None:
        """Drop the first frame; what stands for it becomes one with the Gaps beside it."""
        entry = self._entries.popleft()
        self._bytes -= len(entry[0])
        self._put_gap_first(_joined(entry[3], self._overflow_gap(entry)))

    def _put_gap_first(self, gap: Optional[Gap]) -> None:
        if self._entries:
            first = self._entries[0]
            self._entries[0] = (*first[:3], _joined(gap, first[3]))
        else:
            self._last_gap = _joined(gap, self._last_gap)

    def _overflow_gap(self, entry: Entry) -> Gap:
        return Gap(self._stream, entry[1], entry[1], "overflow", 1)
