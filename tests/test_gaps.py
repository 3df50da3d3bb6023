"""When a stream was not delivering, and where a Gap stands."""

from __future__ import annotations

import pytest

from plexus_sync import Gap, MetricsStream
from plexus_sync.gaps import GapBook

STREAM = MetricsStream("robot-01")


@pytest.fixture
def book():
    """Return the book of a stream that has not been open yet."""
    return GapBook(STREAM)


@pytest.fixture
def open_book(book):
    """Return the book of a stream that was opened at 10 and last delivered at 20."""
    assert book.opened(10.0) is None
    book.delivering(20.0)
    return book


def test_a_first_connection_makes_none(book):
    """Who was never open has missed nothing, however many attempts it took."""
    book.lost()
    book.lost()
    assert book.opened(10.0) is None


def test_data_makes_none(open_book):
    """Data after data has no gap between."""
    assert open_book.data(21.0) is None
    assert open_book.data(22.0) is None
    assert open_book.in_outage is False


def test_a_lost_connection(open_book):
    """The gap runs from the last delivery to the moment the stream is open again."""
    open_book.lost()
    assert open_book.opened(30.0) == Gap(STREAM, 20.0, 30.0, "connection", 0)
    assert open_book.data(31.0) is None


def test_a_lost_connection_that_never_delivered(book):
    """Then it runs from when the stream was open."""
    book.opened(10.0)
    book.lost()
    assert book.opened(30.0) == Gap(STREAM, 10.0, 30.0, "connection")


def test_several_attempts(open_book):
    """Attempts that fail do not move the start."""
    open_book.lost()
    open_book.lost()
    open_book.lost()
    assert open_book.opened(30.0) == Gap(STREAM, 20.0, 30.0, "connection")


def test_the_next_loss_is_another_gap(open_book):
    """After a gap the book begins anew."""
    open_book.lost()
    open_book.opened(30.0)
    open_book.lost()
    assert open_book.opened(40.0) == Gap(STREAM, 30.0, 40.0, "connection")


def test_an_outage(open_book):
    """It runs from the first notice to the next data."""
    open_book.gateway_notice(21.0)
    assert open_book.in_outage is True
    open_book.delivering(25.0)
    open_book.gateway_notice(25.0)
    assert open_book.data(30.0) == Gap(STREAM, 21.0, 30.0, "gateway", 0)
    assert open_book.in_outage is False
    assert open_book.data(31.0) is None


def test_the_next_outage_is_another_gap(open_book):
    """After data a notice begins anew."""
    open_book.gateway_notice(21.0)
    open_book.data(22.0)
    open_book.gateway_notice(23.0)
    assert open_book.data(24.0) == Gap(STREAM, 23.0, 24.0, "gateway")


def test_a_connection_lost_during_an_outage(open_book):
    """There is one gap, of the connection, from the outage's start."""
    open_book.gateway_notice(21.0)
    open_book.delivering(25.0)
    open_book.lost()
    assert open_book.opened(30.0) == Gap(STREAM, 21.0, 30.0, "connection")
    assert open_book.in_outage is False
    assert open_book.data(31.0) is None


def test_an_outage_that_goes_on_after_the_loss(open_book):
    """Its next notice, on the new connection, begins an outage of its own."""
    open_book.gateway_notice(21.0)
    open_book.lost()
    open_book.opened(30.0)
    open_book.gateway_notice(31.0)
    assert open_book.data(40.0) == Gap(STREAM, 31.0, 40.0, "gateway")


def test_an_outage_on_a_clock_that_was_set_back(open_book):
    """The start is then the last delivery, which is earlier."""
    open_book.gateway_notice(21.0)
    open_book.delivering(15.0)
    open_book.lost()
    assert open_book.opened(30.0) == Gap(STREAM, 15.0, 30.0, "connection")


def test_an_outage_on_a_first_connection(book):
    """A stream that is open before its first notice has a gap, though no data came yet."""
    book.opened(10.0)
    book.gateway_notice(11.0)
    assert book.data(12.0) == Gap(STREAM, 11.0, 12.0, "gateway")


def test_a_final_failure_makes_none(open_book):
    """Nobody is open again, so nothing is returned."""
    open_book.lost()
    assert open_book.data(30.0) is None
