"""``plexus-sync doctor``."""

from __future__ import annotations

import importlib.util
import json
import socket
import threading
import time

import pytest
from helpers import JPEG, PATIENCE, point
from rawserver import RawServer, hold, read_head, upgrade

from plexus_sync.cli import main

STEPS = ["key", "dns", "tcp", "upgrade", "auth", "frame", "clock"]


def outcomes(result):
    """Return how each check ended."""
    assert all(record["type"] == "check" for record in result.records)
    return {record["check"]: record["outcome"] for record in result.records}


def failed_at(result, check):
    """Assert that one check failed, after those before it and without those behind it."""
    found = outcomes(result)
    names = list(found)
    at = names.index(check)
    assert found[check] == "failed"
    assert {found[name] for name in names[:at]} <= {"ok"}
    assert {found[name] for name in names[at + 1 :]} <= {"not tried"}


def publish(simulator, stream, frame):
    """Send a frame to a doctor who watches all three streams."""
    simulator.wait_for_connections(3)
    simulator.publish("robot-01", stream, frame)


def test_all_is_well(run, busy):
    """Every check is passed, and tells what it found."""
    result = run("doctor", "robot-01")
    assert (result.code, result.err) == (0, "")
    assert outcomes(result) == dict.fromkeys(STEPS, "ok")
    details = {record["check"]: record["detail"] for record in result.records}
    assert details["key"].startswith("from PLEXUS_API_KEY, though not of the usual form")
    assert f"ws://{details['tcp']}" == busy.url
    assert "robot-01" in details["auth"]
    assert busy.api_key not in result.out


def test_without_a_source(run, quiet):
    """The way and the key are checked, and the devices online are named."""
    result = run("doctor")
    assert result.code == 0
    found = outcomes(result)
    assert [check for check in STEPS if found[check] == "skipped"] == ["frame", "clock"]


def test_for_people(terminal, busy):
    """One line for each check."""
    screens = terminal()
    assert main(["doctor", "robot-01"]) == 0
    assert screens.out.getvalue().count("ok") >= len(STEPS)
    assert "waiting for a first frame" in screens.err.getvalue()


def test_no_key(run, quiet, monkeypatch):
    """All the places where it may stand are named."""
    monkeypatch.delenv("PLEXUS_API_KEY")
    result = run("doctor")
    failed_at(result, "key")
    result.said(2, "--key-file", "PLEXUS_API_KEY")


@pytest.mark.parametrize(
    ("mode", "remark"), [(0o600, ""), (0o640, "; other users can read this file: chmod 600")]
)
@pytest.mark.parametrize("place", ["file", "config"])
def test_where_the_key_came_from(run, quiet, monkeypatch, tmp_path, place, mode, remark):
    """It is told, with who else can read it; the usual form is not remarked upon."""
    key = "plx_" + "a" * 32
    quiet.keys.add(key)
    monkeypatch.delenv("PLEXUS_API_KEY")
    arguments = []
    if place == "file":
        path = tmp_path / "key"
        arguments = ["--key-file", path]
    else:
        path = tmp_path / "home" / ".plexus" / "config.json"
        path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"api_key": key}))
    path.chmod(mode)
    result = run("doctor", *arguments)
    assert result.code == 0
    where = str(path) if place == "file" else "~/.plexus/config.json"
    assert result.records[0]["detail"] == f"from {where}{remark}"
    assert "aaa" not in result.out


@pytest.mark.parametrize(
    ("kind", "code", "word"), [("keys", 3, "refused"), ("unpaid_keys", 4, "plan")]
)
def test_a_key_that_is_not_let_in(run, quiet, kind, code, word):
    """It is told with the code that fits."""
    quiet.keys.clear()
    if kind == "unpaid_keys":
        quiet.unpaid_keys.add(quiet.api_key)
    result = run("doctor", "robot-01")
    failed_at(result, "auth")
    result.said(code, word)
    assert quiet.api_key not in result.out + result.err


def test_a_key_database_that_is_down(run, quiet):
    """It is not the key's fault."""
    quiet.key_database_down = True
    result = run("doctor")
    failed_at(result, "auth")
    result.said(5, "did not say", "try again")


def test_dns(run, quiet, monkeypatch):
    """A name that was mistyped."""

    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = run("doctor", "--url", "wss://plexsu.example")
    failed_at(result, "dns")
    result.said(5, "wss://plexsu.example", "typing error")


def test_tcp(run, quiet, free_port):
    """A port where nobody listens."""
    result = run("doctor", "--url", f"ws://127.0.0.1:{free_port}")
    failed_at(result, "tcp")
    result.said(5, "nothing answers", "firewall")


def test_tls(run, quiet):
    """A port that is plain."""
    result = run("doctor", "--url", quiet.url.replace("ws:", "wss:"))
    failed_at(result, "tls")
    result.said(5, "does not speak TLS")


def test_the_upgrade(run, quiet):
    """Another server."""

    def other(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")

    for behave, words in ((other, "HTTP 404 Not Found"), (read_head, "Plexus Data API")):
        with RawServer(behave) as server:
            result = run("doctor", "--url", f"ws://127.0.0.1:{server.port}")
        failed_at(result, "upgrade")
        result.said(5, words)


def test_a_device_that_sends_nothing(run, quiet):
    """Who is online is named."""
    result = run("doctor", "robot-9", "--timeout", "400ms")
    failed_at(result, "frame")
    result.said(1, "robot-9", "devices online: robot-01")


def test_who_is_online_is_not_always_known(run, quiet, beside, monkeypatch):
    """The first frame may be another than init."""
    from plexus_sync import GatewayReconnectingFrame
    from plexus_sync.cli.probe import Probe

    monkeypatch.setattr(Probe, "authenticate", lambda self, key: GatewayReconnectingFrame(1, 2))
    result = run("doctor", "robot-9", "--timeout", "400ms")
    failed_at(result, "frame")
    assert "online" not in result.err


def test_a_stream_that_is_lost_at_its_first_frame(run, quiet):
    """The service may let one stream in and not another."""
    init = b'{"type": "init", "online_sources": null}'

    def behave(sock):
        head = upgrade(sock)
        if "plexus" in head.lower() and server.calls == 0:
            server.calls += 1
            sock.recv(1000)
            sock.sendall(bytes([0x81, len(init)]) + init)
            hold(sock)

    with RawServer(behave) as server:
        server.calls = 0
        result = run("doctor", "robot-01", "--url", f"ws://127.0.0.1:{server.port}")
    failed_at(result, "frame")
    result.said(5, "robot-01/")


def now(seconds=0.0):
    """Return a timestamp of the service, so many seconds from now."""
    return int((time.time() + seconds) * 1000)


@pytest.mark.parametrize(
    ("seconds", "word"), [(-60, "60 s before"), (3600.5, "s after")], ids=["behind", "ahead"]
)
def test_clocks_that_differ(run, quiet, beside, seconds, word):
    """Either may be wrong, so both are named."""
    beside(publish, quiet, "logs", {"type": "event", **point(timestamp=now(seconds))})
    result = run("doctor", "robot-01")
    failed_at(result, "clock")
    result.said(1, word, "NTP")


@pytest.mark.parametrize(
    ("stream", "frame", "outcome"),
    [
        ("metrics", {"type": "telemetry", "points": [point()]}, "skipped"),
        ("metrics", {"type": "telemetry", "points": [point(), point(timestamp=now())]}, "ok"),
        ("logs", {"type": "event", **point()}, "skipped"),
        ("video", {"type": "video_frame", "camera_id": "f", "frame": JPEG}, "skipped"),
    ],
)
def test_timestamps_may_be_missing(run, quiet, beside, stream, frame, outcome):
    """Then there is nothing to compare."""
    for one in frame.get("points", ()):
        if "timestamp" in one:
            one["timestamp"] = now()
    beside(publish, quiet, stream, frame)
    result = run("doctor", "robot-01")
    assert result.code == 0
    assert outcomes(result)["clock"] == outcome
    assert f"on the {stream} stream" in result.out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["a/b"], "SOURCE 'a/b'"),
        (["--url", "http://x"], "--url 'http://x'"),
        (["--proxy", "ftp://x"], "proxy"),
        (["--timeout", "0"], "--timeout"),
        (["--key-file", "/none"], "/none"),
    ],
)
def test_usage(run, quiet, arguments, word):
    """Whatever is wrong is told before anything is tried."""
    result = run("doctor", *arguments)
    result.said(2, word)
    assert quiet.received == []


@pytest.mark.parametrize(("scheme", "step"), [("http", "tcp"), ("socks5h", "proxy")])
def test_a_proxy_that_is_not_there(run, quiet, free_port, scheme, step):
    """The server is not blamed for it."""
    result = run("doctor", "--proxy", f"{scheme}://127.0.0.1:{free_port}")
    failed_at(result, step)
    if scheme == "http" or importlib.util.find_spec("python_socks"):
        result.said(5, "nothing answers at the proxy 127.0.0.1", str(free_port), "check --proxy")


def test_a_proxy_whose_name_is_unknown(run, quiet, monkeypatch):
    """The name of the server is not what to look at."""

    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = run("doctor", "--proxy", "http://nowhere.example:3128", "--allow-insecure")
    failed_at(result, "dns")
    result.said(5, "the proxy nowhere.example:3128 (", "check --proxy")


@pytest.mark.parametrize("status", [b"407 Login", b"501 Unsupported"])
def test_a_proxy_that_refuses(run, quiet, status):
    """What it answered is told, and whose answer it is."""

    def refuse(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")

    told = f"the proxy refused (HTTP {status.decode()}): check --proxy and its login"
    with RawServer(refuse) as server:
        proxy = f"http://127.0.0.1:{server.port}"
        result = run("doctor", "--proxy", proxy)
        failed_at(result, "proxy")
        result.said(5, told)
        run("tail", "metrics", "robot-01", "--proxy", proxy).said(5, told)


def test_a_proxy_that_hangs_up(run, quiet):
    """It has not said why."""
    with RawServer(read_head) as server:
        result = run("doctor", "--proxy", f"http://127.0.0.1:{server.port}")
    failed_at(result, "proxy")
    result.said(5, "check --proxy")


def test_a_server_that_says_nothing(run, quiet):
    """It has not ended the connection."""
    with RawServer(hold) as server:
        url = f"ws://127.0.0.1:{server.port}"
        result = run("doctor", "--url", url, "--timeout", "300ms")
    failed_at(result, "upgrade")
    result.said(5, f"what answers at {url} did not complete the upgrade (", "check --url")


def test_no_time_for_the_name_of_a_proxy(run, quiet):
    """It is still the proxy that was not reached."""
    proxy = "http://proxy.localhost:3128"
    result = run("doctor", "--proxy", proxy, "--timeout", "0.0001ms")
    failed_at(result, "dns")
    result.said(5, "nothing answers at the proxy proxy.localhost:3128 (", "check --proxy")
    for thread in threading.enumerate():
        if thread.name == "plexus-sync DNS":  # abandoned, and not over yet
            thread.join(PATIENCE)
