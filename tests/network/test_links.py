"""Links that lose, delay and swallow packets, between two real TCP stacks of the kernel's.

The promises are the same as on loopback: what ends a connection is told, the attempt's time is
kept, it comes back, and a Gap stands where something may be missing. Nothing here is skipped:
without root, TUN devices and iproute2 these tests fail.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
from queue import SimpleQueue

import pytest
from helpers import PATIENCE, InThread, join_helpers, point, telemetry, watching
from link import FAR, FAR6, show_file
from rawserver import PING, PONG, TEXT, RawServer, frame, read_frame, sign_in

from plexus_sync import Buffer, ConnectionLost, Gap, MetricsStream

SHORT = 0.3  # seconds, where a time limit is what is tested


class Server(RawServer):
    """A good server, which says hello on each connection and then what the test wants."""

    def __init__(self, host=FAR):
        super().__init__(self._serve_one, host=host)
        self._lock = threading.Lock()  # a pong must not get into the middle of a frame
        self.peer = None

    def _serve_one(self, sock):
        self.peer = sock
        with contextlib.suppress(EOFError):
            sign_in(sock, "hello")
            while True:
                opcode, payload = read_frame(sock)
                if opcode == PING:
                    with self._lock:
                        sock.sendall(frame(PONG, payload))

    def send(self, *numbers):
        """Send these on the newest connection, a frame each."""
        with self._lock:
            data = b"".join(frame(TEXT, telemetry(point(number))) for number in numbers)
            self.peer.sendall(data)


class Names:
    """A DNS server that knows one address, that of the far host, and no IPv6 (RFC 1035)."""

    def __init__(self):
        self.failing = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((FAR, 53))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        with contextlib.suppress(OSError):  # it is not connected; its reader wakes all the same
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._socket.close()

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            question = query[12 : query.index(b"\0", 12) + 5]
            known = question.endswith(b"\0\0\1\0\1") and not self.failing  # A, IN
            flags = 0x8182 if self.failing else 0x8180  # a failure of the server, or none
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(FAR) if known else b""
            head = struct.pack("!HHHHH", flags, 1, known, 0, 0)
            with contextlib.suppress(OSError):
                self._socket.sendto(query[:2] + head + question + answer, client)


class Client:
    """A subscription with callbacks, and what it told so far and not yet asked for."""

    def __init__(self, server, host=FAR, **settings):
        stream = MetricsStream("robot-01", buffer=Buffer(10_000))
        url = f"ws://{host}:{server.port}"
        self.sub, _ = watching(url, stream=stream, allow_insecure=True, **settings)
        self._frames, self._errors = SimpleQueue(), SimpleQueue()
        self.sub.on_frame(self._frames.put)
        self.sub.on_error(self._errors.put)

    def __enter__(self):
        self.sub.start()
        return self

    def __exit__(self, *exc_info):
        assert self.sub.close()

    def values(self, count):
        """Wait for the next frames; return what they carry, of a Gap its reason."""
        frames = [self._frames.get(timeout=PATIENCE) for _ in range(count)]
        return [each.reason if isinstance(each, Gap) else each.points[0].value for each in frames]

    def error(self):
        """Wait for the next error, which must be a lost connection."""
        error = self._errors.get(timeout=PATIENCE)
        assert (type(error), error.code, error.final) == (ConnectionLost, 1006, False)
        return error

    def untroubled(self):
        """Return whether there is no error that nobody has asked for, and no other attempt."""
        (status,) = self.sub.status().values()
        return self._errors.empty() and status.attempts == 1


@pytest.fixture
def server(link):
    """Run a good server on the far host."""
    with link.far:
        server = Server()
    with server:
        yield server


@pytest.fixture
def names(link):
    """Run a DNS server on the far host."""
    with link.far:
        names = Names()
    with names:
        yield names


def test_loss_and_delay(link, server):
    """A link that loses a tenth, delays and reorders the rest costs time, and nothing else."""
    link.delay, link.jitter, link.loss = 0.02, 0.02, 0.1
    with Client(server, ping_interval=SHORT, ping_timeout=PATIENCE) as client:
        assert client.values(1) == ["hello"]
        server.send(*range(5000))
        assert client.values(5000) == list(range(5000))
        assert client.untroubled()
    assert link.losing.is_set()


def test_a_link_that_is_down_for_a_while(link, server):
    """What it swallowed comes when it is back, where no ping has found it dead before."""
    with Client(server) as client:
        assert client.values(1) == ["hello"]
        link.up = False
        server.send(1, 2, 3)
        assert link.losing.wait(PATIENCE)
        link.up = True
        assert client.values(3) == [1, 2, 3]
        assert client.untroubled()


def test_half_open(link, server):
    """No FIN, no reset, no pong: found by a ping; attempts end in time; it comes back."""
    with Client(server, connect_timeout=SHORT, ping_interval=SHORT, ping_timeout=SHORT) as client:
        assert client.values(1) == ["hello"]
        link.up = False
        server.send(1, 2, 3)
        assert client.error().reason == f"no answer to a ping within {SHORT} s"
        for _ in range(3):
            assert "no answer in time" in client.error().reason
        link.up = True
        assert client.values(2) == ["connection", "hello"]


def test_a_forgotten_connection(link, server):
    """Half-open by a router that forgot this one connection: a new one works at once."""
    with Client(server, ping_interval=SHORT, ping_timeout=SHORT) as client:
        assert client.values(1) == ["hello"]
        port = struct.pack("!H", server.peer.getpeername()[1])
        link.lost = lambda packet: port in (packet[20:22], packet[22:24])  # of TCP over IPv4
        server.send(1, 2, 3)
        assert client.error().reason == f"no answer to a ping within {SHORT} s"
        assert client.values(2) == ["connection", "hello"]


def test_a_link_that_is_down_at_the_start(link, server):
    """Each attempt ends at connect_timeout, and the first with a link works."""
    link.up = False
    with Client(server, connect_timeout=SHORT) as client:
        for _ in range(2):
            assert "no answer in time" in client.error().reason
        link.up = True
        assert client.values(1) == ["hello"]


def test_close_on_a_dead_link(link, server):
    """Nobody waits for a peer that cannot be reached."""
    with Client(server) as client:
        assert client.values(1) == ["hello"]
        link.up = False
        assert client.sub.close()


def test_a_link_that_is_too_slow(link, server):
    """Every step is slow, and connect_timeout holds for all of them together."""
    link.delay = SHORT  # twice for TCP, twice for the upgrade
    with Client(server, connect_timeout=3 * SHORT) as client:
        for _ in range(2):
            assert "the upgrade: no answer in time" in client.error().reason
        link.delay = 0.0
        assert client.values(1) == ["hello"]


def test_a_narrow_link(link, server):
    """A pong that is stuck for seconds behind a large frame is waited for: bytes come meanwhile."""
    with link.far:
        rate = ("rate", "1mbit", "burst", "16kb", "limit", "4mb")
        link.far.run("tc", "qdisc", "add", "dev", "wire", "root", "tbf", *rate)
    with Client(server, ping_interval=SHORT, ping_timeout=1.0) as client:
        assert client.values(1) == ["hello"]
        large = "x" * 400_000  # more than three seconds
        server.send(large)
        assert client.values(1) == [large]
        assert client.untroubled()


def test_an_interface_that_goes_down(link, server):
    """An own interface that is taken away is found by a ping, told, and waited for."""
    with Client(server, ping_interval=SHORT, ping_timeout=SHORT) as client:
        assert client.values(1) == ["hello"]
        link.near.run("ip", "link", "set", "wire", "down")
        assert client.error().reason == f"no answer to a ping within {SHORT} s"
        assert client.error().__cause__.errno == errno.ENETUNREACH
        link.near.run("ip", "link", "set", "wire", "up")
        assert client.values(2) == ["connection", "hello"]


@pytest.mark.parametrize(("good", "dead"), [(FAR, FAR6), (FAR6, FAR)], ids=["IPv6", "IPv4"])
def test_first_address_swallowed(link, monkeypatch, good, dead):
    """The first address swallows all packets: it takes its half of the time, the good the rest."""
    version = 6 if dead == FAR6 else 4
    link.lost = lambda packet: packet[0] >> 4 == version
    with link.far:
        server = Server(good)
    addresses = [
        socket.getaddrinfo(each, server.port, type=socket.SOCK_STREAM)[0] for each in (dead, good)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: addresses)
    with server, Client(server, "robot.example", connect_timeout=2.0) as client:
        assert client.values(1) == ["hello"]
        assert link.losing.is_set()
        assert client.untroubled()


def test_dns_that_comes_back(link, server, names, tmp_path):
    """The system's own resolver fails, works, hangs and works again, and so does the stream."""
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver {FAR}\noptions timeout:1 attempts:1\n")

    def scenario():
        show_file(resolv_conf, "/etc/resolv.conf")
        names.failing = True
        with Client(server, "robot.example", connect_timeout=2 * SHORT) as client:
            for _ in range(2):
                assert isinstance(client.error().__cause__, socket.gaierror)
            names.failing = False
            assert client.values(1) == ["hello"]
            link.lost = lambda packet: packet[9] == socket.IPPROTO_UDP
            server.peer.shutdown(socket.SHUT_RDWR)
            while "without a close frame" not in client.error().reason:
                pass  # of the time before
            assert client.error().reason == "DNS took longer than connect_timeout"
            link.lost = lambda packet: False
            assert client.values(2) == ["connection", "hello"]
        join_helpers()

    InThread(scenario).result()
