"""The promise of the Gap, at scale: nothing is lost silently, whatever cuts the connection."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading

from plexus_sync import Buffer, Gap, MetricsStream, Reconnect, Subscription

POINTS = 100_000
CUTS = 10


def numbered(number):
    """Return the WebSocket frame of a telemetry frame with one numbered point."""
    point = {"source_id": "robot-01", "metric": "n", "value": number, "class": "metric"}
    payload = json.dumps({"type": "telemetry", "points": [point]}).encode()
    return struct.pack("!BBH", 0x81, 126, len(payload)) + payload


def accept(listener):
    """Accept one client, upgrade it and take its auth frame."""
    client = listener.accept()[0]
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    assert client.recv(4096)
    return client


def serve(listener):
    """Send all the points, each once, and cut the connection ten times in the middle of a frame."""
    share = POINTS // CUTS
    for first in range(0, POINTS, share):
        with accept(listener) as client:
            whole = [numbered(number) for number in range(first, first + share - 1)]
            torn = numbered(first + share - 1)
            client.sendall(b"".join(whole) + torn[: len(torn) // 2])
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):  # until the client has read all of it
                pass


def test_points_arrive_in_order_and_every_hole_has_a_gap():
    """100,000 points, ten cuts: what is there is in order, and a Gap stands in every hole."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = threading.Thread(target=serve, args=(listener,))
    server.start()
    sub = Subscription(
        MetricsStream("robot-01", buffer=Buffer(500, "block")),
        base_url=f"ws://127.0.0.1:{listener.getsockname()[1]}",
        api_key="plx_test",
        reconnect=Reconnect(initial=0.001, maximum=0.001),
    )
    numbers, gaps = [], 0
    expected, in_gap = 0, False
    with sub:
        for frame in sub:
            if isinstance(frame, Gap):
                gaps += 1
                in_gap = True
                assert frame.reason == "connection"
            else:
                (number,) = (point.value for point in frame.points)
                assert number == expected or (in_gap and number > expected)
                numbers.append(number)
                expected, in_gap = number + 1, False
            if len(numbers) == POINTS - CUTS:
                break
        status = next(iter(sub.status().values()))
    server.join()
    listener.close()
    share = POINTS // CUTS
    assert numbers == [number for number in range(POINTS) if number % share != share - 1]
    assert gaps == CUTS - 1
    assert (status.received, status.dropped, status.points) == (POINTS - CUTS, 0, POINTS - CUTS)
