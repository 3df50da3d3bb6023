"""From the text of a message to a frame: the sample frames, odd texts, filters, arbitrary bytes."""

from __future__ import annotations

import json
import pickle

import pytest
from helpers import JPEG, event, picture, point, telemetry, text, unpacked, vectors
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plexus_sync import (
    Camera,
    ConfigError,
    ErrorFrame,
    EventFrame,
    FrameError,
    Gap,
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
from plexus_sync.wire import camera_of, frame_error, is_data, is_gateway_notice, parse

METRICS = MetricsStream("robot-01")
LOGS = LogsStream("robot-01")
VIDEO = VideoStream("robot-01")
GOOD = vectors("valid") + vectors("odd")
BAD = vectors("invalid")
KINDS = {
    "telemetry": TelemetryFrame,
    "event": EventFrame,
    "init": InitFrame,
    "video_frame": VideoFrame,
    "gateway_reconnecting": GatewayReconnectingFrame,
    "error": ErrorFrame,
}


def short(line):
    """Return a name for a sample frame."""
    return line[:60].decode()


@pytest.mark.parametrize("line", GOOD, ids=short)
def test_samples_that_decode(line):
    """Each is a frame of its type, the same from bytes and from str, and nobody's."""
    frame = decode(line)
    assert type(frame) is KINDS.get(json.loads(line)["type"], UnknownFrame)
    assert decode(line.decode()) == frame
    assert pickle.loads(pickle.dumps(frame)) == frame
    for again in (frame, decode(line.decode())):
        assert (again.stream, again.received_at, again.raw) == (None, None, None)


@pytest.mark.parametrize("line", GOOD, ids=short)
def test_nothing_is_lost(line):
    """What the frame's fields hold is what the text says."""
    wire = json.loads(line)
    frame = decode(line)
    for name in ("value", "timestamp", "width", "height", "temp_max", "attempt", "message"):
        assert getattr(frame, name, None) == wire.get(name)
    if wire["type"] == "telemetry":
        for decoded, sent in zip(frame.points, wire["points"]):
            for name in ("source_id", "metric", "value", "timestamp", "alert", "tags"):
                assert getattr(decoded, name) == sent.get(name)
            assert decoded.class_ == sent["class"]
        assert len(frame.points) == len(wire["points"])


@pytest.mark.parametrize("line", BAD, ids=short)
@pytest.mark.parametrize("kind", [bytes, str])
def test_samples_that_do_not_decode(line, kind):
    """Each is a FrameError that shows the start of the text and ends nothing."""
    with pytest.raises(FrameError) as caught:
        decode(line if kind is bytes else line.decode())
    error = caught.value
    assert error.excerpt == line[:200]
    assert error.reason
    assert error.reason in str(error)
    assert (error.stream, error.code, error.final) == (None, None, False)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_telemetry():
    """The points come in the order of the text; what is absent is None."""
    frame = decode(telemetry(point(1, alert=2, tags={"a": "b"}), {**point("x"), "class": None}))
    assert frame == TelemetryFrame(
        (
            Point("robot-01", "n", 1, None, "metric", 2, {"a": "b"}),
            Point("robot-01", "n", "x", None, None, None, None),
        )
    )
    assert isinstance(frame.points, tuple)


@pytest.mark.parametrize("timestamp", [0, -5, 1746969660000, 1746969660000.25, 1e300, 10**25])
def test_timestamps_stay_as_they_are(timestamp):
    """An int stays an int, a float a float."""
    (decoded,) = decode(telemetry(point(timestamp=timestamp))).points
    assert decoded.timestamp == timestamp
    assert type(decoded.timestamp) is type(timestamp)


@pytest.mark.parametrize("value", [True, None, 1, 1.5, "x", "", [1, [2]], {"a": {"b": None}}, 0])
def test_any_json_value(value):
    """Points and events carry any JSON value, null included."""
    (decoded,) = decode(telemetry(point(value))).points
    assert decoded.value == value
    assert type(decoded.value) is type(value)
    assert decode(event(value)).value == value


def test_names_of_the_wire_only():
    """A member that has the name of one of our own fields is no such field."""
    (decoded,) = decode(telemetry({**point(), "class_": "no"})).points
    assert decoded.class_ == "metric"
    frame = decode(b'{"type":"error","stream":1,"received_at":2,"raw":"x"}')
    assert (frame.stream, frame.received_at, frame.raw, frame.message) == (None, None, None, None)


@pytest.mark.parametrize(
    ("cameras", "expected"),
    [
        (["front", "rear"], (Camera("front"), Camera("rear"))),
        ([{"camera_id": "ir", "video_type": "thermal", "fps": 9}], (Camera("ir", "thermal"),)),
        (["a", {"camera_id": "b"}], (Camera("a"), Camera("b"))),
        ([], ()),
        (None, ()),
    ],
)
def test_cameras_of_an_init(cameras, expected):
    """Both forms on the wire decode to the same; null is none."""
    frame = decode(
        text({"type": "init", "online_sources": [{"source_id": "r", "cameras": cameras}]})
    )
    assert frame == InitFrame((OnlineSource("r", expected),))


def test_other_fields_of_an_init():
    """Platform and sensors are kept, a source without cameras has none, null is no source."""
    source = {"source_id": "r", "platform": "linux", "sensors": {"imu": 1}}
    frame = decode(text({"type": "init", "online_sources": [source]}))
    assert frame == InitFrame((OnlineSource("r", (), "linux", {"imu": 1}),))
    assert decode(b'{"type":"init","online_sources":null}') == InitFrame(())


@pytest.mark.parametrize("source_id", [False, None, 7, ["robot-01"], {}])
def test_video_source_id_that_is_none(source_id):
    """An id that is no string is None."""
    assert decode(picture(source_id=source_id)).source_id is None
    assert decode(picture()).source_id is None
    assert decode(picture(source_id="robot-01")).source_id == "robot-01"


def test_video_frame():
    """All fields of a thermal picture; whole numbers of temperatures are floats."""
    frame = decode(
        picture(
            "ir",
            frame="/9j/",
            source_id="robot-01",
            width=320,
            height=240,
            timestamp=5,
            video_type="thermal",
            sensor_width=2,
            sensor_height=1,
            temp_min=20,
            temp_max=36.5,
            temps=[20, 36.5],
        )
    )
    assert frame == VideoFrame(
        "robot-01", "ir", b"\xff\xd8\xff", 320, 240, 5, "thermal", 2, 1, 20.0, 36.5, (20.0, 36.5)
    )


@pytest.mark.parametrize(
    ("frame", "jpeg"), [("", b""), ("AA==", b"\0"), ("/9j/", b"\xff\xd8\xff"), ("\\/9j\\/", None)]
)
def test_base64(frame, jpeg):
    """The picture is what base64 holds, be it empty; an escaped slash is a slash."""
    line = b'{"type":"video_frame","camera_id":"a","frame":"%s"}' % frame.encode()
    assert decode(line).jpeg == (jpeg if jpeg is not None else b"\xff\xd8\xff")


@pytest.mark.parametrize("frame", ["###", "/9j/4", "/9j/ü", 7, None, [], True])
def test_base64_that_is_none(frame):
    """A picture that is no base64 is a bad frame."""
    with pytest.raises(FrameError):
        decode(picture(frame=frame))


def test_gateway_notice():
    """The delay may be a float, and the number of attempts is told on video only."""
    frame = {"type": "gateway_reconnecting", "attempt": 1, "delay_s": 2.5}
    assert decode(text(frame)) == GatewayReconnectingFrame(1, 2.5)
    assert decode(text({**frame, "max_attempts": 5})) == GatewayReconnectingFrame(1, 2.5, 5)


def test_unknown_type():
    """A type of the future is handed over whole, whatever its other members are."""
    frame = {"type": "source_status", "points": 7, "source_id": None}
    assert decode(text(frame)) == UnknownFrame("source_status", frame)
    assert decode(b'{"type":""}') == UnknownFrame("", {"type": ""})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"\xff",
        b'{"type":"x\xff"}',
        '{"type":"\ud800"}',
        b'{"type":"\\ud800"}',
        b'\xef\xbb\xbf{"type":"x"}',
        b'{"type":"x"}{"type":"x"}',
        b'{"type":null}',
        b'{"type":"x","a":1e999}',
        b'{"type":"x","a":NaN}',
        b'{"type":"x","a":' + b"9" * 5000 + b"}",
        b'{"type":"event","source_id":"a","metric":"b","value":Infinity}',
        b'{"type":"event","source_id":"a","metric":"b"}',
        b'{"type":"event","source_id":"a","metric":"b","value":1,"tags":[]}',
        b'{"type":"telemetry","points":null}',
        b'{"type":"telemetry","points":[null]}',
        b'{"type":"init","online_sources":[{"cameras":[]}]}',
        b'{"type":"init","online_sources":[{"source_id":"a","cameras":[7]}]}',
        b'{"type":"video_frame","frame":""}',
        b'{"type":"video_frame","camera_id":7,"frame":""}',
        b'{"type":"error","message":7}',
        b'{"type":"error","m\xcc":1}',
        b'{"type":"error","x":"\xff"}',
    ],
)
def test_more_that_does_not_decode(line):
    """No bad text raises anything but a FrameError, with at most 200 bytes of it."""
    with pytest.raises(FrameError) as caught:
        decode(line)
    assert len(caught.value.excerpt) <= 200


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"%s","x":' % (b"A" * 3000),
        b'{"type":"%s","type":"telemetry"}' % (b"A" * 3000),
        b'{"type":"%s","type":7}' % (b"A" * 3000),
        b'{"%s":1}' % (b"A" * 3000),
        b'"%s"' % (b"A" * 3000),
        b"A" * 3000,
    ],
)
def test_the_text_is_not_told_as_the_reason(line):
    """At most 200 bytes of the text are told, in the excerpt and nowhere else."""
    with pytest.raises(FrameError) as caught:
        decode(line)
    assert "A" not in caught.value.reason
    assert str(caught.value).count("A") <= 200


def test_reason_of_a_text_cut_off():
    """What is told is that the JSON is broken, not that its type is not known."""
    with pytest.raises(FrameError, match=r"malformed|truncated"):
        decode(b'{"type":"x"')


@pytest.mark.parametrize("data", [None, 7, bytearray(b"{}"), memoryview(b"{}"), {"type": "x"}])
def test_what_is_no_text(data):
    """Anything but bytes and str is the caller's mistake."""
    with pytest.raises(ConfigError, match=type(data).__name__):
        decode(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4)
    ),
    max_leaves=10,
)
MEMBERS = [
    *("points", "source_id", "metric", "value", "class", "timestamp", "tags", "online_sources"),
    *("camera_id", "frame", "temps", "width", "attempt", "delay_s", "message", "alert"),
]
NEARLY = st.builds(
    lambda kind, members: {"type": kind, **members},
    st.sampled_from(sorted(KINDS)) | st.text(max_size=5),
    st.dictionaries(
        st.sampled_from(MEMBERS),
        JSON | st.lists(st.fixed_dictionaries({"source_id": JSON, "metric": JSON, "value": JSON})),
        max_size=8,
    ),
)
FRAMES = tuple(KINDS.values()) + (UnknownFrame,)


def decode_or_refuse(data):
    """Return the frame, None where it is bad."""
    try:
        frame = decode(data)
    except FrameError:
        return None
    assert isinstance(frame, FRAMES)
    return frame


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300))
@example(b"[" * 100_000)
@example(b'{"type":' + b'{"a":' * 100_000)
@example(b'{"type":"x","a":' + b"[" * 100_000)
def test_arbitrary_text(data):
    """Whatever comes, there is a frame or a FrameError."""
    decode_or_refuse(data)


@settings(deadline=None, max_examples=40)
@given(NEARLY | JSON)
def test_arbitrary_json(data):
    """Whatever the JSON, there is a frame or a FrameError; bytes and str give the same."""
    line = json.dumps(data)
    frame = decode_or_refuse(line)
    assert decode_or_refuse(line.encode()) == frame
    if frame is not None:
        assert pickle.loads(pickle.dumps(frame)) == frame


@settings(deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_damaged_samples(line, data):
    """A sample with a byte changed, or cut off, gives a frame or a FrameError."""
    position = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.binary(max_size=1))
    decode_or_refuse(line[:position] + byte + line[position + 1 :])
    decode_or_refuse(line[:position])


def test_frame_error_of_a_stream():
    """The message names the stream and what to look at."""
    error = frame_error(b"{", "broken", METRICS)
    assert str(error).startswith("robot-01/metrics: a frame cannot be decoded")
    assert "(broken): b'{'" in str(error)
    assert (error.stream, error.reason, error.excerpt) == (METRICS, "broken", b"{")


@pytest.mark.parametrize("kind", [bytes, str])
def test_frame_error_is_scrubbed_before_it_is_cut(kind):
    """A key is taken out also where the end of the excerpt would leave half of it."""
    line = b"x" * 195 + b"plx_secret and more"
    error = frame_error(
        line if kind is bytes else line.decode(),
        "plx_secret is wrong",
        scrub=lambda text: text.replace("plx_secret", "[api key]"),
    )
    assert error.excerpt == b"x" * 195 + b"[api "
    assert error.reason == "[api key] is wrong"
    assert "plx_" not in str(error)


def test_frame_error_of_text_that_is_no_utf8():
    """Bytes that are no text are shown all the same."""
    assert frame_error(b"a\xff", "x").excerpt == b"a\\xff"
    assert frame_error("a\ud800", "x").excerpt == b"a\\ud800"


def test_frame_error_does_not_look_at_all_of_a_large_text():
    """What is scrubbed is little, however large the frame."""
    seen = []
    frame_error("x" * 10**6, "", scrub=lambda text: seen.append(text) or text)
    assert max(map(len, seen)) < 1000


@pytest.mark.parametrize(
    ("line", "notice", "camera"),
    [
        (text({"type": "gateway_reconnecting", "attempt": 1, "delay_s": 2}), True, None),
        (telemetry(), False, None),
        (picture("front"), False, "front"),
        (b'{"type":"x","camera_id":"front"}', False, None),
    ],
)
def test_what_a_reader_must_know(line, notice, camera):
    """The reader knows a notice and a camera without making the frame."""
    wire = parse(line)
    assert is_gateway_notice(wire) is notice
    assert camera_of(wire) == camera
    assert camera_of(None) is None


@pytest.mark.parametrize("parsed", [True, False])
@pytest.mark.parametrize("keep_raw", [True, False])
def test_frames_of_a_stream(parsed, keep_raw):
    """A frame tells its stream, its time and, where asked for, its text."""
    for line in (telemetry(point()), event(), picture(), text({"type": "x"}), GOOD[-1]):
        frame = StreamDecoder(METRICS, keep_raw).frame(line, 5.5, parse(line) if parsed else None)
        assert frame == decode(line)
        assert (frame.stream, frame.received_at) == (METRICS, 5.5)
        assert frame.raw == (line if keep_raw else None)


@pytest.mark.parametrize("line", [line for line in GOOD if b"r\\u00f6bot" not in line], ids=short)
def test_samples_pass_their_filters(line):
    """All samples but the one of another device are for robot-01."""
    frame = StreamDecoder(VIDEO, keep_raw=True).frame(line, 1.0)
    assert frame == decode(line)
    assert frame.raw == line


@pytest.mark.parametrize("line", BAD, ids=short)
def test_bad_frame_of_a_stream(line):
    """A bad frame is bad with a stream too."""
    with pytest.raises(FrameError):
        StreamDecoder(METRICS, keep_raw=False).frame(line, 1.0)


def test_a_bad_picture_is_found_with_the_frame():
    """Base64 is left alone in the first step, and bad only in the second."""
    line = picture(frame="###")
    wire = parse(line)
    with pytest.raises(FrameError) as caught:
        StreamDecoder(VIDEO, keep_raw=False).frame(line, 1.0, wire)
    assert caught.value.excerpt == line


@pytest.mark.parametrize(
    ("points", "left"),
    [
        ([], []),
        ([point(1)], [1]),
        ([point(1), point(2)], [1, 2]),
        ([point(1), point(2, "other"), point(3)], [1, 3]),
        ([point(2, "other"), point(3)], [3]),
        ([point(1, "other")], None),
        ([point(1, "Robot-01"), point(2, "")], None),
    ],
)
def test_points_of_other_devices(points, left):
    """They are left out; a frame with nothing else is filtered, an empty one is not."""
    decoder = StreamDecoder(METRICS, keep_raw=False)
    line = telemetry(*points)
    frame = decoder.frame(line, 1.0)
    assert (frame and [decoded.value for decoded in frame.points]) == left
    wire = parse(line)
    assert (decoder.wanted(wire) and is_data(wire)) is (left is not None)
    assert decoder.frame(line, 1.0, wire) == frame


@pytest.mark.parametrize(("source_id", "passes"), [("robot-01", True), ("robot-02", False)])
def test_events_of_other_devices(source_id, passes):
    """They are filtered."""
    decoder = StreamDecoder(LOGS, keep_raw=False)
    line = event(1, source_id)
    assert (decoder.frame(line, 1.0) is not None) is passes
    assert (
        decoder.wanted(parse(line))
        is (decoder.wanted(parse(line)) and is_data(parse(line)))
        is passes
    )


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"camera_id": "front"}, True),
        ({"camera_id": "rear", "source_id": "robot-01"}, True),
        ({"camera_id": "front", "source_id": False}, True),
        ({"camera_id": "front", "source_id": None}, True),
        ({"camera_id": "front", "source_id": "robot-02"}, False),
        ({"camera_id": "front", "source_id": ""}, False),
        ({"camera_id": "top", "source_id": "robot-01"}, False),
        ({"camera_id": "front,rear"}, False),
    ],
)
def test_pictures_of_others(fields, passes):
    """Other cameras and other devices are filtered; an id that is missing or no text passes."""
    decoder = StreamDecoder(VideoStream("robot-01", ["front", "rear"]), keep_raw=False)
    line = picture(**fields)
    assert (decoder.frame(line, 1.0) is not None) is passes
    assert (decoder.wanted(parse(line)) and is_data(parse(line))) is passes


def test_without_cameras_nothing_is_filtered():
    """Who names no camera gets every one of the device."""
    decoder = StreamDecoder(VIDEO, keep_raw=False)
    assert decoder.frame(picture("any"), 1.0).camera_id == "any"
    assert decoder.frame(picture("any", source_id="robot-02"), 1.0) is None


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "init", "online_sources": [{"source_id": "other"}]},
        {"type": "gateway_reconnecting", "attempt": 1, "delay_s": 2},
        {"type": "error", "message": "Invalid API key"},
        {"type": "source_status", "source_id": "other"},
    ],
)
@pytest.mark.parametrize("stream", [METRICS, LOGS, VideoStream("robot-01", ["front"])])
def test_other_frames_are_never_filtered(frame, stream):
    """They are about the service, not about one device, and are no data."""
    decoder = StreamDecoder(stream, keep_raw=False)
    assert decoder.frame(text(frame), 1.0) == decode(text(frame))
    assert decoder.wanted(parse(text(frame)))
    assert not is_data(parse(text(frame)))


def test_picture_of_the_samples():
    """The samples' picture is a JPEG from its first marker to its last."""
    jpeg = decode(picture(frame=JPEG)).jpeg
    assert jpeg.startswith(b"\xff\xd8")
    assert jpeg.endswith(b"\xff\xd9")


def outcome(function, *args):
    """Return what a function returns, or the text of the FrameError that it raises."""
    try:
        return function(*args)
    except FrameError as error:
        return str(error)


MEMBERS = {
    "source_id": st.sampled_from(["robot-01", "robot-01", "robot-02", 1]),
    "metric": st.sampled_from(["n", "ü", None]),
    "value": st.sampled_from([1, -1.5, "text", None, [1], {"tags": {}}]),
    "timestamp": st.sampled_from([1746969660000, 1.5, None, "late"]),
    "class": st.sampled_from(["metric", "event", "other", None, 1]),
    "alert": st.sampled_from([0, 3, None, "no"]),
    "tags": st.sampled_from([{}, {"a": 1}, None, "none"]),
    "trace_id": st.sampled_from(["0000", {"alert": 1}]),
}
TELEMETRY = st.builds(
    lambda points, first: text(
        {"type": "telemetry", "points": points}
        if first
        else {"points": points, "type": "telemetry"}
    ),
    st.lists(
        st.lists(st.sampled_from(sorted(MEMBERS)), max_size=8, unique=True).flatmap(
            lambda names: st.fixed_dictionaries(
                {
                    "source_id": st.just("robot-01"),
                    "metric": st.just("n"),
                    "value": st.just(1),
                    **{name: MEMBERS[name] for name in names},
                }
            )
        ),
        max_size=3,
    ),
    st.booleans(),
)
DOCUMENTED = telemetry(point(1, timestamp=1, alert=0))
AS_SERVED = telemetry(point(1, timestamp=1, org_id="default"))


@settings(deadline=None)
@given(st.lists(TELEMETRY | st.sampled_from([DOCUMENTED, AS_SERVED, event(), b"{"]), max_size=6))
@example([DOCUMENTED, AS_SERVED, DOCUMENTED])
def test_no_way_to_a_frame_is_another(texts):
    """Whatever was likely before, and however many come at once: the same frame or error.

    What is likely is decoded for exactly its members, the rest for any; plain frames many at once,
    others alone.
    """
    for stream in (METRICS, LOGS):
        reference = StreamDecoder(stream, keep_raw=False)
        expected = [outcome(reference.frame, line, 1.0, None) for line in texts]
        for line, found in zip(texts, expected):
            told = outcome(decode, line)
            if isinstance(told, TelemetryFrame):
                own = tuple(p for p in told.points if p.source_id == "robot-01")
                assert found == (TelemetryFrame(own) if own or not told.points else None)
            elif not isinstance(told, EventFrame):
                assert found == told
        decoder = StreamDecoder(stream, keep_raw=False)
        entries = [(line, 1.0, None, None) for line in texts]
        for entry, item, wanted in zip(entries, decoder.frames(entries), expected):
            frame = item
            if isinstance(item, tuple):
                kept, frame = item
                assert kept is entry
            assert (str(frame) if isinstance(frame, FrameError) else frame) == wanted
            if isinstance(frame, TelemetryFrame):
                assert repr(frame) == repr(wanted)  # looks at every field of every point


@pytest.mark.parametrize("keep_raw", [True, False])
def test_plain_frames(keep_raw):
    """Many at once are the frames alone, with their own times and texts."""
    texts = [telemetry(point(number, timestamp=1, alert=0)) for number in range(3)]
    decoder = StreamDecoder(METRICS, keep_raw)
    frames = decoder.frames([(line, float(at), None, None) for at, line in enumerate(texts)])
    assert [frame.points[0].value for frame in frames] == [0, 1, 2]
    assert [frame.received_at for frame in frames] == [0.0, 1.0, 2.0]
    assert all(frame.stream is METRICS for frame in frames)
    assert [frame.raw for frame in frames] == (texts if keep_raw else [None] * 3)


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_what_is_not_plain_keeps_its_entry(odd):
    """With a Gap before one, or a wire object for one, it and the next are told with entries."""
    line, gap = DOCUMENTED, Gap(METRICS, 1.0, 2.0, "connection")
    assert StreamDecoder(METRICS, False).frames([(line, 1.0, None, None)] * 3) == [decode(line)] * 3
    for more in ((None, gap), (parse(line), None)):
        entries = [(line, 1.0, None, None)] * 3
        entries[odd] = (line, 1.0, *more)
        found = StreamDecoder(METRICS, keep_raw=False).frames(entries)
        assert [entry for entry, _ in found[odd:]] == entries[odd:]
        assert unpacked(found) == [decode(line)] * 3


@pytest.mark.parametrize("count", [2, 3])
def test_bad_tags_of_one_of_many(count):
    """Tags of the wrong type make a bad frame, among others as alone."""
    plain = telemetry(point(1, timestamp=1, alert=0))
    bad = telemetry(point(1, timestamp=1, alert=0, tags=[1]))
    decoder = StreamDecoder(METRICS, keep_raw=False)
    found = decoder.frames([(line, 1.0, None, None) for line in (plain, bad, plain)[:count]])
    assert isinstance(found[1][1], FrameError)
    assert unpacked(found[:1] + found[2:]) == [decode(plain)] * (count - 1)


@pytest.mark.parametrize("stream", [METRICS, VideoStream("robot-01")], ids=str)
@pytest.mark.parametrize(
    "line",
    [
        picture(),
        picture("thermal", temps=[1.0, 2.0], sensor_width=2, sensor_height=1),
        picture(frame="no base64"),
        picture(frame=7),
        text({"type": "init", "online_sources": []}),
        text({"type": "new", "frame": ""}),
        telemetry(point(1)),
        b"{",
    ],
    ids=range(8),
)
def test_parse_at_once(stream, line):
    """A picture that is decoded in the same pass makes the same frame, or the same error."""
    decoder = StreamDecoder(stream, keep_raw=True)

    def told(parse):
        try:
            return repr(decoder.frame(line, 1.0, parse(line)))
        except FrameError as error:
            return str(error)

    assert told(decoder.parse_at_once) == told(decoder.parse)
