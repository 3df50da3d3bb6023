"""Bytes in, messages out: the receiving half of RFC 6455, without I/O.

The caller reads from its socket straight into :meth:`FrameReader.room` and says how many bytes
came; :meth:`FrameReader.received` returns the messages that are now complete. One large read thus
gives many messages, each copied once, out of one buffer.
"""

from __future__ import annotations

import codecs
from typing import List, NoReturn, Optional, Union

import attrs

from .deflate import Corrupt, Inflater, deflated_limit

__all__ = ["CloseFrame", "FrameReader", "Violation"]

SMALL = 8 * 1024  # what a quiet stream costs; a telemetry frame of 50 points fits
# A busy stream's reads, of which each costs the threads a change; above this only a larger message
# makes the buffer grow.
LARGE = 256 * 1024

# First byte of a frame, RFC 6455 section 5.2: FIN, three reserved bits, four bits of opcode.
_FIN = 0x80
_RESERVED = 0x70
_COMPRESSED = 0x40  # the first reserved bit, RFC 7692 section 6
_OPCODE = 0x0F
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset((_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG))
_WHOLE_TEXT = _FIN | _TEXT

_CONTROL_LIMIT = 125  # section 5.5
_MASKED = 0x80  # section 5.1: a server must not mask

# Section 7.4: codes that may stand in a close frame; 1012 to 1014 were registered later.
_CLOSE_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))

_NO_UTF8 = "the server sent text that is no UTF-8"


@attrs.frozen
class CloseFrame:
    """The peer's close frame; ``code`` is 1005 where it held none (section 7.1.5)."""

    code: int
    reason: str


@attrs.frozen
class Violation:
    """What the peer did wrong, and the close code that tells it so (section 7.4.1)."""

    code: int
    reason: str


class _Broken(Exception):
    """Ends the parsing of one read; never leaves this module."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.violation = Violation(code, reason)


class FrameReader:
    """Cuts messages out of a byte stream.

    ``pings`` and ``pongs`` collect the payloads of control frames for the caller to take;
    ``end`` is None until a close frame or a violation has come, after which nothing is read.
    Messages that were complete before the end are returned all the same. With an ``inflater``,
    messages may be compressed; ``max_message_bytes`` is for what it makes of them.
    """

    __slots__ = (
        "_buffer",
        "_checked",
        "_compressed",
        "_end",
        "_fragments",
        "_fragments_text",
        "_limit",
        "_split",
        "_start",
        "_view",
        "_was_full",
        "end",
        "inflater",
        "pings",
        "pongs",
    )

    def __init__(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._allocate(SMALL)
        self._start = self._end = 0  # what is received and not yet cut out
        self._was_full = False  # before the last read
        self._fragments = bytearray()
        self._fragments_text: Optional[bool] = None  # None: no fragmented message under way
        self._compressed = False  # the message under way
        self._split = b""  # the begun character at the end of its last fragment
        self._checked = 0  # up to where in the buffer a begun frame is known to be UTF-8
        self.inflater: Optional[Inflater] = None
        self.pings: List[bytes] = []
        self.pongs: List[bytes] = []
        self.end: Union[CloseFrame, Violation, None] = None

    def _allocate(self, size: int) -> None:
        self._buffer = bytearray(size)
        self._view = memoryview(self._buffer)

    def room(self) -> memoryview:
        """Return the place for the next bytes; it is never empty."""
        if self._start == self._end:
            self._start = self._end = self._checked = 0
            self._was_full = False
        elif self._end == len(self._buffer):
            self._make_room()
        else:
            self._was_full = False
        return self._view[self._end :]

    def _make_room(self) -> None:
        """Move the begun frame to the front, of a larger buffer where that pays."""
        rest = self._view[self._start : self._end].tobytes()
        size = len(self._buffer)
        # A second read in a row that filled the buffer: the stream is busy, the next may bring more
        # at once. Else, and past LARGE, only a message that is truly coming in is worth memory.
        if (self._was_full and size < LARGE) or len(rest) * 2 > size:
            self._allocate(size * 2)
        self._was_full = True
        self._buffer[: len(rest)] = rest
        self._checked = max(0, self._checked - self._start)
        self._start, self._end = 0, len(rest)

    def shrink(self) -> None:
        """Give memory back; for the caller to say when the stream has gone quiet."""
        if self._start == self._end and len(self._buffer) > SMALL:
            self._allocate(SMALL)
            self._start = self._end = self._checked = 0

    def received(self, count: int) -> List[bytes]:
        """Take ``count`` bytes that stand in ``room()``; return the messages now complete."""
        self._end += count
        messages: List[bytes] = []
        try:
            self._cut(messages)
        except _Broken as broken:
            self.end = broken.violation
        return messages

    def _cut(self, messages: List[bytes]) -> None:
        """Cut out whole frames; the loop that every byte of every stream goes through."""
        buffer, view, position, end = self._buffer, self._view, self._start, self._end
        append, limit = messages.append, self._limit
        is_plain = self._fragments_text is None  # a whole text is a message
        while self.end is None and end - position >= 2:
            first = buffer[position]
            length = buffer[position + 1]
            body = position + 2
            if length == 126:
                body += 2
                if end < body:
                    break
                length = (buffer[position + 2] << 8) | buffer[position + 3]
            elif length == 127:
                body += 8
                if end < body:
                    break
                length = int.from_bytes(view[position + 2 : body], "big")
            elif length & _MASKED:
                raise _Broken(1002, "the server sent a masked frame")
            is_whole = first == _WHOLE_TEXT and is_plain and length <= limit
            if not is_whole:
                self._check_head(first, length)
            after = body + length
            if after > end:
                self._check_begun(first, body)
                break
            payload = view[body:after].tobytes()
            self._start = position = after
            if is_whole:
                if not payload.isascii():
                    _check_utf8(payload)
                append(payload)
            elif first & 0x08:
                self._control(first & _OPCODE, payload)
            else:
                self._fragment(first, payload, messages)
                is_plain = self._fragments_text is None

    def _check_head(self, first: int, length: int) -> None:
        opcode = first & _OPCODE
        reserved = first & _RESERVED
        if reserved == _COMPRESSED and self.inflater and opcode in (_TEXT, _BINARY):
            reserved = 0
        if reserved:
            raise _Broken(1002, "the server set a reserved bit")
        if opcode not in _OPCODES:
            raise _Broken(1002, f"the server sent the unknown opcode {opcode}")
        if opcode & 0x08:
            if not first & _FIN or length > _CONTROL_LIMIT:
                raise _Broken(1002, "the server sent a control frame fragmented or too long")
            return
        if (opcode == _CONTINUATION) != (self._fragments_text is not None):
            raise _Broken(1002, "the server sent fragments out of order")
        limit = self._limit
        if first & _COMPRESSED or self._compressed:
            limit = deflated_limit(limit)
        if len(self._fragments) + length > limit:
            self._raise_too_large()

    def _raise_too_large(self) -> NoReturn:
        raise _Broken(1009, f"the server sent a message of more than {self._limit} bytes")

    def _check_begun(self, first: int, body: int) -> None:
        """Refuse a text that is wrong before all of its frame has come.

        Only where it trickles in: what comes in bulk is whole soon, and not worth reading twice.
        """
        begin = max(body, self._checked)
        if first & ~_FIN == _TEXT and self._end - begin <= SMALL:
            self._checked = begin + _whole_characters(self._view[begin : self._end])

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.pings.append(payload)
        elif opcode == _PONG:
            self.pongs.append(payload)
        else:
            self.end = _parse_close(payload)

    def _fragment(self, first: int, payload: bytes, messages: List[bytes]) -> None:
        """Take one frame of a message that is binary, compressed or fragmented."""
        if self._fragments_text is None:
            self._fragments_text = (first & _OPCODE) == _TEXT
            self._compressed = bool(first & _COMPRESSED)
        final = bool(first & _FIN)
        if self._compressed:
            payload = self._inflate(payload, final)
        if self._fragments or not final:
            if self._fragments_text:
                self._check_part(payload, final)
            self._fragments += payload  # amortised: endless tiny fragments cost what they bring
            if not final:
                return
            payload = bytes(self._fragments)
            self._fragments = bytearray()
        elif self._fragments_text:
            _check_utf8(payload)
        messages.append(payload)
        self._fragments_text = None
        self._compressed = False

    def _check_part(self, payload: bytes, final: bool) -> None:
        """Check a text's next fragment, before or after which a character may be split."""
        text = self._split + payload
        self._split = text[_whole_characters(text) :]
        if final and self._split:
            raise _Broken(1007, _NO_UTF8)

    def _inflate(self, payload: bytes, final: bool) -> bytes:
        assert self.inflater is not None
        room = self._limit - len(self._fragments)
        try:
            inflated = self.inflater.inflate(payload, final, room)
        except Corrupt as error:
            raise _Broken(1007, f"the server sent data that is no deflate: {error}") from None
        if len(inflated) > room:
            self._raise_too_large()
        return inflated


def _check_utf8(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise _Broken(1007, _NO_UTF8) from None


def _whole_characters(text: Union[bytes, memoryview]) -> int:
    """Return how many of the bytes are whole characters; the rest must be the start of one."""
    try:
        return codecs.utf_8_decode(text, "strict", False)[1]
    except UnicodeDecodeError:
        raise _Broken(1007, _NO_UTF8) from None


def _parse_close(payload: bytes) -> CloseFrame:
    if not payload:
        return CloseFrame(1005, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _CLOSE_CODES or 3000 <= code <= 4999):
        raise _Broken(1002, "the server sent a malformed close frame")
    _check_utf8(payload[2:])
    return CloseFrame(code, payload[2:].decode())
