"""What the simulator's tests share: a client that shows every frame, a check of the threads."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

PATH = "/v1/sources/robot-01/{}/stream"
PATIENCE = 10.0  # seconds before a test that hangs fails instead


class Client:
    """A bare WebSocket client: TCP, the library's protocol without I/O, nothing in between.

    ``silent`` keeps it from sending anything of its own accord, pongs included.
    """

    def __init__(self, simulator, target, extensions=None, silent=False):
        host, port = simulator.url[len("ws://") :].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.protocol = ClientProtocol(parse_uri(simulator.url + "/"), extensions=extensions)
        self.silent = silent
        self.frames = deque()
        request = self.protocol.connect()
        request.path = target
        self.protocol.send_request(request)
        self.flush()
        self.response = self.receive()
        assert isinstance(self.response, Response)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.socket.close()

    def flush(self):
        """Write what the protocol has to say."""
        for data in self.protocol.data_to_send():
            if data:
                self.socket.sendall(data)

    def say(self, text):
        """Send a text message: a str, or a dict as JSON."""
        text = text if isinstance(text, str) else json.dumps(text)
        self.protocol.send_text(text.encode())
        self.flush()

    def receive(self):
        """Return the next frame, or the response; ``EOFError`` at the end of TCP."""
        while not self.frames:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.protocol.receive_data(data)
            self.frames.extend(self.protocol.events_received())
            if not self.silent:
                self.flush()
        return self.frames.popleft()

    def text(self):
        """Return the bytes of the next frame, which is a text frame."""
        frame = self.receive()
        assert isinstance(frame, Frame)
        assert frame.opcode is Opcode.TEXT, frame
        return bytes(frame.data)

    def json(self):
        """Return the next frame, which is JSON text."""
        return json.loads(self.text())

    def closed(self):
        """Return code and reason of the next frame, which is a close frame."""
        frame = self.receive()
        assert frame.opcode is Opcode.CLOSE, frame
        close = Close.parse(frame.data)
        return close.code, close.reason

    def ended(self):
        """Return True if TCP ends next, without another frame."""
        try:
            frame = self.receive()
        except EOFError:
            return True
        raise AssertionError(f"{frame} instead of the end of TCP")


@pytest.fixture
def until():
    """Wait until something is true of a simulator's clients."""

    def until(simulator, check):
        changed = simulator._registry._changed
        with changed:  # the check may take it again
            assert changed.wait_for(check, PATIENCE)

    return until


@pytest.fixture
def connect():
    """Connect clients that are closed after the test."""
    clients = []

    def connect(simulator, target, key=None, auth=True, **options):
        target = PATH.format(target) if target in ("metrics", "logs", "video") else target
        client = Client(simulator, target, **options)
        clients.append(client)
        if auth:
            client.say({"type": "auth", "api_key": key or simulator.api_key})
        return client

    yield connect
    for client in clients:
        client.socket.close()


@pytest.fixture
def simulate():
    """Make simulators without devices of their own, with whatever else is given."""
    from plexus_sync.simulator import Simulator

    started = []

    def simulate(**options):
        simulator = Simulator(**{"rate": 0, "video_rate": 0, **options})
        started.append(simulator)
        simulator.start()
        return simulator

    yield simulate
    for simulator in started:
        simulator.stop()


@pytest.fixture(autouse=True)
def _no_thread_left():
    """Fail a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert left == []
