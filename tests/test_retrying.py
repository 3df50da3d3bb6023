"""The backoff that tenacity carries out."""

from __future__ import annotations

import random
import time

import pytest
import tenacity

from plexus_sync import Reconnect
from plexus_sync.endings import Action
from plexus_sync.judge import Verdict
from plexus_sync.retrying import Failed, retrying


class FakeLatch:
    """A latch whose waits take no time; it records them, and may be set by the n-th."""

    def __init__(self, set_by=None):
        self.waits = []
        self._set_by = set_by

    def is_set(self):
        """Return whether as many waits as given have passed."""
        return self._set_by is not None and len(self.waits) >= self._set_by

    def wait(self, timeout=None):
        """Record the wait and return at once."""
        self.waits.append(timeout)
        return self.is_set()


class Stopped(Exception):
    """What an attempt raises that finds itself stopped."""


def retry(verdicts, latch=None, **policy):
    """Let attempts end with these verdicts; return the waits, what was told of them, the end.

    After the last verdict the attempt raises Stopped.
    """
    latch = latch or FakeLatch()
    left = iter(verdicts)
    told = []

    def attempt():
        verdict = next(left, None)
        if verdict is None:
            raise Stopped
        raise Failed(verdict)

    loop = retrying(Reconnect(**policy), latch, lambda verdict, wait: told.append((verdict, wait)))
    with pytest.raises(Exception) as raised:  # noqa: PT011  # its type is what the tests ask for
        loop(attempt)
    return latch.waits, told, raised.value


BAD = Verdict(Action.RETRY, "bad")
GOOD = Verdict(Action.RETRY, "good", good=True)
FINAL = Verdict(Action.FAIL, "final")


@pytest.fixture
def longest(monkeypatch):
    """Let every random wait be the longest one that is possible."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    monkeypatch.setattr(random, "random", lambda: 1.0)


@pytest.fixture
def shortest(monkeypatch):
    """Let every random wait be the shortest one that is possible."""
    monkeypatch.setattr(random, "uniform", lambda low, high: low)
    monkeypatch.setattr(random, "random", lambda: 0.0)


class TestRetrying:
    """The waits between the attempts, and the end of trying."""

    def test_upper_bounds(self, longest):
        """The bound of the wait doubles from initial up to maximum."""
        waits, _, _ = retry([BAD] * 9)
        assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]

    def test_lower_bounds(self, shortest):
        """The jitter is full: a wait may be 0, so that clients do not come back all at once."""
        waits, _, _ = retry([BAD] * 5)
        assert waits == [0] * 5

    def test_jitter(self):
        """Waits are spread over the whole range, not only its ends."""
        random.seed(7)
        waits, _, _ = retry([BAD] * 400, initial=8, maximum=8)
        assert 0 <= min(waits) < 1
        assert 7 < max(waits) <= 8
        assert 3 < sum(waits) / len(waits) < 5

    def test_own_bounds(self, longest):
        """Initial and maximum are the caller's to say."""
        waits, _, _ = retry([BAD] * 4, initial=0.01, maximum=0.05)
        assert waits == pytest.approx([0.01, 0.02, 0.04, 0.05])

    def test_very_many_attempts(self, longest):
        """Thousands of attempts do not overflow the power of two."""
        waits, _, _ = retry([BAD] * 3000)
        assert waits[-1] == 30

    def test_good_connection(self, longest):
        """A good connection starts the backoff anew, from initial."""
        waits, _, _ = retry([BAD, BAD, BAD, GOOD, BAD, BAD])
        assert waits == [0.5, 1, 2, 0.5, 0.5, 1]

    def test_good_connections_in_a_row(self, longest):
        """Connections that were all good never wait longer than initial."""
        waits, _, _ = retry([GOOD] * 5)
        assert waits == [0.5] * 5

    def test_good_connection_and_jitter(self, shortest):
        """The wait after a good connection has full jitter too."""
        waits, _, _ = retry([GOOD, GOOD])
        assert waits == [0, 0]

    def test_pause(self, longest):
        """An exact pause goes before backoff and Retry-After."""
        paused = Verdict(Action.RETRY, "", good=True, pause=0.15, at_least=9)
        waits, _, _ = retry([BAD, paused, BAD])
        assert waits == [0.5, 0.15, 0.5]

    def test_no_pause(self):
        """A pause of 0 is no backoff."""
        waits, _, _ = retry([Verdict(Action.RETRY, "", good=True, pause=0.0)])
        assert waits == [0]

    def test_earliest(self, shortest):
        """The jitter may begin later than at 0; Retry-After and an exact pause go before."""
        early = Verdict(Action.RETRY, "", earliest=0.2)
        asked = Verdict(Action.RETRY, "", earliest=0.2, at_least=9)
        paused = Verdict(Action.RETRY, "", good=True, pause=0.0, earliest=0.2)
        waits, _, _ = retry([early, asked, paused, early])
        assert waits == [0.2, 9, 0, 0.2]

    def test_earliest_lengthens_no_wait(self, longest):
        """The longest wait is that of the backoff all the same."""
        waits, _, _ = retry([Verdict(Action.RETRY, "", earliest=0.2)] * 8)
        assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]

    def test_retry_after(self, shortest):
        """What the server asked for is waited at least."""
        waits, _, _ = retry([Verdict(Action.RETRY, "", at_least=42)])
        assert waits == [42]

    def test_retry_after_below_the_backoff(self, longest):
        """A backoff that is longer than the server's wish stays."""
        waits, _, _ = retry([BAD, BAD, Verdict(Action.RETRY, "", at_least=1)])
        assert waits == [0.5, 1, 2]

    def test_told_before_each_wait(self, longest):
        """The verdict and the seconds are told before the wait."""
        _, told, end = retry([BAD, GOOD])
        assert told == [(BAD, 0.5), (GOOD, 0.5)]
        assert isinstance(end, Stopped)

    @pytest.mark.parametrize("verdict", [FINAL, Verdict(Action.END, "over")])
    def test_last_verdict(self, verdict):
        """A verdict that does not say retry ends it, without a wait and without being told."""
        waits, told, end = retry([BAD, verdict])
        assert len(waits) == len(told) == 1
        assert isinstance(end, Failed)
        assert end.verdict is verdict
        assert str(end) == verdict.reason

    @pytest.mark.parametrize("verdict", [FINAL, Verdict(Action.END, "over", good=True)])
    def test_last_verdict_of_the_last_attempt(self, verdict):
        """A final verdict on the last attempt allowed is told as such, not as exhaustion."""
        _, _, end = retry([verdict], max_attempts=1)
        assert isinstance(end, Failed)

    @pytest.mark.parametrize("attempts", [1, 2, 5])
    def test_max_attempts(self, attempts):
        """After so many failures in a row, the first included, it is over, without a wait more."""
        waits, _, end = retry([BAD] * 9, max_attempts=attempts)
        assert isinstance(end, tenacity.RetryError)
        assert end.last_attempt.exception().verdict is BAD
        assert len(waits) == attempts - 1

    def test_max_attempts_after_a_good_connection(self):
        """In a row means in a row: a good connection starts the counting anew."""
        waits, _, end = retry([BAD, GOOD, BAD, GOOD, GOOD, BAD, BAD, BAD], max_attempts=2)
        assert isinstance(end, tenacity.RetryError)
        assert len(waits) == 6

    @pytest.mark.parametrize(
        ("verdicts", "waited"), [([BAD] * 9, 3), ([BAD, BAD, GOOD] + [BAD] * 9, 5)]
    )
    def test_max_elapsed(self, monkeypatch, verdicts, waited):
        """Once failing in a row has taken so many seconds, it is over."""
        now = [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        latch = FakeLatch()

        def wait(timeout=None):
            latch.waits.append(timeout)
            now[0] += 10

        latch.wait = wait
        waits, _, end = retry(verdicts, latch, max_elapsed=25)
        assert isinstance(end, tenacity.RetryError)
        assert len(waits) == waited

    def test_stopped_while_waiting(self):
        """A latch that is set during a wait is left to the next attempt to find."""
        latch = FakeLatch(set_by=2)
        waits, _, end = retry([BAD, BAD], latch)
        assert len(waits) == 2
        assert isinstance(end, Stopped)

    def test_stopped_while_attempting(self):
        """A latch that is set during an attempt ends it without another wait."""
        waits, told, end = retry([BAD, BAD], FakeLatch(set_by=0))
        assert isinstance(end, tenacity.RetryError)
        assert waits == told == []

    def test_other_errors(self):
        """What is no verdict comes through at once: a bug is not retried."""

        def attempt():
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            retrying(Reconnect(), FakeLatch(), lambda verdict, wait: None)(attempt)
