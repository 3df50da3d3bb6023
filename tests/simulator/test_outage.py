"""The ways through an outage, as plans."""

import pytest

from plexus_sync.simulator.outage import Plan, plan
from plexus_sync.simulator.protocol import GATEWAY_ERROR, HANG_UP, STREAM_TIMEOUT


def plan_of(mode, seconds, stream="metrics"):
    """Plan with the running service's delay and number of attempts."""
    return plan(mode, stream, seconds, 2.0, 5)


def test_refused_for_long():
    """Attempts at 0, 2, 4, 6 and 8 s, then 1011 at 10 s."""
    assert plan_of("refused", 60) == Plan((0, 2, 4, 6, 8), 10, GATEWAY_ERROR, False)


@pytest.mark.parametrize(
    ("seconds", "notices", "ends_at"),
    [
        (0.1, (0,), 2),
        (2, (0,), 2),
        (3, (0, 2), 4),
        (10, (0, 2, 4, 6, 8), 10),
    ],
)
def test_refused_for_a_while(seconds, notices, ends_at):
    """Data comes again with the first attempt after the end."""
    assert plan_of("refused", seconds) == Plan(notices, ends_at, None, True)


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_outage(seconds):
    """An outage that is over is not told."""
    assert plan_of("refused", seconds) == Plan((), seconds, None, False)


def test_upstream_closes():
    """Attempts as ever, then TCP ends without a close frame."""
    assert plan_of("closes", 60) == Plan((0, 2, 4, 6, 8), 10, HANG_UP, False)


@pytest.mark.parametrize(
    ("stream", "ending"),
    [("metrics", GATEWAY_ERROR), ("logs", GATEWAY_ERROR), ("video", STREAM_TIMEOUT)],
)
def test_upstream_hung_for_long(stream, ending):
    """The first notice after 38 s, then one every 12 s, and the end at 98 s."""
    assert plan_of("hung", 1000, stream) == Plan((38, 50, 62, 74, 86), 98, ending, False)


def test_upstream_hung_for_a_while():
    """A gateway that wakes up before anyone noticed goes on; else it is connected anew."""
    assert plan_of("hung", 38) == Plan((), 38, None, False)
    assert plan_of("hung", 39) == Plan((38,), 50, None, True)


def test_upstream_restarts():
    """No notice at all."""
    assert plan_of("restart", 3) == Plan((), 3, None, True)
