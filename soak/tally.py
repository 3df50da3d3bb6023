"""What a client was handed, number by number, and whether all of it is accounted for. Pure."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Set

import attrs

from plexus_sync import StreamStatus


@attrs.define
class Hole:
    """Numbers that never came, from ``first`` to ``last``, and what stood in their place.

    ``reasons``: what the program was told there, empty where nothing; ``dropped``: how many frames
    it was told of by number.
    """

    first: int
    last: int
    reasons: FrozenSet[str]
    dropped: int

    def numbers(self) -> Set[int]:
        """Return the numbers."""
        return set(range(self.first, self.last + 1))


class Tally:
    """Keeps book of one stream; one thread at a time writes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.last = -1  # the highest number so far
        self.last_at = clock()
        self.delivered = 0
        self.others = 0  # frames without a number
        self.wrong = 0  # numbers that came twice or out of order
        self.foreign = 0  # another device's numbers that were taken for ours
        self.told = 0
        self.told_dropped = 0
        self.silence = 0.0  # the longest time between two numbers
        self.holes: List[Hole] = []
        self._reasons: FrozenSet[str] = frozenset()
        self._dropped = 0

    def number(self, number: int) -> None:
        """Note a number."""
        self.quiet()
        self.last_at = self._clock()
        self.delivered += 1
        if number <= self.last:
            self.wrong += 1
            return
        if number > self.last + 1:
            self.holes.append(Hole(self.last + 1, number - 1, self._reasons, self._dropped))
        self.last = number
        self._reasons, self._dropped = frozenset(), 0

    def quiet(self) -> None:
        """Note how long no number has come."""
        self.silence = max(self.silence, self._clock() - self.last_at)

    def tell(self, reason: str, dropped: int = 0) -> None:
        """Note that the program was told, at this place, that something may be missing."""
        self.told += 1
        self.told_dropped += dropped
        self._reasons |= {reason}
        self._dropped += dropped

    def closed(self, total: int) -> List[Hole]:
        """Return all holes when ``total`` numbers are all that there were."""
        if self.last + 1 >= total:
            return self.holes
        return [*self.holes, Hole(self.last + 1, total - 1, self._reasons, self._dropped)]


@attrs.define
class Account:
    """Where the numbers of one stream went.

    ``told``: lost, and the program was told at that place; ``counted``: dropped from a buffer that
    counts; ``silent``: lost without a word; ``faults``: what is not as promised.
    """

    sent: int
    delivered: int
    told: int
    counted: int
    silent: int
    garbage: int
    foreign: int
    faults: List[str]


def account(tally: Tally, ledger: Dict[str, Any]) -> Account:
    """Ask where each number went, by what the server wrote down."""
    garbage, foreign = set(ledger["garbage"]), set(ledger["foreign"])
    told = silent = 0
    for hole in tally.closed(ledger["total"]):
        missing = len(hole.numbers() - garbage - foreign)
        if hole.reasons:
            told += missing
        else:
            silent += missing
    faults = [f"{tally.wrong} numbers came twice or out of order"] if tally.wrong else []
    if tally.last >= ledger["total"]:
        faults.append(f"the number {tally.last} came, but only {ledger['total']} were sent")
    figures = (ledger["total"], tally.delivered, told, 0, silent, len(garbage), len(foreign))
    return Account(*figures, faults)


def audit(tally: Tally, ledger: Dict[str, Any], status: StreamStatus, video: bool) -> Account:
    """Hold our own subscription to its promise: a Gap or the figures account for every number."""
    result = account(tally, ledger)
    faults = result.faults
    garbage, foreign = set(ledger["garbage"]), set(ledger["foreign"])
    untold: Set[int] = set()
    for hole in tally.closed(ledger["total"]):
        missing = hole.numbers() - garbage - foreign
        if not hole.reasons:
            untold |= hole.numbers()
            if not _within_one(hole, ledger["connections"]):
                faults.append(f"{hole.first} to {hole.last} spans connections without a Gap")
        elif hole.reasons == {"overflow"} and len(missing) > hole.dropped:
            faults.append(f"{hole.first} to {hole.last}: the Gap tells of {hole.dropped} only")
    lacking = max(0, len(untold & garbage) - status.bad)
    if video:
        # Pictures that a fresher one has replaced are counted and leave no Gap; one that is no
        # picture may be among them, for nobody has looked.
        result.counted = min(result.silent + lacking, status.dropped)
        replaced = min(lacking, result.counted)
        lacking -= replaced
        result.silent -= result.counted - replaced
    if result.silent:
        faults.append(f"{result.silent} numbers are lost without a word")
    if not video and status.dropped != tally.told_dropped:
        faults.append(f"{status.dropped} dropped, but Gaps tell of {tally.told_dropped}")
    if lacking or status.bad > len(garbage):
        faults.append(f"{status.bad} bad, of {len(garbage)} that were sent so")
    if not len(untold & foreign) <= status.filtered <= len(foreign):
        faults.append(f"{status.filtered} filtered, of {len(foreign)} of another device")
    if status.delivered != tally.delivered + tally.others:
        came = tally.delivered + tally.others
        faults.append(f"{status.delivered} delivered by status(), but {came} came")
    if status.received != sum(_parts(status)):
        faults.append(f"the figures do not add up: {status}")
    return result


def _parts(status: StreamStatus) -> List[int]:
    return [
        getattr(status, name)
        for name in ("delivered", "dropped", "filtered", "bad", "discarded", "buffered")
    ]


def _within_one(hole: Hole, connections: List[Dict[str, Optional[int]]]) -> bool:
    """Return whether one connection sent the whole hole and what stands around it."""
    return any(
        row["first"] is not None
        and row["last"] is not None
        and (row["first"] < hole.first or hole.first == 0)
        and hole.last < row["last"]
        for row in connections
    )
