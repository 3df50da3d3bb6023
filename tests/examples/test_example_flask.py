"""The Flask example: run for real, with its reloader, fetched over HTTP, and reloaded."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from plexus_sync.simulator import Simulator

pytest.importorskip("flask")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
BROWSERS = 6


@contextlib.contextmanager
def fetching(url):
    """Open a URL for as long as the block lasts."""
    response = urllib.request.urlopen(url, timeout=PATIENCE)
    try:
        yield response
    finally:
        response.close()


def telemetry(url):
    """Return what the first event holds that holds anything."""
    deadline = time.monotonic() + PATIENCE
    with fetching(url + "/telemetry") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        while time.monotonic() < deadline:
            field, data = response.readline().split(b": ", 1)
            assert field == b"data"
            assert response.readline() == b"\n"
            if json.loads(data):
                return json.loads(data)
    raise AssertionError("no telemetry came")


def camera(url, number):
    """Return the first pictures of the camera; as long as there is none, ask again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with fetching(url + "/camera") as response:
                boundary = response.headers["Content-Type"].partition("; boundary=")[2]
                return [part(response, boundary) for _ in range(number)]
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 503 or time.monotonic() > deadline:
                raise


def part(response, boundary):
    """Return the JPEG in the next part of a response."""
    assert response.readline() == b"--%b\r\n" % boundary.encode()
    assert response.readline() == b"Content-Type: image/jpeg\r\n"
    length = re.match(rb"Content-Length: (\d+)\r\n", response.readline()).group(1)
    assert response.readline() == b"\r\n"
    jpeg = response.read(int(length))
    assert response.readline() == b"\r\n"
    return jpeg


def change(program, path):
    """Make a file look newer, until the reloader, which may not look yet, has seen it."""
    for seconds in range(1, 11):
        os.utime(str(path), (time.time() + seconds, time.time() + seconds))
        with contextlib.suppress(AssertionError):
            program.wait_for("Detected change", patience=PATIENCE / 10)
            return
    raise AssertionError(program.output)


def browse(url, simulator):
    """Fetch all there is, from many browsers at once; there is one subscription for them all."""
    before = len(simulator.received)
    with ThreadPoolExecutor(2 * BROWSERS) as browsers:
        events = browsers.map(telemetry, [url] * BROWSERS)
        pictures = browsers.map(camera, [url] * BROWSERS, [2] * BROWSERS)
    assert all(0 <= values["battery.percent"] <= 100 for values in events)
    for jpegs in pictures:
        assert jpegs[0] != jpegs[1]
        assert [Image.open(io.BytesIO(jpeg)).size for jpeg in jpegs] == [(320, 240)] * 2
    with fetching(url) as response:
        assert "<h1>robot-07</h1>" in response.read().decode()
    streams = sorted(connection.stream for connection in simulator.connections)
    assert streams == ["metrics", "video"]
    assert len(simulator.received) == before + 2  # nor was there another meanwhile


def test_flask_app_subscribes_once_under_the_reloader(start, tmp_path):
    """The page lives, with one subscription before a reload and one after, and ends on Ctrl-C."""
    shutil.copytree(str(ROOT / "examples"), str(tmp_path / "app"))
    with Simulator(sources=("robot-07",), rate=20.0, video_rate=20.0) as simulator:
        program = start("flask_app", simulator, "robot-07", "0", folder=tmp_path / "app")
        url = program.wait_for(r"Running on (http://127\.0\.0\.1:\d+)").group(1)
        program.wait_for("Debugger is active")  # in the reloader's child
        assert simulator.connections == []
        browse(url, simulator)

        change(program, tmp_path / "app" / "flask_app.py")
        program.wait_for("Debugger is active")
        # The child is gone, the next one waits for a request, and the parent wants nothing.
        simulator.wait_for_connections(0, timeout=PATIENCE)
        assert simulator.connections == []
        browse(url, simulator)

        assert program.interrupt() == 0
        simulator.wait_for_connections(0, timeout=PATIENCE)
