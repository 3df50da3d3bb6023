"""The server, a process of its own: numbers what it sends, and does the faults it is told.

``python -m soak.server SEED`` prints its port. Each line on standard input is a list of faults,
answered when they are over by the numbers that come next; ``"finish"`` is answered by the ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List

from . import wire
from .faults import STREAMS, Fault
from .feed import Connection, Feed

RATES = {"metrics": 50.0, "logs": 20.0, "video": 10.0}  # numbers a second
REFUSED = {"metrics": 4401, "logs": 4401, "video": 4001}
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Listens on a port of loopback; each stream has a feed, and a door that may be shut."""

    def __init__(self, seed: int) -> None:
        self.feeds = {kind: Feed(kind, RATES[kind], seed) for kind in STREAMS}
        # What a client of the stream meets before it is let in: open, busy, mute, slam, refused.
        self._doors = dict.fromkeys(STREAMS, "open")
        self._muted: Dict[str, List[socket.socket]] = {kind: [] for kind in STREAMS}
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = threading.Event()  # whether it listens
        self._open.set()
        for feed in self.feeds.values():
            feed.start()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:  # shut for a while
                self._open.wait()
                continue
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                connection = self._let_in(sock)
                if connection is not None:
                    connection.read()
            except OSError:
                pass  # the client, or a fault, has ended it

    def _let_in(self, sock: socket.socket) -> Any:
        """Shake hands and take the auth frame; None where the door was shut."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = wire.read_request(sock)
        kind, door = request.kind, self._doors[request.kind]
        if door == "mute":
            self._muted[kind].append(sock)
            try:
                while sock.recv(4096):  # until the client has had enough, or a cut comes
                    pass
            finally:
                self._muted[kind].remove(sock)
            return None
        if door == "slam":
            return None
        if door == "busy":
            sock.sendall(BUSY)
            return None
        deflate = request.offers_deflate and self._random.random() < 0.5
        sock.sendall(wire.answer(request, deflate))
        wire.read_frame(sock)  # any key is good
        if door == "unauthorized":
            self._doors[kind] = "open"
            sock.sendall(wire.close_frame(REFUSED[kind], "unauthorized"))
            wire.read_frame(sock)
            return None
        connection = Connection(sock, self.feeds[kind], wire.Encoder(deflate))
        self.feeds[kind].join(connection)
        return connection

    def inject(self, fault: Fault) -> None:
        """Do one fault; return when it is over."""
        whole: Dict[str, Callable[[Fault], None]] = {
            "refuse": self._refuse,
            "busy": self._shut,
            "mute": self._shut,
            "slam": self._shut,
            "unauthorized": self._refuse_key,
            "slow": lambda fault: None,  # the client does that by itself
        }
        if fault.kind in ("cut", "reset"):
            self._end_muted(fault)
        if fault.kind in whole:
            whole[fault.kind](fault)
        else:
            done = [self.feeds[kind].ask(fault) for kind in fault.streams]
            for event in done:
                event.wait()

    def _refuse(self, fault: Fault) -> None:
        """Refuse connections for a while, on the same port, after a cut."""
        if not self._open.is_set():  # there are two of them at once
            time.sleep(fault.seconds)
            return
        self._open.clear()
        old = self._listener
        old.shutdown(socket.SHUT_RDWR)
        old.close()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Bound and not listening, it keeps the port and refuses.
        self._listener.bind(("127.0.0.1", self.port))
        self._cut(fault)
        time.sleep(fault.seconds)
        self._listener.listen()
        self._open.set()

    def _shut(self, fault: Fault) -> None:
        """Cut, and do something else than let in for a while."""
        for kind in fault.streams:
            self._doors[kind] = fault.kind
        self._cut(fault)
        time.sleep(fault.seconds)
        for kind in fault.streams:
            self._doors[kind] = "open"

    def _refuse_key(self, fault: Fault) -> None:
        for kind in fault.streams:
            self._doors[kind] = fault.kind
        self._cut(fault)

    def _end_muted(self, fault: Fault) -> None:
        for kind in fault.streams:
            for sock in tuple(self._muted[kind]):
                with contextlib.suppress(OSError):  # it goes by itself
                    sock.shutdown(socket.SHUT_RDWR)

    def _cut(self, fault: Fault) -> None:
        self._end_muted(fault)
        for event in [self.feeds[kind].ask(Fault("cut")) for kind in fault.streams]:
            event.wait()

    def ledger(self) -> Dict[str, Any]:
        """Stop to send; return what was sent."""
        return {kind: feed.finish() for kind, feed in self.feeds.items()}


def main() -> None:
    """Obey until standard input ends."""
    server = Server(int(sys.argv[1]))
    print(json.dumps(server.port), flush=True)
    with ThreadPoolExecutor(8) as pool:
        for line in sys.stdin:
            told = json.loads(line)
            answer: Any
            if told == "finish":
                answer = server.ledger()
            else:
                faults: List[Fault] = [Fault.from_json(members) for members in told]
                list(pool.map(server.inject, faults))
                answer = {kind: feed.next for kind, feed in server.feeds.items()}
            print(json.dumps(answer), flush=True)
    os._exit(0)  # its threads sit in sockets


if __name__ == "__main__":
    main()
