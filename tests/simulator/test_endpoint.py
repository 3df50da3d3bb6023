"""The listening side: upgrades, the end, what is left behind."""

import gc
import logging
import os
import socket
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from plexus_sync.simulator import Simulator, connection
from plexus_sync.simulator.endpoint import close_pipe


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1/sources/robot-01/metrics/stream/",
        "/v1/sources//metrics/stream",
        "/v1/sources/a%2Fb/metrics/stream",
        "/v1/sources/robot-01/video/stream?timeout=soon",
    ],
)
def test_what_is_unknown_is_forbidden(simulate, connect, target):
    """The upgrade is refused with 403 and an empty body."""
    simulator = simulate()
    client = connect(simulator, target, auth=False)
    assert client.response.status_code == 403
    assert not client.response.body
    assert simulator.connections == []


def test_any_origin_and_no_subprotocol(simulate):
    """Any origin is accepted, and no subprotocol is selected."""
    from websockets.sync.client import connect

    url = simulate().url + "/v1/sources/robot-01/metrics/stream"
    with connect(url, origin="https://example.org", subprotocols=["mqtt"]) as client:
        assert client.subprotocol is None


def test_threads_have_names(simulate, connect):
    """Every thread tells whose it is, and none keeps the interpreter alive."""
    before = set(threading.enumerate())
    simulator = simulate(rate=1.0)
    connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    threads = [thread for thread in threading.enumerate() if thread not in before]
    assert len(threads) == 5
    assert all(thread.name.startswith("plexus-sync simulator ") for thread in threads)
    assert all(thread.daemon for thread in threads)


@pytest.mark.parametrize("auth", [True, False])
def test_stop_tells_everybody(simulate, connect, until, auth):
    """The end of the server is a restart to its clients, before they are let in as well."""
    simulator = simulate()
    client = connect(simulator, "metrics", auth=auth)
    until(simulator, lambda: [c.authenticated for c in simulator.connections] == [auth])
    # The server waits for the client's answer, so both have to be at it.
    stopping = threading.Thread(target=simulator.stop)
    stopping.start()
    assert client.closed() == (1012, "")
    stopping.join()


def stall(simulator):
    """Stall all clients."""
    simulator.stall(1000)


def outage(simulator):
    """Lose the gateway."""
    simulator.gateway_outage(1000)


def hang(simulator):
    """Publish more than a reader that does not read has room for."""
    threading.Thread(target=flood, args=(simulator,)).start()


def flood(simulator):
    """Publish until nobody is reached: the simulator has stopped."""
    try:
        while simulator.publish("robot-01", "metrics", "x" * 100_000):
            pass
    except RuntimeError:
        pass


@pytest.mark.parametrize("fault", [None, stall, outage, hang])
def test_stop_is_quick(simulate, connect, fault):
    """Whatever the clients are in the middle of, the end does not wait for them."""
    simulator = simulate(rate=100.0)
    for stream in ("metrics", "logs", "video"):
        connect(simulator, stream)  # and none of them reads
    simulator.wait_for_connections(3)
    connect(simulator, "metrics", auth=False)
    if fault is not None:
        fault(simulator)
    began = time.monotonic()
    simulator.stop()
    # Nobody answers the close frame, so it takes the 0.3 s of grace; the rest is a slow machine.
    assert time.monotonic() - began < 5


def test_stop_before_the_upgrade(simulate, until):
    """A client that has not said a word is cut."""
    simulator = simulate()
    with socket.create_connection(("127.0.0.1", int(simulator.url.rsplit(":", 1)[1])), 10) as idle:
        until(simulator, simulator._registry.wires)
        simulator.stop()
        assert idle.recv(1) == b""


def descriptors():
    """Count the open files of this process."""
    gc.collect()  # the library leaves its loop's poller to the collector
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
def test_no_socket_is_left(connect):
    """When a simulator has stopped, every socket and pipe of it is closed."""
    before = descriptors()
    for _ in range(3):
        with Simulator(rate=0, video_rate=0) as simulator:
            client = connect(simulator, "metrics")
            refused = connect(simulator, "/nowhere", auth=False)
            simulator.wait_for_connections(1)
            simulator.stall(1000)
        client.socket.close()
        refused.socket.close()
    assert descriptors() == before


def test_close_pipe():
    """A pipe that the library left open is closed; a socket, or nothing, is not touched."""
    read, write = os.pipe()
    close_pipe(SimpleNamespace(shutdown_watcher=read, shutdown_notifier=write))
    for end in (read, write):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
    close_pipe(SimpleNamespace(shutdown_watcher=object()))


def test_failure_is_logged(simulate, connect, monkeypatch, caplog):
    """A fault of the simulator's own is told, not swallowed."""

    def fail(self):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(connection.Session, "run", fail)
    simulator = simulate()
    assert connect(simulator, "metrics", auth=False).closed() == (1000, "")
    simulator.stop()
    assert [record.name for record in caplog.records] == ["plexus_sync.simulator"]
    assert "on purpose" in caplog.text


def test_no_key_is_logged(simulate, connect, caplog):
    """Not even when everything is logged does a key show."""
    caplog.set_level(logging.DEBUG)
    simulator = simulate()
    connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    simulator.stop()
    ours = [record for record in caplog.records if record.name != "websockets.client"]
    assert simulator.api_key not in str([record.getMessage() for record in ours])
    assert simulator.api_key not in repr(simulator._settings)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets two sockets share a port")
def test_port_in_use(simulate):
    """A port that is taken is told; the simulator that did not start can be stopped."""
    port = int(simulate().url.rsplit(":", 1)[1])
    simulator = Simulator(port=port, video_rate=0)
    with pytest.raises(OSError, match=f"port {port}"):
        simulator.start()
    simulator.stop()
