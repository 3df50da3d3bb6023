"""The table of states: what may follow what."""

from __future__ import annotations

import itertools
import pickle

import attrs
import pytest

from plexus_sync import LogsStream
from plexus_sync.state import TRANSITIONS, Event, State, StateChange, advance

STREAM = LogsStream("robot-01")
ENDS = {State.ENDED, State.FAILED}
ALL = list(itertools.product(State, Event))


def test_states():
    """The states are those of the interface."""
    assert [state.name for state in State] == [
        *("IDLE", "CONNECTING", "AUTHENTICATING", "OPEN", "WAITING", "ENDED", "FAILED")
    ]


@pytest.mark.parametrize("pair", TRANSITIONS, ids=lambda pair: f"{pair[0].name}-{pair[1].name}")
def test_what_the_table_allows(pair):
    """An event of the table leads to its state."""
    assert advance(*pair) is TRANSITIONS[pair]


@pytest.mark.parametrize(
    "pair",
    [pair for pair in ALL if pair not in TRANSITIONS],
    ids=lambda pair: f"{pair[0].name}-{pair[1].name}",
)
def test_what_the_table_does_not_allow(pair):
    """Anything else is a bug and raises, naming state and event."""
    with pytest.raises(RuntimeError, match=f"is {pair[0].value} cannot {pair[1].value}"):
        advance(*pair)


def test_each_event_leads_to_one_state():
    """Wherever it comes from."""
    targets = {event: {to for (_, e), to in TRANSITIONS.items() if e is event} for event in Event}
    assert targets == {
        Event.CONNECT: {State.CONNECTING},
        Event.AUTHENTICATE: {State.AUTHENTICATING},
        Event.OPEN: {State.OPEN},
        Event.LOSE: {State.WAITING},
        Event.END: {State.ENDED},
        Event.FAIL: {State.FAILED},
    }


def test_the_ends_are_final():
    """Nothing leads out of them, and every other state can end."""
    assert not any(state in ENDS for state, _ in TRANSITIONS)
    for state in set(State) - ENDS:
        assert advance(state, Event.END) is State.ENDED


def test_every_state_is_reached():
    """From IDLE, by events."""
    reached = {State.IDLE}
    for _ in State:
        reached |= {to for (state, _), to in TRANSITIONS.items() if state in reached}
    assert reached == set(State)


@pytest.mark.parametrize(
    "events",
    [
        [Event.CONNECT, Event.AUTHENTICATE, Event.OPEN, Event.LOSE, Event.CONNECT, Event.FAIL],
        [Event.CONNECT, Event.LOSE, Event.FAIL],
        [Event.CONNECT, Event.AUTHENTICATE, Event.LOSE, Event.END],
        [Event.END],
    ],
)
def test_a_life(events):
    """Lives that happen are allowed, and come to an end."""
    state = State.IDLE
    for event in events:
        state = advance(state, event)
    assert state in ENDS


def test_open_needs_all_steps():
    """Nobody is open who has not connected and signed in."""
    assert [state for (state, _), to in TRANSITIONS.items() if to is State.OPEN] == [
        State.AUTHENTICATING
    ]


def test_state_change():
    """A change is a value, and its reason may be empty."""
    change = StateChange(STREAM, State.OPEN, State.WAITING, "restart")
    assert [field.name for field in attrs.fields(StateChange)] == [
        *("stream", "previous", "current", "reason")
    ]
    assert StateChange(STREAM, State.IDLE, State.CONNECTING).reason == ""
    assert pickle.loads(pickle.dumps(change)) == change
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        change.reason = ""
