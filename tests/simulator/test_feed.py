"""Simulated devices that send."""

import base64

import pytest

from plexus_sync.simulator import Simulator
from plexus_sync.simulator.devices import Device


def values(frame):
    """Return what a batch says, without its time."""
    return [(point["metric"], point["value"]) for point in frame["points"]]


@pytest.mark.parametrize("late", [False, True])
def test_first_viewer_sees_the_start(simulate, connect, late):
    """A stream stands still until somebody watches it."""
    simulator = simulate(rate=500.0, seed=3)
    if late:
        connect(simulator, "logs").json()
    client = connect(simulator, "metrics")
    device = Device("robot-01", 3)
    expected = [values(device.telemetry(0)) for _ in range(5)]
    assert [values(client.json()) for _ in range(5)] == expected


def test_stands_still_without_a_viewer(simulate, connect):
    """When the last viewer has gone the device waits, and goes on for the next."""
    simulator = simulate(rate=500.0)
    connect(simulator, "metrics").json()
    simulator.cut()
    simulator.wait_for_connections(0)
    assert connect(simulator, "metrics").json()["type"] == "telemetry"


def test_events(simulate, connect):
    """The device has something to say now and then."""
    frame = connect(simulate(rate=500.0), "logs").json()
    assert (frame["type"], frame["class"], frame["source_id"]) == ("event", "event", "robot-01")


def test_every_camera_is_sent(simulate, connect):
    """A viewer of one camera is sent all of them, as observed; the thermal one has more."""
    simulator = simulate(video_rate=100.0)
    client = connect(simulator, "/v1/sources/robot-01/video/stream?camera_id=front")
    assert client.json()["type"] == "init"
    front, rear, thermal = (client.json() for _ in range(3))
    assert [front["camera_id"], rear["camera_id"]] == ["front", "rear"]
    assert base64.b64decode(front["frame"]).startswith(b"\xff\xd8")
    assert "video_type" not in front
    assert thermal["video_type"] == "thermal"
    assert len(thermal["temps"]) == thermal["sensor_width"] * thermal["sensor_height"]
    assert thermal["temp_min"] == min(thermal["temps"])
    assert thermal["temp_max"] == max(thermal["temps"])
    assert client.json()["frame"] != front["frame"]


def test_no_pictures_without_cameras_or_rate(simulate, connect):
    """A device without cameras sends batches all the same."""
    simulator = simulate(rate=500.0, video_rate=10.0, cameras=())
    assert connect(simulator, "video").json()["online_sources"][0]["cameras"] == []
    assert connect(simulator, "metrics").json()["type"] == "telemetry"


def test_unknown_source_is_silent(simulate, connect):
    """A source that does not exist sends nothing but what is published for it."""
    simulator = simulate(rate=500.0)
    client = connect(simulator, "/v1/sources/robot-99/metrics/stream")
    simulator.wait_for_connections(1)
    simulator.publish("robot-99", "metrics", "first")
    assert client.text() == b"first"


def test_pillow_is_not_needed_without_pictures(connect, monkeypatch):
    """Without pictures Pillow is not even looked for."""
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    with Simulator(rate=500.0, video_rate=0) as simulator:
        assert connect(simulator, "metrics").json()["type"] == "telemetry"
