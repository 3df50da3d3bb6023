"""When the server pings, and when it gives up."""

import math

from plexus_sync.simulator.keepalive import EXPIRED, PING, Keepalive


def test_as_observed():
    """A ping every 20 s; without the pong, the end at 40 s."""
    keepalive = Keepalive(20, 20, now=100)
    assert keepalive.next_at == 120
    assert keepalive.check(119, answered=False) is None
    assert keepalive.check(120, answered=False) == PING
    assert keepalive.next_at == 140
    assert keepalive.check(140, answered=True) == PING
    assert keepalive.check(160, answered=False) == EXPIRED


def test_short_timeout():
    """A timeout below the interval is looked at in between."""
    keepalive = Keepalive(20, 5, now=0)
    assert keepalive.check(20, answered=False) == PING
    assert keepalive.next_at == 25
    assert keepalive.check(25, answered=True) is None
    assert keepalive.next_at == 40
    assert keepalive.check(40, answered=True) == PING
    assert keepalive.check(45, answered=False) == EXPIRED


def test_long_timeout():
    """A timeout above the interval is waited for, without another ping."""
    keepalive = Keepalive(5, 20, now=0)
    assert keepalive.check(5, answered=False) == PING
    assert keepalive.check(10, answered=False) is None
    assert keepalive.next_at == 25
    assert keepalive.check(25, answered=True) == PING


def test_no_timeout():
    """Without a timeout a ping needs no answer."""
    keepalive = Keepalive(5, None, now=0)
    assert keepalive.check(5, answered=False) == PING
    assert keepalive.check(10, answered=False) == PING


def test_none():
    """Without an interval there are no pings."""
    assert Keepalive(None, 20, now=0).next_at == math.inf
