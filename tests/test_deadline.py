"""One time limit carried through several steps."""

from __future__ import annotations

import threading
import time

import pytest
from helpers import FakeClock

from plexus_sync.deadline import Deadline


def test_no_limit():
    """None never expires, and does not even look at the clock."""

    def nobody():
        raise AssertionError("the clock was read")

    deadline = Deadline(None, nobody)
    assert deadline.remaining() is None
    assert deadline.expired() is False


@pytest.mark.parametrize(
    ("passed", "remaining", "expired"),
    [(0, 10, False), (9.5, 0.5, False), (10, 0, True), (11, 0, True)],
)
def test_time_passes(passed, remaining, expired):
    """What is left is less each time, and never below 0."""
    clock = FakeClock()
    deadline = Deadline(10, clock)
    clock.advance(passed)
    assert deadline.remaining() == remaining
    assert deadline.expired() is expired


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_at_all(timeout):
    """It has expired at once."""
    deadline = Deadline(timeout, FakeClock())
    assert deadline.remaining() == 0
    assert deadline.expired() is True


def test_no_end():
    """A limit that no system call can count to is as good as one that is never reached."""
    clock = FakeClock()
    deadline = Deadline(1e300, clock)
    assert 1e8 < deadline.remaining() < threading.TIMEOUT_MAX
    clock.advance(1e8)
    assert deadline.expired() is False


def test_the_clock_is_monotonic():
    """A wall clock that is set does not change a limit."""
    assert Deadline.__init__.__defaults__ == (time.monotonic,)
