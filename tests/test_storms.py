"""How often a stream knocks, whatever the server does: the bounds of docs/design.rst.

Each stream is a real ``Reader`` with the real judge and the real backoff; only its connections, its
clock and its sleep are the test's, so that an hour takes no time. Counted is in every window of
every length that begins with an attempt, not only from the start: no other window holds more.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import logging
import math
import random

import pytest
from helpers import FakeClock, picture, point, telemetry
from test_reader import METRICS, Bench

from plexus_sync import State, VideoStream
from plexus_sync.interrupt import Interrupt
from plexus_sync.judge import SPACING
from plexus_sync.loss import TLS, Lost

DATA = telemetry(point(1))
INIT = b'{"type":"init","online_sources":null}'
DEFAULTS = {"initial": 0.5, "maximum": 30.0}
ATTEMPTS = 120
MOMENT = 1e-6  # seconds for what additions of floats lose


class Sleep(Interrupt):
    """The stop of a reader, whose waits only move the clock."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def wait(self, timeout=None):
        """Let the time pass."""
        self._clock.advance(timeout)
        return self.is_set()


class Storm:
    """One stream and a server that ends each connection in its own way.

    ``server(attempt)`` returns the steps of a connection: seconds that pass, messages that come,
    and how it is lost. The stream is stopped by the last of ``attempts``, and by the first one that
    begins at ``until`` or later.
    """

    def __init__(self, server, stream=METRICS, attempts=ATTEMPTS, until=math.inf, **reconnect):
        self.clock = FakeClock(0.0)
        self.times = []
        self._server, self._attempts, self._until = server, attempts, until
        self.bench = Bench(stream=stream, clocks=(self.clock, self.clock), **reconnect)
        self.bench.reader._stop = Sleep(self.clock)
        connect = self.bench.reader._connect

        def knock(line, settings, stop):
            connection = connect(line, settings, stop)
            connection._script = iter(self._script(len(self.times)))
            self.times.append(self.clock())
            return connection

        self.bench.reader._connect = knock

    def _script(self, attempt):
        if attempt + 1 >= self._attempts or self.clock() >= self._until:
            return [self._stop]
        return [
            functools.partial(self.clock.advance, step) if isinstance(step, float) else step
            for step in self._server(attempt)
        ]

    def _stop(self):
        self.bench.reader.stop()
        raise Lost(1006, "over")

    def rages(self):
        """Let it come to its end, on this thread; return the times of the attempts."""
        self.bench.reader._live()
        return self.times

    @property
    def state(self):
        """How it ended."""
        return self.bench.reader.state


def accept_then_close(attempt):
    """End the connection without a word."""
    return 0.001, Lost(1005, "")


def refused(attempt):
    """Take no connection at all."""
    return 0.0, Lost(1006, "refused")


def handshake_broken(attempt):
    """Break TLS in another way than by a certificate."""
    return 0.001, Lost(1006, "EOF in TLS")


def timed_out_at_once(attempt):
    """Send 4008 before any frame."""
    return 0.001, Lost(4008, "stream timeout")


def renewed_at_once(attempt):
    """Send a frame that is no data, then 4008."""
    return 0.001, [INIT], Lost(4008, "stream timeout")


def flapping(attempt):
    """Send data, which begins the backoff anew, and close."""
    return 0.001, [DATA], Lost(1012, "")


def flapping_pictures(attempt):
    """Send a picture, then 4008: a renewal without end."""
    return 0.0, [picture()], Lost(4008, "stream timeout")


def key_refused_but_data(attempt):
    """Refuse the key after data, which grants another try each time."""
    return 0.001, [DATA], Lost(4401, "unauthorized")


def retry_after_nothing(attempt):
    """Ask for no wait at all."""
    return 0.001, Lost(503, "busy", retry_after=0.0)


def in_turns(*servers):
    """Return a server that behaves like each of them, one after the other."""
    return lambda attempt: servers[attempt % len(servers)](attempt)


STORMS = {
    "accept then close": accept_then_close,
    "refused": refused,
    "broken TLS": handshake_broken,
    "4008 at once": timed_out_at_once,
    "init, then 4008": renewed_at_once,
    "data, then close": flapping,
    "picture, then 4008": flapping_pictures,
    "data, then 4401": key_refused_but_data,
    "503 with Retry-After: 0": retry_after_nothing,
    "close, refused, 4008": in_turns(accept_then_close, refused, timed_out_at_once),
    "data, refused": in_turns(flapping, refused),
    "data, 4401, refused, 4008": in_turns(flapping, key_refused_but_data, refused, renewed_at_once),
}
STREAMS = [METRICS, VideoStream("robot-01")]
ROWS = [accept_then_close, refused, handshake_broken, timed_out_at_once, retry_after_nothing]


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL, "plexus_sync")  # thousands of warnings are meant to come


@pytest.fixture(params=["least", 1, 2])
def dice(request, monkeypatch):
    """Let the jitter be the least one each time, or draw it with a seed."""
    if request.param == "least":
        monkeypatch.setattr(random, "uniform", lambda low, high: low)
    else:
        random.seed(request.param)


def surely(seconds, initial):
    """Return the most attempts in any window so long, whatever the jitter: 1 + T / s."""
    return 1 + math.floor(seconds / min(initial, SPACING) + MOMENT)


def improbable(attempts, seconds, initial, maximum):
    """Return a bound of the probability that so many attempts of a row fall in one window.

    Chernoff's, of the sum of the intervals between them: the least over x of e^(xT) times the
    product of E[e^(-x I_k)], where the k-th is even between s and c_k.
    """
    least = min(initial, SPACING)
    longest = [min(maximum, initial * 2.0 ** min(k, 60)) for k in range(attempts - 1)]

    def bound(x):
        spans = [(c - least) * x for c in longest]
        logs = [math.log(-math.expm1(-span) / span) for span in spans]
        return x * (seconds - least * len(longest)) + sum(logs)

    return math.exp(min(0.0, *(bound(1.5**power) for power in range(-16, 16))))


@functools.lru_cache(maxsize=None)
def shortest(attempts, initial=0.5, maximum=30.0):
    """Return the window into which a row of failures brings so many only once in 10^9 times."""
    low, high = 0.0, attempts * maximum
    while high - low > 0.001:
        middle = (low + high) / 2
        if improbable(attempts, middle, initial, maximum) < 1e-9:
            low = middle
        else:
            high = middle
    return max(low, (attempts - 1) * min(initial, SPACING))


def practically(seconds):
    """Return how many attempts of a row of failures are passed in a window once in 10^9 times."""
    return next(n - 1 for n in itertools.count(2) if shortest(n) > seconds)


def windows(times):
    """Yield length and number of attempts of every window from one attempt to another."""
    for first, last in itertools.combinations(range(len(times)), 2):
        yield times[last] - times[first], last - first + 1


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.kind)
@pytest.mark.parametrize(("initial", "maximum"), [(0.5, 30.0), (0.05, 0.1), (8.0, 8.0)])
@pytest.mark.parametrize("server", STORMS.values(), ids=STORMS)
def test_never_more_than_the_spacing_allows(server, initial, maximum, stream, dice):
    """In any time T no more than 1 + T / s attempts, s = min(initial, 0.2 s), for any jitter."""
    storm = Storm(server, stream, initial=initial, maximum=maximum)
    times = storm.rages()
    assert (len(times), storm.state) == (ATTEMPTS, State.ENDED)
    assert all(attempts <= surely(seconds, initial) for seconds, attempts in windows(times))


def test_a_key_that_cannot_be_had(dice):
    """The same holds for the api_key callable, behind which there may be a vault."""
    storm = Storm(refused, api_key=lambda: ask(), **DEFAULTS)

    def ask():
        storm.times.append(storm.clock())
        if len(storm.times) == ATTEMPTS:
            storm.bench.reader.stop()
        raise LookupError

    times = storm.rages()
    assert (len(times), storm.state) == (ATTEMPTS, State.ENDED)
    assert all(attempts <= surely(seconds, 0.5) for seconds, attempts in windows(times))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("server", ROWS, ids=lambda server: server.__name__)
def test_a_row_of_failures_backs_off(server, seed):
    """Without data in between no window holds more than what is passed once in 10^9 times."""
    random.seed(seed)
    times = Storm(server, attempts=60, **DEFAULTS).rages()
    assert all(seconds >= shortest(attempts) for seconds, attempts in windows(times))
    # The other side: it never stops coming back, within the longest wait.
    assert max(b - a for a, b in zip(times, times[1:])) <= DEFAULTS["maximum"] + 0.01


@pytest.mark.parametrize(
    ("seconds", "mean", "seldom", "most"),
    [(1, 2.6, 5, 6), (10, 5.9, 13, 51), (60, 9.6, 22, 301), (600, 45, 75, 3001)],
)
def test_the_figures_of_the_documents(seconds, mean, seldom, most):
    """The table in docs/design.rst is what the formulas and the code give."""
    random.seed(7)
    counts = []
    for _ in range(200):
        times = Storm(refused, attempts=10**6, until=float(seconds), **DEFAULTS).rages()
        counts.append(sum(time < seconds for time in times))
    assert sum(counts) / len(counts) == pytest.approx(mean, rel=0.02)
    assert max(counts) <= practically(seconds) == seldom
    assert surely(seconds, DEFAULTS["initial"]) == most


@pytest.mark.parametrize(
    ("server", "attempts", "state"),
    [
        (lambda attempt: (0.001, Lost(4401, "unauthorized")), 2, State.FAILED),
        (in_turns(refused, lambda attempt: (0.001, Lost(4401, ""))), 4, State.FAILED),
        (lambda attempt: (0.001, Lost(4402, "unpaid")), 1, State.FAILED),
        (lambda attempt: (0.001, Lost(TLS, "self-signed")), 1, State.FAILED),
        (lambda attempt: (0.001, Lost(403, "")), 1, State.FAILED),
        (lambda attempt: (0.001, Lost(1002, "no HTTP")), 3, State.FAILED),
    ],
    ids=["4401", "refused and 4401 in turns", "4402", "certificate", "403", "no HTTP"],
)
def test_what_does_not_pass_is_not_tried_for_ever(server, attempts, state, dice):
    """Where another attempt cannot help, there are as few as the table of endings says."""
    storm = Storm(server, **DEFAULTS)
    assert (len(storm.rages()), storm.state) == (attempts, state)


@pytest.mark.parametrize(
    ("connection", "waits"),
    [
        ([[INIT]], [0.5, 1, 2]),
        ([1.0, 9.9], [0.5, 1, 2]),  # a second until it counts as open
        ([1.0, 10.0], [0.5, 0.5, 0.5]),
        ([[DATA]], [0.5, 0.5, 0.5]),
    ],
    ids=["a frame without data", "stood too short", "stood long enough", "data"],
)
def test_what_begins_the_backoff_anew(connection, waits, monkeypatch):
    """Data does, or having stood for stable_after; to be open is not enough."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    storm = Storm(lambda attempt: [*connection, Lost(1012, "")], attempts=4, **DEFAULTS)
    times = storm.rages()
    lasted = sum(step for step in connection if isinstance(step, float))
    assert [b - a - lasted for a, b in zip(times, times[1:])] == pytest.approx(waits)


def come_back(away, **policy):
    """Return when each of 1,000 streams is there again that lose one server at one moment.

    The server is back after ``away`` seconds. Before it had delivered for a minute.
    """
    random.seed(1000)

    def server(attempt):
        return (60.0, [DATA], Lost(1012, "")) if attempt == 0 else refused(attempt)

    storms = [Storm(server, attempts=10**6, until=60.0 + max(away, MOMENT), **policy)]
    storms += [Storm(server, attempts=10**6, until=storms[0]._until, **policy) for _ in range(999)]
    return sorted(storm.rages()[-1] - 60.0 for storm in storms)


def crowd(times, seconds):
    """Return the largest number of times in any window so long."""
    return max(bisect.bisect_right(times, time + seconds) - i for i, time in enumerate(times))


@pytest.mark.parametrize(
    ("away", "policy", "spread", "largest"),
    [
        # What uniform would be: 1,000 streams * 0.1 s or 1 s / the seconds of the spread.
        (0.0, DEFAULTS, 0.5, {0.1: 230, 1.0: 1000}),
        (0.0, {"initial": 10.0, "maximum": 30.0}, 10.0, {0.1: 20, 1.0: 122}),
        (60.0, DEFAULTS, 30.0, {0.1: 13, 1.0: 75}),
    ],
    ids=["back at once", "back at once, initial=10", "away for a minute"],
)
def test_a_thousand_streams_come_back_spread_out(away, policy, spread, largest):
    """No two clients of one server wait alike: the largest crowds are those of docs/design.rst."""
    times = come_back(away, **policy)
    assert len(times) == 1000
    assert away <= times[0]
    assert times[-1] <= away + spread
    assert times[-1] - times[0] > 0.9 * spread
    assert {seconds: crowd(times, seconds) for seconds in largest} == largest
