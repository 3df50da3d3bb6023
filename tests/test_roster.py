"""Who is watched, without a network: readers whose connections never come to be."""

from __future__ import annotations

import socket

import pytest
from helpers import PATIENCE

from plexus_sync import (
    Closed,
    ConfigError,
    ConnectionLost,
    LogsStream,
    MetricsStream,
    Reconnect,
    State,
)
from plexus_sync.deadline import Deadline
from plexus_sync.inbox import Inbox
from plexus_sync.roster import Roster
from plexus_sync.settings import KeySource, Settings

METRICS = MetricsStream("robot-01")
LOGS = LogsStream("robot-01")


@pytest.fixture
def inbox():
    """Return where the readers tell what happened."""
    return Inbox()


@pytest.fixture
def roster(inbox, monkeypatch):
    """Return a roster whose readers find no address, and give up after one attempt."""

    def nowhere(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    settings = Settings(
        keys=KeySource("plx_test"),
        base_url="wss://plexus.invalid",
        reconnect=Reconnect(max_attempts=1),
    )
    roster = Roster(settings, inbox)
    yield roster
    roster.stop()
    assert roster.join(Deadline(PATIENCE))


def ended(roster, inbox):
    """Wait until all have ended."""
    assert inbox.wait_until(roster.all_ended, Deadline(PATIENCE))


def test_an_empty_roster_has_not_ended(roster):
    """It waits for somebody to be added, also once it is started."""
    assert not roster.all_ended()
    roster.start()
    assert not roster.all_ended()
    assert roster.status() == {}


def test_the_first_final_error_is_the_first_by_time(roster, inbox):
    """Not by the order in which the streams were added; a removed one does not count."""
    roster.add(METRICS)
    roster.start()
    ended(roster, inbox)
    roster.add(LOGS)
    ended(roster, inbox)
    assert roster.first_final_error().stream is METRICS
    assert roster.last_failure().stream is LOGS
    roster.remove(METRICS)
    assert roster.first_final_error().stream is LOGS
    roster.remove(LOGS)
    assert roster.first_final_error() is None
    assert roster.last_failure() is None


def test_a_failure_is_a_failed_state(roster, inbox):
    """status() tells it, and start() need not wait any longer."""
    roster.add(METRICS)
    assert not roster.all_opened_or_one_failed()
    roster.start()
    ended(roster, inbox)
    assert roster.all_opened_or_one_failed()
    status = roster.status()[METRICS]
    assert status.state is State.FAILED
    assert isinstance(status.last_error.__cause__, ConnectionLost)
    assert roster.all_handed_over()


def test_a_stream_is_there_once(roster):
    """An equal one is refused, and what is not there cannot be removed."""
    roster.add(METRICS)
    with pytest.raises(ConfigError, match="already"):
        roster.add(MetricsStream("robot-01"))
    with pytest.raises(ConfigError, match="not there"):
        roster.remove(LOGS)


def test_stopped_is_stopped(roster):
    """What never started has ended, and nothing can be added any more."""
    roster.add(METRICS)
    roster.stop()
    roster.stop()
    assert roster.status()[METRICS].state is State.ENDED
    with pytest.raises(Closed):
        roster.add(LOGS)


def test_it_knows_who_holds_its_locks(roster):
    """A signal handler can tell that it interrupts the thread that it would wait for."""
    roster.add(METRICS)
    (reader,) = roster.present()
    assert not roster.holds_lock()
    for lock in (roster._lock, reader.lane._lock):
        with lock:
            assert roster.holds_lock()
    assert not roster.holds_lock()
