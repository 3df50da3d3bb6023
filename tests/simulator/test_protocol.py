"""What is accepted and said, without a connection."""

import json

import pytest

from plexus_sync.simulator import protocol
from plexus_sync.simulator.protocol import Close, Request, parse_target

METRICS = "/v1/sources/robot-01/metrics/stream"
VIDEO = "/v1/sources/robot-01/video/stream"


@pytest.mark.parametrize("stream", ["metrics", "logs", "video"])
def test_each_endpoint_is_known(stream):
    """The three endpoints of the document are accepted."""
    assert parse_target(f"/v1/sources/robot-01/{stream}/stream") == Request("robot-01", stream)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1/sources/robot-01/metrics",
        "/v1/sources/robot-01/metrics/stream/",
        "/v1/sources//metrics/stream",
        "/v1/sources/a/b/metrics/stream",
        "/v1/sources/a%2Fb/metrics/stream",
        "/v1/sources/robot-01/audio/stream",
        "/v1/sources/robot-01/metrics/streams",
        "/v2/sources/robot-01/metrics/stream",
        VIDEO + "?timeout=soon",
        VIDEO + "?timeout=1.5",
        VIDEO + "?timeout=",
        VIDEO + "?timeout=" + "9" * 5000,
    ],
)
def test_other_targets_are_refused(target):
    """Everything else is None, which becomes HTTP 403."""
    assert parse_target(target) is None


@pytest.mark.parametrize("source_id", ["..", "UPPER case", "r\u00f6bot \U0001f916", "a+b", "?#"])
def test_any_other_source_is_accepted(source_id):
    """Sources are not looked up, only decoded."""
    from urllib.parse import quote

    request = parse_target(f"/v1/sources/{quote(source_id, safe='')}/logs/stream")
    assert request == Request(source_id, "logs")


@pytest.mark.parametrize(
    ("query", "metrics"),
    [
        ("", None),
        ("?metrics=", None),
        ("?metrics=a", ("a",)),
        ("?metrics=a,%20b%20", ("a", "b")),
        ("?metrics=,", ()),
        ("?metrics=a&metrics=b", ("b",)),
        ("?metrics=a&metrics=", None),
        ("?camera_id=front&timeout=soon", None),
    ],
)
def test_metrics_parameter(query, metrics):
    """Names are trimmed, a lone comma lets nothing through, the last parameter wins."""
    assert parse_target(METRICS + query) == Request("robot-01", "metrics", metrics=metrics)


@pytest.mark.parametrize(
    ("query", "cameras", "timeout"),
    [
        ("", (), None),
        ("?camera_id=front&camera_id=rear", ("front", "rear"), None),
        ("?camera_id=front,rear", ("front,rear",), None),
        ("?timeout=2", (), 2),
        ("?timeout=-1", (), -1),
        ("?timeout=0&camera_id=front", ("front",), 0),
    ],
)
def test_video_parameters(query, cameras, timeout):
    """Cameras are repeated, a comma is part of a name; a timeout is any whole number."""
    assert parse_target(VIDEO + query) == Request(
        "robot-01", "video", cameras=cameras, timeout=timeout
    )


def judge(message, stream="metrics"):
    """Judge a first message with one good, one unpaid and one expired key."""
    return protocol.refuse(message, stream, keys={"good", "old"}, unpaid={"poor"}, expired={"old"})


def test_good_key_is_let_in():
    """A good key is not refused."""
    assert judge('{"type": "auth", "api_key": "good"}') is None


@pytest.mark.parametrize(
    "message",
    [
        '{"type": "auth", "api_key": "bad"}',
        '{"type": "auth", "api_key": "old"}',
        '{"type": "auth", "api_key": ""}',
        '{"type": "auth", "api_key": ["good"]}',
        '{"type": "auth"}',
        '{"type": "hello", "api_key": "good"}',
        '{"api_key": "good"}',
        "{}",
    ],
)
@pytest.mark.parametrize(("stream", "code"), [("metrics", 4401), ("logs", 4401), ("video", 4001)])
def test_unauthorized(message, stream, code):
    """Whatever is wrong with key or type, the answer is the stream's own unauthorized."""
    assert judge(message, stream) == Close(code, "unauthorized")


@pytest.mark.parametrize(("stream", "code"), [("metrics", 4402), ("logs", 4402), ("video", 4002)])
def test_payment_required(stream, code):
    """A plan without API access has its own code."""
    refusal = judge('{"type": "auth", "api_key": "poor"}', stream)
    assert refusal == Close(code, "payment required")


@pytest.mark.parametrize(
    "message", ["", "plx_good", "[]", "null", '"auth"', "{", b"{}", "[" * 10**5]
)
def test_no_json_object(message):
    """Anything but a JSON object in a text message ends TCP without a close frame."""
    assert judge(message) == protocol.HANG_UP


@pytest.mark.parametrize("code", [0, 999, 1004, 1015, 2999, 5000])
def test_codes_that_no_close_frame_has(code):
    """A code that may not be sent is refused, and told."""
    with pytest.raises(ValueError, match=f"code {code} cannot be sent"):
        Close(code)


@pytest.mark.parametrize(("code", "reason"), [(1005, "why"), (1006, "why"), (1011, "\u00e4" * 62)])
def test_reasons_that_no_close_frame_has(code, reason):
    """Nor is a reason where there is no room for it."""
    with pytest.raises(ValueError, match="reason"):
        Close(code, reason)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ('{"type": "auth", "api_key": "short"}', '{"type": "auth", "api_key": "***"}'),
        ('{"type": "auth", "api_key": ""}', '{"type": "auth", "api_key": ""}'),
        ("good day, goods", "*** day, goods"),
        ("plx_0123", "***"),
        (b"\xffgood", "\ufffd***"),
        ("[1]", "[1]"),
    ],
)
def test_redact(message, kept):
    """A key is left out of an auth frame and wherever it is said."""
    assert protocol.redact(message, ["good", ""]) == kept


def test_encode_sorts_batches():
    """Batches and events have sorted keys, as observed; other frames keep the order given."""
    assert protocol.encode({"type": "telemetry", "points": []}) == (
        b'{"points": [], "type": "telemetry"}'
    )
    assert protocol.encode({"type": "error", "message": "\u00fc"}) == (
        b'{"type": "error", "message": "\\u00fc"}'
    )


def test_filter_points():
    """A filter leaves its points, and no frame if it leaves none."""
    a, b = {"metric": "a"}, {"metric": "b"}
    frame = {"type": "telemetry", "points": [a, b, 7]}
    assert protocol.filter_points(frame, None) is frame
    assert protocol.filter_points(frame, {"a"}) == {"type": "telemetry", "points": [a, 7]}
    assert protocol.filter_points({"type": "telemetry", "points": [b]}, {"a"}) is None


@pytest.mark.parametrize("frame", [{"type": "event"}, {"type": "telemetry", "points": {}}, {}])
def test_what_has_no_points_is_not_filtered(frame):
    """Frames of other kinds, and broken ones, pass as they are."""
    assert protocol.filter_points(frame, set()) is frame


def test_point_and_event_have_the_observed_fields():
    """The fields are those that the running service sends, in its order."""
    point = protocol.point("robot-01", "temperature", 24, 1795328317119, "9c1e")
    assert protocol.encode(protocol.telemetry([point])).decode() == (
        '{"points": [{"class": "metric", "metric": "temperature", "org_id": "default", '
        '"source_id": "robot-01", "timestamp": 1795328317119, "trace_id": "9c1e", "v": 1, '
        '"value": 24}], "type": "telemetry"}'
    )
    event = protocol.event("robot-01", "log", {"n": 3}, 1795328317119, "77")
    assert protocol.encode(event).decode() == (
        '{"class": "event", "metric": "log", "org_id": "default", "source_id": "robot-01", '
        '"timestamp": 1795328317119, "trace_id": "77", "type": "event", "v": 1, '
        '"value": {"n": 3}}'
    )


def test_init_lists_every_source():
    """Each source has each camera, as an object with its type."""
    cameras = [
        {"camera_id": "front", "video_type": "normal"},
        {"camera_id": "thermal", "video_type": "thermal"},
    ]
    frame = protocol.init(["a", "b"], ["front", "thermal"])
    assert frame["type"] == "init"
    assert [(s["source_id"], s["cameras"]) for s in frame["online_sources"]] == [
        ("a", cameras),
        ("b", cameras),
    ]


def test_video_frame_is_as_documented():
    """The document's fields, in the document's order."""
    frame = protocol.video_frame("robot-01", "front", "AAAA", (640, 480), 1746969660000)
    assert json.dumps(frame) == (
        '{"type": "video_frame", "source_id": "robot-01", "camera_id": "front", '
        '"frame": "AAAA", "width": 640, "height": 480, "timestamp": 1746969660000}'
    )


def test_reconnecting_is_as_documented():
    """The notice has whole seconds where they are whole, and on video the most attempts."""
    assert json.dumps(protocol.reconnecting("metrics", 1, 5, 2.0)) == (
        '{"type": "gateway_reconnecting", "attempt": 1, "delay_s": 2}'
    )
    assert json.dumps(protocol.reconnecting("video", 2, 5, 0.5)) == (
        '{"type": "gateway_reconnecting", "attempt": 2, "max_attempts": 5, "delay_s": 0.5}'
    )
