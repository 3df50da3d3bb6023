"""Servers that mean harm, from end to end: a whole subscription against a server of bare sockets.

At each port the first connection is served with malice and every later one well. What is proved of
each malice: the error has its type and is told once, memory stays bounded, the connection ends by
itself (every other time limit is longer than a test may take), and the next one delivers. No
hostile server closes TCP before the client has come back, so nobody waited for that.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import tracemalloc
import zlib

import pytest
from helpers import PATIENCE, point, telemetry, values, watching
from rawserver import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawServer,
    answer,
    close_frame,
    frame,
    header,
    hold,
    read_exactly,
    read_frame,
    read_head,
    sign_in,
)

from plexus_sync import (
    ConnectionLost,
    FrameError,
    FrameTooLarge,
    HandshakeError,
    MetricsStream,
    ProtocolError,
    Reconnect,
)

MIB = 2**20
LIMIT = MIB  # max_frame_bytes, where frames are what is wrong
PEAK = 16 * MIB  # what everything in this process, the servers too, may take on top
ENDLESS = 512 * MIB  # a client that takes so much would have taken all
SHORT = 0.3  # seconds, where a time limit is what ends it


class Server(RawServer):
    """Serves the first connection with malice, all later ones well, and keeps their requests."""

    def __init__(self, hostile):
        super().__init__(self._take)
        self._hostile = hostile
        self._numbers = itertools.count()
        self._again = threading.Event()
        self.heads = []

    def _take(self, sock):
        if next(self._numbers):
            self._again.set()
            self.welcome(sock)
        else:
            self._hostile(sock)
            assert self._again.wait(PATIENCE), "the client did not come back"

    def welcome(self, sock):
        """Serve a client well."""
        self.heads.append(sign_in(sock, 2))
        hold(sock)


@contextlib.contextmanager
def bounded_memory():
    """Assert that the block takes no more than ``PEAK``, as Python's allocator sees it."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < PEAK


def assert_told(sub, errors, kind, code, words, settings):
    """Assert that the error was told, once, and did not end the stream."""
    error = errors[0]
    assert (type(error), error.code, error.final) == (kind, code, False)
    assert words in error.reason
    if SHORT not in settings.values():  # else a machine that stalls may bring another
        (status,) = sub.status().values()
        assert (errors, status.attempts) == ([error], 2)
        assert status.last_error is error


def pour(sock, chunk):
    """Send the same for ever."""
    for _ in range(ENDLESS // len(chunk)):
        sock.sendall(chunk)
    raise AssertionError("the client took all of it")


# The answers to the upgrade.


def says(data, then=b""):
    """Return a behaviour: say this instead of a good answer, and that for ever."""

    def behave(sock):
        read_head(sock)
        sock.sendall(data)
        if then:
            pour(sock, then)

    return behave


def byte_by_byte(sock):
    """Send a good answer, but for its endless header, a byte at a time."""
    good = answer(read_head(sock))[:-2]
    for byte in good + b"X: " + b"x" * 60_000:
        sock.sendall(bytes((byte,)))
        threading.Event().wait(0.01)
    raise AssertionError("the client waited for all of it")


def wrong_accept(sock):
    """Prove that another request was understood."""
    sock.sendall(answer("GET / HTTP/1.1\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"
HUGE_BODY = b"HTTP/1.1 %d No\r\nContent-Length: 99000000000\r\n\r\n"
HEADER = b"X-Padding: " + b"x" * 1000 + b"\r\n"


@pytest.mark.parametrize(
    ("hostile", "kind", "code", "words", "settings"),
    [
        pytest.param(
            says(SWITCHING, HEADER), ProtocolError, 1002, "65536 bytes", {}, id="endless headers"
        ),
        pytest.param(
            says(SWITCHING + b"X: ", b"x" * 1000),
            ProtocolError,
            1002,
            "65536 bytes",
            {},
            id="header line without end",
        ),
        pytest.param(
            byte_by_byte,
            ConnectionLost,
            1006,
            "time",
            {"connect_timeout": SHORT},
            id="byte by byte",
        ),
        pytest.param(
            says(HUGE_BODY % 503, b"x" * 65536),
            HandshakeError,
            503,
            "HTTP 503",
            {},
            id="refusal with a body of 99 GB",
        ),
        pytest.param(wrong_accept, ProtocolError, 1002, "upgrade", {}, id="wrong accept"),
    ],
)
def test_answer(hostile, kind, code, words, settings):
    """What answers the upgrade with malice is told, and the next attempt delivers."""
    with Server(hostile) as server, bounded_memory():
        sub, errors = watching(server.url, **settings)
        with sub:
            assert values(sub, 1) == [2]
            assert_told(sub, errors, kind, code, words, settings)


def test_final_refusal():
    """A refusal for good ends the stream without its body of 99 GB; a new subscription works."""
    with Server(says(HUGE_BODY % 403, b"x" * 65536)) as server, bounded_memory():
        sub, errors = watching(server.url)
        with sub, pytest.raises(HandshakeError) as told:
            sub.get(PATIENCE)
        assert (told.value.status, errors) == (403, [told.value])
        with watching(server.url)[0] as another:
            assert values(another, 1) == [2]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect(status):
    """A redirect ends the stream, and the other host, to which the key would go, hears nothing."""
    elsewhere = []
    with RawServer(elsewhere.append) as other:
        location = f"Location: ws://127.0.0.1:{other.port}/v1/sources/robot-01/metrics/stream"
        with Server(says(f"HTTP/1.1 {status} Moved\r\n{location}\r\n\r\n".encode())) as server:
            sub, errors = watching(server.url)
            with sub, pytest.raises(HandshakeError) as told:
                sub.get(PATIENCE)
            assert (told.value.status, told.value.final) == (status, True)
            assert errors == [told.value]
            with watching(server.url)[0] as another:
                assert values(another, 1) == [2]
    assert elsewhere == []


def test_cookies():
    """A cookie goes back to nobody: not at the next connection, not to another server."""

    def hostile(sock):
        sign_in(sock, 1, "Set-Cookie: one=1", "Set-Cookie: two=2; Domain=127.0.0.1; Path=/")
        sock.shutdown(socket.SHUT_WR)

    with Server(hostile) as server, RawServer(server.welcome) as other:
        with watching(server.url)[0] as sub:
            assert values(sub, 3) == [1, "connection", 2]
        with watching(other.url)[0] as sub:
            assert values(sub, 1) == [2]
    assert [header(head, "Cookie") for head in server.heads] == [None, None]
    assert not any("one=" in head or "two=" in head for head in server.heads)


# The frames.


def sends(data, then=b""):
    """Return a behaviour: a good beginning, then this, then that for ever."""

    def behave(sock):
        sign_in(sock, 1)
        sock.sendall(data)
        if then:
            pour(sock, then)

    return behave


def bomb(sock):
    """Send 256 MiB as a compressed message of 256 KiB."""
    sign_in(sock, 1, "Sec-WebSocket-Extensions: permessage-deflate")
    deflater = zlib.compressobj(wbits=-15)
    parts = [deflater.compress(b"0" * MIB) for _ in range(256)]
    data = frame(TEXT, b"".join((*parts, deflater.flush(zlib.Z_SYNC_FLUSH)))[:-4])
    assert len(data) < LIMIT
    sock.sendall(bytes((data[0] | 0x40,)) + data[1:])


def polite_flood(sock):
    """Send 20,000 pings, take all their pongs, and only then the first frame."""
    sign_in(sock, 1)
    ping = frame(PING, b"p" * 125)
    for _ in range(20):
        sock.sendall(ping * 1000)
        for _ in range(1000):
            assert read_exactly(sock, 2) == bytes((0x80 | PONG, 0x80 | 125))
            read_exactly(sock, 4 + 125)
    sock.shutdown(socket.SHUT_WR)


def closes(code, then=b""):
    """Return a behaviour: a close frame in the middle of fragments, and that for ever."""

    def behave(sock):
        sign_in(sock, 1)
        sock.sendall(frame(TEXT, b'{"type"', fin=False) + close_frame(code) + then)
        assert read_frame(sock) == (CLOSE, struct.pack("!H", code))
        if then:
            pour(sock, then)

    return behave


HEAD = struct.Struct("!BBQ")
FRAGMENTS = frame(0, b"x" * 1000, fin=False)
EMPTY_FRAGMENTS = frame(0, b"", fin=False) * 1000
TOO_LARGE = f"more than {LIMIT} bytes"


@pytest.mark.parametrize(
    ("hostile", "kind", "code", "words", "settings"),
    [
        pytest.param(
            sends(HEAD.pack(0x81, 127, 2**62), b"x" * 65536),
            FrameTooLarge,
            1009,
            TOO_LARGE,
            {},
            id="frame of 2 to the 62 bytes",
        ),
        pytest.param(
            sends(frame(TEXT, b"", fin=False), FRAGMENTS),
            FrameTooLarge,
            1009,
            TOO_LARGE,
            {},
            id="endless fragments",
        ),
        pytest.param(
            sends(frame(TEXT, b"", fin=False), EMPTY_FRAGMENTS),
            ConnectionLost,
            1006,
            "stale",
            {"stale_timeout": SHORT},
            id="endless empty fragments",
        ),
        pytest.param(
            sends(frame(TEXT, b"{}", masked=True)),
            ProtocolError,
            1002,
            "masked",
            {},
            id="masked frame",
        ),
        *[
            pytest.param(
                sends(bytes((0x81 | bit, 2)) + b"{}"),
                ProtocolError,
                1002,
                "reserved bit",
                {},
                id=f"reserved bit {bit:#x}",
            )
            for bit in (0x10, 0x20, 0x40)
        ],
        pytest.param(
            bomb, FrameTooLarge, 1009, TOO_LARGE, {"compression": "deflate"}, id="compressed bomb"
        ),
        pytest.param(
            sends(frame(TEXT, b'"\xed\xa0\x80"')), ProtocolError, 1007, "UTF-8", {}, id="bad UTF-8"
        ),
        pytest.param(
            closes(1001), ConnectionLost, 1001, "", {}, id="close frame in the middle of fragments"
        ),
        pytest.param(
            closes(1000, b"x" * 1000), ConnectionLost, 1000, "", {}, id="goes on after its close"
        ),
        pytest.param(
            polite_flood, ConnectionLost, 1006, "without a close frame", {}, id="flood of pings"
        ),
        pytest.param(
            sends(b"", frame(PING, b"p" * 125) * 100),
            ConnectionLost,
            1006,
            "time",
            {"ping_timeout": SHORT},
            id="flood of pings that takes no pong",
        ),
    ],
)
def test_frames(hostile, kind, code, words, settings):
    """What sends malice in frames is told, a Gap stands in its place, the next one delivers."""
    given = dict(settings)
    given["stream"] = MetricsStream("robot-01", stale_timeout=given.pop("stale_timeout", None))
    with Server(hostile) as server, bounded_memory():
        sub, errors = watching(server.url, max_frame_bytes=LIMIT, **given)
        with sub:
            assert values(sub, 3) == [1, "connection", 2]
            assert_told(sub, errors, kind, code, words, settings)


NUMBERS = ["9" * 100_000, "-" + "9" * 100_000, "1e999", "-1e999", "1e" + "9" * 100_000]


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([b"[" * 100_000, b'{"a":' * 100_000], id="deep"),
        pytest.param([b"[" * 100_000 + b"]" * 100_000], id="deep and whole"),
        pytest.param(
            [
                b'{"type":"event","source_id":"robot-01","metric":"n","class":"event","value":'
                + b"[" * 100_000
                + b"]" * 100_000
                + b"}"
            ],
            id="deep in a value",
        ),
        pytest.param(
            [telemetry(point(0)).replace(b"0", each.encode()) for each in NUMBERS],
            id="giant values",
        ),
        pytest.param(
            [
                telemetry(point(timestamp=0)).replace(b'"timestamp": 0', b'"timestamp": %b' % each)
                for each in map(str.encode, NUMBERS)
            ],
            id="giant times",
        ),
    ],
)
def test_json(texts):
    """JSON that no machine can hold is a FrameError each, and the connection goes on."""

    def hostile(sock):
        sign_in(sock, 0)
        sock.sendall(b"".join(frame(TEXT, text) for text in texts))
        sock.sendall(frame(TEXT, telemetry(point(1))))
        sock.shutdown(socket.SHUT_WR)

    with Server(hostile) as server, bounded_memory():
        sub, errors = watching(server.url)
        with sub:
            assert values(sub, 4) == [0, 1, "connection", 2]
            (status,) = sub.status().values()
    assert status.bad == len(texts)
    bad = [error for error in errors if isinstance(error, FrameError)]
    assert [error.final for error in bad] == [False] * len(texts)
    assert all(len(error.excerpt) <= 200 for error in bad)
    (lost,) = (error for error in errors if error not in bad)
    assert (type(lost), lost.code) == (ConnectionLost, 1006)


def test_numbers_that_python_can_hold():
    """A number of 4,000 digits is one; as a time it is out of range."""

    def hostile(sock):
        sign_in(sock, 1)
        number = 10**4000 - 1
        sock.sendall(frame(TEXT, telemetry(point(number, timestamp=number))))
        sock.shutdown(socket.SHUT_WR)

    with Server(hostile) as server, bounded_memory(), watching(server.url)[0] as sub:
        assert values(sub, 1) == [1]
        (giant,) = sub.get(PATIENCE).points
        assert (giant.value, giant.time) == (10**4000 - 1, None)
        assert values(sub, 2) == ["connection", 2]


@pytest.mark.parametrize(
    ("status", "accept"),
    [("101 Switching Protocols", b"A"), ("200 OK", b""), ("302 Found", b"")],
)
def test_no_key_before_the_upgrade(status, accept):
    """Whoever has not proved to be a WebSocket server gets a close frame at most, not the key."""
    heard = []

    def hostile(sock):
        good = answer(read_head(sock), status=status)
        sock.sendall(good.replace(b"Accept: ", b"Accept: " + accept))
        with contextlib.suppress(EOFError):
            while True:
                heard.append(read_frame(sock)[0])

    reconnect = Reconnect(initial=0.001, on_code={200: "retry", 302: "retry"})
    with Server(hostile) as server, watching(server.url, reconnect=reconnect)[0] as sub:
        assert values(sub, 1) == [2]
    assert heard in ([], [CLOSE])
