"""The simulator as its user sees it."""

import importlib.util
import sys
import threading

import pytest

import plexus_sync.simulator
from plexus_sync.simulator import Connection, Simulator


def test_url_and_key(simulate):
    """The URL is that of a free port on loopback, the key the first of those given."""
    simulator = simulate(keys=("plx_a", "plx_b"))
    assert simulator.url.startswith("ws://127.0.0.1:")
    assert simulator.api_key == "plx_a"
    assert simulator.keys == {"plx_a", "plx_b"}
    assert simulate(keys=()).api_key == ""


def test_used_once():
    """A simulator has a URL once it is started, and does not start again."""
    simulator = Simulator(rate=0, video_rate=0)
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = simulator.url
    with pytest.raises(RuntimeError, match="not running"):
        simulator.publish("robot-01", "metrics", {})
    with simulator:
        pass
    simulator.stop()
    with pytest.raises(RuntimeError, match="used once"):
        simulator.start()


def test_default_arguments():
    """Without arguments it has one robot with three cameras, and one key."""
    with Simulator() as simulator:
        assert simulator.api_key == "plx_simulator"


def test_connections(simulate, connect, until):
    """Each client is described by what it asked for, whether it was let in or not."""
    simulator = simulate()
    connect(simulator, "/v1/sources/r/metrics/stream?metrics=a,b")
    simulator.wait_for_connections(1)
    connect(simulator, "/v1/sources/r/video/stream?camera_id=x&timeout=9")
    simulator.wait_for_connections(2)
    connect(simulator, "logs", key="plx_slow", auth=False)
    until(simulator, lambda: len(simulator.connections) == 3)
    assert simulator.connections == [
        Connection("r", "metrics", authenticated=True, metrics=("a", "b")),
        Connection("r", "video", authenticated=True, cameras=("x",), timeout=9),
        Connection("robot-01", "logs", authenticated=False),
    ]


def test_wait_for_connections_in_vain(simulate, connect):
    """It tells how many there are instead, and more are not enough either."""
    simulator = simulate()
    connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    with pytest.raises(TimeoutError, match="but 1"):
        simulator.wait_for_connections(2, timeout=0.01)
    with pytest.raises(TimeoutError, match="but 1"):
        simulator.wait_for_connections(0, timeout=0.01)


def test_publish_reaches_all_that_watch(simulate, connect):
    """A frame goes to each client of its source and stream, and to no other."""
    simulator = simulate()
    watching = [connect(simulator, "logs") for _ in range(2)]
    other = connect(simulator, "/v1/sources/robot-02/logs/stream")
    simulator.wait_for_connections(3)
    assert simulator.publish("robot-01", "logs", "x") == 2
    assert simulator.publish("robot-02", "logs", "y") == 1
    assert [client.text() for client in (*watching, other)] == [b"x", b"x", b"y"]
    assert simulator.publish("robot-01", "metrics", "z") == 0


@pytest.mark.parametrize("call", ["publish", "close", "cut", "stall"])
def test_unknown_stream(simulate, call):
    """A stream that the service does not have is refused."""
    simulator = simulate()
    calls = {
        "publish": lambda: simulator.publish("robot-01", "audio", {}),
        "close": lambda: simulator.close(1000, stream="audio"),
        "cut": lambda: simulator.cut(stream="audio"),
        "stall": lambda: simulator.stall(1, stream="audio"),
    }
    with pytest.raises(ValueError, match="metrics, logs, video"):
        calls[call]()


def test_close_of_some(simulate, connect):
    """Clients are closed by source, by stream, or by both."""
    simulator = simulate()
    metrics, logs = connect(simulator, "metrics"), connect(simulator, "logs")
    other = connect(simulator, "/v1/sources/robot-02/logs/stream")
    simulator.wait_for_connections(3)
    assert simulator.close(4000, source="robot-01", stream="logs") == 1
    assert logs.closed() == (4000, "")
    assert simulator.close(4001, stream="logs") == 1
    assert other.closed() == (4001, "")
    assert simulator.close(4002, source="robot-01") == 1
    assert metrics.closed() == (4002, "")
    assert simulator.close(4003) == 0


def test_cut(simulate, connect):
    """A cut ends TCP without a close frame, of all or of some."""
    simulator = simulate()
    metrics, logs = connect(simulator, "metrics"), connect(simulator, "logs")
    simulator.wait_for_connections(2)
    assert simulator.cut(stream="logs") == 1
    assert logs.ended()
    assert simulator.cut() == 1
    assert metrics.ended()
    assert simulator.connections == []


def test_cut_in_a_stall(simulate, connect):
    """A cut ends a stall as well."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    simulator.stall(1000)
    simulator.cut()
    assert client.ended()


def test_publish_while_it_stops(simulate, connect):
    """Who waits in publish for a slow reader is let go at the end."""
    simulator = simulate()
    connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    blocked = threading.Event()

    def publish():
        try:
            while simulator.publish("robot-01", "metrics", "x" * 100_000):
                blocked.set()
        except RuntimeError:
            pass

    thread = threading.Thread(target=publish)
    thread.start()
    blocked.wait()
    simulator.stop()
    thread.join()


def test_without_websockets(monkeypatch):
    """Without the extra, the import says how to get it."""
    monkeypatch.setitem(sys.modules, "websockets", None)
    spec = importlib.util.spec_from_file_location("again", plexus_sync.simulator.__file__)
    with pytest.raises(ImportError, match="pip install"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
