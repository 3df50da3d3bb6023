"""An event that is set once, from anywhere."""

from __future__ import annotations

import signal
import threading

import pytest
from helpers import PATIENCE, InThread

from plexus_sync.latch import Latch, owns


def test_not_set():
    """A new one is not set, and who does not want to wait is told so."""
    latch = Latch()
    assert latch.is_set() is False
    assert latch.wait(0) is False
    assert latch.wait(0) is False


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("timeout", [None, 0, PATIENCE, float("inf"), 1e300])
def test_set(times, timeout):
    """Set once or often, every wait comes through at once, again and again."""
    latch = Latch()
    for _ in range(times):
        latch.set()
    assert latch.is_set() is True
    assert latch.wait(timeout) is True
    assert latch.wait(timeout) is True


@pytest.mark.parametrize("timeout", [-1, -0.5])
def test_a_time_that_is_over(timeout):
    """A negative time does not wait, as with an Event."""
    assert Latch().wait(timeout) is False


@pytest.mark.parametrize("timeout", [None, PATIENCE, float("inf")])
def test_wakes_everybody(timeout):
    """All threads that wait are woken by one set()."""
    latch, here = Latch(), threading.Barrier(6)

    def wait():
        here.wait(PATIENCE)
        return latch.wait(timeout)

    threads = [InThread(wait) for _ in range(5)]
    here.wait(PATIENCE)
    latch.set()
    assert [thread.result() for thread in threads] == [True] * 5


def test_many_set_it_while_many_wait():
    """Calls of set() and wait() that meet each other lose nobody."""
    latch, here = Latch(), threading.Barrier(10)

    def run(function):
        here.wait(PATIENCE)
        return function()

    setters = [InThread(run, latch.set) for _ in range(5)]
    waiters = [InThread(run, latch.wait) for _ in range(5)]
    assert [thread.result() for thread in setters] == [None] * 5
    assert [thread.result() for thread in waiters] == [True] * 5
    assert latch.wait() is True


@pytest.fixture
def handler():
    """Install a signal handler that sets the latch."""
    latch = Latch()
    previous = signal.signal(signal.SIGINT, lambda number, stack: latch.set())
    yield latch
    signal.signal(signal.SIGINT, previous)


def test_set_in_a_signal_handler(handler):
    """A handler may set it, as often as the signal comes."""
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert handler.is_set() is True
    assert handler.wait() is True


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows knows no such signal")
def test_a_handler_wakes_its_own_thread(handler):
    """The main thread, waiting, is woken by a handler that runs on itself."""
    here, main = threading.Event(), threading.get_ident()

    def interrupt():
        assert here.wait(PATIENCE)
        signal.pthread_kill(main, signal.SIGINT)

    thread = InThread(interrupt)
    here.set()
    assert handler.wait(PATIENCE) is True
    assert thread.result() is None


def test_who_owns_a_lock():
    """Only the thread that holds it, however often it took it."""
    lock = threading.RLock()
    assert owns(lock) is False
    with lock, lock:
        assert owns(lock) is True
        assert InThread(owns, lock).result() is False
    assert owns(lock) is False
