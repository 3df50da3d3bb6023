"""What arrives, as lines for people and as records for programs."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from helpers import vectors

from plexus_sync import (
    Camera,
    ErrorFrame,
    EventFrame,
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
from plexus_sync.cli.describe import clean, clock, describe, value

METRICS, LOGS, VIDEO = MetricsStream("robot-01"), LogsStream("robot-01"), VideoStream("robot-01")


def texts(frame):
    """Return the lines for people, without their styles and times."""
    return ["|".join(text.rstrip() for text, _ in item.line[1:]) for item in describe(frame)]


def records(frame):
    """Return the records for programs."""
    return [record for item in describe(frame) for record in item.records]


def test_telemetry_is_a_line_for_each_point():
    """Each point is a record of its own, with what is there and nothing else."""
    points = (
        Point("robot-01", "battery.percent", 86.5, 1746969660000, "metric", 0, {"a": "b"}),
        Point("robot-01", "nav.state", "IDLE"),
        Point("robot-01", "odd", None),
    )
    frame = TelemetryFrame(points, stream=METRICS, received_at=5.0)
    assert texts(frame) == [
        "robot-01|battery.percent|86.5",
        "robot-01|nav.state|IDLE",
        "robot-01|odd|null",
    ]
    assert records(frame) == [
        {
            "type": "point",
            "source_id": "robot-01",
            "metric": "battery.percent",
            "value": 86.5,
            "timestamp": 1746969660000,
            "class": "metric",
            "alert": 0,
            "tags": {"a": "b"},
        },
        {"type": "point", "source_id": "robot-01", "metric": "nav.state", "value": "IDLE"},
        {"type": "point", "source_id": "robot-01", "metric": "odd", "value": None},
    ]


@pytest.mark.parametrize(
    ("frame", "text", "style"),
    [
        (EventFrame("robot-01", "nav.goal", "nav.goal"), "robot-01|nav.goal||", "event"),
        (EventFrame("robot-01", "log", {"a": 1}), 'robot-01|log|{"a": 1}|', "event"),
        (
            EventFrame("robot-01", "device.error", "hot", tags={"n": 1}),
            'robot-01|device.error|hot|{"n": 1}',
            "bad",
        ),
        (EventFrame("robot-01", "log", "x", alert=2), "robot-01|log|x|", "bad"),
    ],
)
def test_event(frame, text, style):
    """A value that only says the metric again is left out; what is grave is seen."""
    assert texts(frame) == [text]
    (item,) = describe(frame)
    assert item.line[2][1] == style
    assert item.records[0]["type"] == "event"


def test_picture():
    """A picture's size is told, not its bytes."""
    frame = VideoFrame("robot-01", "front", b"x" * 1500, 640, 480, 1000, stream=VIDEO)
    assert texts(frame) == ["robot-01|front|640 x 480, 1.5 kB|"]
    assert records(frame) == [
        {
            "type": "video_frame",
            "source_id": "robot-01",
            "camera_id": "front",
            "jpeg_bytes": 1500,
            "width": 640,
            "height": 480,
            "timestamp": 1000,
        }
    ]


def test_thermal_picture_without_a_source():
    """What is missing is taken from the stream; temperatures are shown."""
    frame = VideoFrame(None, "heat", b"x", temp_min=20.04, temp_max=36.55, stream=VIDEO)
    assert texts(frame) == ["robot-01|heat|0.0 kB|20.0 to 36.5 °C"]
    assert texts(VideoFrame(None, "heat", b"x", temp_min=1.0)) == ["|heat|0.0 kB|"]


def test_gap():
    """A gap tells how long, why, and how many frames are known to be lost."""
    assert texts(Gap(METRICS, 10.0, 12.5, "connection")) == [
        "robot-01|gap in metrics|2.50 s may be missing (connection)"
    ]
    gap = Gap(LOGS, 10.0, 9.0, "overflow", 3)
    assert texts(gap) == ["robot-01|gap in logs|0.00 s may be missing (overflow, 3 frames dropped)"]
    assert records(gap) == [
        {
            "type": "gap",
            "source_id": "robot-01",
            "stream": "logs",
            "started_at": 10.0,
            "ended_at": 9.0,
            "reason": "overflow",
            "dropped": 3,
        }
    ]


def test_init():
    """The devices online, with their cameras."""
    sources = (
        OnlineSource("a", (Camera("front", "normal"), Camera("rear")), "linux"),
        OnlineSource("b"),
    )
    frame = InitFrame(sources, stream=VIDEO)
    assert texts(frame) == ["robot-01|online|a (front, rear), b (no camera)"]
    assert records(frame) == [
        {
            "type": "init",
            "online_sources": [
                {
                    "source_id": "a",
                    "cameras": [
                        {"camera_id": "front", "video_type": "normal"},
                        {"camera_id": "rear"},
                    ],
                    "platform": "linux",
                },
                {"source_id": "b", "cameras": []},
            ],
        }
    ]
    assert texts(InitFrame((), stream=VIDEO)) == ["robot-01|online|nothing"]


def test_remarks_of_the_service():
    """An outage, an error, and whatever may come one day."""
    assert texts(GatewayReconnectingFrame(1, 2, stream=METRICS)) == [
        "robot-01|no gateway|the service tries again: attempt 1, next in 2 s"
    ]
    frame = GatewayReconnectingFrame(1, 2, 5, stream=VIDEO)
    assert "attempt 1 of 5" in texts(frame)[0]
    assert records(frame) == [
        {"type": "gateway_reconnecting", "attempt": 1, "delay_s": 2, "max_attempts": 5}
    ]
    assert texts(ErrorFrame("Invalid API key", stream=VIDEO)) == [
        "robot-01|service error|Invalid API key"
    ]
    assert texts(ErrorFrame()) == ["|service error|no reason given"]
    assert records(ErrorFrame("x")) == [{"type": "error", "message": "x"}]
    unknown = UnknownFrame("new", {"type": "new", "n": 1}, stream=LOGS)
    assert texts(unknown) == ['robot-01|new|{"type": "new", "n": 1}']
    assert records(unknown) == [{"type": "new", "n": 1}]


def test_nothing_can_steer_the_terminal():
    """Control characters from a device are spelled out, on the line for people."""
    assert clean("plain é") == "plain é"
    assert clean("\x1b[2J\r\n\x9b\u202e") == "\\x1b[2J\\r\\n\\x9b\\u202e"
    assert value("a\x1b") == "a\\x1b"
    assert value({"a\x1b": "\x7f"}) == '{"a\\u001b": "\\x7f"}'
    frame = EventFrame("r\n1", "m\x1b", "v\x07", tags={"\x1b": "\x1b"})
    assert all(text.isprintable() for item in describe(frame) for text, _ in item.line)


@pytest.mark.parametrize("name", ["valid", "odd"])
def test_every_frame_can_be_described(name):
    """Whatever decodes has lines that can be seen and records that are JSON."""
    for text in vectors(name):
        for item in describe(decode(text)):
            assert all(piece.isprintable() for piece, _ in item.line)
            json.dumps(item.records)


def test_clock():
    """The time of day here; none where a device sends a time that has none."""
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
    assert clock(at) == at.astimezone().strftime("%H:%M:%S") + ".678"
    assert clock(at.timestamp()) == clock(at)
    assert clock(None) == "--:--:--.---"
    assert clock(1e300) == "--:--:--.---"
