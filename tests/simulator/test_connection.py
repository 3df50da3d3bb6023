"""One client's life, from the first frame to the last, seen from outside."""

import json
import time

import pytest

from plexus_sync.simulator import connection, protocol
from plexus_sync.simulator.connection import Session
from plexus_sync.simulator.protocol import Request
from plexus_sync.simulator.values import Outage

ANY = {"type": "telemetry", "points": []}


def test_good_key_is_not_acknowledged(simulate, connect):
    """After a good key the first frame is data, nothing before it."""
    simulator = simulate()
    for stream in ("metrics", "logs"):
        client = connect(simulator, stream)
        simulator.wait_for_connections(1)
        assert simulator.publish("robot-01", stream, "first") == 1
        assert client.text() == b"first"
        simulator.cut()


def test_video_begins_with_init(simulate, connect):
    """A video client is told all sources first, whatever source it asked for."""
    simulator = simulate(sources=("robot-01", "robot-02"), cameras=("front",))
    client = connect(simulator, "/v1/sources/Nobody%20knows/video/stream?camera_id=x")
    sources = client.json()["online_sources"]
    assert [source["source_id"] for source in sources] == ["robot-01", "robot-02"]
    simulator.wait_for_connections(1)
    simulator.publish("Nobody knows", "video", "picture")
    assert client.text() == b"picture"


@pytest.mark.parametrize(("stream", "code"), [("metrics", 4401), ("logs", 4401), ("video", 4001)])
def test_bad_and_expired_key(simulate, connect, stream, code):
    """A bad key is refused, and a good one from the moment on when it expires."""
    simulator = simulate(expired_keys=("plx_old",))
    assert connect(simulator, stream, key="plx_bad").closed() == (code, "unauthorized")
    assert connect(simulator, stream, key="plx_old").closed() == (code, "unauthorized")
    simulator.expired_keys.add(simulator.api_key)
    assert connect(simulator, stream).closed() == (code, "unauthorized")
    simulator.keys.add("plx_new")
    connect(simulator, stream, key="plx_new")
    assert simulator.wait_for_connections(1)


@pytest.mark.parametrize(("stream", "code"), [("metrics", 4402), ("logs", 4402), ("video", 4002)])
def test_unpaid_key(simulate, connect, stream, code):
    """A plan without API access is told so."""
    simulator = simulate(unpaid_keys=("plx_poor",))
    assert simulator.unpaid_keys == {"plx_poor"}
    assert connect(simulator, stream, key="plx_poor").closed() == (code, "payment required")


@pytest.mark.parametrize(("stream", "code"), [("metrics", 4401), ("video", 4001)])
def test_silent_client(simulate, connect, stream, code):
    """Who says nothing is sent away when the time is up, not before."""
    simulator = simulate(auth_timeout=0.1)
    began = time.monotonic()
    assert connect(simulator, stream, auth=False).closed() == (code, "unauthorized")
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize("message", ["hello", "[]"])
def test_no_json_object(simulate, connect, message):
    """Who says something else sees the end of TCP, without a close frame."""
    client = connect(simulate(), "metrics", auth=False)
    client.say(message)
    assert client.ended()


def test_binary_first_frame(simulate, connect):
    """A binary frame is no JSON object either."""
    client = connect(simulate(), "metrics", auth=False)
    client.protocol.send_binary(b"{}")
    client.flush()
    assert client.ended()


def test_key_database_down(simulate, connect):
    """While keys cannot be judged, everybody sees the end of TCP."""
    simulator = simulate()
    simulator.key_database_down = True
    assert simulator.key_database_down
    assert connect(simulator, "metrics").ended()
    simulator.key_database_down = False
    connect(simulator, "metrics")
    assert simulator.wait_for_connections(1)


def test_metrics_filter(simulate, connect):
    """The server sends the metrics that were asked for, but what is no dict as it is."""
    simulator = simulate()
    client = connect(simulator, "/v1/sources/robot-01/metrics/stream?metrics=a,b")
    simulator.wait_for_connections(1)
    points = [{"metric": name} for name in "abc"]
    assert simulator.publish("robot-01", "metrics", {**ANY, "points": points}) == 1
    assert simulator.publish("robot-01", "metrics", {**ANY, "points": points[2:]}) == 0
    assert simulator.publish("robot-01", "metrics", json.dumps({**ANY, "points": points})) == 1
    assert [point["metric"] for point in client.json()["points"]] == ["a", "b"]
    assert [point["metric"] for point in client.json()["points"]] == ["a", "b", "c"]


@pytest.mark.parametrize("timeout", ["0", "-1"])
def test_video_for_no_time(simulate, connect, timeout):
    """A video stream for no time at all is ended at once, without an init."""
    client = connect(simulate(), f"/v1/sources/robot-01/video/stream?timeout={timeout}")
    assert client.closed() == (4008, "stream timeout")


def test_video_timeout(simulate, connect):
    """A video stream is ended when its time is up."""
    simulator = simulate(video_timeout=0.1)
    began = time.monotonic()
    client = connect(simulator, "video")
    assert client.json()["type"] == "init"
    assert client.closed() == (4008, "stream timeout")
    assert time.monotonic() - began >= 0.1
    assert simulator.wait_for_connections(0)


def test_what_clients_say_is_kept_without_keys(simulate, connect):
    """Each message is kept with its stream; a key in it is not."""
    simulator = simulate()
    client = connect(simulator, "logs")
    client.say(f"my key is {simulator.api_key}")
    client.say("hello")
    client.protocol.send_close(1000)
    client.flush()
    assert client.closed() == (1000, "")
    client.socket.close()
    simulator.wait_for_connections(0)
    assert [message.text for message in simulator.received] == [
        '{"type": "auth", "api_key": "***"}',
        "my key is ***",
        "hello",
    ]
    assert {(m.source_id, m.stream) for m in simulator.received} == {("robot-01", "logs")}
    assert simulator.api_key not in repr(simulator.received)


def test_a_client_that_talks_too_much(simulate, connect, until, monkeypatch):
    """After some messages no more is read, but the connection goes on, and ends as ever."""
    monkeypatch.setattr(connection, "MESSAGES_READ", 3)
    simulator = simulate()
    client = connect(simulator, "metrics")
    for n in range(50):
        client.say(str(n))
    until(simulator, lambda: len(simulator.received) == 4)
    simulator.wait_for_connections(1)
    simulator.publish("robot-01", "metrics", "still here")
    assert client.text() == b"still here"
    simulator.close(1011, "enough")
    assert client.closed() == (1011, "enough")
    assert [message.text for message in simulator.received[1:]] == ["0", "1", "2"]


def test_a_client_that_leaves(simulate, connect):
    """A client that ends TCP is forgotten, by the sender too."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    client.socket.close()
    assert simulator.wait_for_connections(0)
    assert simulator.publish("robot-01", "metrics", "x") == 0


def test_a_client_that_comes_while_it_stops(simulate, connect):
    """A client that is upgraded when the server is about to stop is told that it restarts."""
    simulator = simulate()
    simulator._registry.register = lambda session: False
    assert connect(simulator, "metrics", auth=False).closed() == (1012, "")


def test_an_outage_that_begins_while_a_client_is_let_in(simulate, connect):
    """A client that did not meet the outage before it was let in meets it then."""
    simulator = simulate()
    simulator._registry.outage = lambda: None
    simulator.gateway_outage(1000)
    assert connect(simulator, "metrics").json()["type"] == "gateway_reconnecting"


class FakeWire:
    """A connection that is never stalled."""

    number = 0
    stalled = False


class FakeRegistry:
    """Remembers who has left."""

    def __init__(self):
        self.forgotten = []

    def forget(self, session):
        """Remember it."""
        self.forgotten.append(session)


def idle_session(simulator, stream):
    """Make a session whose sender is not started: what it is offered stays there."""
    registry = FakeRegistry()
    request = Request("robot-01", stream)
    session = Session(None, FakeWire(), request, simulator._settings, registry)
    return session, registry


def test_slow_video_reader(simulate):
    """For a slow reader some pictures are held, and those that come later are lost."""
    session, registry = idle_session(simulate(), "video")
    taken = [session.offer(b"%d" % n, wait=False) for n in range(200)]
    assert taken == [True] * 155 + [False] * 45
    assert session._outbox.take(0) == b"0"
    assert registry.forgotten == []


def test_slow_metrics_reader(simulate, monkeypatch):
    """For a slow reader everything is held for a while, then it is sent away."""
    monkeypatch.setattr(connection, "FRAMES_HELD", 3)
    session, registry = idle_session(simulate(), "metrics")
    assert [session.offer(b"x", wait=False) for _ in range(5)] == [True] * 3 + [False] * 2
    assert registry.forgotten == [session]
    items = [session._outbox.take(0) for _ in range(4)]
    assert items == [b"x"] * 3 + [protocol.PING_TIMEOUT]


def test_interrupt_is_planned_with_the_settings(simulate):
    """The plan of an outage has the delay and the attempts that were set."""
    simulator = simulate(gateway_retry_delay=3.0, gateway_retries=2)
    session, _ = idle_session(simulator, "logs")
    session.interrupt(Outage("refused", 0.0), 60.0)
    order = session._outbox.take(0)
    assert order.plan.notices == (0, 3)
    assert not session.offer(b"x", wait=True)
