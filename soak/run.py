"""One run: a client, a server, faults; in the end each number is asked where it went."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections import defaultdict
from typing import Any, Callable, Dict, List, Optional

from .clients import Client, client
from .clients.base import Peer
from .clients.plexus_sync import Ours
from .faults import SCENARIOS, STREAMS, Fault, draw
from .remote import Server
from .tally import account, audit

POLL = 0.02  # seconds; how exactly the coming back is measured
# Within so many seconds our own client is back after any fault: a dead link is found after 1 + 1 s,
# an attempt takes at most 2 s, a backoff at most 2 s, and there may have to be two of them.
PATIENCE = 10.0
PEERS_PATIENCE = 20.0
QUIET = (0.5, 3.0)  # seconds between two faults
WARM_UP = 0.2  # of the time, after which memory must be flat
MAX_GROWTH_MB = 8.0  # what allocators and long lists of errors may take beside; a leak takes more
THREADS = len(STREAMS) + 2  # a reader for each, the dispatcher and its stand-in
DESCRIPTORS = len(STREAMS) + 3  # a socket for each; a selector and what wakes it

Say = Callable[[str], None]


def _resident_mb() -> float:
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _wait(predicate: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not predicate():
        if time.monotonic() > end:
            return False
        time.sleep(POLL)
    return True


class Run:
    """A client that goes through faults, and what came of each."""

    def __init__(self, name: str, server: Server, say: Say) -> None:
        self.client: Client = client(name)
        self.back: Dict[str, List[Optional[float]]] = defaultdict(list)  # seconds, None for never
        self.faults: List[str] = []
        self._patience = PATIENCE if name == "plexus-sync" else PEERS_PATIENCE
        self._server = server
        self._say = say

    def start(self) -> None:
        """Connect; wait for the first number of each stream."""
        self.client.start(self._server.url)
        tallies = self.client.tallies.values()
        if not _wait(lambda: all(tally.last >= 0 for tally in tallies), PATIENCE):
            raise RuntimeError("a stream never began")

    def suffer(self, faults: List[Fault]) -> Optional[float]:
        """Go through faults; return the seconds until all streams were back, None for never."""
        slow = max(fault.slow for fault in faults)
        if slow:
            self.client.slow_down(slow)
        numbers = self._server.inject(faults)
        over = time.monotonic()
        tallies = self.client.tallies
        everything = _wait(
            lambda: all(
                tallies[kind].last >= numbers[kind] or kind in self.client.ended for kind in STREAMS
            ),
            self._patience + slow,
        )
        came = everything and not self.client.ended
        # The slow callback is the client's own doing, and not what is measured.
        back = max(0.0, time.monotonic() - over - slow) if came else None
        for fault in faults:
            self.back[fault.kind].append(back)
        if back is None:
            names = " and ".join(fault.kind for fault in faults)
            behind = [kind for kind in STREAMS if tallies[kind].last < numbers[kind]]
            self.faults.append(
                f"not back {self._patience:.0f} s after {names}: {', '.join(behind)}"
            )
            self._say(self.faults[-1])
        return back

    def finish(self) -> Dict[str, Any]:
        """Stop the server, drain, stop the client; return where the numbers went."""
        ledger = self._server.finish()
        for tally in self.client.tallies.values():
            tally.quiet()
        tallies = self.client.tallies
        self.drained = _wait(
            lambda: (
                all(tallies[kind].last == ledger[kind]["total"] - 1 for kind in STREAMS)
                or bool(self.client.ended)
            ),
            PATIENCE,
        )
        ended = self.client.ended
        endings = getattr(self.client, "endings", len(ended))
        stopped = self.client.stop()
        ours = isinstance(self.client, Ours)
        status = self.client.status() if isinstance(self.client, Ours) else {}
        result: Dict[str, Any] = {
            "ended": ended,
            "endings": endings,
            "stopped": stopped,
            "streams": {},
        }
        for kind in STREAMS:
            tally = tallies[kind]
            if ours:
                found = audit(tally, ledger[kind], status[kind], kind == "video")
            else:
                found = account(tally, ledger[kind])
            self.faults += [f"{kind}: {fault}" for fault in found.faults]
            row = result["streams"][kind] = {
                "sent": found.sent,
                "delivered": found.delivered,
                "told": found.told,
                "counted": found.counted,
                "silent": found.silent,
                "garbage": found.garbage,
                "foreign": found.foreign,
                "foreign taken": tally.foreign,
                "wrong": tally.wrong,
                "notices": tally.told,
                "longest silence": round(tally.silence, 1),
                "connections": len(ledger[kind]["connections"]),
            }
            if ours:
                for name in ("gaps", "dropped", "bad", "filtered", "discarded", "reconnects"):
                    row[name] = getattr(status[kind], name)
        return result

    def line(self) -> str:
        """Return one line of figures."""
        tallies = self.client.tallies.values()
        figures = {"delivered": sum(tally.delivered for tally in tallies)}
        if isinstance(self.client, Ours):
            for name in ("gaps", "dropped", "reconnects", "bad", "filtered"):
                status = self.client.status().values()
                figures[name] = sum(getattr(one, name) for one in status)
        else:
            figures["told"] = sum(tally.told for tally in tallies)
        told = ", ".join(f"{name} {value}" for name, value in figures.items())
        return (
            f"{told}; {_resident_mb():.1f} MB, {threading.active_count()} threads, "
            f"{_descriptors()} descriptors"
        )


class _Measure:
    """Memory, threads and descriptors of our own process, when nothing is under way."""

    def __init__(self) -> None:
        self.memory = round(_resident_mb(), 1)
        self.threads = threading.active_count()
        self.descriptors = _descriptors()


def soak(name: str, minutes: float, seed: int, say: Say) -> Dict[str, Any]:
    """Let a client go through random faults for a while; return what came of it."""
    rng = random.Random(seed)
    count = 0
    with Server(seed) as server:
        before = _Measure()
        run = Run(name, server, say)
        began = time.monotonic()
        if isinstance(run.client, Peer):
            run.client.supervised = True
        run.start()
        warm: Optional[_Measure] = None
        next_line = 60.0
        while time.monotonic() - began < minutes * 60:
            time.sleep(rng.uniform(*QUIET))
            faults = draw(rng)
            count += len(faults)
            back = run.suffer(faults)
            past = time.monotonic() - began
            if warm is None and back is not None and past > minutes * 60 * WARM_UP:
                warm = _Measure()
            if past > next_line:
                next_line += 60
                say(run.line())
        time.sleep(1.0)  # the last sockets of the last fault close
        at_end = _Measure()
        say(run.line())
        result = run.finish()
        _wait(lambda: threading.active_count() == before.threads, PATIENCE)
        after = _Measure()
    result.update(client=name, seed=seed, minutes=minutes, injected=count, faults=run.faults)
    result["back"] = {kind: _summary(times) for kind, times in sorted(run.back.items())}
    phases = {"before": before, "warm": warm or at_end, "end": at_end, "closed": after}
    result["process"] = {phase: vars(measure) for phase, measure in phases.items()}
    if name == "plexus-sync":
        run.faults += _process_faults(before, warm or at_end, at_end, after)
        if not run.drained:
            run.faults.append("the last numbers never came")
        if not result["stopped"]:
            run.faults.append("close() had to leave a thread behind")
    return result


def _summary(times: List[Optional[float]]) -> Dict[str, Any]:
    came = [seconds for seconds in times if seconds is not None]
    return {
        "times": len(times),
        "never": len(times) - len(came),
        "median": round(sorted(came)[len(came) // 2], 2) if came else None,
        "longest": round(max(came), 2) if came else None,
    }


def _process_faults(
    before: _Measure, warm: _Measure, at_end: _Measure, after: _Measure
) -> List[str]:
    faults = []
    if at_end.memory - warm.memory > MAX_GROWTH_MB:
        faults.append(f"memory grew from {warm.memory} to {at_end.memory} MB")
    if at_end.threads > before.threads + THREADS:
        faults.append(f"{at_end.threads} threads at the end, {before.threads} at the start")
    if at_end.descriptors > before.descriptors + DESCRIPTORS:
        faults.append(f"{at_end.descriptors} descriptors, {before.descriptors} at the start")
    if (after.threads, after.descriptors) != (before.threads, before.descriptors):
        faults.append(f"left behind after close(): {vars(before)} has become {vars(after)}")
    return faults


def scenarios(name: str, seed: int, say: Say) -> Dict[str, Any]:
    """Let a client go through one fault each; return a row for each."""
    rows = {}
    for title, fault in SCENARIOS.items():
        with Server(seed) as server:
            run = Run(name, server, lambda text: None)
            run.start()
            time.sleep(1.0)
            back = run.suffer([fault])
            result = run.finish()
        streams = result["streams"].values()
        total = {
            what: sum(row[what] for row in streams)
            for what in ("told", "counted", "silent", "wrong", "foreign taken")
        }
        rows[title] = {**total, "back": back, "ended": result["ended"]}
        rows[title]["faults"] = run.faults
        say(f"{title}: {rows[title]}")
    return rows
