"""What to watch: the value objects, what they refuse, and their exact URLs."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexus_sync import Buffer, ConfigError, LogsStream, MetricsStream, VideoStream
from plexus_sync.simulator.protocol import parse_target

BASE = "wss://api.plexus.company"
STREAMS = [MetricsStream, LogsStream, VideoStream]
FULL = [
    MetricsStream("r", metrics=["a"], buffer=Buffer(3, "block"), stale_timeout=5),
    LogsStream("r", buffer=Buffer(3, "drop_newest", 5), stale_timeout=0.5),
    VideoStream("r", cameras=["front"], timeout=60, buffer=Buffer(2), stale_timeout=1),
]
SURROGATE = "\ud800"  # what os.fsdecode makes of a byte that is no UTF-8


def refused(field, value, call, *args, **kwargs):
    """Assert that the call is refused, and that the message names field and value."""
    with pytest.raises(ConfigError) as caught:
        call(*args, **kwargs)
    assert str(caught.value).startswith(f"{field}={value!r} is not allowed: ")
    return str(caught.value)


@pytest.mark.parametrize(
    ("cls", "kind", "size"),
    [(MetricsStream, "metrics", 1000), (LogsStream, "logs", 1000), (VideoStream, "video", 1)],
)
def test_defaults(cls, kind, size):
    """A source id is enough; video keeps the freshest picture only."""
    stream = cls("robot-01")
    assert stream.kind == kind
    assert stream.buffer == Buffer(size, "drop_oldest", 64 * 1024 * 1024)
    assert stream.stale_timeout is None
    assert str(stream) == f"robot-01/{kind}"
    assert stream.url(BASE) == f"{BASE}/v1/sources/robot-01/{kind}/stream"


def test_defaults_of_the_filters():
    """Nothing is filtered, and the server's own time limit applies."""
    assert MetricsStream("r").metrics == ()
    assert VideoStream("r").cameras == ()
    assert VideoStream("r").timeout is None


@pytest.mark.parametrize("stream", FULL)
def test_values(stream):
    """Streams are frozen, hashable and equal to their like; copies and pickles too."""
    for again in (attrs.evolve(stream), copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        assert again == stream
        assert hash(again) == hash(stream)
    assert attrs.evolve(stream, source_id="other") != stream
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        stream.source_id = "other"
    assert not hasattr(stream, "__dict__")


def test_kinds_differ():
    """Two kinds of streams of one device are two things."""
    assert len({MetricsStream("r"), LogsStream("r"), VideoStream("r")}) == 3


@pytest.mark.parametrize("cls", STREAMS)
@pytest.mark.parametrize("value", ["", "a/b", "/", None, 7, b"robot-01", SURROGATE])
def test_source_id_that_is_refused(cls, value):
    """A source id is a non-empty str without a slash."""
    refused("source_id", value, cls, value)


@pytest.mark.parametrize(
    ("source_id", "path"),
    [
        ("Robot 1", "Robot%201"),
        ("röbot", "r%C3%B6bot"),
        ("🤖", "%F0%9F%A4%96"),
        ("a?b#c", "a%3Fb%23c"),
        ("a%2Fb", "a%252Fb"),
        ("a&b=c,d+e", "a%26b%3Dc%2Cd%2Be"),
        ("..", ".."),
        (" ", "%20"),
        ("A-z_0.9~", "A-z_0.9~"),
    ],
)
@pytest.mark.parametrize("cls", STREAMS)
def test_source_id_in_the_path(cls, source_id, path):
    """Whatever the name, it stays one segment of the path."""
    stream = cls(source_id)
    assert stream.url(BASE) == f"{BASE}/v1/sources/{path}/{stream.kind}/stream"


@pytest.mark.parametrize("base", ["ws://h:1", "ws://h:1/", "ws://h:1//"])
def test_base_url_with_a_slash(base):
    """A slash at the end of the base URL does no harm."""
    assert LogsStream("r").url(base) == "ws://h:1/v1/sources/r/logs/stream"


def test_base_url_with_a_path():
    """A path of the base URL stays."""
    assert LogsStream("r").url("wss://h/plexus") == "wss://h/plexus/v1/sources/r/logs/stream"


@pytest.mark.parametrize(
    ("metrics", "query"),
    [
        (["a"], "?metrics=a"),
        (("battery.percent", "cpu.percent"), "?metrics=battery.percent,cpu.percent"),
        ([" a ", "b\n"], "?metrics=a,b"),
        (["a b", "ü", "x&y=z"], "?metrics=a%20b,%C3%BC,x%26y%3Dz"),
        ([], ""),
        (iter(["a", "b"]), "?metrics=a,b"),
    ],
)
def test_metrics_in_the_query(metrics, query):
    """Names are trimmed and joined by commas, in one parameter; none sends no parameter."""
    url = MetricsStream("r", metrics=metrics).url(BASE)
    assert url == f"{BASE}/v1/sources/r/metrics/stream{query}"


def test_metrics_are_kept_as_a_trimmed_tuple():
    """A list and a tuple, trimmed or not, make equal streams."""
    assert MetricsStream("r", metrics=[" a "]).metrics == ("a",)
    assert MetricsStream("r", metrics=[" a "]) == MetricsStream("r", metrics=("a",))


@pytest.mark.parametrize(
    "value", ["a", b"a", 7, None, [""], [" "], ["a", None], [b"a"], [SURROGATE], ["a,b"], [","]]
)
def test_metrics_that_are_refused(value):
    """A bare str, empty names, names with a comma and what is no text are refused."""
    refused("metrics", value, MetricsStream, "r", metrics=value)


@pytest.mark.parametrize(
    ("cameras", "query"),
    [
        (["front"], "?camera_id=front"),
        (("front", "rear"), "?camera_id=front&camera_id=rear"),
        (["front,rear"], "?camera_id=front%2Crear"),
        ([" front "], "?camera_id=%20front%20"),
        (["a&b", "c/d", "é"], "?camera_id=a%26b&camera_id=c%2Fd&camera_id=%C3%A9"),
        ([], ""),
    ],
)
def test_cameras_in_the_query(cameras, query):
    """The parameter is repeated for each camera; none sends no parameter."""
    url = VideoStream("r", cameras=cameras).url(BASE)
    assert url == f"{BASE}/v1/sources/r/video/stream{query}"


@pytest.mark.parametrize("value", ["front", b"front", 7, None, [""], [" "], [3], [SURROGATE]])
def test_cameras_that_are_refused(value):
    """A bare str, empty names and what is no text are refused."""
    refused("cameras", value, VideoStream, "r", cameras=value)


def test_timeout_in_the_query():
    """The time limit stands behind the cameras, or alone."""
    path = f"{BASE}/v1/sources/r/video/stream"
    assert VideoStream("r", timeout=60).url(BASE) == f"{path}?timeout=60"
    stream = VideoStream("r", cameras=["a", "b"], timeout=1)
    assert stream.url(BASE) == f"{path}?camera_id=a&camera_id=b&timeout=1"


@pytest.mark.parametrize("value", [0, -1, 1.5, 2.0, "2", True, float("nan")])
def test_timeout_that_is_refused(value):
    """A time limit is whole seconds, one or more."""
    refused("timeout", value, VideoStream, "r", timeout=value)


@pytest.mark.parametrize("cls", STREAMS)
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "5", True, Fraction(1, 2)])
def test_stale_timeout_that_is_refused(cls, value):
    """A stale_timeout is a finite number of seconds above 0."""
    refused("stale_timeout", value, cls, "r", stale_timeout=value)


@pytest.mark.parametrize("cls", STREAMS)
@pytest.mark.parametrize("value", [0.001, 1, 86400 * 365])
def test_stale_timeout(cls, value):
    """Any time above 0 will do, parts of a second too."""
    assert cls("r", stale_timeout=value).stale_timeout == value


@pytest.mark.parametrize("cls", STREAMS)
@pytest.mark.parametrize("value", [10, None, "drop_oldest", Buffer])
def test_buffer_that_is_none(cls, value):
    """The buffer is a Buffer, not its size."""
    refused("buffer", value, cls, "r", buffer=value)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block", "error"])
def test_overflows(overflow):
    """There are four policies."""
    assert Buffer(1, overflow).overflow == overflow


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", None, True])
@pytest.mark.parametrize("field", ["size", "max_bytes"])
def test_buffer_limits_that_are_refused(field, value):
    """Frames and bytes are whole numbers, one or more."""
    refused(field, value, Buffer, **{"size": 1, field: value})


@pytest.mark.parametrize("value", ["drop", "DROP_OLDEST", "", None, ["block"]])
def test_overflow_that_is_refused(value):
    """Another policy is refused, and the message lists those there are."""
    message = refused("overflow", value, Buffer, 1, value)
    assert "drop_oldest, drop_newest, block, error" in message


def test_buffer_is_a_value():
    """Buffers are frozen, hashable and equal to their like."""
    assert Buffer(5) == Buffer(5, "drop_oldest", 64 * 1024 * 1024)
    assert len({Buffer(5), Buffer(5), Buffer(6)}) == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Buffer(5).size = 6


NAMES = st.text(min_size=1).filter(lambda name: name.strip() and not _surrogates(name))


def _surrogates(name):
    return any("\ud800" <= letter <= "\udfff" for letter in name)


@settings(deadline=None, max_examples=40)
@given(
    NAMES.filter(lambda name: "/" not in name),
    st.lists(NAMES.map(lambda name: name.replace(",", ";")), max_size=3),
    st.lists(NAMES, max_size=3),
    st.none() | st.integers(1, 10**6),
)
def test_the_server_reads_what_was_meant(source_id, metrics, cameras, timeout):
    """Whatever the names, the other side of the protocol gets the same out of the URL."""
    for stream in (
        MetricsStream(source_id, metrics),
        LogsStream(source_id),
        VideoStream(source_id, cameras, timeout),
    ):
        request = parse_target(stream.url(""))
        assert (request.source_id, request.stream) == (source_id, stream.kind)
    metrics_request = parse_target(MetricsStream(source_id, metrics).url(""))
    assert set(metrics_request.metrics or ()) == set(MetricsStream("r", metrics).metrics)
    video_request = parse_target(VideoStream(source_id, cameras, timeout).url(""))
    if cameras:
        assert set(video_request.cameras) == set(cameras)
    if timeout is not None:
        assert video_request.timeout == timeout
