"""The server's half of RFC 6455, as much as the soak needs, apart from the client's.

What it sends is right unless a fault says otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import zlib
from typing import Optional, Tuple

CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
COMPRESSED = 4  # the first reserved bit, RFC 7692 section 6
NO_CODE = 1005  # a close frame without a code

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"(?im)^sec-websocket-key:\s*(\S+)")
_PATH = re.compile(rb"^GET [^ ]*/(metrics|logs|video)/stream\b")


class Request:
    """An upgrade request: which stream it asks for, its proof, and whether it offers deflate."""

    def __init__(self, head: bytes) -> None:
        path, key = _PATH.search(head), _KEY.search(head)
        if path is None or key is None:
            raise ConnectionError(f"no request for a stream: {head[:100]!r}")
        self.kind = path[1].decode()
        self.accept = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())
        self.offers_deflate = b"permessage-deflate" in head


def read_request(sock: socket.socket) -> Request:
    """Read the head of the request."""
    head = b""
    while b"\r\n\r\n" not in head:
        some = sock.recv(4096)
        if not some:
            raise ConnectionError("no request came")
        head += some
    return Request(head)


def answer(request: Request, deflate: bool) -> bytes:
    """Return the answer that upgrades."""
    extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else b""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + request.accept + b"\r\n" + extension + b"\r\n"
    )


def frame(opcode: int, payload: bytes = b"", fin: bool = True, reserved: int = 0) -> bytes:
    """Return one frame as a server sends it."""
    first = opcode | reserved << 4 | (0x80 if fin else 0)
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame."""
    return frame(CLOSE, b"" if code == NO_CODE else struct.pack("!H", code) + reason.encode())


def _read_exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        some = sock.recv(count - len(data))
        if not some:
            raise ConnectionError("the client has gone")
        data += some
    return data


def read_frame(sock: socket.socket) -> Tuple[int, bytes]:
    """Return opcode and payload of one of the short frames that a client sends."""
    first, second = _read_exactly(sock, 2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", _read_exactly(sock, 2))
    mask = _read_exactly(sock, 4)
    payload = _read_exactly(sock, length)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class Encoder:
    """Puts texts into frames, compressed where that was agreed, in fragments where asked for."""

    def __init__(self, deflate: bool) -> None:
        self._zlib: Optional[zlib._Compress] = zlib.compressobj(wbits=-15) if deflate else None

    def message(self, text: bytes, fragments: int = 1) -> bytes:
        """Return the frames of one message, a ping between two fragments."""
        reserved = 0
        if self._zlib is not None:
            text = (self._zlib.compress(text) + self._zlib.flush(zlib.Z_SYNC_FLUSH))[:-4]
            reserved = COMPRESSED
        size = len(text) // fragments + 1
        parts = [text[start : start + size] for start in range(0, max(1, len(text)), size)]
        frames = [
            frame(
                CONTINUATION if index else TEXT,
                part,
                fin=index == len(parts) - 1,
                reserved=0 if index else reserved,
            )
            for index, part in enumerate(parts)
        ]
        return frame(PING, b"soak").join(frames)
