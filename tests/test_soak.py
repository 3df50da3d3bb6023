"""The soak: a short one keeps the tool alive, and its audit finds what it is there to find."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from plexus_sync import State, StreamStatus
from soak.faults import SCENARIOS, STREAMS, draw
from soak.tally import Tally, account, audit

ROOT = Path(__file__).parent.parent


def ledger(total, garbage=(), foreign=(), connections=None):
    """Return what a server wrote down; by default all went through one connection."""
    rows = connections or [{"first": 0, "last": total - 1, "end": None}]
    return {"total": total, "garbage": garbage, "foreign": foreign, "connections": rows}


def tally(*items):
    """Return a tally of numbers and of what was told between them."""
    made = Tally()
    for item in items:
        if isinstance(item, int):
            made.number(item)
        else:
            made.tell(*item)
    return made


def faults(items, sent, video=False, **figures):
    """Return what the audit finds, where the figures add up."""
    one = tally(*items)
    figures.setdefault("delivered", one.delivered)
    names = ("delivered", "dropped", "filtered", "bad", "discarded", "buffered")
    figures.setdefault("received", sum(figures.get(name, 0) for name in names))
    status = StreamStatus(State.ENDED, 0.0, **figures)
    return audit(one, sent, status, video).faults


TWO = [{"first": 0, "last": 1, "end": "cut"}, {"first": 4, "last": 5, "end": None}]
GAP = ("connection", 0)


def test_all_is_well():
    """Every number, a Gap in each hole, or figures that account for it: there is no fault."""
    assert faults([0, 1, 2], ledger(3)) == []
    assert faults([0, 1, GAP, 4, 5], ledger(6, connections=TWO)) == []
    assert faults([0, 2, 4], ledger(5, garbage=[1], foreign=[3]), bad=1, filtered=1) == []
    assert faults([0, ("overflow", 3), 4], ledger(5), dropped=3) == []
    assert faults([0, 3], ledger(4), video=True, dropped=2) == []
    assert faults([0, 3], ledger(4, garbage=[1]), video=True, dropped=2) == []


@pytest.mark.parametrize(
    ("items", "sent", "figures"),
    [
        ([0, 2], ledger(3), {}),  # a hole
        ([0, 1], ledger(3), {}),  # the end is missing
        ([1, 2], ledger(3), {}),  # the beginning is missing
        ([GAP, 0, 2], ledger(3), {}),  # the Gap stands before the hole
        ([0, 2, GAP, 3], ledger(4), {}),  # the Gap stands behind the hole
        ([0, 1, 4, 5], ledger(6, [2, 3], connections=TWO), {"bad": 2}),  # across connections
        ([0, 1, 1, 2], ledger(3), {}),  # twice
        ([0, 2, 1, 2], ledger(3), {}),  # out of order
        ([0, 1, 2, 3], ledger(3), {}),  # never sent
        ([0, ("overflow", 2), 4], ledger(5), {"dropped": 2}),  # the Gap tells of too few
        ([0, ("overflow", 3), 4], ledger(5), {"dropped": 2}),  # status() tells of too few
        ([0, 2], ledger(3, garbage=[1]), {}),  # not counted as bad
        ([0, 2], ledger(3, foreign=[1]), {}),  # not counted as filtered
        ([0, 1, 2], ledger(3), {"bad": 1}),  # bad, and nothing was
        ([0, 1, 2], ledger(3), {"delivered": 2}),
        ([0, 1, 2], ledger(3), {"received": 4}),
        ([0, 3], ledger(4), {"video": True, "dropped": 1}),
        ([0, 3], ledger(4, garbage=[1]), {"video": True, "dropped": 1}),
    ],
)
def test_what_is_not_accounted_for(items, sent, figures):
    """Each is a fault."""
    assert faults(items, sent, **figures)


def test_what_a_peer_lost():
    """Holes are told where the program was told in them, silent elsewhere."""
    found = account(tally(0, 2, GAP, 3, GAP, 6, 7), ledger(10, garbage=[5]))
    assert (found.sent, found.delivered, found.told, found.silent) == (10, 5, 1, 3)


def test_the_schedule_is_the_seed_s():
    """The same seed, the same faults; in the long run each kind comes to each stream."""
    first, second = random.Random(7), random.Random(7)
    drawn = [draw(first) for _ in range(500)]
    assert drawn == [draw(second) for _ in range(500)]
    kinds = {fault.kind for faults in drawn for fault in faults}
    assert kinds >= {fault.kind for fault in SCENARIOS.values()}
    assert {fault.streams for faults in drawn for fault in faults} >= {(kind,) for kind in STREAMS}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="its figures are those of Linux")
def test_a_short_soak(tmp_path):
    """A soak of some seconds: all numbers are accounted for, the exit status says so."""
    results = tmp_path / "results.json"
    arguments = ("--minutes", "0.1", "--seed", "5", "--json", str(results))
    process = subprocess.run(
        (sys.executable, "-m", "soak", *arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.returncode == 0, process.stdout
    assert "every number is accounted for" in process.stdout
    soak = json.loads(results.read_text(encoding="utf-8"))["soak"]
    assert soak["faults"] == []
    assert soak["injected"] > 0
    for row in soak["streams"].values():
        assert 0 < row["delivered"] <= row["sent"]
        assert row["silent"] == 0
