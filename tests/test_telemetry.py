"""Telemetry as msgspec fills it: nothing is left out, and nobody can tell it from other frames."""

from __future__ import annotations

import copy
import enum
import pickle
import subprocess
import sys
import textwrap
import weakref
from typing import Literal

import attrs
import pytest
from helpers import point, telemetry, unpacked

from plexus_sync import MetricsStream, Point, TelemetryFrame, decode
from plexus_sync.decode import StreamDecoder
from plexus_sync.telemetry import telemetry_as_documented, telemetry_as_served

METRICS = MetricsStream("robot-01")
SHAPES = {
    "documented": telemetry(point(1, timestamp=1, alert=0)),
    "served": (
        b'{"points": [{"class": "metric", "metric": "m", "org_id": "o", "source_id": "robot-01", '
        b'"timestamp": 1, "trace_id": "9c1e", "v": 1, "value": 24}], "type": "telemetry"}'
    ),
    "other": telemetry(point(1, tags={"a": "b"})),
}
PLAIN = {name: SHAPES[name] for name in ("documented", "served")}


@pytest.mark.parametrize("plain", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize(
    "member",
    [
        b'"tags":{"site":"a"}',
        b'"tags": {"gs": 1}',
        b'"tags":null',
        rb'"t\u0061gs":{"site":"a"}',
        rb'"tag\u0073":{"site":"a"}',
        b'"flags":{"site":"a"}',
        b'"other":"gs"',
        b'"alert":3',
        rb'"\u0061lert":3',
        b'"alert":null',
        b'"class":null',
        b'"again":{}',
        b'"tags":{"again":{"again":{}}}',
    ],
)
@pytest.mark.parametrize("odd", [0, 1, 2])
def test_one_of_many_is_odd(plain, member, odd):
    """What others do not have is found in whichever frame it is, and however it is written."""
    more = plain.replace(b'"value"', member + b', "value"')
    assert more != plain
    texts = [plain] * 3
    texts[odd] = more
    decoder = StreamDecoder(METRICS, keep_raw=False)
    for many in ([plain] * 2, texts, [plain] * 2):
        frames = unpacked(decoder.frames([(line, 1.0, None, None) for line in many]))
        assert [repr(frame) for frame in frames] == [repr(decode(line)) for line in many]


@pytest.mark.parametrize("plain", PLAIN.values(), ids=PLAIN)
def test_one_of_many_is_of_another_device(plain):
    """Its points are left out, and it is filtered where it has no others."""
    other = plain.replace(b"robot-01", b"robot-02")
    points = (line[line.index(b"[") + 1 : line.index(b"]")] for line in (other, plain))
    both = b'{"type": "telemetry", "points": [' + b",".join(points) + b"]}"
    assert len(decode(both).points) == 2
    decoder = StreamDecoder(METRICS, keep_raw=False)
    for _ in range(2):
        found = decoder.frames([(line, 1.0, None, None) for line in (plain, other, both)])
        assert unpacked(found) == [decode(plain), None, decode(plain)]


def test_one_odd_frame_makes_no_odd_stream():
    """The next ones are plain again, whatever the stream's shape, and need no second look."""
    tagged = telemetry(point(1, timestamp=1, alert=0, tags={"a": "b"}))
    for plain in PLAIN.values():
        decoder = StreamDecoder(METRICS, keep_raw=False)
        for line in (plain, tagged):
            assert decoder.frame(line, 1.0) == decode(line)
        found = decoder.frames([(plain, 1.0, None, None)] * 2)
        assert found == [decode(plain)] * 2


class TestReceived:
    """Frames and points off the wire are those that anybody makes, whatever fills them."""

    @pytest.fixture(params=SHAPES)
    def received(self, request):
        """Return a frame as a stream decodes it."""
        return StreamDecoder(METRICS, keep_raw=True).frame(SHAPES[request.param], 1.5)

    def made(self, received):
        """Return the same, made by hand."""
        return TelemetryFrame(
            tuple(Point(*attrs.astuple(p, recurse=False)) for p in received.points),
            stream=received.stream,
            received_at=received.received_at,
            raw=received.raw,
        )

    def test_they_are_equal_and_look_the_same(self, received):
        """From both sides, and they are told by no name."""
        made = self.made(received)
        assert type(made.points[0]) is Point
        assert type(received) is TelemetryFrame
        for one, other in ((received, made), (made, received), (received.points, made.points)):
            assert one == other
        assert received.points[0] != attrs.evolve(made.points[0], metric="other")
        assert repr(received) == repr(made)
        for one, public in ((received, TelemetryFrame), (received.points[0], Point)):
            assert isinstance(one, public)
            assert one.__class__ is public
            with pytest.raises(TypeError):
                hash(one)

    def test_attrs_takes_them(self, received):
        """To change, to compare and to spread them out."""
        made = self.made(received)
        assert attrs.asdict(received) == attrs.asdict(made)
        for tags in ({"c": "d"}, None):
            changed = attrs.evolve(received.points[0], tags=tags, alert=7)
            assert changed == attrs.evolve(made.points[0], tags=tags, alert=7)
            assert changed.alert == 7
        assert attrs.evolve(received, points=()).stream is received.stream
        assert attrs.fields(received.points[0].__class__).class_.name == "class_"

    def test_nobody_changes_them(self, received):
        """They are frozen, the members that are None for all of a class included."""
        for one, names in (
            (received, ("points", "stream", "raw")),
            (received.points[0], ("value", "class_", "alert", "tags")),
        ):
            for name in names:
                with pytest.raises(attrs.exceptions.FrozenInstanceError):
                    setattr(one, name, None)
                with pytest.raises(attrs.exceptions.FrozenInstanceError):
                    delattr(one, name)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles_and_copies_are_plain(self, received, protocol):
        """They are of the public classes themselves, with all that the frame had."""
        copies = (
            pickle.loads(pickle.dumps(received, protocol)),
            copy.copy(received),
            copy.deepcopy(received),
        )
        for other in copies:
            assert type(other) is TelemetryFrame
            assert other == received
            assert (other.received_at, other.raw) == (1.5, received.raw)
            assert other.stream == received.stream
        for other in (copies[0], copies[2]):
            assert [type(p) for p in other.points] == [Point] * len(received.points)
            assert [repr(p) for p in other.points] == [repr(p) for p in received.points]

    def test_they_are_made_again(self):
        """What was decoded and then taken back is decoded once more, with its wire object."""
        decoder = StreamDecoder(METRICS, keep_raw=False)
        line = SHAPES["documented"]
        wire = decoder.parse(line)
        first, second = (decoder.frame(line, at, wire) for at in (1.0, 2.0))
        assert decoder.wanted(wire)
        assert first == second == decode(line)
        assert second.received_at == 2.0

    def test_they_can_be_referred_to_weakly(self, received):
        """As all that attrs makes."""
        for one in (received, received.points[0]):
            assert weakref.ref(one)() is one


class Name(str, enum.Enum):
    """Names of devices as some programs keep them."""

    ROBOT = "robot-01"


@pytest.mark.parametrize("plain", PLAIN.values(), ids=PLAIN)
def test_a_name_that_is_a_kind_of_str(plain):
    """The decoder knows it by its text, also where such a Literal was made before."""
    assert Literal[Name.ROBOT].__args__ == (Name.ROBOT,)
    decoder = StreamDecoder(MetricsStream(Name.ROBOT), keep_raw=False)
    assert decoder.frame(plain, 1.0) == decode(plain)
    assert StreamDecoder(METRICS, keep_raw=False).frame(plain, 1.0) == decode(plain)


# What a decoder is made of must not be met half-made: msgspec crashes then, and the process ends.
PREPARATION = f"""
import sys, threading
from plexus_sync import MetricsStream
from plexus_sync.decode import StreamDecoder

def decode(name):
    for text in {list(PLAIN.values())!r}:
        text = text.replace(b"robot-01", name.encode())
        frame = StreamDecoder(MetricsStream(name), False).frame(text, 1.0)
        assert frame.points[0].source_id == name

def decode_together(name, barrier):
    barrier.wait()
    decode(name)
"""


def run(program):
    """Run it in a process of its own."""
    source = PREPARATION + textwrap.dedent(program)
    subprocess.run([sys.executable, "-c", source], check=True)


def test_decoders_made_at_once():
    """Two streams of one device, each with a thread that makes a decoder."""
    run(
        """
        sys.setswitchinterval(1e-6)
        for number in range(300):
            given = (f"robot-{number}", threading.Barrier(2))
            threads = [threading.Thread(target=decode_together, args=given) for _ in "ab"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        """
    )


@pytest.mark.parametrize("telemetry_of", [telemetry_as_documented, telemetry_as_served])
def test_no_two_decoders_share_a_type(telemetry_of):
    """So what Ctrl-C leaves half-made is met by nobody."""
    first, second = telemetry_of("robot-01"), telemetry_of("robot-01")
    (first_point,), (second_point,) = first.__args__, second.__args__
    assert first is not second
    assert first_point is not second_point
    assert first_point.__args__ != second_point.__args__
