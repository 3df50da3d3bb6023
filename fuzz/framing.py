"""Any bytes through ``FrameReader``, in any pieces: the same messages and end as in one piece."""

from __future__ import annotations

import zlib
from typing import Iterable, List, Tuple

from plexus_sync.deflate import Agreement, Inflater
from plexus_sync.framing import FrameReader

RUNS = 350_000
MAX_LENGTH = 4000  # below the size of one read, which says what is checked early
WORDS: Tuple[bytes, ...] = (
    b"\x81\x7e",
    b"\x81\x7f\0\0\0\0\0\0\1\0",
    b"\xc1",
    b"\x01",
    b"\x00",
    b"\x80\x00",
)
WORDS += (b"\x88\x02\x03\xe8", b"\x89\x00", b"\x8a\x04soak", b"\0\0\xff\xff", b"\xf0\x9f\xa4\x96")

LIMIT = 3000  # a message may be too large, and deflate may swell above it


def _frame(first: int, payload: bytes) -> bytes:
    if len(payload) < 126:
        return bytes((first, len(payload))) + payload
    return bytes((first, 126)) + len(payload).to_bytes(2, "big") + payload


def _deflated(*texts: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    data = b""
    for text in texts:
        payload = (deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        data += _frame(0xC1, payload)
    return data


def seeds() -> Iterable[bytes]:
    """Return where to begin; the first bytes say how it is cut and whether it is compressed."""
    plain, compressed = b"\x00\x03", b"\x01\x03"
    yield plain + _frame(0x81, b"one") + _frame(0x89, b"ping") + _frame(0x81, "é🤖".encode() * 60)
    yield plain + _frame(0x01, b"a\xf0\x9f") + _frame(0x8A, b"x") + _frame(0x80, b"\xa4\x96")
    yield plain + _frame(0x02, b"\xff") + _frame(0x00, b"") + _frame(0x80, b"\xfe")
    yield plain + _frame(0x81, b"last") + _frame(0x88, b"\x0f\xa8stream timeout") + b"\x81"
    yield compressed + _deflated(b"battery" * 30, b"battery" * 20, b"")
    yield compressed + _deflated(b"\xff\xfe") + _frame(0x81, b"plain")
    yield compressed + _deflated(b"x" * 20_000)
    part = _deflated(b"cut into fragments" * 9)
    yield compressed + _frame(0x41, part[2:9]) + _frame(0x89, b"") + _frame(0x80, part[9:])


def _read(data: bytes, compressed: bool, sizes: bytes) -> Tuple[FrameReader, List[bytes]]:
    reader = FrameReader(LIMIT)
    if compressed:
        reader.inflater = Inflater(Agreement())
    messages: List[bytes] = []
    view, turn = memoryview(data), 0
    while view:
        room = reader.room()
        assert len(room), "no room for more"
        wanted = sizes[turn % len(sizes)] + 1 if sizes else len(view)
        count = min(len(room), len(view), wanted)
        turn += 1
        room[:count] = view[:count]
        view = view[count:]
        messages += reader.received(count)
    return reader, messages


def one_input(data: bytes) -> None:
    """Read it as a whole, byte by byte, and in pieces that its own bytes decide."""
    if len(data) < 2:
        return
    compressed, count, stream = bool(data[0] & 1), data[1] % 16, data[2:]
    whole, messages = _read(stream, compressed, b"")
    assert all(len(message) <= LIMIT for message in messages)
    for sizes in (b"\0", stream[:count] or b"\6"):
        pieces, same = _read(stream, compressed, sizes)
        assert same == messages, "the messages differ"
        assert (pieces.pings, pieces.pongs) == (whole.pings, whole.pongs)
        assert pieces.end == whole.end, f"{pieces.end} instead of {whole.end}"
