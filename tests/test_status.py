"""A stream in figures."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest

from plexus_sync import ConnectionLost, State, StreamStatus


def test_fields():
    """The attributes are those of the interface, in its order."""
    assert [field.name for field in attrs.fields(StreamStatus)] == [
        *("state", "since", "attempts", "last_error"),
        *("received", "delivered", "dropped", "filtered", "bad", "discarded", "buffered"),
        *("points", "bytes", "gaps", "reconnects", "last_frame_at"),
    ]


def test_a_stream_that_has_not_begun():
    """All counters are 0, and there is neither an error nor a frame."""
    status = StreamStatus(State.IDLE, 5.0)
    told = attrs.asdict(status, recurse=False)
    nothing = {name for name, value in told.items() if value is None}
    assert nothing == {"last_error", "last_frame_at"}
    assert {told[name] for name in set(told) - nothing - {"state", "since"}} == {0}


def test_a_snapshot():
    """It does not change, and travels."""
    status = StreamStatus(State.OPEN, 5.0, received=3, delivered=3, last_frame_at=6.0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        status.received = 4
    assert pickle.loads(pickle.dumps(status)) == copy.copy(status) == status


def test_a_snapshot_with_an_error_travels():
    """The last error goes with it."""
    status = StreamStatus(State.WAITING, 5.0, last_error=ConnectionLost("reset", code=1006))
    again = pickle.loads(pickle.dumps(status))
    assert type(again.last_error) is ConnectionLost
    assert again.last_error.code == 1006
