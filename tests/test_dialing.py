"""From a URL to an upgraded connection, against a server of bare sockets."""

from __future__ import annotations

import base64
import datetime as dt
import email.utils
import errno
import os
import selectors
import socket
import ssl
import sys
import threading
from types import SimpleNamespace

import pytest
import websocket._handshake
from helpers import PATIENCE, FakeClock, InThread, join_helpers
from proxyserver import http_proxy, socks5
from rawserver import (
    RawServer,
    answer,
    good,
    header,
    hold,
    read_exactly,
    read_head,
    reset,
    server_context,
    upgrade,
)

from plexus_sync import ConfigError, __version__, dialing, heads, proxies
from plexus_sync.deadline import Deadline
from plexus_sync.dialing import dial
from plexus_sync.interrupt import Interrupt
from plexus_sync.line import Line
from plexus_sync.loss import Lost
from plexus_sync.settings import KeySource, Settings

PATH = "/v1/sources/robot-01/metrics/stream"
SHORT = 0.3  # seconds, where the time limit is what is tested


class Dialer:
    """Dials one URL; what it opened is closed at the end of the test."""

    def __init__(self):
        self.line = Line()
        self.stop = Interrupt()

    def __call__(self, url, timeout=PATIENCE, clock=None, **settings):
        """Dial as the reader does it; return what came right behind the answer.

        What was agreed on compression is kept as ``agreement``.
        """
        if "://" not in url:
            url = f"ws://127.0.0.1:{url}{PATH}"
        base = url[: url.index("/", 6)]
        made = Settings(keys=KeySource("plx_key"), base_url=base, **settings)
        deadline = Deadline(timeout, clock) if clock else Deadline(timeout)
        with self.stop.waking(self.line.wake):
            leftover, self.agreement = dial(url, made, deadline, self.line, self.stop)
        return leftover

    def lost(self, url, **arguments):
        """Dial, and return how that failed."""
        with pytest.raises(Lost) as told:
            self(url, **arguments)
        return told.value.loss

    def stopped(self, url, server, **arguments):
        """Dial, stop when the server is ready, and return how that ended."""
        call = InThread(lambda: self.lost(url, timeout=60.0, **arguments))
        server.wait()
        self.stop.set()
        return call.result()


@pytest.fixture
def dialer():
    """Give a test what dials, and close what it has opened."""
    dialer = Dialer()
    yield dialer
    dialer.line.close()


@pytest.fixture(autouse=True)
def _join_helpers():
    """Leave no thread to the next test."""
    yield
    join_helpers()


def says(*data):
    """Return a behaviour: read the request, say these bytes, hold the line."""

    def behave(sock):
        read_head(sock)
        for some in data:
            sock.sendall(some)
        hold(sock)

    return behave


def resolving_to(monkeypatch, *addresses):
    """Let every name have these addresses."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: list(addresses))


class TestUpgrade:
    """An answer as it should be."""

    def test_good(self, dialer):
        """The line holds the open socket, and nothing came behind the answer."""
        with RawServer(good) as server:
            assert dialer(str(server.port)) == b""
            assert dialer.line.sock.getpeername() == ("127.0.0.1", server.port)
            assert dialer.line.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def test_request(self, dialer):
        """The request is the one that RFC 6455 asks for, with our name and nothing more."""
        heads = []
        with RawServer(lambda sock: heads.append(upgrade(sock))) as server:
            dialer(f"ws://127.0.0.1:{server.port}{PATH}?metrics=a%20b,c")
        (head,) = heads
        assert head.split("\r\n")[0] == f"GET {PATH}?metrics=a%20b,c HTTP/1.1"
        assert len(base64.b64decode(header(head, "Sec-WebSocket-Key"))) == 16
        names = [line.split(":")[0] for line in head.split("\r\n")[1:-2]]
        assert sorted(names) == [
            "Connection",
            "Host",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Upgrade",
            "User-Agent",
        ]
        assert header(head, "Host") == f"127.0.0.1:{server.port}"
        assert header(head, "Sec-WebSocket-Version") == "13"
        assert header(head, "User-Agent") == f"plexus-sync/{__version__}"

    @pytest.mark.parametrize("then", [b"\x81\x01a", b"x" * 10_000, b"\r\n\r\n"])
    def test_leftover(self, dialer, then):
        """Frames that came with the answer are handed on, whole and in order."""

        def behave(sock):
            upgrade(sock, then=then)
            hold(sock)

        with RawServer(behave) as server:
            data = dialer(str(server.port))
            dialer.line.sock.settimeout(PATIENCE)
            assert data + read_exactly(dialer.line.sock, len(then) - len(data)) == then

    @pytest.mark.parametrize("size", [1, 2, 7])
    def test_in_pieces(self, dialer, size):
        """An answer may come in pieces of any size."""

        def behave(sock):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = answer(read_head(sock)) + b"\x81\x01a"
            for start in range(0, len(data), size):
                sock.sendall(data[start : start + size])
            hold(sock)

        with RawServer(behave) as server:
            data = dialer(str(server.port))
            dialer.line.sock.settimeout(PATIENCE)
            assert data + read_exactly(dialer.line.sock, 3 - len(data)) == b"\x81\x01a"

    @pytest.mark.parametrize(
        "headers",
        [
            ["Server: caf\xe9"],  # what an answer holds is ISO-8859-1
            ["X-Empty:"],
            ["sErVeR: x"],
            ["X-Long: " + "x" * 60_000],
        ],
        ids=["latin-1", "empty", "case", "long"],
    )
    def test_odd_headers(self, dialer, headers):
        """Headers that are unusual and allowed do no harm."""

        def behave(sock):
            upgrade(sock, *headers)
            hold(sock)

        with RawServer(behave) as server:
            assert dialer(str(server.port)) == b""

    def test_no_phrase(self, dialer):
        """The words behind the status may be missing."""

        def behave(sock):
            sock.sendall(answer(read_head(sock), status="101"))
            hold(sock)

        with RawServer(behave) as server:
            assert dialer(str(server.port)) == b""

    def test_scheme_in_upper_case(self, dialer):
        """A scheme is the same in upper case, RFC 3986 section 3.1."""
        with RawServer(good) as server:
            assert dialer(f"WS://127.0.0.1:{server.port}{PATH}") == b""

    def test_very_long_time_limit(self, dialer):
        """A time limit of years is taken for what it is: none."""
        with RawServer(good) as server:
            assert dialer(str(server.port), timeout=1e9) == b""


class TestCompression:
    """The offer of permessage-deflate, and its answer."""

    def test_offer(self, dialer):
        """It is offered where the caller wants it; the server need not take it."""
        heads = []
        with RawServer(lambda sock: heads.append(upgrade(sock))) as server:
            dialer(str(server.port), compression="deflate")
        offer = header(heads[0], "Sec-WebSocket-Extensions")
        assert offer == "permessage-deflate; client_max_window_bits"
        assert dialer.agreement is None

    @pytest.mark.parametrize(
        ("answers", "bits"),
        [
            (["permessage-deflate"], 15),
            (["permessage-deflate; server_max_window_bits=9"], 9),
        ],
    )
    def test_taken(self, dialer, answers, bits):
        """What the server has chosen is handed on."""

        def behave(sock):
            upgrade(sock, *[f"Sec-WebSocket-Extensions: {answer}" for answer in answers])
            hold(sock)

        with RawServer(behave) as server:
            assert dialer(str(server.port), compression="deflate") == b""
        assert dialer.agreement.server_max_window_bits == bits

    @pytest.mark.parametrize(
        "answers",
        [
            ["x-other"],
            ["permessage-deflate; server_max_window_bits=99"],
            ["permessage-deflate", "permessage-deflate"],
            ["permessage-deflate", "x-other"],
            [""],
        ],
    )
    def test_wrong_answer(self, dialer, answers):
        """An answer that the offer does not allow is a violation, also in two headers."""

        def behave(sock):
            upgrade(sock, *[f"Sec-WebSocket-Extensions: {answer}" for answer in answers])
            hold(sock)

        with RawServer(behave) as server:
            assert dialer.lost(str(server.port), compression="deflate").code == 1002


class TestCookies:
    """No cookie is ever kept or sent: websocket-client's jar is that of the whole process."""

    @pytest.fixture
    def jar(self, monkeypatch):
        """Give a test a jar of its own in place of the process's."""
        jar = type(websocket._handshake.CookieJar)()
        monkeypatch.setattr(websocket._handshake, "CookieJar", jar)
        return jar

    @pytest.mark.parametrize(
        "cookie",
        [
            "Set-Cookie: session=1; Domain=localhost",
            "SET-COOKIE:session=1; Domain=localhost",
            "X: y\nSet-Cookie: session=1; Domain=localhost",
            "X: y\r\n Set-Cookie: session=1; Domain=localhost",
            "X: y\r\n\xa0Set-Cookie: session=1; Domain=localhost",
        ],
        ids=["plain", "upper", "bare line feed", "folded", "no-break space"],
    )
    def test_kept_out(self, dialer, jar, cookie):
        """A server's cookie, however it is written, does not come into the jar."""

        def behave(sock):
            upgrade(sock, cookie)
            hold(sock)

        with RawServer(behave) as server:
            dialer(f"ws://localhost:{server.port}{PATH}")
        assert jar.jar == {}

    def test_not_sent(self, dialer, jar):
        """A cookie that somebody else put into the jar is not sent."""
        jar.add("session=1; Domain=localhost")
        assert jar.get("localhost")
        heads = []
        with RawServer(lambda sock: heads.append(upgrade(sock))) as server:
            dialer(f"ws://localhost:{server.port}{PATH}")
        assert header(heads[0], "Cookie") is None
        assert "session" not in heads[0]


class TestAddresses:
    """DNS and TCP."""

    def test_refused(self, dialer, free_port):
        """A port on which nobody listens is a loss with its address and the system's words."""
        loss = dialer.lost(str(free_port))
        assert loss.code == 1006
        assert f"127.0.0.1:{free_port}: " in loss.reason
        assert "refused" in loss.reason
        assert isinstance(loss.cause, ConnectionRefusedError)

    def test_unknown_name(self, dialer, monkeypatch):
        """A name that DNS does not know is a loss like any other."""

        def unknown(*args, **kwargs):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        loss = dialer.lost(f"wss://nowhere.example{PATH}")
        assert loss.code == 1006
        assert "nowhere.example:443" in loss.reason
        assert "not known" in loss.reason

    @pytest.mark.parametrize(
        ("url", "port"),
        [("ws://localhost/x", 80), ("wss://api.example/x", 443), ("wss://api.example:9/x", 9)],
    )
    def test_ports(self, dialer, monkeypatch, url, port):
        """Without a port in the URL, that of its scheme is asked for."""
        asked = []

        def unknown(host, port, **kwargs):
            asked.append((host, port, kwargs))
            raise socket.gaierror(socket.EAI_AGAIN, "try again")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        dialer.lost(url)
        host = url.split("/")[2].split(":")[0]
        assert asked == [(host, port, {"type": socket.SOCK_STREAM})]

    def test_no_address(self, dialer, monkeypatch):
        """A name without any address is a loss too."""
        resolving_to(monkeypatch)
        assert "no address" in dialer.lost(f"wss://nowhere.example{PATH}").reason

    def test_first_address_refuses(self, dialer, monkeypatch, free_port):
        """Where the first address refuses, the next one is tried."""
        with RawServer(good) as server:
            family, kind, protocol, name, _ = server.address
            refusing = (family, kind, protocol, name, ("127.0.0.1", free_port))
            resolving_to(monkeypatch, refusing, server.address)
            assert dialer(f"ws://localhost:1{PATH}") == b""

    @pytest.mark.parametrize(
        "dead",
        [
            (9999, socket.SOCK_STREAM, 6, "", ("::1", 1)),
            (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", "/nowhere/socket"),
        ],
        ids=["no such family", "refused by the system at once"],
    )
    def test_first_address_impossible(self, dialer, monkeypatch, dead):
        """Where this machine cannot use the first address, as without IPv6, the next is tried."""
        with RawServer(good) as server:
            resolving_to(monkeypatch, dead, server.address)
            assert dialer(f"ws://localhost:1{PATH}") == b""

    def test_all_addresses_impossible(self, dialer, monkeypatch):
        """Where no address works, the last failure is told."""
        dead = (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", "/nowhere/socket")
        resolving_to(monkeypatch, (9999, socket.SOCK_STREAM, 6, "", ("::1", 1)), dead)
        loss = dialer.lost(f"ws://localhost:1{PATH}")
        assert loss.code == 1006
        assert loss.cause.errno == errno.ENOENT

    def test_first_addresses_silent(self, dialer, monkeypatch):
        """An address that does not answer takes its share of the time, and no more."""
        clock, limits = FakeClock(), []
        original = dialing._connect_to

        def connect_to(sock, address, timeout, stop):
            limits.append(timeout)
            if len(limits) < 3:
                clock.advance(timeout)
                raise socket.timeout("no answer in time")
            original(sock, address, timeout, stop)

        monkeypatch.setattr(dialing, "_connect_to", connect_to)
        with RawServer(good) as server:
            resolving_to(monkeypatch, *[server.address] * 3)
            assert dialer(f"ws://localhost:1{PATH}", timeout=30, clock=clock) == b""
        assert limits == [10, 10, 10]

    def test_silent(self, dialer, monkeypatch, silent):
        """An address that does not answer is given up when the time is up."""
        resolving_to(monkeypatch, silent)
        loss = dialer.lost(f"ws://localhost:1{PATH}", timeout=SHORT)
        assert loss.code == 1006
        assert "time" in loss.reason

    def test_slow_dns(self, dialer, monkeypatch):
        """A DNS server that does not answer is given up when the time is up."""
        release = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: release.wait(PATIENCE) and [])
        try:
            loss = dialer.lost(f"ws://localhost:1{PATH}", timeout=SHORT)
        finally:
            release.set()
        assert loss.code == 1006
        assert "DNS took longer than connect_timeout" in loss.reason

    def test_time_is_up_between_two_steps(self, dialer, monkeypatch):
        """Where the time was used up by one step, the next is not begun."""
        clock = FakeClock()

        def slow(*args, **kwargs):
            clock.advance(11)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))]

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        loss = dialer.lost(f"ws://localhost:1{PATH}", timeout=10, clock=clock)
        assert "longer than connect_timeout" in loss.reason
        assert dialer.line.sock is None


class TestBrokenAnswers:
    """What is no WebSocket server."""

    @pytest.mark.parametrize(
        "data",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"H\r\n",
            b"\0",
            b"220 mail.example ESMTP\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/2 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 1x1 OK\r\n\r\n",
            b"HTTP/1.1 999 Odd\r\n\r\n",
            b"HTTP/1.1 101OK\r\n\r\n",
            b"HTTP/1.1  101 OK\r\n\r\n",
        ],
    )
    def test_no_http(self, dialer, data):
        """An answer that is no HTTP/1 is told as such, as soon as that is seen."""
        with RawServer(says(data)) as server:
            loss = dialer.lost(str(server.port))
        assert (loss.code, loss.reason) == (1002, "the answer is no HTTP")

    def test_endless_head(self, dialer):
        """A head that never ends is given up after 64 KiB."""

        def behave(sock):
            read_head(sock)
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
            while True:
                sock.sendall(b"X: " + b"x" * 1000 + b"\r\n")

        with RawServer(behave) as server:
            loss = dialer.lost(str(server.port))
            dialer.line.close()
        assert loss.code == 1002
        assert loss.reason == "the head of the answer has more than 65536 bytes"

    @pytest.mark.parametrize("size", [65_600, 66_000, 69_000, 500_000])
    def test_large_head(self, dialer, size):
        """A head of more than 64 KiB is refused, whether or not its end has come."""

        def behave(sock):
            upgrade(sock, "X: " + "x" * size)
            hold(sock)

        with RawServer(behave) as server:
            loss = dialer.lost(str(server.port))
        assert loss.code == 1002
        assert loss.reason == "the head of the answer has more than 65536 bytes"

    def test_too_many_headers(self, dialer):
        """A head of hundreds of headers is refused."""

        def behave(sock):
            upgrade(sock, *["X: y"] * 500)
            hold(sock)

        with RawServer(behave) as server:
            loss = dialer.lost(str(server.port))
        assert loss.code == 1002
        assert "malformed" in loss.reason

    @pytest.mark.parametrize("line", ["no colon here", "X y"])
    def test_malformed_header(self, dialer, line):
        """A line that is no header is refused."""

        def behave(sock):
            upgrade(sock, line)
            hold(sock)

        with RawServer(behave) as server:
            assert dialer.lost(str(server.port)).code == 1002

    @pytest.mark.parametrize(
        "headers",
        [
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n",
            "Upgrade: websocket\r\nConnection: Upgrade\r\n",
            "Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n",
            "Connection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n",
            "Upgrade: websocket\r\nSec-WebSocket-Accept: {key}\r\n",
            "Upgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Accept: {key}\r\n",
            "",
        ],
        ids=["accept", "no accept", "h2c", "no upgrade", "no connection", "close", "nothing"],
    )
    def test_not_understood(self, dialer, headers):
        """A 101 without the proof that the upgrade was understood is none."""

        def behave(sock):
            head = read_head(sock)
            key = header(answer(head).decode(), "Sec-WebSocket-Accept")
            sock.sendall(f"HTTP/1.1 101 OK\r\n{headers.format(key=key)}\r\n".encode())
            hold(sock)

        with RawServer(behave) as server:
            assert dialer.lost(str(server.port)).code == 1002

    @pytest.mark.parametrize(
        "extra",
        [
            "Sec-WebSocket-Extensions: permessage-deflate",
            "sec-websocket-extensions: x",
            "Sec-WebSocket-Protocol: chat",
        ],
    )
    def test_unoffered(self, dialer, extra):
        """An extension or subprotocol that nobody offered is refused, RFC 6455 section 4.1."""

        def behave(sock):
            upgrade(sock, extra)
            hold(sock)

        with RawServer(behave) as server:
            loss = dialer.lost(str(server.port))
        assert loss.code == 1002
        assert "nobody offered" in loss.reason

    @pytest.mark.parametrize("data", [b"", b"HTTP/1.1 101 Swi", b"HTTP/1.1 101 OK\r\nX: y\r\n"])
    def test_end(self, dialer, data):
        """A connection that ends in the head is lost, not broken."""

        def behave(sock):
            read_head(sock)
            sock.sendall(data)

        with RawServer(behave) as server:
            loss = dialer.lost(str(server.port))
        assert loss.code == 1006
        assert "instead of answering" in loss.reason

    def test_reset(self, dialer):
        """A connection that is reset in the head is lost."""

        def behave(sock):
            read_head(sock)
            reset(sock)

        with RawServer(behave) as server:
            loss = dialer.lost(str(server.port))
        assert loss.code == 1006
        assert isinstance(loss.cause, ConnectionResetError)

    def test_byte_by_byte(self, dialer):
        """A server that sends a byte now and then does not get a new time limit for each."""

        def behave(sock):
            read_head(sock)
            for byte in b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 100_000:
                sock.sendall(bytes([byte]))
                gone.wait(0.02)

        gone = threading.Event()
        with RawServer(behave) as server:
            loss = dialer.lost(str(server.port), timeout=SHORT)
            dialer.line.close()
            gone.set()
        assert loss.code == 1006
        assert "time" in loss.reason

    def test_silence(self, dialer):
        """A server that takes the request and never answers is given up when the time is up."""
        with RawServer(says()) as server:
            loss = dialer.lost(str(server.port), timeout=SHORT)
        assert loss.code == 1006
        assert "time" in loss.reason

    @pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EPIPE])
    def test_write_fails(self, dialer, monkeypatch, number):
        """A request that cannot be sent is a loss; "timed out" is no word of websocket-client's."""
        deaf = SimpleNamespace(
            setsockopt=lambda *args: None,
            settimeout=lambda seconds: None,
            close=lambda: None,
            getpeername=lambda: ("127.0.0.1", 1),
            sendall=lambda data: (_ for _ in ()).throw(OSError(number, os.strerror(number))),
        )

        def connect(host, port, deadline, line, stop):
            line.sock = deaf

        monkeypatch.setattr(dialing, "_connect_tcp", connect)
        loss = dialer.lost("1")
        assert loss.code == 1006
        assert loss.cause.errno == number


class TestRefusals:
    """Answers with another status."""

    @pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 426, 500, 502, 503])
    def test_status(self, dialer, status):
        """The status is the code of the loss, and its words the reason."""
        data = f"HTTP/1.1 {status} Some Words\r\nContent-Length: 0\r\n\r\n".encode()
        with RawServer(says(data)) as server:
            loss = dialer.lost(str(server.port))
        assert loss.code == status
        assert loss.reason == f"the server answered HTTP {status} Some Words"
        assert loss.retry_after is None

    def test_http_1_0(self, dialer):
        """An old server's refusal counts too, also without words and headers."""
        with RawServer(says(b"HTTP/1.0 403\r\n\r\n")) as server:
            loss = dialer.lost(str(server.port))
        assert (loss.code, loss.reason) == (403, "the server answered HTTP 403")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirect(self, dialer, status):
        """A redirect is never followed, since the key would go there."""
        with RawServer(good) as other:
            location = f"ws://127.0.0.1:{other.port}{PATH}"
            data = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n\r\n".encode()
            with RawServer(says(data)) as server:
                assert dialer.lost(str(server.port)).code == status
            assert other.accepted == 0

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("120", 120.0),
            (" 7 ", 7.0),
            ("0", 0.0),
            ("9" * 400, float("inf")),
            (email.utils.formatdate(1_700_000_090, usegmt=True), 90.0),
            (email.utils.formatdate(1_600_000_000, usegmt=True), 0.0),
            ("Tuesday, 14-Nov-23 22:14:50 GMT", 90.0),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Tue, 99 Nov 2023 22:14:50 GMT", None),
            ("Tue, 14 Nov 99999999999999999999 22:14:50 GMT", None),
        ],
    )
    @pytest.mark.parametrize("status", [429, 503])
    def test_retry_after(self, dialer, monkeypatch, status, value, seconds):
        """Retry-After is read as seconds or as a date; what is neither counts as none."""
        monkeypatch.setattr(heads, "time", SimpleNamespace(time=lambda: 1_700_000_000.0))
        data = f"HTTP/1.1 {status} Later\r\nRetry-After: {value}\r\n\r\n".encode()
        with RawServer(says(data)) as server:
            loss = dialer.lost(str(server.port))
        assert (loss.code, loss.retry_after) == (status, seconds)

    def test_huge_body(self, dialer):
        """The body of a refusal is not read, however large the server says it is."""
        data = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99000000000\r\n\r\n"
        with RawServer(says(data, b"x" * 10_000)) as server:
            assert dialer.lost(str(server.port)).code == 403


class TestTls:
    """Certificates; the trust in them is ssl's, the words for it are ours."""

    def test_good(self, dialer, authority, trusting):
        """A certificate for the host, by an authority that is trusted, is good."""
        context = server_context(authority.issue_cert("localhost"))
        with RawServer(good, context) as server:
            url = f"wss://localhost:{server.port}{PATH}"
            assert dialer(url, ssl_context=trusting) == b""
            assert dialer.line.sock.version().startswith("TLS")

    def test_address_as_host(self, dialer, authority, trusting):
        """A certificate may name an IP address."""
        context = server_context(authority.issue_cert("127.0.0.1"))
        with RawServer(good, context) as server:
            url = f"wss://127.0.0.1:{server.port}{PATH}"
            assert dialer(url, ssl_context=trusting) == b""

    def test_unknown_authority(self, dialer, authority):
        """By default only the system's authorities are trusted."""
        context = server_context(authority.issue_cert("localhost"))
        with RawServer(good, context) as server:
            loss = dialer.lost(f"wss://localhost:{server.port}{PATH}")
        assert loss.code == 1015
        assert f"localhost:{server.port}: " in loss.reason
        assert "issuer" in loss.reason or "self" in loss.reason
        assert isinstance(loss.cause, ssl.SSLCertVerificationError)

    def test_wrong_host(self, dialer, authority, trusting):
        """A certificate of another host is refused."""
        context = server_context(authority.issue_cert("other.example"))
        with RawServer(good, context) as server:
            loss = dialer.lost(f"wss://localhost:{server.port}{PATH}", ssl_context=trusting)
        assert loss.code == 1015
        assert "localhost" in loss.reason

    def test_expired(self, dialer, authority, trusting):
        """A certificate whose time is over is refused."""
        certificate = authority.issue_cert(
            "localhost",
            not_after=dt.datetime(2020, 2, 1),
        )
        with RawServer(good, server_context(certificate)) as server:
            loss = dialer.lost(f"wss://localhost:{server.port}{PATH}", ssl_context=trusting)
        assert loss.code == 1015
        assert "expired" in loss.reason

    def test_no_tls(self, dialer, trusting):
        """A server that speaks no TLS is a loss, not a wrong certificate."""

        def behave(sock):
            sock.recv(4096)
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            hold(sock)

        with RawServer(behave) as server:
            loss = dialer.lost(f"wss://localhost:{server.port}{PATH}", ssl_context=trusting)
        assert loss.code == 1006
        assert isinstance(loss.cause, ssl.SSLError)

    def test_end(self, dialer, trusting):
        """A connection that ends in the handshake is lost."""
        with RawServer(lambda sock: sock.recv(4096)) as server:
            loss = dialer.lost(f"wss://localhost:{server.port}{PATH}", ssl_context=trusting)
        assert loss.code == 1006

    def test_silence(self, dialer, trusting):
        """A server that never answers the handshake is given up when the time is up."""
        with RawServer(hold) as server:
            url = f"wss://localhost:{server.port}{PATH}"
            loss = dialer.lost(url, timeout=SHORT, ssl_context=trusting)
        assert loss.code == 1006
        assert "time" in loss.reason


class TestHttpProxy:
    """A tunnel by CONNECT."""

    @pytest.mark.parametrize(
        ("host", "target"),
        [("localhost", "localhost:8765"), ("127.0.0.1", "127.0.0.1:8765"), ("[::1]", "[::1]:8765")],
    )
    def test_good(self, dialer, host, target):
        """The proxy is asked for the host by name, and the upgrade goes through its tunnel."""
        heads = []
        with RawServer(http_proxy(heads=heads)) as server:
            proxy = f"http://127.0.0.1:{server.port}"
            assert dialer(f"ws://{host}:8765{PATH}", proxy=proxy) == b""
        assert heads == [f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"]

    @pytest.mark.parametrize(
        ("login", "sent"),
        [
            ("user:pass%3Aword", b"user:pass:word"),
            ("user", b"user:"),
            ("us%C3%A9r:p", "usér:p".encode()),
        ],
    )
    def test_password(self, dialer, login, sent):
        """User and password go to the proxy as Basic authorization."""
        heads = []
        with RawServer(http_proxy(heads=heads)) as server:
            dialer(f"ws://localhost:1{PATH}", proxy=f"http://{login}@127.0.0.1:{server.port}")
        scheme, value = header(heads[0], "Proxy-Authorization").split(" ")
        assert (scheme, base64.b64decode(value)) == ("Basic", sent)

    def test_tls(self, dialer, authority, trusting):
        """TLS goes through the tunnel, with the server's host in the certificate."""
        context = server_context(authority.issue_cert("api.example"))

        def then(sock):
            tls = server.start_tls(sock, context)
            good(tls)

        with RawServer(http_proxy(then=then)) as server:
            proxy = f"http://127.0.0.1:{server.port}"
            assert dialer(f"wss://api.example{PATH}", proxy=proxy, ssl_context=trusting) == b""
            dialer.line.close()

    @pytest.mark.parametrize("status", [302, 403, 407, 502, 503])
    def test_refused(self, dialer, status):
        """A refusal by the proxy has its status, and says who refused."""
        reply = f"HTTP/1.1 {status} No\r\nRetry-After: 5\r\n\r\n".encode()
        with RawServer(http_proxy(reply, then=hold)) as server:
            proxy = f"http://user:secret@127.0.0.1:{server.port}"
            loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=proxy)
        assert (loss.code, loss.reason) == (status, f"the proxy answered HTTP {status} No")
        assert loss.retry_after == 5

    def test_data_of_its_own(self, dialer):
        """A proxy that talks into the tunnel before the server does is no proxy."""
        reply = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n"
        with RawServer(http_proxy(reply, then=hold)) as server:
            proxy = f"http://127.0.0.1:{server.port}"
            loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=proxy)
        assert loss.code == 1002
        assert "of its own" in loss.reason

    def test_refused_port(self, dialer, free_port):
        """A proxy that is not there is a loss, told by the proxy's address."""
        loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=f"http://127.0.0.1:{free_port}")
        assert loss.code == 1006
        assert f"127.0.0.1:{free_port}" in loss.reason

    def test_environment(self, dialer, monkeypatch):
        """With "env" the tunnel of the environment is used."""
        heads = []
        with RawServer(http_proxy(heads=heads)) as server:
            monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.port}")
            dialer(f"ws://localhost:8765{PATH}", proxy="env")
        assert heads[0].startswith("CONNECT localhost:8765 ")

    def test_environment_that_broke_later(self, dialer, monkeypatch):
        """A proxy of the environment that nobody can use is a loss like any other."""
        made = Settings(keys=KeySource("plx_key"), proxy="env")
        monkeypatch.setenv("https_proxy", "ftp://user:secret@proxy.example")
        with pytest.raises(Lost) as told:
            dial(f"wss://api.example{PATH}", made, Deadline(10), dialer.line, dialer.stop)
        assert told.value.loss.code == 1006
        assert "ftp" in told.value.loss.reason
        assert "secret" not in told.value.loss.reason


class TestSocksProxy:
    """A tunnel by SOCKS."""

    @pytest.mark.parametrize(
        ("scheme", "host", "asked"),
        [
            ("socks5h", "localhost", (3, b"localhost", 8765)),
            ("socks5", "localhost", (1, b"\x7f\0\0\1", 8765)),
            ("socks5h", "127.0.0.1", (1, b"\x7f\0\0\1", 8765)),
        ],
    )
    def test_socks5(self, dialer, monkeypatch, scheme, host, asked):
        """With socks5 the name is resolved here, with socks5h by the proxy."""
        seen = []
        with RawServer(socks5(seen)) as server:
            if scheme == "socks5":
                original = socket.getaddrinfo

                def resolve(host, *args, **kwargs):
                    return original("127.0.0.1", *args, **kwargs)

                monkeypatch.setattr(socket, "getaddrinfo", resolve)
            proxy = f"{scheme}://127.0.0.1:{server.port}"
            assert dialer(f"ws://{host}:8765{PATH}", proxy=proxy) == b""
        assert seen == [asked]

    @pytest.mark.parametrize(
        ("scheme", "sent"),
        [("socks4", b"\x7f\0\0\1\0"), ("socks4a", b"\0\0\0\1\0localhost\0")],
    )
    def test_socks4(self, dialer, monkeypatch, scheme, sent):
        """SOCKS4 knows addresses only, 4a names too."""
        seen = []

        def behave(sock):
            assert read_exactly(sock, 4) == b"\x04\x01" + (8765).to_bytes(2, "big")
            seen.append(read_exactly(sock, len(sent)))
            sock.sendall(b"\0\x5a\0\0\0\0\0\0")
            good(sock)

        original = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: original("127.0.0.1", *a, **k)
        )
        with RawServer(behave) as server:
            proxy = f"{scheme}://127.0.0.1:{server.port}"
            assert dialer(f"ws://localhost:8765{PATH}", proxy=proxy) == b""
        assert seen == [sent]

    def test_tls(self, dialer, authority, trusting):
        """TLS goes through the tunnel."""
        context = server_context(authority.issue_cert("api.example"))

        def then(sock):
            good(server.start_tls(sock, context))

        with RawServer(socks5([], then)) as server:
            proxy = f"socks5h://127.0.0.1:{server.port}"
            assert dialer(f"wss://api.example{PATH}", proxy=proxy, ssl_context=trusting) == b""
            dialer.line.close()

    def test_password(self, dialer):
        """User and password go to the proxy."""
        with RawServer(socks5([], login=(b"user", b"p:w"))) as server:
            proxy = f"socks5h://user:p%3Aw@127.0.0.1:{server.port}"
            assert dialer(f"ws://localhost:1{PATH}", proxy=proxy) == b""

    def test_wrong_password(self, dialer):
        """A refused password is a loss that does not show it."""
        with RawServer(socks5([], login=(b"user", b"right"))) as server:
            proxy = f"socks5h://user:secret@127.0.0.1:{server.port}"
            loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=proxy)
        assert loss.code == 1006
        assert "the proxy at 127.0.0.1" in loss.reason
        assert "secret" not in loss.reason

    @pytest.mark.parametrize("reply", [1, 2, 4, 5, 8, 200])
    def test_refused(self, dialer, reply):
        """A refusal by the proxy is a loss that says who refused."""
        with RawServer(socks5([], hold, reply)) as server:
            proxy = f"socks5h://127.0.0.1:{server.port}"
            loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=proxy)
        assert loss.code == 1006
        assert "the proxy at 127.0.0.1" in loss.reason

    @pytest.mark.parametrize("data", [b"", b"\x05", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0"])
    def test_no_socks(self, dialer, data):
        """A proxy that speaks something else, or ends, is a loss."""

        def behave(sock):
            sock.recv(100)
            sock.sendall(data)

        with RawServer(behave) as server:
            proxy = f"socks5h://127.0.0.1:{server.port}"
            assert dialer.lost(f"ws://localhost:1{PATH}", proxy=proxy).code == 1006

    def test_refused_port(self, dialer, free_port):
        """A proxy that is not there is a loss."""
        loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=f"socks5://127.0.0.1:{free_port}")
        assert loss.code == 1006
        assert "the proxy at 127.0.0.1" in loss.reason

    def test_silence(self, dialer):
        """A proxy that does not answer is given up when the time is up."""
        with RawServer(hold) as server:
            proxy = f"socks5h://127.0.0.1:{server.port}"
            loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=proxy, timeout=SHORT)
        assert loss.code == 1006

    def test_not_installed(self, dialer, monkeypatch):
        """Without python-socks the settings refuse at once, and say what to install."""
        monkeypatch.setitem(sys.modules, "python_socks", None)
        with pytest.raises(ConfigError, match=r"pip install 'plexus-sync\[socks\]'"):
            dialer.lost(f"ws://localhost:1{PATH}", proxy="socks5://127.0.0.1")

    def test_a_proxy_that_is_not_there(self, dialer, free_port):
        """The reason blames the proxy, not the server."""
        loss = dialer.lost(f"ws://localhost:1{PATH}", proxy=f"http://127.0.0.1:{free_port}")
        assert loss.reason.startswith(f"the proxy at 127.0.0.1:{free_port}: ")


class TestStop:
    """Another thread's stop ends each step at once."""

    def test_before(self, dialer):
        """What is stopped already does not even begin."""
        dialer.stop.set()
        with RawServer(hold) as server:
            assert dialer.lost(str(server.port)).code == 1006
            assert server._sockets == []

    def test_dns(self, dialer, monkeypatch):
        """While DNS is asked, its thread is left alone."""
        asked, release = SimpleNamespace(wait=None), threading.Event()
        ready = threading.Event()
        asked.wait = lambda: ready.wait(PATIENCE)

        def resolve(*args, **kwargs):
            ready.set()
            release.wait(PATIENCE)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        try:
            assert dialer.stopped(f"ws://localhost:1{PATH}", asked).code == 1006
        finally:
            release.set()

    def test_tcp(self, dialer, monkeypatch, silent):
        """While an address does not answer, no other one is tried."""
        waiting = threading.Event()
        original = selectors.DefaultSelector.select

        def select(self, timeout=None):
            waiting.set()
            return original(self, timeout)

        monkeypatch.setattr(selectors.DefaultSelector, "select", select)
        resolving_to(monkeypatch, silent, silent)
        ready = SimpleNamespace(wait=lambda: waiting.wait(PATIENCE))
        assert dialer.stopped(f"ws://localhost:1{PATH}", ready).code == 1006

    def test_tcp_before_the_wait(self, dialer, monkeypatch, silent):
        """A stop right between DNS and connect, when there is no socket to wake, is heard."""

        def resolve(*args, **kwargs):
            return [silent]

        original = dialing.in_time

        def in_time(*args):
            result = original(*args)
            dialer.stop.set()
            return result

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setattr(dialing, "in_time", in_time)
        call = InThread(lambda: dialer.lost(f"ws://localhost:1{PATH}", timeout=60))
        assert call.result().reason == "closed"

    def test_tls(self, dialer, trusting):
        """While the handshake waits for the server."""

        def behave(sock):
            sock.recv(4096)
            server.ready.set()
            hold(sock)

        with RawServer(behave) as server:
            url = f"wss://localhost:{server.port}{PATH}"
            assert dialer.stopped(url, server, ssl_context=trusting).code == 1006

    def test_between_tcp_and_tls(self, dialer):
        """A stop while the socket changes hands is heard, though it reaches neither of them."""

        class Context(ssl.SSLContext):
            def wrap_socket(self, *args, **kwargs):
                tls = super().wrap_socket(*args, **kwargs)
                dialer.stop.set()
                return tls

        context = Context(ssl.PROTOCOL_TLS_CLIENT)
        with RawServer(hold) as server:
            url = f"wss://localhost:{server.port}{PATH}"
            call = InThread(lambda: dialer.lost(url, timeout=60, ssl_context=context))
            assert call.result().reason == "closed"

    def test_upgrade(self, dialer):
        """While the answer is awaited."""

        def behave(sock):
            read_head(sock)
            server.ready.set()
            hold(sock)

        with RawServer(behave) as server:
            assert dialer.stopped(str(server.port), server).code == 1006

    def test_upgrade_over_tls(self, dialer, authority, trusting):
        """While the answer is awaited, with TLS below."""

        def behave(sock):
            read_head(sock)
            server.ready.set()
            hold(sock)

        context = server_context(authority.issue_cert("localhost"))
        with RawServer(behave, context) as server:
            url = f"wss://localhost:{server.port}{PATH}"
            assert dialer.stopped(url, server, ssl_context=trusting).code == 1006

    def test_http_proxy(self, dialer):
        """While the proxy makes its tunnel."""

        def behave(sock):
            read_head(sock)
            server.ready.set()
            hold(sock)

        with RawServer(behave) as server:
            proxy = f"http://127.0.0.1:{server.port}"
            assert dialer.stopped(f"ws://localhost:1{PATH}", server, proxy=proxy).code == 1006

    def test_socks_proxy(self, dialer):
        """While the proxy makes its tunnel, its thread is left alone, and its socket closed."""
        ended = threading.Event()
        finish = threading.Event()

        def behave(sock):
            sock.recv(100)
            server.ready.set()
            assert finish.wait(PATIENCE)
            sock.sendall(b"\x05\x00")
            sock.recv(100)
            sock.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")
            hold(sock)  # returns when the client has closed the tunnel that nobody wants any more
            ended.set()

        with RawServer(behave) as server:
            proxy = f"socks5h://127.0.0.1:{server.port}"
            assert dialer.stopped(f"ws://localhost:1{PATH}", server, proxy=proxy).code == 1006
            finish.set()
            assert ended.wait(PATIENCE)

    def test_after_socks_proxy(self, dialer, monkeypatch):
        """A stop right after the tunnel was made, when the line has no socket yet, is heard."""
        original = proxies.in_time

        def in_time(*args):
            result = original(*args)
            dialer.stop.set()
            return result

        monkeypatch.setattr(proxies, "in_time", in_time)
        with RawServer(socks5([], hold)) as server:
            proxy = f"socks5h://127.0.0.1:{server.port}"
            url = f"ws://localhost:1{PATH}"
            call = InThread(lambda: dialer.lost(url, timeout=60, proxy=proxy))
            assert call.result().reason == "closed"


class TestLine:
    """The socket of one connection, and who may do what with it."""

    @pytest.fixture
    def pair(self):
        """Return a line and the socket at its other end."""
        line = Line()
        line.sock, other = socket.socketpair()
        for sock in (line.sock, other):
            sock.settimeout(PATIENCE)
        yield line, other
        line.close()
        other.close()

    def test_wake_a_reader(self, pair):
        """A wake ends reading and leaves writing alone, for the close frame."""
        line, other = pair
        call = InThread(line.sock.recv, 1)
        line.wake()
        assert call.result() == b""
        line.sock.sendall(b"x")
        assert other.recv(1) == b"x"

    def test_wake_a_writer(self, pair):
        """A wake ends a write that hangs, too."""
        line, _ = pair
        line.writing = True
        call = InThread(line.sock.sendall, b"x" * 10_000_000)
        line.wake()
        with pytest.raises(BrokenPipeError):
            call.result()

    def test_wake_without_socket(self):
        """Before there is a socket, a wake does nothing."""
        line = Line()
        line.wake()
        assert line.sock is None

    def test_close(self, pair):
        """Closing may be done again, also without a socket; a wake then does nothing."""
        line, other = pair
        line.close()
        assert other.recv(1) == b""
        line.close()
        line.wake()
        assert line.sock.fileno() == -1
        Line().close()
