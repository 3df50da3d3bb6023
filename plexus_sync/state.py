"""The states of one stream: a table, and nothing that is not in it."""

from __future__ import annotations

import enum
from typing import Dict, Tuple

import attrs

from .streams import Stream

__all__ = ["TRANSITIONS", "Event", "State", "StateChange", "advance"]


class State(enum.Enum):
    """Where a stream is in its life."""

    IDLE = "idle"  #: not started
    CONNECTING = "connecting"  #: DNS, TCP, TLS, upgrade
    AUTHENTICATING = "authenticating"  #: the auth frame is sent, nothing has come yet
    OPEN = "open"  #: a frame came, or a second passed without a close
    WAITING = "waiting"  #: for the next attempt
    ENDED = "ended"  #: normally: closed, removed, or its own time-out has passed
    FAILED = "failed"  #: for good; the final error tells why


class Event(enum.Enum):
    """What moves a stream from one state to the next."""

    CONNECT = "connect"  #: an attempt begins
    AUTHENTICATE = "authenticate"  #: the upgrade is through and the auth frame sent
    OPEN = "open"  #: the first frame, or a second without a close
    LOSE = "lose"  #: the connection or the attempt failed and another will follow
    END = "end"  #: nothing more to do
    FAIL = "fail"  #: no attempt will help


TRANSITIONS: Dict[Tuple[State, Event], State] = {
    (State.IDLE, Event.CONNECT): State.CONNECTING,
    (State.IDLE, Event.END): State.ENDED,
    (State.CONNECTING, Event.AUTHENTICATE): State.AUTHENTICATING,
    (State.CONNECTING, Event.LOSE): State.WAITING,
    (State.CONNECTING, Event.END): State.ENDED,
    (State.CONNECTING, Event.FAIL): State.FAILED,
    (State.AUTHENTICATING, Event.OPEN): State.OPEN,
    (State.AUTHENTICATING, Event.LOSE): State.WAITING,
    (State.AUTHENTICATING, Event.END): State.ENDED,
    (State.AUTHENTICATING, Event.FAIL): State.FAILED,
    (State.OPEN, Event.LOSE): State.WAITING,
    (State.OPEN, Event.END): State.ENDED,
    (State.OPEN, Event.FAIL): State.FAILED,
    (State.WAITING, Event.CONNECT): State.CONNECTING,
    (State.WAITING, Event.END): State.ENDED,
    (State.WAITING, Event.FAIL): State.FAILED,
}


def advance(state: State, event: Event) -> State:
    """Return the state that follows; an event that the table does not allow is a bug of ours."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise RuntimeError(f"a stream that is {state.value} cannot {event.value}") from None


@attrs.frozen
class StateChange:
    """What ``on_state`` is called with.

    ``reason`` says in words why, for people; it is empty where there is nothing to say.
    """

    stream: Stream
    previous: State
    current: State
    reason: str = ""
