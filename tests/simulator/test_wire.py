"""TCP connections that can be stalled and cut."""

import socket
import threading
import time

import pytest

from plexus_sync.simulator.wire import Listener, Wire


@pytest.fixture
def pair():
    """Connect a wire to a plain socket."""
    a, b = socket.socketpair()
    wire = Wire(a.detach())
    b.settimeout(10)
    yield wire, b
    wire.close()
    b.close()


def test_sends_at_once(pair):
    """Without a fault it is a socket like any other."""
    wire, peer = pair
    wire.sendall(b"now")
    assert peer.recv(9) == b"now"


def test_stall_ends_by_itself(pair):
    """A stall holds what is sent for as long as was said."""
    wire, peer = pair
    until = time.monotonic() + 0.1
    wire.stall(until)
    assert wire.stalled
    wire.sendall(b"later")
    assert time.monotonic() >= until
    assert not wire.stalled
    assert peer.recv(9) == b"later"


def test_stall_is_ended(pair):
    """A stall that is ended lets go who waits in it."""
    wire, peer = pair
    wire.stall(time.monotonic() + 1000)
    thread = threading.Thread(target=wire.sendall, args=(b"later",))
    thread.start()
    wire.stall(0)
    thread.join()
    assert peer.recv(9) == b"later"


@pytest.mark.parametrize("stalled", [False, True])
def test_abort(pair, stalled):
    """An abort wakes who waits in a stall, ends TCP in order, and nothing is sent after it."""
    wire, peer = pair
    errors = []

    def send():
        try:
            wire.sendall(b"x" * 10_000_000)
        except OSError as exc:
            errors.append(exc)

    if stalled:
        wire.stall(time.monotonic() + 1000)
    thread = threading.Thread(target=send)
    thread.start()
    if not stalled:
        assert peer.recv(1)  # it has begun, and cannot end: nobody reads on
    wire.abort()
    wire.abort()
    thread.join()
    assert len(errors) == 1
    while peer.recv(65536):
        assert not stalled
    with pytest.raises(BrokenPipeError):
        wire.sendall(b"more")


def test_close_wakes_a_sender(pair):
    """A close does what an abort does: a plain close would let the sender wait for ever."""
    wire, peer = pair
    started = threading.Event()

    def send():
        started.set()
        with pytest.raises(OSError):  # noqa: PT011 - which one depends on the moment
            wire.sendall(b"x" * 10_000_000)

    thread = threading.Thread(target=send)
    thread.start()
    started.wait()
    peer.recv(1)
    wire.close()
    thread.join()


def test_join_waits_for_the_threads_that_serve(pair):
    """It waits for a thread to take the wire, then for its end, but not past the deadline."""
    wire, _ = pair
    assert not wire.done
    wire.join(time.monotonic() + 0.01)
    end = threading.Event()
    handler, reader = threading.Thread(target=end.wait), threading.Thread(target=end.wait)
    for thread in (handler, reader):
        thread.start()
    wire.adopt(handler)
    wire.adopt(threading.current_thread())  # the first one counts
    wire.reader = reader
    wire.join(time.monotonic() + 0.01)
    assert not wire.done
    end.set()
    wire.join()
    assert wire.done


def test_listener_accepts_wires():
    """A client that is admitted gets a wire."""
    wires = []
    with Listener("127.0.0.1", 0, lambda wire: not wires.append(wire)) as listener:
        with socket.create_connection(listener.getsockname()):
            wire, _ = listener.accept()
        assert wires == [wire]
        wire.close()


def test_listener_turns_away():
    """A client that is not admitted sees the end of TCP."""
    with Listener("127.0.0.1", 0, lambda wire: False) as listener:
        client = socket.create_connection(listener.getsockname(), 10)
        with pytest.raises(OSError, match="stopping"):
            listener.accept()
        with client:
            assert client.recv(1) == b""


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_listener_is_woken(host):
    """A wake ends a wait for a client, also one that has not begun."""
    with Listener(host, 0, lambda wire: False) as listener:
        listener.wake()
        with pytest.raises(OSError, match="stopping"):
            listener.accept()


def test_port_in_use():
    """A port that is taken is told in one sentence."""
    with Listener("127.0.0.1", 0, bool) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port} "):
            Listener("127.0.0.1", port, bool)
