"""Who reads the sockets: the thread that waits, or the stand-in while that is away."""

from __future__ import annotations

import errno
import math
import queue
import socket
import threading

import pytest
from helpers import PATIENCE, InThread

from plexus_sync import lookout as module
from plexus_sync.lookout import Lookout


class Watched:
    """One end of a pair of sockets, which reads what the other one sent."""

    def __init__(self):
        self._sock, self.peer = socket.socketpair()
        self._sock.setblocking(False)
        self.steps = queue.SimpleQueue()  # the thread, how long it was away, and what was read
        self.left = 0  # how many more steps are to say that something has no room yet
        self.roused = threading.Event()

    def fileno(self):
        """Return the descriptor."""
        return self._sock.fileno()

    def step(self, away):
        """Read what there is."""
        try:
            data = self._sock.recv(100)
        except BlockingIOError:
            data = b""
        self.steps.put((threading.current_thread().name, away, data))
        self.left -= self.left > 0
        return self.left > 0

    def rouse(self):
        """Remember it."""
        self.roused.set()

    def close(self):
        """Close both ends."""
        self._sock.close()
        self.peer.close()


@pytest.fixture
def watched():
    """Return a socket to look after."""
    one = Watched()
    yield one
    one.close()


@pytest.fixture
def rest():
    """Return a list of what else waits for the dispatcher."""
    return []


class Bell:
    """What rings for the stand-in; it tells when that sleeps until it is needed."""

    def __init__(self):
        self._rings = queue.SimpleQueue()
        self.put = self._rings.put
        self.dozes = threading.Event()

    def get(self, timeout=None):
        """Wait for a ring."""
        if timeout is None:
            self.dozes.set()
        return self._rings.get(timeout=timeout)


@pytest.fixture
def lookout(rest, monkeypatch):
    """Return one that is open, whose stand-in has all the patience of the world."""
    monkeypatch.setattr(module, "GRACE", PATIENCE)
    made = Lookout(lambda: not rest)
    made._bell = Bell()
    made.open()
    yield made
    if made.is_open:
        made.close()


@pytest.fixture
def impatient(monkeypatch, lookout):
    """Return one whose stand-in takes over at once."""
    monkeypatch.setattr(module, "GRACE", 0.001)
    lookout._bell.put(None)
    return lookout


def wait(lookout, monkeypatch):
    """Wait on a thread of its own; return that when it does."""
    waits = threading.Event()
    select = lookout._selector.select

    def selecting(timeout=None):
        waits.set()
        return select(timeout)

    monkeypatch.setattr(lookout._selector, "select", selecting)
    waiting = InThread(lookout.wait, None)
    assert waits.wait(PATIENCE)
    return waiting


def test_whoever_waits_reads(lookout, watched):
    """What comes is read on the thread that waits for it, before it returns."""
    lookout.add(watched)
    watched.peer.send(b"data")
    lookout.wait(PATIENCE)
    thread, away, data = watched.steps.get_nowait()
    assert (thread, data) == (threading.current_thread().name, b"data")
    assert 0 <= away < math.inf


def test_time_is_up(lookout, watched):
    """With nothing to read it returns in time, and nothing was read."""
    lookout.add(watched)
    lookout.wait(0)
    assert watched.steps.empty()


def test_a_socket_that_comes_while_it_waits(lookout, watched, monkeypatch):
    """It is looked after at once."""
    watched.peer.send(b"data")
    waiting = wait(lookout, monkeypatch)
    lookout.add(watched)
    waiting.result()
    lookout.wait(0)  # it may have returned for the news alone
    assert watched.steps.get(timeout=PATIENCE)[2] == b"data"


def test_no_more(lookout, watched):
    """What was discarded is read no more."""
    lookout.add(watched)
    lookout.discard(watched)
    watched.peer.send(b"data")
    lookout.wait(0)
    assert watched.steps.empty()


def test_wake(lookout, monkeypatch):
    """Whoever leaves something for the dispatcher ends its wait."""
    waiting = wait(lookout, monkeypatch)
    lookout.wake()
    waiting.result()


def test_something_waits_already(lookout, rest, watched):
    """Then nobody would wake it: it does not wait, and reads nothing either."""
    rest.append("a lane")
    lookout.add(watched)
    watched.peer.send(b"data")
    lookout.wait(None)
    assert watched.steps.empty()


def test_what_had_no_room(lookout, watched):
    """It is offered again each time, without waiting for anything to come."""
    lookout.add(watched)
    watched.left = 3
    watched.peer.send(b"data")
    for _ in range(3):
        lookout.wait(None)
    assert [watched.steps.get_nowait()[2] for _ in range(3)] == [b"data", b"", b""]
    lookout.wait(0)
    assert watched.steps.empty()


def test_the_stand_in(impatient, watched):
    """While the dispatcher is away it reads, and says that callbacks go on."""
    impatient.add(watched)
    watched.peer.send(b"data")
    assert watched.steps.get(timeout=PATIENCE) == ("plexus-sync stand-in", math.inf, b"data")
    watched.peer.send(b"more")
    assert watched.steps.get(timeout=PATIENCE)[2] == b"more"


def test_the_stand_in_offers_what_had_no_room(lookout, watched, monkeypatch):
    """It does not wait for the dispatcher with that."""
    lookout.add(watched)
    watched.left = 2
    watched.peer.send(b"data")
    lookout.wait(None)
    assert watched.steps.get_nowait()[0] == threading.current_thread().name
    monkeypatch.setattr(module, "GRACE", 0.001)
    lookout._bell.put(None)
    assert watched.steps.get(timeout=PATIENCE)[0] == "plexus-sync stand-in"


def test_the_stand_in_leaves_what_wakes_the_dispatcher(impatient, watched):
    """A byte that it took would be a wake-up that is lost."""
    impatient.add(watched)
    watched.peer.send(b"1")
    watched.steps.get(timeout=PATIENCE)  # it is at work
    impatient._wake_up()
    impatient.wait(None)


def test_the_stand_in_sleeps(impatient, watched, monkeypatch):
    """While nothing comes it does nothing; it is there again when the dispatcher is at work."""
    impatient.add(watched)
    waiting = wait(impatient, monkeypatch)
    assert impatient._bell.dozes.wait(PATIENCE)
    impatient.wake()
    waiting.result()
    watched.peer.send(b"data")
    assert watched.steps.get(timeout=PATIENCE)[0] == "plexus-sync stand-in"


def test_close(lookout, watched):
    """All sockets are given back, none is taken any more, and what is discarded is no error."""
    lookout.add(watched)
    lookout.close()
    assert watched.roused.is_set()
    assert not lookout.is_open
    assert not lookout.add(watched)
    lookout.discard(watched)
    lookout.wake()


def test_close_while_the_stand_in_reads(impatient, watched):
    """It ends too."""
    impatient.add(watched)
    watched.peer.send(b"data")
    watched.steps.get(timeout=PATIENCE)
    impatient.close()
    assert "plexus-sync stand-in" not in {thread.name for thread in threading.enumerate()}


def test_no_more_threads(monkeypatch):
    """Where none is to be had it raises; to close it gives back what it has so far."""
    lookout = Lookout(lambda: True)

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="start new thread"):
            lookout.open()
    assert not lookout.is_open
    lookout.close()
    assert [waker.fileno() for waker in lookout._wakers] == [-1, -1]


@pytest.mark.parametrize("how", ["no room", "too many"])
def test_a_socket_that_it_cannot_take(lookout, watched, monkeypatch, how):
    """The reader is told to read itself."""
    if how == "too many":
        monkeypatch.setattr(module, "MOST", 1)
    else:

        def refuse(*args):
            raise OSError(errno.ENOSPC, "no room")

        monkeypatch.setattr(lookout._selector, "register", refuse)
    assert not lookout.add(watched)


def test_a_month(lookout, monkeypatch):
    """What is more than the system takes as a time is a long time."""
    waits = []
    monkeypatch.setattr(lookout, "_select", lambda timeout: waits.append(timeout) or [])
    lookout.wait(30 * 86400.0)
    assert waits == [1_000_000.0]


def test_close_again(lookout):
    """Before it was opened, and after the end, there is nothing to do."""
    Lookout(lambda: True).close()
    lookout.close()
    lookout.close()
    lookout.wake()


def test_a_wake_up_does_not_blind_the_stand_in(impatient, watched):
    """What wakes the dispatcher may come just before a long callback, and is left alone then."""
    impatient._wake_up()
    impatient.add(watched)
    for _ in range(3):
        watched.peer.send(b"data")
        assert watched.steps.get(timeout=PATIENCE)[0] == "plexus-sync stand-in"
    impatient.wait(None)


def test_a_forked_child(lookout, watched, monkeypatch):
    """It reads nothing from its parent's sockets, and closes none."""
    lookout.add(watched)
    watched.peer.send(b"data")
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "getpid", lambda: -1)
        with pytest.raises(RuntimeError, match="forked child"):
            lookout.wait(None)
        lookout.close()
    assert watched.steps.empty()
    assert lookout.is_open


def test_lock(lookout, watched):
    """A signal handler on top of it can know where it is."""
    held = []
    watched.fileno = lambda fileno=watched.fileno: held.append(lookout.holds_lock()) or fileno()
    lookout.add(watched)
    assert held == [True]
    assert not lookout.holds_lock()
