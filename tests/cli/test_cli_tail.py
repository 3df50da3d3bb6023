"""``plexus-sync tail``."""

from __future__ import annotations

import json

import pytest
from helpers import JPEG, point

from plexus_sync.cli import main, watch


def test_metrics_by_name(run, busy):
    """The filter of the service is asked for."""
    names = ("battery.percent", "cpu.percent")
    result = run("tail", "metrics", "robot-01", *options("--metric", *names), "--count", 6)
    assert (result.code, result.err) == (0, "")
    assert sorted({record["metric"] for record in result.records}) == sorted(names)
    assert len(result.records) == 6
    assert {connection.metrics for connection in busy.connections} <= {names}


def options(name, *values):
    """Repeat an option."""
    return [word for value in values for word in (name, value)]


def test_metrics_by_pattern(run, busy):
    """It is matched here, beside whole names."""
    patterns = options("--metric", "gps.*", "temperature")
    result = run("tail", "metrics", "robot-01", *patterns, "--count", 6)
    assert {record["metric"] for record in result.records} == {"gps.lat", "gps.lon", "temperature"}


def test_a_name_with_letters_of_patterns(run, quiet, beside):
    """It matches itself."""
    beside(publish, quiet, "metrics", {"type": "telemetry", "points": [point(metric="a[0]")]})
    result = run("tail", "metrics", "robot-01", "--metric", "a[0]", "--count", 1)
    assert result.records[0]["metric"] == "a[0]"


def publish(simulator, stream, *frames, source="robot-01"):
    """Send frames to the command as soon as it is connected."""
    simulator.wait_for_connections(1)
    for frame in frames:
        simulator.publish(source, stream, frame)


def test_the_count_ends_in_the_middle_of_a_frame(run, quiet, beside):
    """It counts points."""
    frame = {"type": "telemetry", "points": [point(n) for n in range(5)]}
    beside(publish, quiet, "metrics", frame)
    result = run("tail", "metrics", "robot-01", "--count", 3)
    assert [record["value"] for record in result.records] == [0, 1, 2]


def test_logs_of_several_devices(run, quiet, beside):
    """A device that is named twice is watched once."""

    def both():
        quiet.wait_for_connections(2)
        for source in ("r1", "r2"):
            event = {"type": "event", **point(1, source)}
            quiet.publish(source, "logs", event)

    beside(both)
    result = run("tail", "logs", "r1", "r2", "r1", "--count", 2)
    assert {record["source_id"] for record in result.records} == {"r1", "r2"}


def test_video(run, quiet, beside):
    """One camera; the init frame is shown and not counted."""
    frames = [
        {"type": "video_frame", "camera_id": camera, "frame": JPEG} for camera in ("rear", "front")
    ]
    beside(publish, quiet, "video", *frames)
    result = run("tail", "video", "robot-01", "--camera", "front", "--count", 1)
    assert [record["type"] for record in result.records] == ["init", "video_frame"]
    assert result.records[1]["camera_id"] == "front"


def test_a_lost_connection(run, quiet, beside):
    """A gap stands where it was, and stderr tells it."""
    frame = {"type": "event", **point()}

    def lose():
        publish(quiet, "logs", frame)
        quiet.close(1012)
        publish(quiet, "logs", frame)

    beside(lose)
    result = run("tail", "logs", "robot-01", "--count", 2)
    assert [record["type"] for record in result.records] == ["event", "gap", "event"]
    assert "connecting again" in result.err


def test_for_people(terminal, busy):
    """Lines with colours."""
    screens = terminal()
    assert main(["tail", "metrics", "robot-01", "--metric", "cpu.percent", "--count", "2"]) == 0
    assert screens.out.getvalue().count("cpu.percent") == 2
    assert "\x1b[" in screens.out.getvalue()


def test_json_for_people(terminal, busy):
    """Where they ask for it."""
    screens = terminal()
    assert main(["tail", "logs", "robot-01", "--json", "--count", "1"]) == 0
    assert json.loads(screens.out.getvalue())["type"] == "event"


def test_for_some_seconds(run, busy):
    """That something came makes it a success."""
    result = run("tail", "metrics", "robot-01", "--seconds", "700ms")
    assert (result.code, result.err) == (0, "")
    assert result.records


def test_a_device_that_sends_nothing(run, quiet):
    """The service does not tell why, so the sentence names what it can be."""
    run("tail", "metrics", "robot-9", "--seconds", "300ms").said(
        1, "nothing came from robot-9 within 0.3 s", "is on, and its name"
    )
    run("tail", "logs", "robot-9", "--seconds", "300ms").said(1, "robot-9")
    result = run("tail", "metrics", "robot-9", "--metric", "x", "--seconds", "300ms")
    result.said(1, "the filter")


def test_too_few_in_the_time(run, quiet):
    """A count that was not reached is a failure."""
    result = run("tail", "logs", "robot-01", "--seconds", "300ms", "--count", 2)
    result.said(1, "0 came in 0.3 s", "--count")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["metrics", "robot-01", "--metric", "a,b"], "comma"),
        (["metrics", "robot-01", "--metric", ""], "battery.percent"),
        (["logs", "robot-01", "--metric", "a"], "--metric"),
        (["metrics", "robot-01", "--camera", "front"], "--camera"),
        (["metrics", "a/b"], "SOURCE 'a/b'"),
        (["metrics", ""], "SOURCE ''"),
        (["metrics", "robot-01", "--seconds", "soon"], "--seconds"),
        (["metrics", "robot-01", "--count", "0"], "--count"),
        (["metrics", "robot-01", "--url", "http://x"], "--url 'http://x'"),
        (["metrics", "robot-01", "--url", "ws://192.0.2.1"], "--allow-insecure"),
        (["metrics", "robot-01", "--proxy", "ftp://x"], "proxy"),
        (["metrics", "robot-01", "--key-file", "/none"], "/none"),
    ],
)
def test_usage(run, quiet, arguments, word):
    """Whatever is wrong is told before anything is tried."""
    run("tail", *arguments).said(2, word)
    assert quiet.received == []


def test_no_key(run, quiet, monkeypatch):
    """All the places where it may stand are named."""
    monkeypatch.delenv("PLEXUS_API_KEY")
    run("tail", "metrics", "robot-01").said(2, "--key-file", "PLEXUS_API_KEY", "config.json")


@pytest.mark.parametrize(
    ("keys", "code", "word"),
    [({}, 3, "refused"), ({"unpaid_keys": {"plx_secret"}}, 4, "plan")],
)
def test_a_key_that_is_not_let_in(run, quiet, monkeypatch, keys, code, word):
    """It is told in one sentence, and the key is not shown."""
    quiet.unpaid_keys.update(*keys.values())
    monkeypatch.setenv("PLEXUS_API_KEY", "plx_secret")
    result = run("tail", "metrics", "robot-01")
    result.said(code, word)
    assert "secret" not in result.err


def test_a_key_from_a_file(run, busy, monkeypatch, tmp_path):
    """It comes before the environment's."""
    monkeypatch.setenv("PLEXUS_API_KEY", "plx_wrong")
    (tmp_path / "key").write_text(busy.api_key)
    result = run("tail", "logs", "robot-01", "--count", 1, "--key-file", tmp_path / "key")
    assert result.code == 0


def test_a_host_that_is_not_there(run, quiet, free_port, monkeypatch):
    """It is told at once, not tried for ever."""
    result = run("tail", "logs", "robot-01", "--url", f"ws://127.0.0.1:{free_port}")
    result.said(5, "refused", "--url", "doctor")


def test_what_goes_on_is_told_on_a_terminal(terminal, quiet, monkeypatch):
    """As long as nothing comes, and no longer than that."""
    monkeypatch.setattr(watch, "TICK", 0.02)
    screens = terminal()
    assert main(["tail", "logs", "robot-01", "--seconds", "0.3"]) == 1
    assert "no frame yet" in screens.err.getvalue()
    assert screens.out.getvalue() == ""
