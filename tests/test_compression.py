"""Compression from end to end: the subscription, and a server that really compresses."""

from __future__ import annotations

import os
import zlib

import pytest
from helpers import METRICS, PATIENCE, picture, point, telemetry, values
from rawserver import TEXT, RawServer, close_frame, frame, header, hold, read_frame, upgrade

from plexus_sync import (
    FrameTooLarge,
    InitFrame,
    ProtocolError,
    Reconnect,
    Subscription,
    VideoStream,
)

NOISE = os.urandom(300).hex()  # shrinks by half at most, but for what was there before


def compressed(deflater, text):
    """Return a text as one compressed frame."""
    data = deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH)
    whole = frame(TEXT, data[:-4])
    return bytes((whole[0] | 0x40,)) + whole[1:]


def serving(*texts):
    """Return a server that sends these texts compressed."""

    def behave(sock):
        head = upgrade(sock, "Sec-WebSocket-Extensions: permessage-deflate")
        assert header(head, "Sec-WebSocket-Extensions")
        assert read_frame(sock)[1].startswith(b'{"type": "auth"'), "what we send is plain"
        deflater = zlib.compressobj(wbits=-15)
        for text in texts:
            sock.sendall(compressed(deflater, text))
        hold(sock)

    return RawServer(behave)


def subscription(server, **settings):
    """Return a subscription to a server that fails soon where it fails."""
    return Subscription(
        METRICS,
        api_key="plx_key",
        base_url=f"ws://127.0.0.1:{server.port}",
        compression="deflate",
        reconnect=Reconnect(initial=0.001, maximum=0.002),
        **settings,
    )


def test_against_the_simulator(simulator, subscribe):
    """Frames come as they were sent, though later ones refer to those before."""
    with subscribe(METRICS, compression="deflate") as watching:
        simulator.wait_for_connections(1)
        for _ in range(3):
            simulator.publish("robot-01", "metrics", telemetry(point(NOISE)))
        assert values(watching, 3) == [NOISE] * 3


def test_pictures(simulator, subscribe):
    """A large text passes too."""
    with subscribe(VideoStream("robot-01"), compression="deflate") as watching:
        simulator.wait_for_connections(1)
        text = picture(frame="/9j/" + "A" * 400_000, source_id="robot-01")
        simulator.publish("robot-01", "video", text)
        assert isinstance(watching.get(timeout=PATIENCE), InitFrame)
        assert len(watching.get(timeout=PATIENCE).jpeg) == 300_003


def test_each_connection_begins_anew(simulator, subscribe):
    """After a lost connection nothing of the old one's texts is referred to."""
    with subscribe(METRICS, compression="deflate") as watching:
        for number in range(3):
            simulator.wait_for_connections(1)
            simulator.publish("robot-01", "metrics", telemetry(point(NOISE)))
            if number:
                assert watching.get(timeout=PATIENCE).reason == "connection"
            assert values(watching, 1) == [NOISE]
            simulator.cut()


def test_fewer_bytes_come():
    """The second of two like texts is a reference to the first, and nothing else."""
    deflater = zlib.compressobj(wbits=-15)
    sizes = [len(compressed(deflater, telemetry(point(NOISE)))) for _ in range(2)]
    assert sizes[1] < 30 < sizes[0]
    server = serving(*[telemetry(point(NOISE))] * 2)
    with server, subscription(server) as watching:
        assert values(watching, 2) == [NOISE] * 2
        # What is counted are the texts, as without compression.
        assert watching.status()[METRICS].bytes == 2 * len(telemetry(point(NOISE)))


def test_a_server_that_does_not_compress():
    """It need not take the offer."""

    def behave(sock):
        upgrade(sock)
        sock.sendall(frame(TEXT, telemetry(point(1))))
        hold(sock)

    with RawServer(behave) as server, subscription(server) as watching:
        assert values(watching, 1) == [1]


def test_bomb():
    """A text that would become too large ends the connection, the third in a row for good."""
    text = telemetry(point("x" * 1_000_000))
    with serving(text) as server:
        watching = subscription(server, max_frame_bytes=10_000)
        with pytest.raises(FrameTooLarge) as told:
            watching.run(timeout=PATIENCE)
        assert told.value.code == 1009
        assert "10000 bytes" in str(told.value)


@pytest.mark.parametrize(
    "answer",
    ["x", "permessage-deflate; server_max_window_bits=16", "permessage-deflate; unheard_of"],
)
def test_wrong_answer(answer):
    """An answer that the offer does not allow fails the stream at the third time."""

    def behave(sock):
        upgrade(sock, f"Sec-WebSocket-Extensions: {answer}")
        hold(sock)

    with RawServer(behave) as server:
        with pytest.raises(ProtocolError) as told:
            subscription(server).run(timeout=PATIENCE)
        assert told.value.code == 1002
        assert answer.split("; ")[-1].split("=")[0] in str(told.value)


def test_wrong_data():
    """Data that is no deflate is a violation, and the server is told so."""
    closed = []

    def behave(sock):
        upgrade(sock, "Sec-WebSocket-Extensions: permessage-deflate")
        read_frame(sock)
        sock.sendall(bytes((0xC1, 2)) + b"\xff\xff")
        closed.append(read_frame(sock))

    with RawServer(behave) as server, pytest.raises(ProtocolError) as told:
        subscription(server).run(timeout=PATIENCE)
    assert told.value.code == 1007
    assert closed == [(0x8, close_frame(1007)[2:])] * 3
