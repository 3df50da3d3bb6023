"""Any input against independent oracles: plain json, the protocol of websockets, the whole input.

The harnesses of ``make fuzz`` are driven here too, by hypothesis, so that they stay alive.
"""

from __future__ import annotations

import base64
import codecs
import json
import zlib

import pytest
from helpers import vectors
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from fuzz import decode as fuzz_decode
from fuzz import framing as fuzz_framing
from fuzz import upgrade as fuzz_upgrade
from plexus_sync import (
    Camera,
    ErrorFrame,
    EventFrame,
    FrameError,
    GatewayReconnectingFrame,
    InitFrame,
    LogsStream,
    MetricsStream,
    OnlineSource,
    Point,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
    VideoStream,
    decode,
)
from plexus_sync.decode import StreamDecoder
from plexus_sync.deflate import Agreement, Inflater
from plexus_sync.framing import CloseFrame, FrameReader

# What json.dumps writes is read back as plain json reads it, field by field.

TEXTS = st.text(max_size=8)
NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SMALL_INTEGERS = st.none() | st.integers(-(2**40), 2**40)
FLOATS = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)
SOURCES = st.sampled_from(["robot-01", "robot-02"]) | TEXTS
OPTIONAL_OF_A_POINT = {
    "class": st.none() | TEXTS,
    "timestamp": st.none() | NUMBERS,
    "alert": SMALL_INTEGERS,
    "tags": st.none() | st.dictionaries(TEXTS, JSON, max_size=3),
    "org_id": TEXTS,  # this and those below are on the wire, and no field of ours
    "trace_id": JSON,
    "v": st.integers(),
}
POINTS = st.fixed_dictionaries(
    {"source_id": SOURCES, "metric": TEXTS, "value": JSON}, optional=OPTIONAL_OF_A_POINT
)
CAMERAS = TEXTS | st.fixed_dictionaries(
    {"camera_id": TEXTS}, optional={"video_type": st.none() | TEXTS, "fps": JSON}
)
ONLINE = st.fixed_dictionaries(
    {"source_id": TEXTS},
    optional={
        "cameras": st.none() | st.lists(CAMERAS, max_size=3),
        "platform": st.none() | TEXTS,
        "sensors": JSON,
    },
)
VIDEO = st.fixed_dictionaries(
    {
        "camera_id": st.sampled_from(["front", "rear"]) | TEXTS,
        "frame": st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode()),
    },
    optional={
        "source_id": SOURCES | JSON,
        "timestamp": st.none() | NUMBERS,
        "video_type": st.none() | TEXTS,
        "temps": st.none() | st.lists(FLOATS, max_size=4),
        **dict.fromkeys(("width", "height", "sensor_width", "sensor_height"), SMALL_INTEGERS),
        **dict.fromkeys(("temp_min", "temp_max"), st.none() | FLOATS),
        "v": JSON,
    },
)
MEMBERS = {
    "telemetry": st.fixed_dictionaries({"points": st.lists(POINTS, max_size=4)}),
    "event": POINTS,
    "init": st.fixed_dictionaries({"online_sources": st.none() | st.lists(ONLINE, max_size=3)}),
    "video_frame": VIDEO,
    "gateway_reconnecting": st.fixed_dictionaries(
        {"attempt": st.integers(0, 99), "delay_s": st.integers(0, 99) | st.floats(0, 99)},
        optional={"max_attempts": SMALL_INTEGERS, "v": JSON},
    ),
    "error": st.fixed_dictionaries({}, optional={"message": st.none() | TEXTS, "v": JSON}),
    "source_status": st.dictionaries(TEXTS.filter(lambda name: name != "type"), JSON, max_size=4),
}
WIRE = st.sampled_from(sorted(MEMBERS)).flatmap(
    lambda kind: MEMBERS[kind].map(lambda members: {"type": kind, **members})
)


def in_any_order(wire, data):
    """Return the object with its members in another order; ``type`` may come last."""
    names = data.draw(st.permutations(list(wire)))
    return {name: wire[name] for name in names}


def point_of(wire, cls=Point):
    """Return the point, or the event, that an object stands for."""
    names = ("source_id", "metric", "value", "timestamp", "class", "alert", "tags")
    return cls(*(wire.get(name) for name in names))


def camera_of(wire):
    """Return the camera of either form."""
    if isinstance(wire, str):
        return Camera(wire)
    return Camera(wire["camera_id"], wire.get("video_type"))


def online_of(wire):
    """Return one device of an init."""
    cameras = tuple(map(camera_of, wire.get("cameras") or ()))
    return OnlineSource(wire["source_id"], cameras, wire.get("platform"), wire.get("sensors"))


def video_of(wire):
    """Return the picture."""

    def number(name):
        return None if wire.get(name) is None else float(wire[name])

    source, temps = wire.get("source_id"), wire.get("temps")
    return VideoFrame(
        source if isinstance(source, str) else None,
        wire["camera_id"],
        base64.b64decode(wire["frame"]),
        *(wire.get(name) for name in ("width", "height", "timestamp", "video_type")),
        *(wire.get(name) for name in ("sensor_width", "sensor_height")),
        number("temp_min"),
        number("temp_max"),
        None if temps is None else tuple(map(float, temps)),
    )


ORACLE = {
    "telemetry": lambda wire: TelemetryFrame(tuple(map(point_of, wire["points"]))),
    "event": lambda wire: point_of(wire, EventFrame),
    "init": lambda wire: InitFrame(tuple(map(online_of, wire["online_sources"] or ()))),
    "video_frame": video_of,
    "gateway_reconnecting": lambda wire: GatewayReconnectingFrame(
        wire["attempt"], wire["delay_s"], wire.get("max_attempts")
    ),
    "error": lambda wire: ErrorFrame(wire.get("message")),
    "source_status": lambda wire: UnknownFrame(wire["type"], wire),
}


def same(one, other):
    """Return whether two frames are equal to the letter: 1 is not 1.0, nor 0.0 -0.0."""
    hidden = [getattr(frame, "temps", None) for frame in (one, other)]  # in no repr
    return one == other and repr(one) == repr(other) and repr(hidden[0]) == repr(hidden[1])


@settings(deadline=None, max_examples=300)
@given(WIRE, st.data(), st.booleans(), st.sampled_from([None, 1]))
def test_what_json_writes_is_read_back(wire, data, ascii_only, indent):
    """Each field of a frame is what plain json reads, in any order, escaped or not."""
    text = json.dumps(in_any_order(wire, data), ensure_ascii=ascii_only, indent=indent)
    frame, expected = decode(text), ORACLE[wire["type"]](json.loads(text))
    assert same(frame, expected), expected
    assert same(decode(text.encode()), expected), expected


STREAMS = (
    MetricsStream("robot-01"),
    LogsStream("robot-01"),
    VideoStream("robot-01"),
    VideoStream("robot-01", ["front"]),
)


def passes(stream, wire):
    """Return what of the object a viewer of the stream may see; None for nothing."""
    own, kind = stream.source_id, wire["type"]
    if kind == "telemetry":
        points = [point for point in wire["points"] if point["source_id"] == own]
        return {**wire, "points": points} if points or not wire["points"] else None
    if kind == "event" and wire["source_id"] != own:
        return None
    if kind == "video_frame":
        cameras = getattr(stream, "cameras", ())
        if isinstance(wire.get("source_id"), str) and wire["source_id"] != own:
            return None
        if cameras and wire["camera_id"] not in cameras:
            return None
    return wire


@settings(deadline=None, max_examples=300)
@given(WIRE, st.sampled_from(STREAMS), st.booleans())
def test_what_a_stream_lets_through(wire, stream, keep_raw):
    """A stream's own points and pictures come through whole, those of others never."""
    text = json.dumps(wire).encode()
    frame = StreamDecoder(stream, keep_raw).frame(text, 5.0)
    mine = passes(stream, wire)
    if mine is None:
        assert frame is None
    else:
        assert same(frame, ORACLE[wire["type"]](mine))
        assert (frame.stream, frame.received_at) == (stream, 5.0)
        assert frame.raw == (text if keep_raw else None)


SAMPLES = [line for name in ("valid", "odd") for line in vectors(name)]


@settings(deadline=None)
@given(st.sampled_from(SAMPLES), st.sampled_from(SAMPLES), st.data())
def test_samples_that_are_mixed(one, other, data):
    """Two samples cut and put together give a frame or FrameError, for a stream as for decode."""
    text = one[: data.draw(st.integers(0, len(one)))] + other[data.draw(st.integers(0, 60)) :]
    try:
        frame = decode(text)
    except FrameError:
        frame = None
    for stream in STREAMS:
        try:
            again = StreamDecoder(stream, keep_raw=False).frame(text, 5.0)
        except FrameError:
            assert frame is None
        else:
            assert again is None or isinstance(again, type(frame))


# The frame reader, and websockets' own reading of the same bytes.

LIMIT = 1000
PAYLOADS = st.one_of(
    st.text(max_size=20).map(str.encode),
    # Not the limit itself, which websockets refuses where the message is cut and compressed.
    st.sampled_from([LIMIT // 2, LIMIT + 1]).map(lambda size: b"x" * size),
    st.sampled_from([b"", b"\xff", "🤖".encode()[:3], b"x" * 125, b"x" * 126]),
)
CONTROLS = st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))
CLOSES = st.sampled_from(
    [b"", b"\x0f\xa8stream timeout", b"\x03\xe8", b"\x03", b"\x03\xed", b"\0\0x"]
)


def deflated(payload):
    """Return a message as it is sent compressed."""
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


@st.composite
def conversations(draw):
    """Return whether messages may be compressed, and frames of which one may be wrong."""
    compressed, frames = draw(st.booleans()), []
    for _ in range(draw(st.integers(1, 4))):
        opcode, payload = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY])), draw(PAYLOADS)
        reserved = 4 if compressed and draw(st.booleans()) else 0
        payload = deflated(payload) if reserved else payload
        cuts = draw(st.lists(st.integers(0, len(payload)), max_size=2).map(sorted))
        for start, end in zip([0, *cuts], [*cuts, None]):
            frames.append((opcode, end is None, reserved, payload[start:end], False))
            opcode, reserved = Opcode.CONT, 0
            for control, data in draw(st.lists(CONTROLS, max_size=1)):
                frames.append((control, True, 0, data, False))
    if draw(st.booleans()):
        frames.append((Opcode.CLOSE, True, 0, draw(CLOSES), False))
    if draw(st.booleans()):
        index = draw(st.integers(0, len(frames) - 1))
        frames[index] = draw(damaged(frames[index]))
    return compressed, frames


def damaged(frame):
    """Return the same frame with one thing about it changed."""
    opcode, fin, reserved, payload, masked = frame
    return st.one_of(
        st.integers(0, 15).map(lambda other: (other, fin, reserved, payload, masked)),
        st.just((opcode, not fin, reserved, payload, masked)),
        st.integers(0, 7).map(lambda other: (opcode, fin, other, payload, masked)),
        st.binary(max_size=LIMIT).map(lambda other: (opcode, fin, reserved, other, masked)),
        st.just((opcode, fin, reserved, payload, True)),
    )


def wire_frame(opcode, fin, reserved, payload, masked):
    """Return one frame, right or wrong, as it stands on the wire."""
    first, mask = opcode | reserved << 4 | fin << 7, masked << 7
    if len(payload) < 126:
        head = bytes((first, mask | len(payload)))
    else:
        head = bytes((first, mask | 126)) + len(payload).to_bytes(2, "big")
    return head + (b"\0\0\0\0" if masked else b"") + payload


class WebsocketsReader:
    """What websockets makes of the bytes, with the text of messages checked as it comes."""

    def __init__(self, data, compressed):
        self.messages, self.pings, self.pongs = [], [], []
        self.end = None
        self._parts, self._utf8 = [], None
        protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=LIMIT)
        self._deflate = PerMessageDeflate(False, False, 15, 15)
        if compressed:
            protocol.extensions = [self._deflate]
        protocol.receive_data(data)
        self._closed_between_fragments = "incomplete fragmented" in str(protocol.parser_exc)
        for frame in protocol.events_received():
            self._take(frame)
            if self.end is not None:
                return
        if protocol.parser_exc is not None:
            self.end = "violation"

    @property
    def differs(self):
        """Whether it ignored what came behind a last block of deflate, or refused a close frame.

        It reads no further than the block, and takes a close between fragments for an error. And
        it lets a message pass whose last byte zlib has held back, one more than the limit.
        """
        is_too_large = any(len(message) > LIMIT for message in self.messages)
        return self._deflate.decoder.eof or self._closed_between_fragments or is_too_large

    def _take(self, frame):
        if frame.opcode == Opcode.PING:
            self.pings.append(bytes(frame.data))
        elif frame.opcode == Opcode.PONG:
            self.pongs.append(bytes(frame.data))
        elif frame.opcode == Opcode.CLOSE:
            code = int.from_bytes(frame.data[:2], "big") if frame.data else 1005
            self.end = CloseFrame(code, bytes(frame.data[2:]).decode())
        else:
            if frame.opcode != Opcode.CONT:
                text = codecs.getincrementaldecoder("utf-8")()
                self._parts, self._utf8 = [], text if frame.opcode == Opcode.TEXT else None
            if self._utf8 is not None:
                try:
                    self._utf8.decode(bytes(frame.data), frame.fin)
                except UnicodeDecodeError:
                    self.end = "violation"
                    return
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self.messages.append(b"".join(self._parts))


def read(data, compressed, sizes=()):
    """Return a reader of ours that was given the bytes in pieces, and its messages."""
    reader, messages = FrameReader(LIMIT), []
    if compressed:
        reader.inflater = Inflater(Agreement())
    view, sizes = memoryview(data), iter(sizes)
    while view:
        room = reader.room()
        count = min(len(room), len(view), next(sizes, len(view)))
        room[:count] = view[:count]
        view = view[count:]
        messages += reader.received(count)
    return reader, messages


@settings(deadline=None, max_examples=300)
@given(conversations(), st.lists(st.integers(1, 50), max_size=40))
@example(
    (
        True,
        [
            (Opcode.TEXT, False, 4, b"", False),
            (Opcode.CONT, False, 0, b"\xaa\xa8\x18\x05\xa3`\x14\x0c{\x00", False),
            (Opcode.PING, True, 0, b"", False),
            (Opcode.CONT, True, 0, b"\x00", False),
        ],
    ),
    [],
)
@example(
    (
        True,
        [
            (Opcode.TEXT, False, 4, b"", False),
            (Opcode.CONT, False, 0, b"\xaa\xa8\x18\x05\xa3`\x14\x0c{\x00", False),
            (Opcode.CONT, True, 0, b"", False),
        ],
    ),
    [],
)
def test_the_frame_reader_reads_as_websockets_does(conversation, sizes):
    """Right or wrong, compressed or not: the same messages, control frames and kind of end."""
    compressed, frames = conversation
    data = b"".join(wire_frame(*frame) for frame in frames)
    theirs = WebsocketsReader(data, compressed)
    assume(not theirs.differs)
    for cut in ((), sizes):
        ours, messages = read(data, compressed, cut)
        assert messages == theirs.messages
        if theirs.end == "violation":
            assert ours.end is not None
            assert ours.end.code in (1002, 1007, 1009)
            # One of them may see it sooner: at the fragment that makes a message too large, or at
            # the end of the message.
            assert all(a == b for a, b in zip(ours.pings, theirs.pings))
            assert all(a == b for a, b in zip(ours.pongs, theirs.pongs))
        else:
            assert (ours.pings, ours.pongs) == (theirs.pings, theirs.pongs)
            assert ours.end == theirs.end


# The harnesses of make fuzz.


@pytest.mark.parametrize("harness", [fuzz_decode, fuzz_framing, fuzz_upgrade])
def test_seeds_of_the_fuzzing(harness):
    """What the fuzzing begins with has no finding."""
    seeds = list(harness.seeds())
    assert len(seeds) >= 8
    for seed in seeds:
        harness.one_input(seed)


@settings(deadline=None)
@given(st.sampled_from([fuzz_decode, fuzz_framing, fuzz_upgrade]), st.data())
def test_seeds_that_are_damaged(harness, data):
    """Nor has what is near to it, with the words that the fuzzing puts in."""
    seed = data.draw(st.sampled_from(list(harness.seeds())))
    word = data.draw(st.sampled_from(harness.WORDS) | st.binary(max_size=4))
    place = data.draw(st.integers(0, len(seed)))
    harness.one_input(seed[:place] + word + seed[place + data.draw(st.integers(0, 3)) :])
