"""One stream of the server: its numbers, its connection, and the faults in the middle of them."""

from __future__ import annotations

import base64
import json
import queue
import random
import socket
import struct
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from . import wire
from .faults import Fault

SOURCE = "robot-01"
WRITE_TIMEOUT = 5  # seconds; after that a client that does not read is left
NOTICE_EVERY = 0.25  # seconds between two gateway_reconnecting frames
PICTURE = base64.b64encode(random.Random(0).getrandbits(8 * 4000).to_bytes(4000, "big")).decode()

# Frames with a number that no client can make a frame of.
_GARBAGE = (
    '{"type":"telemetry","points":[{"value":%d',
    "[%d]",
    '{"type":7,"value":%d}',
    '{"type":"event","source_id":null,"metric":"n","value":%d}',
    '{"type":"video_frame","camera_id":"front","frame":"#%d"}',
    "number %d",
    '{"type":"telemetry","points":[{"source_id":"robot-01","value":%d}]}',
)
_VIOLATIONS = (
    wire.frame(wire.TEXT, b"{}", reserved=1),
    wire.frame(wire.TEXT, b"\xff\xff"),
    wire.frame(0x3, b"{}"),
    wire.frame(wire.PING, b"x" * 126),
    wire.frame(wire.CONTINUATION, b"x"),
    b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + b"\xff" * 100,
)


class Connection:
    """One client that was let in; written to by its feed, read from by a thread of its own."""

    def __init__(self, sock: socket.socket, feed: Feed, encoder: wire.Encoder) -> None:
        self._sock = sock
        self._feed = feed
        self._encoder = encoder
        self._lock = threading.Lock()  # a pong must not come into the middle of a frame
        self.half_open = False  # nothing is written any more
        self._closing = False
        self.row: Dict[str, Any] = {"first": None, "last": None, "end": None}
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", WRITE_TIMEOUT, 0))

    def send(self, text: str, fragments: int = 1) -> None:
        """Send one text."""
        self.write(self._encoder.message(text.encode(), fragments))

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        with self._lock:
            if not self.half_open:
                self._sock.sendall(data)

    def tear(self, text: str) -> None:
        """Send half a frame."""
        data = self._encoder.message(text.encode())
        self.write(data[: len(data) // 2])

    def end(self, why: str, reset: bool = False) -> None:
        """End TCP at once, after what was sent."""
        self.ends(why)
        if reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The thread that reads closes the socket: a reset goes out when nobody is left in it.
        self._sock.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)

    def close(self, code: int) -> None:
        """Send a close frame; the client ends TCP."""
        self.ends(f"close {code}")
        self._closing = True
        self.write(wire.close_frame(code))

    def sent(self, number: int) -> None:
        """Note that a number has gone out whole."""
        if self.row["first"] is None:
            self.row["first"] = number
        self.row["last"] = number

    def ends(self, why: str) -> None:
        """Note why it ends; what came first is the reason."""
        self.row["end"] = self.row["end"] or why

    def read(self) -> None:
        """Answer pings until the client goes."""
        try:
            while True:
                opcode, payload = wire.read_frame(self._sock)
                if opcode == wire.PING:
                    self.write(wire.frame(wire.PONG, payload))
                elif opcode == wire.CLOSE:
                    if not self._closing:
                        self.write(wire.frame(wire.CLOSE, payload))
                    return
        finally:
            self.ends("the client left")
            self._feed.leave(self)


class Feed:
    """Counts on, whether anybody is there or not, as a robot does; begins with the first client."""

    def __init__(self, kind: str, rate: float, seed: int) -> None:
        self.kind = kind
        self.next = 0  # the number that comes next
        self._pace = 1 / rate
        self._random = random.Random(f"{seed} {kind}")
        # Guards who is there; held for no I/O.
        self._lock = threading.Lock()
        self._current: Optional[Connection] = None
        self._all: List[Connection] = []
        self._begun = threading.Event()
        self._faults: queue.SimpleQueue[Tuple[Fault, threading.Event]] = queue.SimpleQueue()
        self._outage: Optional[Tuple[Fault, threading.Event, float]] = None
        self._notice_at = 0.0
        self._finished = threading.Event()
        self._stopped = threading.Event()
        self._garbage: List[int] = []
        self._foreign: List[int] = []
        self._rows: List[Dict[str, Any]] = []

    def start(self) -> None:
        """Start to count with the first client."""
        threading.Thread(target=self._run, daemon=True).start()

    def join(self, connection: Connection) -> None:
        """Send to this client from now on."""
        if self.kind == "video":
            source = {"source_id": SOURCE, "cameras": ["front"]}
            connection.send(json.dumps({"type": "init", "online_sources": [source]}))
        with self._lock:
            self._current = connection
            self._all.append(connection)
            self._rows.append(connection.row)
        self._begun.set()

    def leave(self, connection: Connection) -> None:
        """Forget a client."""
        with self._lock:
            if self._current is connection:
                self._current = None
            self._all.remove(connection)

    def ask(self, fault: Fault) -> threading.Event:
        """Have a fault done between two numbers; the event is set when it is over."""
        over = threading.Event()
        self._faults.put((fault, over))
        return over

    def finish(self) -> Dict[str, Any]:
        """Send no more; return what was sent, and how each connection went."""
        self._finished.set()
        self._stopped.wait()
        return {
            "total": self.next,
            "garbage": self._garbage,
            "foreign": self._foreign,
            "connections": self._rows,
        }

    # What follows runs on the feed's thread.

    def _run(self) -> None:
        self._begun.wait()
        due = time.monotonic()
        while not self._finished.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            due += self._pace
            self._work()
        self._send_number()  # so that what comes last is a number
        self._stopped.set()

    def _work(self) -> None:
        if self._outage is not None:
            self._go_without_gateway(*self._outage)
        elif self._faults.empty():
            self._send_number()
        else:
            fault, over = self._faults.get()
            if fault.kind in ("outage", "outage-end"):
                self._outage = (fault, over, time.monotonic() + fault.seconds)
                return
            try:
                self._do(fault)
            except OSError:
                pass  # the client has gone in the middle of it
            over.set()

    def _send_number(self, fragments: int = 1) -> None:
        connection = self._current
        number, text = self._number()
        if connection is None:
            return
        try:
            connection.send(text, fragments)
        except OSError:
            self._drop(connection)
            return
        connection.sent(number)

    def _drop(self, connection: Connection) -> None:
        """End a client that reads no more, or has gone."""
        try:
            connection.end("cannot be written to", reset=True)
        except OSError:
            pass

    def _number(self, source: str = SOURCE) -> Tuple[int, str]:
        """Return the next number and its frame."""
        number, self.next = self.next, self.next + 1
        point = {"source_id": source, "metric": "n", "class": "metric", "value": number}
        point["timestamp"] = int(time.time() * 1000)
        frame: Dict[str, Any]
        if self.kind == "metrics":
            frame = {"type": "telemetry", "points": [point]}
        elif self.kind == "logs":
            frame = {"type": "event", **point, "class": "event"}
        else:
            frame = {"type": "video_frame", "source_id": source, "camera_id": "front"}
            frame.update(frame=PICTURE, width=number, height=480, timestamp=point["timestamp"])
        return number, json.dumps(frame)

    def _go_without_gateway(self, fault: Fault, over: threading.Event, until: float) -> None:
        """Count on and send nothing but a notice now and then, as long as the outage lasts."""
        self._number()
        now = time.monotonic()
        connection = self._current
        try:
            if now >= until:
                self._outage = None
                if connection is not None and fault.kind == "outage-end":
                    connection.close(1011)
                    self.leave_behind(connection)
                over.set()
            elif connection is not None and now >= self._notice_at:
                self._notice_at = now + NOTICE_EVERY
                connection.send(
                    json.dumps({"type": "gateway_reconnecting", "attempt": 1, "delay_s": 2})
                )
        except OSError:
            pass  # it has gone; another may come

    def leave_behind(self, connection: Connection) -> None:
        """Send no more to a client whose connection is ending."""
        with self._lock:
            if self._current is connection:
                self._current = None

    def _do(self, fault: Fault) -> None:
        connection = self._current
        if fault.kind in ("cut", "reset"):
            self._cut(connection, reset=fault.kind == "reset")
        elif fault.kind == "pause":
            time.sleep(fault.seconds)  # what is late then comes all at once
        elif fault.kind == "burst":
            for _ in range(fault.count if self.kind != "video" else fault.count // 20):
                self._send_number()
        elif fault.kind == "fragments":
            for _ in range(fault.count):
                self._send_number(fragments=3)
        elif connection is not None:
            self._do_to(connection, fault)

    def _cut(self, connection: Optional[Connection], reset: bool) -> None:
        """End TCP in the middle of a frame, and that of clients left behind half-open."""
        _, text = self._number()
        for each in tuple(self._all):
            try:
                if each is connection:
                    each.tear(text)
                each.end("reset" if reset else "cut", reset)
            except OSError:
                pass  # it has gone by itself
            self.leave_behind(each)

    def _do_to(self, connection: Connection, fault: Fault) -> None:
        if fault.kind == "half-open":
            connection.half_open = True
            connection.ends(fault.kind)
        elif fault.kind == "close":
            connection.close(fault.code)
            self.leave_behind(connection)
        elif fault.kind == "violation":
            connection.ends(fault.kind)
            any_of = self._random.choice(_VIOLATIONS)
            connection.write(_VIOLATIONS[fault.count - 1] if fault.count else any_of)
            self.leave_behind(connection)
        elif fault.kind == "garbage":
            for _ in range(fault.count):
                self._garbage.append(self.next)
                form = _GARBAGE[len(self._garbage) % len(_GARBAGE)]
                connection.send(form % self._number()[0])
                connection.sent(self.next - 1)
        elif fault.kind == "foreign":
            for _ in range(fault.count):
                self._foreign.append(self.next)
                connection.send(self._number("robot-02")[1])
                connection.sent(self.next - 1)
        else:
            raise ValueError(f"no fault {fault.kind!r}")
