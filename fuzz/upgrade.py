"""Any bytes as the answer to an upgrade, in any pieces: a connection, or ``Lost``."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from typing import Any, Iterable, Tuple

from plexus_sync.deadline import Deadline
from plexus_sync.line import Line
from plexus_sync.loss import Lost
from plexus_sync.upgrade import upgrade

RUNS = 150_000
MAX_LENGTH = 2000
# What is put in its place is the right proof, which no fuzzer finds.
ACCEPT = b"@A"
WORDS: Tuple[bytes, ...] = (
    ACCEPT,
    b"HTTP/1.1 101 ",
    b"\r\n",
    b"\r\n\r\n",
    b"Upgrade: websocket",
    b"Set-Cookie: a=b",
)
WORDS += (b"Connection: Upgrade", b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Extensions: ")
WORDS += (b"permessage-deflate", b"; server_max_window_bits=8", b"Retry-After: ", b"429", b"503")
WORDS += (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Location: ", b"Content-Length: 99999999999")

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"(?im)^sec-websocket-key:\s*(\S+)")


def seeds() -> Iterable[bytes]:
    """Return where to begin; the first byte says how it is cut and whether deflate is offered."""
    good = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    good += b"Sec-WebSocket-Accept: @A\r\n"
    yield b"\x40" + good + b"\r\n\x81\x03abc"
    yield b"\x41" + good + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    yield (
        b"\x41"
        + good
        + (
            b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9;"
            b' client_max_window_bits="15"; server_no_context_takeover\r\nSet-Cookie: a=b\r\n\r\n'
        )
    )
    yield b"\x40" + good + b"Sec-WebSocket-Protocol: x\r\n\r\n"
    yield b"\x08HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno"
    yield b"\x08HTTP/1.0 503\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    yield b"\x08HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\n\r\n"
    yield b"\x02SSH-2.0-OpenSSH_9.2\r\n"


class _Peer:
    """A socket whose other end sends a prepared answer and then ends."""

    def __init__(self, answer: bytes, piece: int) -> None:
        self._answer = answer
        self._piece = piece

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def sendall(self, request: bytes) -> None:
        key = _KEY.search(request)
        assert key is not None, "the request has no key"
        proof = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())
        self.answer = self._answer = self._answer.replace(ACCEPT, proof)

    def recv(self, count: int) -> bytes:
        piece = self._answer[: min(count, self._piece)]
        self._answer = self._answer[len(piece) :]
        return piece

    def shutdown(self, half: int) -> None:
        raise AssertionError("nobody shuts the stand-in")


def one_input(data: bytes) -> None:
    """Shake hands with a peer that answers so."""
    if not data:
        return
    compress, piece = bool(data[0] & 1), (data[0] >> 1) * 8 + 1
    line = Line()
    peer: Any = _Peer(data[1:], piece)
    line.sock = peer
    try:
        leftover, agreement = upgrade(line, "ws://127.0.0.1/v1", Deadline(60.0), compress)
    except Lost:
        return
    head, end, rest = peer.answer.partition(b"\r\n\r\n")
    assert end, "connected without all of the head"
    assert head.startswith((b"HTTP/1.1 101", b"HTTP/1.0 101")), "connected without an upgrade"
    assert rest.startswith(leftover), "what came behind the head is lost"
    assert agreement is None or compress
    assert socket.getdefaulttimeout() is None
