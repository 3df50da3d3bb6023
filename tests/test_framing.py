"""Bytes in, messages out: every kind of frame, every violation, any split of the bytes."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexus_sync.deflate import Agreement, Inflater, deflated_limit
from plexus_sync.framing import LARGE, SMALL, CloseFrame, FrameReader, Violation

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MIB = 1024 * 1024


def frame(opcode, payload=b"", fin=True, reserved=0, masked=False):
    """Return one frame as it stands on the wire (RFC 6455 section 5.2)."""
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    mask = 0x80 if masked else 0
    length = len(payload)
    if length < 126:
        head = bytes((first, mask | length))
    elif length < 1 << 16:
        head = bytes((first, mask | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, mask | 127)) + length.to_bytes(8, "big")
    return head + (b"\0\0\0\0" if masked else b"") + payload


def close(code, reason=b""):
    """Return a close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def feed(reader, data, sizes=()):
    """Give the bytes to the reader in pieces of these sizes, the rest as they fit."""
    messages, view, sizes = [], memoryview(data), iter(sizes)
    while view:
        room = reader.room()
        assert len(room) > 0
        count = min(len(room), len(view), next(sizes, len(view)))
        room[:count] = view[:count]
        view = view[count:]
        messages += reader.received(count)
    return messages


def read(data, limit=MIB):
    """Return a reader that was given the bytes, and its messages."""
    reader = FrameReader(limit)
    return reader, feed(reader, data)


def violation_of(data, limit=MIB):
    """Assert that the bytes break the protocol; return the code and the messages before."""
    reader, messages = read(data, limit)
    assert isinstance(reader.end, Violation)
    assert reader.end.reason.startswith("the server s")
    return reader.end.code, messages


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, 65535, 65536, 300_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_message_of_any_length(opcode, length):
    """Each of the three forms of the length is understood, at its borders too."""
    payload = bytes(32 + i % 90 for i in range(length))
    reader, messages = read(frame(opcode, payload) + frame(TEXT, b"next"))
    assert messages == [payload, b"next"]
    assert type(messages[0]) is bytes
    assert reader.end is None


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_byte_by_byte(length):
    """A frame may come in any pieces, its head byte by byte too."""
    data = frame(TEXT, b"x" * length) + frame(PING, b"p")
    reader = FrameReader(MIB)
    assert feed(reader, data, [1] * 200 + [997] * 64 + [1] * 2000) == [b"x" * length]
    assert reader.pings == [b"p"]


def test_longest_form_for_a_short_message():
    """A length that is written longer than it must be is understood all the same."""
    two = bytes((0x81, 126, 0, 1)) + b"a"
    eight = bytes((0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1)) + b"b"
    assert read(two + eight)[1] == [b"a", b"b"]


def test_nothing_yet():
    """A part of a frame is no message."""
    whole = frame(TEXT, b"x" * 70_000)
    for length in (1, 2, 3, 9, 10, 11, len(whole) - 1):
        reader, messages = read(whole[:length])
        assert (messages, reader.end) == ([], None)
        assert feed(reader, whole[length:]) == [b"x" * 70_000]


def test_many_messages_in_one_read():
    """All of them are returned at once, in their order."""
    texts = [b"%d" % number for number in range(1000)]
    assert read(b"".join(frame(TEXT, text) for text in texts))[1] == texts


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("parts", [[b"a", b"b"], [b"", b"", b""], [b"a", b"", b"c", b"d"], [b""]])
def test_fragments(opcode, parts):
    """Fragments become one message, empty ones too."""
    data = frame(opcode, parts[0], fin=False)
    data += b"".join(frame(CONTINUATION, part, fin=False) for part in parts[1:])
    data += frame(CONTINUATION, b"end")
    reader, messages = read(data + frame(TEXT, b"next"))
    assert messages == [b"".join(parts) + b"end", b"next"]
    assert reader.end is None


def test_a_character_may_be_split_by_fragments():
    """Only the whole message must be UTF-8."""
    text = "🤖".encode()
    data = frame(TEXT, text[:1], fin=False) + frame(CONTINUATION, text[1:])
    assert read(data)[1] == [text]


def test_control_frames_between_fragments():
    """They are taken at once and do not disturb the message."""
    data = (
        frame(TEXT, b"a", fin=False)
        + frame(PING, b"1")
        + frame(CONTINUATION, b"b", fin=False)
        + frame(PONG, b"2")
        + frame(PING)
        + frame(CONTINUATION, b"c")
    )
    reader, messages = read(data)
    assert messages == [b"abc"]
    assert (reader.pings, reader.pongs) == ([b"1", b""], [b"2"])


def test_close_between_fragments():
    """A close frame ends it, and the message that was under way is lost."""
    reader, messages = read(frame(TEXT, b"a", fin=False) + close(1012))
    assert (messages, reader.end) == ([], CloseFrame(1012, ""))


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"x" * 125])
def test_pings_and_pongs(opcode, payload):
    """Their payloads, any bytes, are collected for whoever takes them."""
    reader, messages = read(frame(opcode, payload) * 2)
    assert messages == []
    assert (reader.pings if opcode == PING else reader.pongs) == [payload, payload]
    assert (reader.pongs if opcode == PING else reader.pings) == []


@pytest.mark.parametrize("payload", [b"", b"ascii", "é🤖\u0000".encode(), b"\xef\xbf\xbf"])
def test_text_that_is_utf8(payload):
    """Any UTF-8 is a text."""
    assert read(frame(TEXT, payload))[1] == [payload]


NO_UTF8 = [b"\xff", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"]


@pytest.mark.parametrize("payload", NO_UTF8)
def test_text_that_is_no_utf8(payload):
    """It is 1007, whole or fragmented; the messages before are kept."""
    before = frame(TEXT, b"before")
    assert violation_of(before + frame(TEXT, payload)) == (1007, [b"before"])
    fragmented = frame(TEXT, payload, fin=False) + frame(CONTINUATION)
    assert violation_of(before + fragmented) == (1007, [b"before"])


@pytest.mark.parametrize("payload", NO_UTF8)
def test_binary_may_be_any_bytes(payload):
    """A binary message need not be text, whole or fragmented."""
    assert read(frame(BINARY, payload))[1] == [payload]
    assert read(frame(BINARY, payload, fin=False) + frame(CONTINUATION))[1] == [payload]


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x", masked=True),
        frame(TEXT, b"x" * 126, masked=True),
        frame(TEXT, b"x" * 65536, masked=True),
        frame(PING, b"x", masked=True),
        frame(TEXT, b"x", reserved=4),
        frame(TEXT, b"x", reserved=2),
        frame(TEXT, b"x", reserved=1),
        frame(PING, reserved=4),
        *(frame(opcode, b"x") for opcode in (*range(3, 8), *range(0xB, 0x10))),
        frame(PING, fin=False),
        frame(PONG, fin=False),
        frame(CLOSE, fin=False),
        frame(PING, b"x" * 126),
        frame(PONG, b"x" * 65536),
        frame(CLOSE, b"\x03\xe8" + b"x" * 124),
        frame(CONTINUATION, b"x"),
        frame(CONTINUATION, b"x", fin=False),
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"),
        frame(TEXT, b"x", fin=False) + frame(BINARY, b"x"),
        frame(BINARY, b"x", fin=False) + frame(TEXT, b"x", fin=False),
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION) + frame(CONTINUATION),
    ],
)
def test_violations(data):
    """Masks, reserved bits, unknown opcodes, odd control frames, fragments out of order: 1002."""
    code, messages = violation_of(frame(TEXT, b"before") + data)
    assert code == 1002
    assert messages[0] == b"before"


@pytest.mark.parametrize("data", [frame(TEXT, reserved=4), frame(3), frame(TEXT, masked=True)])
def test_a_violation_is_seen_in_the_head(data):
    """It needs no payload to be one."""
    assert violation_of(data[:2]) == (1002, [])


def test_nothing_is_read_after_a_violation():
    """What a broken peer sends on is no message any more."""
    reader, messages = read(frame(TEXT, b"a") + frame(3) + frame(TEXT, b"b"))
    assert messages == [b"a"]
    end = reader.end
    assert feed(reader, frame(TEXT, b"c") + close(1000) + frame(PING)) == []
    assert reader.end == end
    assert reader.pings == []


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (frame(CLOSE), CloseFrame(1005, "")),
        (close(1000), CloseFrame(1000, "")),
        (close(1011, b"gateway error"), CloseFrame(1011, "gateway error")),
        (close(4401, "née".encode()), CloseFrame(4401, "née")),
        (close(1000, b"x" * 123), CloseFrame(1000, "x" * 123)),
    ],
)
def test_close_frame(data, end):
    """Code and reason are kept; none is 1005; nothing is read after it."""
    reader, messages = read(frame(TEXT, b"before") + data + frame(TEXT, b"after"))
    assert messages == [b"before"]
    assert reader.end == end
    assert feed(reader, frame(TEXT, b"after")) == []


@pytest.mark.parametrize(
    "code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4008, 4402, 4999]
)
def test_codes_that_may_be_sent(code):
    """The registered codes, and those of libraries and applications."""
    assert read(close(code))[0].end == CloseFrame(code, "")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])
def test_codes_that_must_not_be_sent(code):
    """Any other code is a violation (section 7.4)."""
    assert violation_of(close(code)) == (1002, [])


def test_close_payload_of_one_byte():
    """Half a code is a violation."""
    assert violation_of(frame(CLOSE, b"\x03")) == (1002, [])


@pytest.mark.parametrize("reason", NO_UTF8)
def test_close_reason_that_is_no_utf8(reason):
    """A reason is text."""
    assert violation_of(close(1000, reason)) == (1007, [])


def test_message_as_large_as_allowed():
    """The limit itself is allowed, in one frame or in several."""
    assert read(frame(TEXT, b"x" * 100), limit=100)[1] == [b"x" * 100]
    data = frame(TEXT, b"x" * 60, fin=False) + frame(CONTINUATION, b"x" * 40)
    assert read(data * 2, limit=100)[1] == [b"x" * 100] * 2


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_message_that_is_too_large(opcode):
    """It is 1009 as soon as its length is known; the messages before are kept."""
    head = frame(opcode, b"x" * 101)[:2]
    assert violation_of(frame(TEXT, b"before") + head, limit=100) == (1009, [b"before"])
    assert violation_of(bytes((0x80 | opcode, 127)) + b"\xff" * 8) == (1009, [])


@pytest.mark.parametrize("fin", [True, False])
def test_fragments_that_are_too_large_together(fin):
    """The limit is for the message, not for each of its frames."""
    data = frame(TEXT, b"x" * 60, fin=False) + frame(CONTINUATION, b"x" * 41, fin=fin)[:2]
    assert violation_of(data, limit=100) == (1009, [])


def test_control_frames_have_their_own_limit():
    """A small max_frame_bytes does not forbid a close reason."""
    reader, _ = read(frame(PING, b"x" * 125) + close(1000, b"y" * 123), limit=1)
    assert reader.pings == [b"x" * 125]
    assert reader.end == CloseFrame(1000, "y" * 123)


def test_a_quiet_stream_costs_little():
    """The buffer begins small and stays so where the frames are."""
    reader = FrameReader(MIB)
    assert len(reader.room()) == SMALL
    for _ in range(100):
        feed(reader, frame(TEXT, b"x" * 5000))
    assert len(reader.room()) == SMALL


def test_the_buffer_grows_with_full_reads():
    """Reads that fill it make it larger, but not above LARGE."""
    reader = FrameReader(MIB)
    feed(reader, frame(TEXT, b"x" * 1000) * 5000)
    feed(reader, frame(TEXT))
    reader.room()
    assert SMALL < len(reader.room()) <= LARGE


def test_one_full_read_is_no_busy_stream():
    """What came by and by fits into two reads; only a second full one in a row makes more room."""
    reader = FrameReader(MIB)
    data = frame(TEXT, b"x" * 1000) * 100
    sizes = []
    for full in (True, False, True, False, True, True, True):
        room = reader.room()
        sizes.append(len(reader._buffer))
        count = len(room) if full else 1
        room[:count], data = data[:count], data[count:]
        reader.received(count)
    assert sizes == [SMALL] * 6 + [2 * SMALL]


@pytest.mark.parametrize("length", [LARGE - 20, LARGE, 2 * LARGE, 16 * MIB])
def test_the_buffer_grows_with_a_message(length):
    """A message fits in the end, at the cost of about twice its size."""
    reader = FrameReader(length)
    assert feed(reader, frame(TEXT, b"x" * length)) == [b"x" * length]
    assert len(reader.room()) <= max(LARGE, 2 * (length + 20))


def test_a_length_alone_takes_no_memory():
    """A peer that only announces a large message does not make the buffer grow."""
    reader = FrameReader(16 * MIB)
    feed(reader, frame(TEXT, b"x" * (15 * MIB))[:100])
    assert len(reader.room()) <= SMALL


def test_shrink():
    """A large buffer is given back when nothing waits in it."""
    reader = FrameReader(16 * MIB)
    feed(reader, frame(TEXT, b"x" * MIB))
    assert len(reader.room()) > SMALL
    reader.shrink()
    assert len(reader.room()) == SMALL
    assert feed(reader, frame(TEXT, b"y" * MIB)) == [b"y" * MIB]


def test_shrink_keeps_a_frame_that_has_begun():
    """What has come of a frame is not lost, and a small buffer stays as it is."""
    reader = FrameReader(16 * MIB)
    data = frame(TEXT, b"x" * MIB)
    feed(reader, data[: MIB // 2])
    reader.shrink()
    assert feed(reader, data[MIB // 2 :]) == [b"x" * MIB]
    small = FrameReader(MIB)
    room = small.room()
    small.shrink()
    room[:2] = frame(TEXT)
    assert small.received(2) == [b""]


def test_shrink_between_fragments():
    """The fragments that have come are kept."""
    reader = FrameReader(MIB)
    feed(reader, frame(TEXT, b"a" * 50_000, fin=False))
    reader.shrink()
    assert feed(reader, frame(CONTINUATION, b"b")) == [b"a" * 50_000 + b"b"]


# Text that is wrong before all of it is there.


@pytest.mark.parametrize("payload", NO_UTF8)
def test_a_text_that_trickles_in_is_checked_at_once(payload):
    """What can be no text any more is not waited for; the first byte that is wrong is enough."""
    whole = frame(TEXT, b"x" * 200 + payload + b"x" * 200)
    sent = whole[: 4 + 200 + len(payload) + 1]
    reader = FrameReader(MIB)
    assert feed(reader, sent, [1] * len(sent)) == []
    assert reader.end == Violation(1007, "the server sent text that is no UTF-8")


@pytest.mark.parametrize("length", [100, SMALL // 2])
def test_a_long_text_that_trickles_in(length):
    """It is right in any pieces, also where a character is split and the buffer grows."""
    text = ("x" + "é🤖" * length).encode()
    data = frame(TEXT, b"before") + frame(TEXT, text) + frame(TEXT, "é".encode())
    for size in (7, 1000, SMALL):
        reader = FrameReader(MIB)
        messages = feed(reader, data, [size] * len(data))
        assert messages == [b"before", text, "é".encode()]
        assert reader.end is None


def test_a_long_text_that_trickles_in_wrong():
    """A byte that is wrong is found behind many reads that were right."""
    data = frame(TEXT, b"x" * 3 * SMALL + b"\xff" + b"x" * SMALL)
    cut = data[: 4 + 3 * SMALL + 1]
    reader = FrameReader(MIB)
    feed(reader, cut[:-1], [100] * len(cut))
    assert reader.end is None
    feed(reader, cut[-1:])
    assert reader.end is not None
    assert reader.end.code == 1007


def test_a_text_in_bulk_is_checked_when_it_is_whole():
    """A large read is not looked at twice."""
    reader = FrameReader(MIB)
    feed(reader, frame(TEXT, b"x" * MIB))  # so that there is room for a large one
    data = frame(TEXT, b"\xff" + b"x" * 3 * SMALL)
    assert feed(reader, data[:-1]) == []
    assert reader.end is None
    assert feed(reader, data[-1:]) == []
    assert reader.end == Violation(1007, "the server sent text that is no UTF-8")


@pytest.mark.parametrize("opcode", [BINARY, PING])
def test_what_is_no_text_is_not_checked(opcode):
    """Binary messages and control frames may trickle in as they are."""
    data = frame(opcode, b"\xff" * 100)
    reader = FrameReader(MIB)
    messages = feed(reader, data, [1] * len(data))
    assert messages + reader.pings == [b"\xff" * 100]


@pytest.mark.parametrize("payload", NO_UTF8)
def test_a_fragment_that_is_wrong(payload):
    """The end of the message is not waited for, but a split character may still be made whole."""
    sent = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, payload + b"x", fin=False)
    assert violation_of(sent) == (1007, [])


def test_a_character_in_many_fragments():
    """Each of its bytes may have a fragment of its own, but the last one must come."""
    first, *rest = [bytes((byte,)) for byte in "🤖".encode()]
    data = frame(TEXT, first, fin=False)
    data += b"".join(frame(CONTINUATION, byte, fin=False) for byte in rest)
    message = data + frame(CONTINUATION)
    assert read(message + message)[1] == ["🤖".encode()] * 2
    cut = frame(TEXT, first, fin=False) + frame(CONTINUATION, rest[0])
    assert violation_of(cut) == (1007, [])


# Compressed messages.


class Deflater:
    """The sending half of permessage-deflate (RFC 7692), with context takeover."""

    def __init__(self):
        self._zlib = zlib.compressobj(wbits=-15)

    def deflate(self, payload):
        """Return what stands in the frames of one message."""
        data = self._zlib.compress(payload) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(b"\0\0\xff\xff")
        return data[:-4]

    def frame(self, opcode, payload):
        """Return a message in one frame."""
        return frame(opcode, self.deflate(payload), reserved=4)


def read_deflated(data, limit=MIB):
    """Return a reader that takes compressed messages and was given the bytes, and its messages."""
    reader = FrameReader(limit)
    reader.inflater = Inflater(Agreement())
    return reader, feed(reader, data)


def deflated_violation_of(data, limit=MIB):
    """Assert that the bytes break the protocol; return the code and the messages before."""
    reader, messages = read_deflated(data, limit)
    assert isinstance(reader.end, Violation)
    return reader.end.code, messages


def test_compressed_messages():
    """They come out inflated, each with what was learnt from those before; others stay."""
    deflater = Deflater()
    texts = [b"battery.percent" * 10, b"", b"battery.percent" * 9]
    data = b"".join(deflater.frame(TEXT, text) for text in texts)
    data += deflater.frame(BINARY, b"\xff") + frame(TEXT, b"plain") + deflater.frame(TEXT, b"x")
    assert read_deflated(data)[1] == [*texts, b"\xff", b"plain", b"x"]


def test_compressed_fragments():
    """The first one says that the message is compressed; plain fragments are told from them."""
    deflater = Deflater()
    payload = deflater.deflate("é🤖".encode() * 50)
    data = frame(TEXT, payload[:3], fin=False, reserved=4) + frame(PING, b"p")
    data += frame(CONTINUATION, payload[3:9], fin=False) + frame(CONTINUATION, payload[9:])
    data += frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b")
    reader, messages = read_deflated(data + deflater.frame(TEXT, b"c"))
    assert messages == ["é🤖".encode() * 50, b"ab", b"c"]
    assert (reader.pings, reader.end) == ([b"p"], None)


def test_compressed_text_that_trickles_in():
    """It is no text before it is inflated."""
    data = Deflater().frame(TEXT, bytes(range(128)) * 3)
    reader = FrameReader(MIB)
    reader.inflater = Inflater(Agreement())
    assert feed(reader, data, [1] * len(data)) == [bytes(range(128)) * 3]


@pytest.mark.parametrize(
    "data",
    [
        frame(PING, b"p", reserved=4),
        frame(CLOSE, reserved=4),
        frame(TEXT, b"x", reserved=6),
        frame(TEXT, b"x", reserved=5),
        frame(TEXT, b"x", reserved=2),
        frame(3, b"x", reserved=4),
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", reserved=4),
    ],
)
def test_compressed_where_nothing_may_be(data):
    """Only the first frame of a message may say so (RFC 7692 section 6)."""
    assert deflated_violation_of(data) == (1002, [])


@pytest.mark.parametrize("payload", NO_UTF8)
def test_compressed_text_that_is_no_utf8(payload):
    """What counts is what was inflated; binary messages may be anything."""
    deflater = Deflater()
    before = deflater.frame(BINARY, payload)
    assert deflated_violation_of(before + deflater.frame(TEXT, payload)) == (1007, [payload])


def test_what_is_no_deflate():
    """It is 1007, as text that is no text."""
    assert deflated_violation_of(frame(TEXT, b"\xff\xff", reserved=4)) == (1007, [])


def test_compressed_message_as_large_as_allowed():
    """The limit is for what comes out; data that cannot be compressed fits too."""
    noise = random.Random(0).getrandbits(8000).to_bytes(1000, "big")
    for payload in (b"x" * 1000, noise):
        data = Deflater().frame(BINARY, payload)
        assert read_deflated(data, limit=1000)[1] == [payload]
        assert deflated_violation_of(data, limit=999) == (1009, [])


def test_compressed_message_that_swells():
    """It is never inflated to more than is allowed, in one frame or in several."""
    bomb = Deflater().deflate(b"x" * 16 * MIB)
    assert deflated_violation_of(frame(TEXT, bomb, reserved=4), limit=20_000) == (1009, [])
    half = len(bomb) // 2
    data = frame(TEXT, bomb[:half], fin=False, reserved=4) + frame(CONTINUATION, bomb[half:])
    assert deflated_violation_of(data, limit=9 * MIB) == (1009, [])


@pytest.mark.parametrize("fin", [True, False])
def test_compressed_message_that_is_too_large(fin):
    """What can only become too large is refused by its head."""
    head = frame(TEXT, b"x" * (deflated_limit(1000) + 1), reserved=4, fin=fin)[:4]
    assert deflated_violation_of(head, limit=1000) == (1009, [])
    begun = frame(BINARY, Deflater().deflate(b"x" * 100), fin=False, reserved=4)
    more = frame(CONTINUATION, b"x" * (deflated_limit(1000) - 99), fin=fin)[:4]
    assert deflated_violation_of(begun + more, limit=1000) == (1009, [])


CONTROL = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))
SIZES = st.sampled_from([0, 1, 125, 126, 127, 4000, 9000, 65535, 65536])
PAYLOADS = st.text(max_size=40).map(str.encode) | SIZES.map(lambda size: b"x" * size)
MESSAGES = st.tuples(
    st.sampled_from([TEXT, BINARY]),
    PAYLOADS,
    st.lists(st.integers(0, 70_000), max_size=3),  # where it is cut into fragments
    st.lists(CONTROL, max_size=2),  # what stands between them
    st.booleans(),  # whether it is compressed
)
ENDS = st.sampled_from(
    [
        (b"", None),
        (close(4008, b"stream timeout"), CloseFrame(4008, "stream timeout")),
        (frame(CLOSE), CloseFrame(1005, "")),
        (frame(TEXT, b"\xff"), Violation(1007, "the server sent text that is no UTF-8")),
        (frame(PING, b"x", masked=True), Violation(1002, "the server sent a masked frame")),
    ]
)


def encode(deflater, opcode, payload, cuts, controls, compressed):
    """Return a message as fragments with control frames between them."""
    if compressed:
        payload = deflater.deflate(payload)
    borders = [0, *sorted(min(cut, len(payload)) for cut in cuts), len(payload)]
    parts = [payload[a:b] for a, b in zip(borders, borders[1:])]
    last = len(parts) == 1
    data = frame(opcode, parts[0], fin=last, reserved=4 if compressed else 0)
    data += b"".join(frame(*control) for control in controls)
    for index, part in enumerate(parts[1:], 2):
        data += frame(CONTINUATION, part, fin=index == len(parts))
    return data


@settings(deadline=None, max_examples=50)
@given(
    st.lists(MESSAGES, max_size=5),
    ENDS,
    st.lists(st.integers(1, 30) | st.integers(1, 100_000), max_size=40),
)
def test_any_split_gives_the_same(messages, end, sizes):
    """However the bytes are cut into reads, the messages and control frames are those sent."""
    deflater = Deflater()
    data = b"".join(encode(deflater, *message) for message in messages) + end[0]
    reader = FrameReader(MIB)
    reader.inflater = Inflater(Agreement())
    assert feed(reader, data, sizes) == [message[1] for message in messages]
    controls = [control for message in messages for control in message[3]]
    assert reader.pings == [payload for opcode, payload in controls if opcode == PING]
    assert reader.pongs == [payload for opcode, payload in controls if opcode == PONG]
    assert reader.end == end[1]


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(1, 9), max_size=30))
def test_arbitrary_bytes(data, sizes):
    """Noise raises nothing, and says the same however it is cut."""
    whole, pieces = FrameReader(50), FrameReader(50)
    messages = feed(whole, data)
    assert feed(pieces, data, sizes) == messages
    assert (pieces.end, pieces.pings, pieces.pongs) == (whole.end, whole.pings, whole.pongs)
    assert all(len(message) <= 50 for message in messages)
