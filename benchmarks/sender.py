"""The sender: a process that upgrades whoever connects and sends what the case says.

``python -m benchmarks.sender blast CASE``: prebuilt frames, as fast as the client takes them.
``... paced CASE RATE``: RATE frames a second, each with the time of its sending inside.
``... fan CASE RATE``: RATE frames a second to each of any number of sockets.

It prints its port; a line on its standard input makes it hang up, its end makes it exit.
It is no WebSocket implementation: what clients send is thrown away.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import os
import re
import socket
import ssl
import sys
import threading
import time
from typing import Dict, Iterator, List

from .cases import Case, case_named
from .frames import blob, close_frame, text_frame, timed_templates

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_KEY = re.compile(rb"(?im)^sec-websocket-key:\s*(\S+)")
_SOURCE = re.compile(rb"robot-\d+")
PATIENCE = 3.0  # seconds; one that takes nothing for so long must not keep the others waiting
TICK = 0.005  # seconds; in each one a share of all the sockets is served

stop = threading.Event()


def _obey() -> None:
    for _ in sys.stdin:
        stop.set()
    os._exit(0)


def _upgrade(client: socket.socket, case: Case) -> bytes:
    """Answer the upgrade request; return the source that its path names."""
    client.settimeout(10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while b"\r\n\r\n" not in head:
        received = client.recv(4096)
        if not received:
            raise OSError("the client has gone")
        head += received
    key = _KEY.search(head)
    if key is None or (case.deflate and b"permessage-deflate" not in head):
        raise OSError("the client does not offer what the case needs")
    accept = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())
    extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if case.deflate else b""
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extension + b"\r\n"
    )
    source = _SOURCE.search(head)
    return source[0] if source else b"robot-01"


def _hang_up(client: socket.socket) -> None:
    try:
        client.settimeout(5)
        client.sendall(close_frame())
        # The server is to end the connection (RFC 6455 section 7.1.1), but not before all is read.
        socket.socket.shutdown(client, socket.SHUT_WR)
        while client.recv(65536):
            pass
    except OSError:
        pass
    client.close()


def _hang_up_aside(client: socket.socket) -> None:
    """Hang up without making the next client wait for how long this one takes."""
    threading.Thread(target=_hang_up, args=(client,), daemon=True).start()


def _clients(listener: socket.socket, case: Case) -> Iterator[socket.socket]:
    """Yield one client after the other, upgraded and with its auth frame taken."""
    while True:
        try:
            client = listener.accept()[0]
        except OSError as error:  # the client ended in the TLS handshake
            print(f"refused: {error}", file=sys.stderr)
            continue
        try:
            _upgrade(client, case)
            client.recv(4096)
        except OSError as error:
            print(f"refused: {error}", file=sys.stderr)
            client.close()
            continue
        client.settimeout(PATIENCE)
        stop.clear()
        yield client


def blast(listener: socket.socket, case: Case) -> None:
    """Send the blob over and over to one client at a time."""
    data = blob(case)[0]
    for client in _clients(listener, case):
        try:
            while not stop.is_set():
                client.sendall(data)
        except OSError:
            pass
        _hang_up_aside(client)


def paced(listener: socket.socket, case: Case, rate: float) -> None:
    """Send timed frames at a steady rate to one client at a time."""
    templates = timed_templates(case)
    for client in _clients(listener, case):
        due = time.monotonic()
        try:
            for before, after in itertools.cycle(templates):
                if stop.is_set():
                    break
                wait = due - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                due += 1 / rate
                client.sendall(text_frame(before + b"%.9f" % time.monotonic() + after))
        except OSError:
            pass
        _hang_up_aside(client)


class _Fan:
    """Many sockets, each with ``rate`` frames a second, evenly spread over the time."""

    def __init__(self, case: Case, rate: float) -> None:
        self.case = case
        self.rate = rate
        self.sockets: List[socket.socket] = []
        self.sources: List[bytes] = []
        self.unsent: Dict[int, bytes] = {}  # by the index of a socket: the rest of a begun frame
        self.templates = [before + b"1.5" + after for before, after in timed_templates(case)]

    def accept(self, listener: socket.socket) -> None:
        while True:
            client = listener.accept()[0]
            try:
                source = _upgrade(client, self.case)
            except OSError:
                client.close()
                continue
            client.setblocking(False)
            self.sources.append(source)
            self.sockets.append(client)

    def serve(self) -> None:
        share = 0.0
        index = turn = 0
        due = time.monotonic()
        while not stop.is_set():
            due += TICK
            time.sleep(max(0.0, due - time.monotonic()))
            count = len(self.sockets)
            share += count * self.rate * TICK
            while share >= 1 and count:
                share -= 1
                index += 1
                if index >= count:
                    index, turn = 0, turn + 1
                self._send(index, turn)
        for client in self.sockets:
            _hang_up_aside(client)

    def _send(self, index: int, turn: int) -> None:
        data = self.unsent.pop(index, b"")
        if not data:
            template = self.templates[(turn + index) % len(self.templates)]
            data = text_frame(template.replace(b"robot-01", self.sources[index]))
        try:
            sent = self.sockets[index].send(data)
        except BlockingIOError:  # the client does not keep up
            sent = 0
        except OSError:
            return
        if sent < len(data):
            self.unsent[index] = data[sent:]


def fan(listener: socket.socket, case: Case, rate: float) -> None:
    """Send to all who connect, for one client process after the other."""
    fan_out = _Fan(case, rate)
    threading.Thread(target=fan_out.accept, args=(listener,), daemon=True).start()
    fan_out.serve()
    threading.Event().wait()  # until standard input ends


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("blast", "paced", "fan"))
    parser.add_argument("case")
    parser.add_argument("rate", type=float, nargs="?", default=0.0)
    parser.add_argument("--cert")
    options = parser.parse_args()
    case = case_named(options.case)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    if case.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert)
        # The handshake comes with the first read, which has a time limit.
        listener = context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_obey, daemon=True).start()
    if options.mode == "blast":
        blast(listener, case)
    elif options.mode == "paced":
        paced(listener, case, options.rate)
    else:
        fan(listener, case, options.rate)


if __name__ == "__main__":
    main()
