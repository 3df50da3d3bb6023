"""What a frame costs between the socket and the callback, as a count: no clock takes part.

The whole subscription runs, with a socket that brings prepared bytes. Calls of functions, in
Python and in C, are counted on the reader's thread and on the dispatcher's; the test's own are
not. A longer and a shorter run are compared, so that connecting and closing cancel out.
"""

from __future__ import annotations

import gc
import itertools
import socket
import sys
import threading

import pytest
from helpers import PATIENCE, point, telemetry

from plexus_sync import Buffer, MetricsStream, Reconnect, Subscription, inbox, lookout, transport

FEW, MANY = 500, 1500

# Calls a frame, as recorded on Python 3.8 to 3.13, which differ by up to four, with room for one or
# two. Whoever needs more says why; whoever needs fewer records it here.
CALLS_IN_A_BURST = {1: 16, 10: 18}
CALLS_ALONE = {1: 110, 10: 111}
# Blocks of memory that a frame keeps while the caller keeps it: the frame, its tuple of points,
# and four for each point: itself, the metric's name, the time and the value. The source and the
# class are shared.
BLOCKS = {1: 7, 10: 43}


class PreparedSocket:
    """A socket that brings bytes: as many as fit, or one piece at a time."""

    def __init__(self, pieces, burst):
        self._pieces = [b"".join(pieces)] if burst else pieces
        self._next = 0
        self._readable, self._writer = socket.socketpair()
        self._writer.send(b"!")  # never read: there is always something

    def recv_into(self, room):
        """Copy what fits into the room; 0 when there is nothing more."""
        if self._next == len(self._pieces):
            return 0
        piece = self._pieces[self._next]
        count = min(len(room), len(piece))
        room[:count] = piece[:count]
        if count < len(piece):
            self._pieces[self._next] = memoryview(piece)[count:]
        else:
            self._next += 1
        return count

    def settimeout(self, seconds):
        """Do nothing: nobody waits here."""

    send = sendall = settimeout

    def fileno(self):
        """Return the descriptor of a socket that is always readable."""
        return self._readable.fileno()

    def close(self):
        """Close what made it look readable."""
        self._readable.close()
        self._writer.close()


class Counter:
    """Counts calls on all threads that start while it is active, and on its own."""

    def __init__(self):
        self._total = itertools.count()
        self.calls = 0

    def __call__(self, frame, event, _):
        """Count one event of the interpreter's."""
        if event in ("call", "c_call") and frame.f_code.co_filename != __file__:
            next(self._total)  # atomic, unlike +=

    def __enter__(self):
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)
        self.calls = next(self._total)


def wire(count, points):
    """Return telemetry frames with changing values, as a server sends them."""
    frames = []
    for number in range(count):
        body = telemetry(
            *(
                point(number + index / 7, timestamp=1746969660000 + number * 10 + index)
                for index in range(points)
            )
        )
        head = bytes((0x81, 126)) + len(body).to_bytes(2, "big")
        frames.append((head if len(body) > 125 else bytes((0x81, len(body)))) + body)
    return frames


def deliver(monkeypatch, sock, callback):
    """Run a subscription over what the socket brings."""
    is_open = threading.Event()

    def dial(url, settings, deadline, line, stop):
        assert is_open.wait(PATIENCE)  # else how many frames go the longer way is left to chance
        line.sock = sock
        return b"", None

    class Lookout(lookout.Lookout):
        def open(self):
            super().open()
            is_open.set()

        def _live(self):
            self._bell.get()  # what the stand-in does depends on time, not on frames

    monkeypatch.setattr(inbox, "Lookout", Lookout)
    monkeypatch.setattr(transport, "dial", dial)
    # A closed socket has nothing to shut down.
    monkeypatch.setattr(transport.Line, "wake", lambda line: None)
    sub = Subscription(
        MetricsStream("robot-01", buffer=Buffer(MANY)),
        api_key="plx_test",
        base_url="ws://127.0.0.1:1",
        reconnect=Reconnect(on_code={1006: "end"}),
    )
    sub.on_telemetry(callback)

    sub.run(timeout=PATIENCE)


def calls_a_frame(monkeypatch, points, burst):
    """Return how many calls each further frame takes."""
    deliver(monkeypatch, PreparedSocket(wire(1, points), burst), id)  # what is imported only once
    totals = []
    for count in (FEW, MANY):
        delivered = itertools.count()
        sock = PreparedSocket(wire(count, points), burst)
        with Counter() as counter:
            deliver(monkeypatch, sock, lambda frame, d=delivered: next(d))
        assert next(delivered) == count
        totals.append(counter.calls)
    return (totals[1] - totals[0]) / (MANY - FEW)


@pytest.mark.parametrize("points", [1, 10])
def test_calls_in_a_burst(monkeypatch, points):
    """Under load, where one read brings many frames: the cost that bounds the throughput."""
    assert calls_a_frame(monkeypatch, points, burst=True) <= CALLS_IN_A_BURST[points]


@pytest.mark.parametrize("points", [1, 10])
def test_calls_of_a_frame_that_comes_alone(monkeypatch, points):
    """On a quiet stream, where each frame is a read of its own: the cost of many sockets."""
    assert calls_a_frame(monkeypatch, points, burst=False) <= CALLS_ALONE[points]


@pytest.mark.parametrize("points", [1, 10])
def test_memory_that_a_frame_keeps(monkeypatch, points):
    """A frame that is kept keeps itself alive, and not the buffer or text it came from."""
    blocks = []
    for count in (FEW, MANY):
        kept = []
        sock = PreparedSocket(wire(count, points), burst=True)
        gc.collect()
        before = sys.getallocatedblocks()
        deliver(monkeypatch, sock, kept.append)
        gc.collect()
        blocks.append(sys.getallocatedblocks() - before)
        assert len(kept) == count
        kept.clear()
    assert (blocks[1] - blocks[0]) / (MANY - FEW) <= BLOCKS[points]
