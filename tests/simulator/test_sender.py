"""What is sent, and when: pings, outages, stalls, the end."""

import os
import time

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Opcode

ATTEMPT = {"type": "gateway_reconnecting", "delay_s": 0.02}


def test_pings_that_are_answered(simulate, connect):
    """The server pings with four bytes, and again as long as it gets an answer."""
    client = connect(simulate(ping_interval=0.05, ping_timeout=5), "metrics", auth=False)
    pings = [client.receive() for _ in range(3)]
    assert {ping.opcode for ping in pings} == {Opcode.PING}
    assert {len(ping.data) for ping in pings} == {4}
    assert len({bytes(ping.data) for ping in pings}) > 1


def test_pings_that_are_not_answered(simulate, connect):
    """Without the pong the connection is ended, after interval and timeout."""
    began = time.monotonic()
    client = connect(simulate(ping_interval=0.1, ping_timeout=0.1), "metrics", silent=True)
    assert client.receive().opcode is Opcode.PING
    assert client.closed() == (1011, "keepalive ping timeout")
    assert time.monotonic() - began >= 0.2


def test_a_pong_that_does_not_match(simulate, connect):
    """A pong with other bytes is no answer."""
    client = connect(simulate(ping_interval=0.1, ping_timeout=0.1), "metrics", silent=True)
    assert client.receive().opcode is Opcode.PING
    client.protocol.data_to_send()  # the right answer, thrown away
    client.protocol.send_pong(b"nope")
    client.flush()
    assert client.closed() == (1011, "keepalive ping timeout")


def test_no_keepalive(simulate, connect):
    """Without an interval there is no ping."""
    simulator = simulate(ping_interval=None)
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    simulator.publish("robot-01", "metrics", "first")
    assert client.text() == b"first"


@pytest.mark.parametrize(
    ("stream", "more"), [("metrics", {}), ("logs", {}), ("video", {"max_attempts": 3})]
)
def test_long_outage(simulate, connect, stream, more):
    """Each attempt is told, the last is followed by 1011."""
    simulator = simulate(gateway_retry_delay=0.02, gateway_retries=3)
    client = connect(simulator, stream)
    simulator.wait_for_connections(1)
    simulator.publish("robot-01", stream, "before")
    began = time.monotonic()
    simulator.gateway_outage(1000)
    assert simulator.publish("robot-01", stream, "lost") == 0
    if stream == "video":
        assert client.json()["type"] == "init"
    assert client.text() == b"before"
    assert [client.json() for _ in range(3)] == [
        {**ATTEMPT, **more, "attempt": attempt} for attempt in (1, 2, 3)
    ]
    assert client.closed() == (1011, "gateway error")
    assert time.monotonic() - began >= 0.06


def published_again(simulator, stream):
    """Publish until it reaches somebody."""
    deadline = time.monotonic() + 10
    while not simulator.publish("robot-01", stream, "after"):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("stream", ["metrics", "video"])
def test_short_outage(simulate, connect, stream):
    """Data comes again, on video after another init; what was sent meanwhile is lost."""
    simulator = simulate(gateway_retry_delay=0.1)
    client = connect(simulator, stream)
    simulator.wait_for_connections(1)
    simulator.gateway_outage(0.01)
    assert simulator.publish("robot-01", stream, "lost") == 0
    published_again(simulator, stream)
    if stream == "video":
        assert client.json()["type"] == "init"
    assert client.json()["attempt"] == 1
    if stream == "video":
        assert client.json()["type"] == "init"
    assert client.text() == b"after"


@pytest.mark.parametrize("stream", ["metrics", "video"])
def test_client_that_comes_during_an_outage(simulate, connect, stream):
    """It is told at once, and gets its init when there is a gateway again."""
    simulator = simulate(gateway_retry_delay=0.1)
    simulator.gateway_outage(0.15)
    client = connect(simulator, stream)
    assert client.json()["attempt"] == 1
    published_again(simulator, stream)
    kinds = [client.text()[:30] for _ in range(2 if stream == "metrics" else 3)]
    if stream == "video":
        assert kinds[-2].startswith(b'{"type": "init"')
    assert kinds[-1] == b"after"


def test_upstream_closes(simulate, connect):
    """After the last attempt TCP ends without a close frame."""
    simulator = simulate(gateway_retry_delay=0.02, gateway_retries=1)
    simulator.gateway_outage(1000, mode="closes")
    client = connect(simulator, "metrics")
    assert client.json()["attempt"] == 1
    assert client.ended()


@pytest.mark.parametrize(
    ("stream", "ending"),
    [("metrics", (1011, "gateway error")), ("video", (4008, "stream timeout"))],
)
def test_upstream_hung(simulate, connect, stream, ending):
    """The notices begin late, and the end is another one on video."""
    simulator = simulate(gateway_retry_delay=0.002, gateway_retries=2)
    simulator.gateway_outage(1000, mode="hung")
    client = connect(simulator, stream)
    assert [client.json()["attempt"] for _ in range(2)] == [1, 2]
    assert client.closed() == ending


@pytest.mark.parametrize("stream", ["metrics", "video"])
def test_upstream_restarts(simulate, connect, stream):
    """There is no notice; video gets another init."""
    simulator = simulate()
    client = connect(simulator, stream)
    simulator.wait_for_connections(1)
    simulator.gateway_outage(0.05, mode="restart")
    published_again(simulator, stream)
    if stream == "video":
        assert [client.json()["type"] for _ in range(2)] == ["init", "init"]
    assert client.text() == b"after"


def test_outage_upon_outage(simulate, connect):
    """A new outage takes the place of the old one, whose init is still owed."""
    simulator = simulate(gateway_retry_delay=100.0)
    client = connect(simulator, "video")
    simulator.wait_for_connections(1)
    simulator.gateway_outage(1000)
    assert client.json()["type"] == "init"
    assert client.json()["attempt"] == 1
    simulator.gateway_outage(1000)
    assert client.json()["attempt"] == 1
    simulator.gateway_outage(0.05, mode="hung")  # over before anyone notices
    assert client.json()["type"] == "init"
    published_again(simulator, "video")
    assert client.text() == b"after"


def test_unknown_kind_of_outage(simulate):
    """A mode that is not known is refused, and the others are named."""
    with pytest.raises(ValueError, match="refused, closes, hung, restart"):
        simulate().gateway_outage(1, mode="slow")


@pytest.mark.parametrize("wanted", [{}, {"source": "robot-01"}, {"stream": "metrics"}])
def test_stall(simulate, connect, wanted):
    """In a stall nothing is sent, not even a pong; what was sent before it comes after it."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    began = time.monotonic()
    simulator.stall(0.2, **wanted)
    assert simulator.publish("robot-01", "metrics", "lost") == 0
    client.protocol.send_ping(b"there?")
    client.flush()
    assert client.receive().opcode is Opcode.PONG
    assert time.monotonic() - began >= 0.2
    assert simulator.publish("robot-01", "metrics", "found") == 1
    assert client.text() == b"found"


def test_stall_of_another(simulate, connect):
    """A stall of one source is none of another."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    simulator.stall(1000, source="robot-02")
    assert simulator.publish("robot-01", "metrics", "x") == 1
    assert client.text() == b"x"


def test_stall_is_ended_early(simulate, connect):
    """A stall of no time ends the one there is."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    simulator.stall(1000)
    simulator.stall(0)
    assert simulator.publish("robot-01", "metrics", "x") == 1
    assert client.text() == b"x"


@pytest.mark.parametrize("payload", ["t\u00e4xt", b"\xff\x00 not UTF-8", b"", {"a": "\u00e4"}])
def test_publish_verbatim(simulate, connect, payload):
    """A str or bytes is sent as it is, in a text frame; a dict as JSON."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    simulator.publish("robot-01", "metrics", payload)
    expected = (
        {"t\u00e4xt": "t\u00e4xt".encode()}.get(payload) if isinstance(payload, str) else payload
    )
    assert client.text() == (b'{"a": "\\u00e4"}' if isinstance(payload, dict) else expected)


def test_order_and_count(simulate, connect):
    """What is published arrives, all of it and in order, however slow the reader is."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    for n in range(3000):
        assert simulator.publish("robot-01", "metrics", str(n)) == 1
    simulator.close(1000)
    assert [client.text() for _ in range(3000)] == [b"%d" % n for n in range(3000)]
    assert client.closed() == (1000, "")


def test_compression(simulate, connect):
    """Compression is accepted with the full window, and frames are really compressed."""
    simulator = simulate()
    client = connect(simulator, "metrics", extensions=[ClientPerMessageDeflateFactory()])
    assert client.response.headers["Sec-WebSocket-Extensions"] == "permessage-deflate"
    simulator.wait_for_connections(1)
    text = os.urandom(500).hex().encode()
    simulator.publish("robot-01", "metrics", text)
    simulator.publish("robot-01", "metrics", text)
    assert [client.text(), client.text()] == [text, text]


@pytest.mark.parametrize(
    ("code", "reason", "seen"),
    [
        (1011, "gateway error", (1011, "gateway error")),
        (4401, "", (4401, "")),
        (1005, "", (1005, "")),
    ],
)
def test_close(simulate, connect, code, reason, seen):
    """Any code can be closed with, and none."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    assert simulator.close(code, reason) == 1
    assert simulator.connections == []
    assert client.closed() == seen


def test_close_in_a_stall(simulate, connect):
    """A close frame waits for the end of a stall, like all else."""
    simulator = simulate()
    client = connect(simulator, "metrics")
    simulator.wait_for_connections(1)
    began = time.monotonic()
    simulator.stall(0.1)
    simulator.close(1013)
    assert client.closed() == (1013, "")
    assert time.monotonic() - began >= 0.1
