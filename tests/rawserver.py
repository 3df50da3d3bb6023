"""A server of bare sockets, whose behaviour on each connection is a function of the test's."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
import warnings

from helpers import PATIENCE, point, telemetry

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # cryptography has one for every Python that grows old
    import trustme as trustme

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class RawServer:
    """Listens on a port; ``behave(sock)`` runs on a thread for each connection.

    A connection is closed when ``behave`` returns, and what it raises beside an OSError is raised
    at the end of the ``with`` block. Leaving the block cuts all connections and joins all threads.
    """

    def __init__(self, behave, context=None, host="127.0.0.1"):
        self._behave = behave
        self._context = context
        self._lock = threading.Lock()
        self._sockets = []
        self._threads = []
        self._closed = False
        self.errors = []
        self.ready = threading.Event()  # for the behaviour to set
        self.listener = socket.create_server(
            (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *exc_info):
        with self._lock:
            self._closed = True
            sockets = [self.listener, *self._sockets]
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a thread of the server hangs"
        self.listener.close()
        if exc_info[0] is None and self.errors:
            raise self.errors[0]

    @property
    def url(self):
        """The server as a base_url."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def address(self):
        """The address as ``getaddrinfo`` returns it."""
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self.port))

    @property
    def accepted(self):
        """How many connections have come so far."""
        return len(self._sockets)

    def wait(self):
        """Wait until the behaviour has set ``ready``."""
        assert self.ready.wait(PATIENCE), "the server did not come so far"

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    sock.close()
                    return
                self._sockets.append(sock)
                self._start(self._serve, sock, len(self._sockets) - 1)

    def _serve(self, sock, index):
        sock.settimeout(PATIENCE)
        try:
            if self._context is not None:
                sock = self.start_tls(sock, self._context)
            self._behave(sock)
        except OSError:
            pass  # the client or the test has ended it
        except Exception as error:
            self.errors.append(error)
        finally:
            with self._lock:
                self._sockets[index].close()

    def start_tls(self, sock, context):
        """Return the socket with TLS on it, which is what will be cut from now on."""
        with self._lock:
            # Wrapping takes the descriptor away from the plain socket.
            tls = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self._sockets[self._sockets.index(sock)] = tls
        tls.do_handshake()
        return tls


def read_head(sock):
    """Return the head of an HTTP request."""
    head = b""
    while b"\r\n\r\n" not in head:
        some = sock.recv(4096)
        if not some:
            raise ConnectionError("no request came")
        head += some
    return head.decode()


def header(head, name):
    """Return the value of one header; None where there is none."""
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def accept_key(head):
    """Return the proof that an upgrade was understood, RFC 6455 section 4.2.2."""
    key = header(head, "Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()


def answer(head, *headers, status="101 Switching Protocols"):
    """Return a good answer to an upgrade, with more headers."""
    lines = [
        f"HTTP/1.1 {status}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(head)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def upgrade(sock, *headers, then=b""):
    """Do the server's half of the upgrade; return the request."""
    head = read_head(sock)
    sock.sendall(answer(head, *headers) + then)
    return head


def frame(opcode, payload=b"", fin=True, masked=False):
    """Return one frame as a server sends it."""
    first = opcode | (0x80 if fin else 0)
    mask = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", first, mask | len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, mask | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, mask | 127, len(payload))
    return head + (b"\0\0\0\0" if masked else b"") + payload


def close_frame(code, reason=b""):
    """Return a close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


def read_exactly(sock, count):
    """Return so many bytes; EOFError where the client ends before."""
    data = b""
    while len(data) < count:
        some = sock.recv(count - len(data))
        if not some:
            raise EOFError
        data += some
    return data


def read_frame(sock):
    """Return opcode and payload of one short frame of the client, which must be masked."""
    first, second = read_exactly(sock, 2)
    assert first & 0x80
    assert second & 0x80, "a client must mask"
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", read_exactly(sock, 2))
    mask = read_exactly(sock, 4)
    payload = read_exactly(sock, length)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def sign_in(sock, value, *headers):
    """Do the server's half up to the first frame, which carries the value; return the request."""
    head = upgrade(sock, *headers)
    opcode, payload = read_frame(sock)
    if opcode == CLOSE:
        raise EOFError  # the client was closed just then
    assert payload.startswith(b'{"type": "auth"')
    sock.sendall(frame(TEXT, telemetry(point(value))))
    return head


def good(sock):
    """Upgrade and hold the line."""
    upgrade(sock)
    hold(sock)


def hold(sock):
    """Say nothing until the client, or the end of the server, ends the connection."""
    while sock.recv(65536):
        pass


def reset(sock):
    """End the connection with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket.close(sock)


def server_context(certificate):
    """Return the TLS context of a server with a certificate of trustme's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
