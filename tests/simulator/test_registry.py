"""Who is connected: the cases that a running simulator meets by chance only."""

import time
from types import SimpleNamespace

import pytest

from plexus_sync.simulator import registry
from plexus_sync.simulator.protocol import Request
from plexus_sync.simulator.registry import Registry
from plexus_sync.simulator.values import Outage


class FakeWire:
    """A connection that has ended, or has not."""

    def __init__(self, done):
        self.done = done
        self.stalled_until = None

    def stall(self, until):
        """Remember the stall."""
        self.stalled_until = until


def session(source_id="robot-01", stream="metrics", metrics=None):
    """Make a client that takes every frame."""
    taken = []

    def offer(payload, wait):
        taken.append(payload)
        return True

    return SimpleNamespace(
        request=Request(source_id, stream),
        metrics=metrics,
        authenticated=False,
        taken=taken,
        offer=offer,
    )


@pytest.fixture
def woken():
    """Collect which sources were told of a viewer."""
    return []


@pytest.fixture
def clients(woken):
    """Make a registry."""
    return Registry(woken.append)


def test_admit_tells_the_device(clients, woken):
    """A client that is let in wakes its device, and is counted."""
    client = session()
    assert clients.register(client)
    assert not clients.wait_for(1, timeout=0)
    assert clients.admit(client) is None
    assert woken == ["robot-01"]
    assert clients.wait_for(1, timeout=0)
    assert clients.watched("robot-01", "metrics")


def test_admit_after_a_cut(clients):
    """A client that was cut while it was judged is not let in."""
    client = session()
    clients.register(client)
    clients.forget(client)
    clients.admit(client)
    assert not client.authenticated
    assert not clients.watched("robot-01", "metrics")


def test_forget(clients):
    """Who is forgotten gets nothing more; the others still do."""
    first, second = session(), session()
    for client in (first, second):
        clients.register(client)
        clients.admit(client)
    clients.forget(first)
    clients.forget(first)
    assert clients.deliver("robot-01", "metrics", "x", wait=True) == 1
    assert (first.taken, second.taken) == ([], [b"x"])
    clients.forget(second)
    assert not clients.watched("robot-01", "metrics")


def test_deliver_to_different_filters(clients):
    """Each client gets what its filter leaves, and is not counted where that is nothing."""
    everything, some, none = (
        session(),
        session(metrics=frozenset("a")),
        session(metrics=frozenset()),
    )
    for client in (everything, some, none):
        clients.register(client)
        clients.admit(client)
    frame = {"type": "telemetry", "points": [{"metric": "a"}, {"metric": "b"}]}
    assert clients.deliver("robot-01", "metrics", frame, wait=True) == 2
    assert [len(client.taken) for client in (everything, some, none)] == [1, 1, 0]
    assert b'"b"' not in some.taken[0]
    assert clients.deliver("robot-01", "metrics", b"\xff", wait=True) == 3


def test_shut(clients):
    """A registry that is shut takes nobody in."""
    client = session()
    clients.register(client)
    assert clients.shut() == (client,)
    assert not clients.register(session())
    assert not clients.add_wire(FakeWire(done=False))
    assert clients.wires() == ()


def test_new_wires_share_a_stall(clients):
    """A connection that comes during a stall is stalled."""
    clients.stall(99.0)
    wire = FakeWire(done=False)
    assert clients.add_wire(wire)
    assert wire.stalled_until == 99.0


def test_wires_that_have_ended_are_forgotten(clients):
    """The list of connections does not grow for ever."""
    live = FakeWire(done=False)
    clients.add_wire(live)
    for _ in range(10 * registry.SWEEP_FROM):
        clients.add_wire(FakeWire(done=True))
    assert live in clients.wires()
    assert len(clients.wires()) <= 2 * registry.SWEEP_FROM + 2


def test_outage(clients):
    """An outage is told as long as it lasts, to those who are let in."""
    client = session()
    clients.register(client)
    past = Outage("refused", time.monotonic() - 1)
    assert clients.begin_outage(past) == ()
    assert clients.outage() is None
    assert clients.admit(client) is None
    now = Outage("refused", time.monotonic() + 1000)
    assert clients.begin_outage(now) == (client,)
    assert clients.outage() is now
    assert clients.admit(client) is now
