"""A log that stays readable."""

from __future__ import annotations

import logging

import pytest
from helpers import FakeClock

from plexus_sync.throttle import INTERVAL, LOGGER, Throttle


@pytest.fixture
def clock():
    """Return a clock that stands still."""
    return FakeClock(0.0)


@pytest.fixture
def throttle(clock):
    """Return a throttle that lives by the clock."""
    return Throttle(clock)


@pytest.fixture
def told(caplog):
    """Return a function that gives what was logged since it was last called."""
    caplog.set_level(logging.WARNING, logger="plexus_sync")

    def told():
        records = [(record.levelname, record.getMessage()) for record in caplog.records]
        caplog.clear()
        assert {level for level, _ in records} <= {"WARNING"}
        return [message for _, message in records]

    return told


def test_logger():
    """It is the logger that the interface names."""
    assert LOGGER is logging.getLogger("plexus_sync")


def test_the_first_comes_through(throttle, told):
    """Even where the clock has only just begun."""
    throttle.warning("drop", "1 frame dropped")
    assert told() == ["1 frame dropped"]


def test_one_in_an_interval(throttle, clock, told):
    """The others are held back, and counted with the next that comes through."""
    throttle.warning("drop", "a")
    for message in ("b", "c"):
        clock.advance(INTERVAL / 3)
        throttle.warning("drop", message)
    assert told() == ["a"]
    clock.advance(INTERVAL / 3 + 0.001)
    throttle.warning("drop", "d")
    assert told() == ["d (2 more like it since)"]


def test_the_count_begins_anew(throttle, clock, told):
    """What was told once is not told again."""
    for _ in range(3):
        throttle.warning("drop", "a")
    clock.advance(INTERVAL)
    throttle.warning("drop", "b")
    clock.advance(INTERVAL)
    throttle.warning("drop", "c")
    assert told() == ["a", "b (2 more like it since)", "c"]


def test_the_interval_runs_from_what_came_through(throttle, clock, told):
    """What was held back does not put off the next for ever."""
    for _ in range(25):
        throttle.warning("drop", "x")
        clock.advance(1.0)
    assert told() == ["x", "x (9 more like it since)", "x (9 more like it since)"]


def test_kinds_do_not_hold_back_each_other(throttle, told):
    """One kind is one row of its own."""
    throttle.warning("drop", "a")
    throttle.warning("retry", "b")
    throttle.warning("retry", "c")
    assert told() == ["a", "b"]


def test_a_message_is_no_format(throttle, told):
    """Percent signs stay as they are."""
    throttle.warning("retry", "100 %s of /a%20b")
    assert told() == ["100 %s of /a%20b"]
