"""What arrives: the value objects, their times, and what can be made of a picture."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from datetime import datetime, timedelta, timezone

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError

from plexus_sync import (
    Camera,
    ConfigError,
    ErrorFrame,
    EventFrame,
    Gap,
    GatewayReconnectingFrame,
    InitFrame,
    LogsStream,
    OnlineSource,
    Point,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
)

STREAM = LogsStream("robot-01")
POINT = Point("robot-01", "battery.percent", 86.5, 1746969660000, "metric", 0, {"unit": "%"})
FRAMES = [
    TelemetryFrame((POINT,)),
    EventFrame("robot-01", "log", {"msg": "hi"}, 1, "event", 1, {"a": {"b": None}}),
    InitFrame((OnlineSource("robot-01", (Camera("front", "normal"),), "linux", [1]),)),
    VideoFrame("robot-01", "front", b"\xff\xd8", 640, 480, 1, "thermal", 1, 1, 2.0, 3.0, (2.5,)),
    GatewayReconnectingFrame(1, 2.5, 5),
    ErrorFrame("Invalid API key"),
    UnknownFrame("source_status", {"type": "source_status", "x": [1]}),
]
PARTS = [POINT, OnlineSource("robot-01"), Camera("front")]
GAP = Gap(STREAM, 10.0, 20.0, "overflow", 3)
UTC = timezone.utc


def names(cls):
    """Return the names of the fields of a class."""
    return [field.name for field in attrs.fields(cls)]


def jpeg(color, size=(4, 2), mode="RGB"):
    """Return a picture of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, "JPEG", quality=100, subsampling=0)
    return file.getvalue()


def video(data=b"", **fields):
    """Return a video frame with the picture."""
    return VideoFrame("robot-01", "front", data, **fields)


@pytest.mark.parametrize("thing", [*FRAMES, *PARTS, GAP], ids=lambda thing: type(thing).__name__)
def test_frozen_and_slotted(thing):
    """A frame cannot be changed, nor can anything be added."""
    for name in (names(type(thing))[0], "more"):
        with pytest.raises(AttributeError):
            setattr(thing, name, 1)
    assert not hasattr(thing, "__dict__")


@pytest.mark.parametrize("thing", [*FRAMES, *PARTS], ids=lambda thing: type(thing).__name__)
def test_not_hashable(thing):
    """What holds any JSON value has no hash, instead of one that fails now and then."""
    with pytest.raises(TypeError):
        hash(thing)


@pytest.mark.parametrize("thing", [*FRAMES, *PARTS, GAP], ids=lambda thing: type(thing).__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_travels(thing, protocol):
    """A frame survives pickle and copy."""
    for again in (pickle.loads(pickle.dumps(thing, protocol)), copy.deepcopy(thing)):
        assert type(again) is type(thing)
        assert again == thing


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_local_fields(frame):
    """Where a frame came from is no part of it: not compared, not shown, but pickled."""
    assert (frame.stream, frame.received_at, frame.raw) == (None, None, None)
    local = attrs.evolve(frame, stream=STREAM, received_at=12345.25, raw=b"raw text")
    assert local == frame
    assert repr(local) == repr(frame)
    again = pickle.loads(pickle.dumps(local))
    assert (again.stream, again.received_at, again.raw) == (STREAM, 12345.25, b"raw text")


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_local_fields_are_given_by_name(frame):
    """They stand behind the fields of the wire and cannot be hit by position."""
    *wire, _, _, _ = names(type(frame))
    values = [getattr(frame, name) for name in wire]
    assert type(frame)(*values) == frame
    with pytest.raises(TypeError):
        type(frame)(*values, STREAM)


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (TelemetryFrame, "points"),
        (Point, "source_id metric value timestamp class_ alert tags"),
        (EventFrame, "source_id metric value timestamp class_ alert tags"),
        (InitFrame, "online_sources"),
        (OnlineSource, "source_id cameras platform sensors"),
        (Camera, "camera_id video_type"),
        (
            VideoFrame,
            "source_id camera_id jpeg width height timestamp video_type sensor_width "
            "sensor_height temp_min temp_max temps",
        ),
        (GatewayReconnectingFrame, "attempt delay_s max_attempts"),
        (ErrorFrame, "message"),
        (UnknownFrame, "type data"),
        (Gap, "stream started_at ended_at reason dropped"),
    ],
)
def test_fields(cls, fields):
    """The fields are those of the interface, in its order."""
    local = [] if cls in (Gap, Point, OnlineSource, Camera) else ["stream", "received_at", "raw"]
    assert names(cls) == fields.split() + local


def test_different_values_are_not_equal():
    """Frames compare by what they hold."""
    assert FRAMES[0] != TelemetryFrame(())
    assert attrs.evolve(POINT, value=1) != POINT
    assert FRAMES[0] != POINT


DATED = [
    lambda timestamp: attrs.evolve(POINT, timestamp=timestamp),
    lambda timestamp: EventFrame("r", "m", 1, timestamp),
    lambda timestamp: video(timestamp=timestamp),
]


@pytest.mark.parametrize("dated", DATED)
@pytest.mark.parametrize(
    ("timestamp", "time"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1746969660000, datetime(2025, 5, 11, 13, 21, tzinfo=UTC)),
        (1746969660000.25, datetime(2025, 5, 11, 13, 21, 0, 250, tzinfo=UTC)),
        (-5, datetime(1969, 12, 31, 23, 59, 59, 995000, tzinfo=UTC)),
        (None, None),
        (1e18, None),
        (-1e18, None),
        (1e300, None),
        (10**400, None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_time(dated, timestamp, time):
    """The time is aware UTC, None where there is none or it is out of range."""
    assert dated(timestamp).time == time
    if time is not None:
        assert dated(timestamp).time.utcoffset() == timedelta(0)


@settings(deadline=None)
@given(st.integers(-62135596800000, 253402300799999))
def test_time_of_whole_milliseconds_is_exact(timestamp):
    """No millisecond between the years 1 and 9999 is rounded."""
    time = attrs.evolve(POINT, timestamp=timestamp).time
    assert (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == timestamp


@settings(deadline=None)
@given(st.integers() | st.floats())
def test_time_never_raises(timestamp):
    """Whatever number the wire brings, the time is a datetime or None."""
    time = attrs.evolve(POINT, timestamp=timestamp).time
    assert time is None or time.tzinfo is UTC


def test_repr_leaves_out_what_is_long():
    """A picture is not shown in a log line."""
    shown = repr(FRAMES[3])
    assert "jpeg" not in shown
    assert "temps" not in shown
    assert "camera_id='front'" in shown


def test_save(tmp_path):
    """The picture is written as it came, to a path given as text or as Path."""
    for path in (tmp_path / "a.jpg", str(tmp_path / "b.jpg")):
        video(b"jpeg").save(path)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes() == b"jpeg"
    with pytest.raises(FileExistsError):
        video(b"new").save(tmp_path / "a.jpg")
    video(b"new").save(tmp_path / "a.jpg", overwrite=True)
    assert (tmp_path / "a.jpg").read_bytes() == b"new"


@pytest.mark.parametrize("format", ["PNG", "GIF", "TIFF", "EPS"])
def test_no_decoder_but_that_of_jpeg_is_reached(format):
    """Who sends the picture cannot choose another, such as that of EPS, which runs a program."""
    from PIL import Image, UnidentifiedImageError

    data = io.BytesIO()
    Image.new("RGB", (4, 4)).save(data, format)
    with pytest.raises(UnidentifiedImageError):
        video(data.getvalue()).to_pil()


def test_to_pil():
    """The picture is decoded at once, so that a broken one is found here and not later."""
    image = video(jpeg("red")).to_pil()
    assert (image.size, image.mode) == ((4, 2), "RGB")
    with pytest.raises(UnidentifiedImageError):
        video(b"no jpeg").to_pil()
    with pytest.raises(OSError, match="truncated"):
        video(jpeg("red", (64, 64))[:-100]).to_pil()


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [({}, [254, 0, 0]), ({"order": "rgb"}, [254, 0, 0]), ({"order": "bgr"}, [0, 0, 254])],
)
def test_to_numpy(kwargs, expected):
    """Height first, three channels in the order that was asked for, fit for OpenCV."""
    array = video(jpeg("red")).to_numpy(**kwargs)
    assert (array.shape, array.dtype) == ((2, 4, 3), np.uint8)
    assert array.flags.c_contiguous
    assert array.flags.owndata or array.base is not None
    assert array[0, 0].tolist() == expected


def test_to_numpy_of_a_grey_picture():
    """There are three channels, whatever the camera sends."""
    array = video(jpeg(7, mode="L")).to_numpy()
    assert array.shape == (2, 4, 3)
    assert array[1, 3].tolist() == [7, 7, 7]


@pytest.mark.parametrize("order", ["RGB", "gbr", "", None])
def test_to_numpy_in_another_order(order):
    """Another order is refused before anything is decoded."""
    with pytest.raises(ConfigError, match=r"order=.*'rgb' or 'bgr'"):
        video(b"no jpeg").to_numpy(order)


def test_temperatures():
    """The cells stand in rows, as the sensor has them."""
    frame = video(sensor_width=3, sensor_height=2, temps=(1.0, 2.0, 3.0, 4.0, 5.0, 36.6))
    cells = frame.temperatures()
    assert cells.dtype == np.float32
    assert cells.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, float(np.float32(36.6))]]


@pytest.mark.parametrize(
    "missing",
    [
        {"sensor_width": 1, "sensor_height": 1},
        {"sensor_width": 1, "temps": (1.0,)},
        {"sensor_height": 1, "temps": (1.0,)},
        {},
    ],
)
def test_no_temperatures(missing):
    """A frame without temperatures, or without the sensor's size, says so."""
    with pytest.raises(ValueError, match="'front' carries no temperatures"):
        video(**missing).temperatures()


@pytest.mark.parametrize("size", [(2, 2), (0, 0), (-3, 1), (1, 4)])
def test_temperatures_that_do_not_fit(size):
    """As many temperatures as cells, or none."""
    with pytest.raises(ValueError, match="carries 3 temperatures for a sensor of"):
        video(sensor_width=size[0], sensor_height=size[1], temps=(1.0, 2.0, 3.0)).temperatures()


@pytest.mark.parametrize(
    ("module", "method"),
    [("PIL", "to_pil"), ("PIL", "to_numpy"), ("numpy", "to_numpy"), ("numpy", "temperatures")],
)
def test_without_the_extra(monkeypatch, module, method):
    """What is not installed is named, with the extra that brings it."""
    frame = video(jpeg("red"))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'plexus-sync\[images\]'") as caught:
        getattr(frame, method)()
    assert module in str(caught.value)


def test_gap_is_a_value():
    """A gap drops nothing unless it says so."""
    assert Gap(STREAM, 1.0, 2.0, "connection") == Gap(STREAM, 1.0, 2.0, "connection", 0)
    assert Gap(STREAM, 1.0, 2.0, "connection") != Gap(STREAM, 1.0, 2.0, "gateway")


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("overflow", "overflow", "overflow"),
        ("overflow", "gateway", "gateway"),
        ("gateway", "overflow", "gateway"),
        ("overflow", "connection", "connection"),
        ("gateway", "connection", "connection"),
        ("connection", "gateway", "connection"),
        ("connection", "overflow", "connection"),
    ],
)
def test_merged_gap(first, second, reason):
    """Earliest start, latest end, sum of the dropped, the gravest reason."""
    a, b = Gap(STREAM, 10.0, 20.0, first, 3), Gap(STREAM, 5.0, 15.0, second, 4)
    assert a.merged(b) == Gap(STREAM, 5.0, 20.0, reason, 7)
