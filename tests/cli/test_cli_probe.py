"""One connection taken apart."""

from __future__ import annotations

import json
import socket

import pytest
import trustme
from rawserver import (
    TEXT,
    RawServer,
    close_frame,
    frame,
    hold,
    read_frame,
    read_head,
    reset,
    server_context,
    upgrade,
)

from plexus_sync import (
    AuthenticationError,
    CertificateError,
    ConnectionLost,
    HandshakeError,
    InitFrame,
    PaymentRequiredError,
    ProtocolError,
    VideoFrame,
)
from plexus_sync.cli.probe import Probe, Stopped
from plexus_sync.settings import KeySource, Settings

SECRET = "plx_secret"


@pytest.fixture
def probe():
    """Make probes that are closed after the test."""
    made = []

    def probe(url, timeout=5.0, source="robot-01", **settings):
        settings = Settings(keys=KeySource(SECRET), base_url=url, **settings)
        made.append(Probe(source, settings, timeout))
        return made[-1]

    yield probe
    for one in made:
        one.close()


@pytest.fixture
def stopped(probe):
    """Return the step and the error of a connection that stops before the key is sent."""

    def stopped(url, **more):
        with pytest.raises(Stopped) as caught:
            probe(url, **more).connect()
        return caught.value.step, type(caught.value.error), caught.value.error.reason

    return stopped


def local(server, scheme="ws"):
    """Return the URL of a server."""
    return f"{scheme}://127.0.0.1:{server.port}"


def test_all_the_way(probe, simulator):
    """Each step can be told of, and the first frame is that of the service."""
    one = probe(simulator.url, source=None)
    assert one.steps == ("dns", "tcp", "upgrade")
    one.connect()
    assert one.describe("dns") == "127.0.0.1"
    assert f"ws://{one.describe('tcp')}" == simulator.url
    simulator.keys.add(SECRET)
    first = one.authenticate(KeySource(SECRET).fetch())
    assert isinstance(first, InitFrame)
    one.close()
    assert one.describe("tcp") == ""


def test_dns(stopped, monkeypatch):
    """A name that cannot be resolved, and one that takes too long."""

    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    step, error, reason = stopped("wss://nowhere.example")
    assert (step, error) == ("dns", ConnectionLost)
    assert "not known" in reason
    assert stopped("wss://nowhere.example", timeout=1e-9)[0] == "dns"


def test_tcp(stopped, free_port, monkeypatch):
    """Nobody answers, or no socket can be had for the address."""
    assert stopped(f"ws://127.0.0.1:{free_port}")[:2] == ("tcp", ConnectionLost)
    assert stopped(f"wss://127.0.0.1:{free_port}")[:2] == ("tcp", ConnectionLost)

    def no_socket(*args, **kwargs):
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("plexus_sync.dialing.socket.socket", no_socket)
    assert stopped(f"ws://127.0.0.1:{free_port}")[0] == "tcp"


def test_the_last_of_several_addresses_has_no_socket(stopped, free_port, monkeypatch):
    """What is left then is the closed socket of the one before."""
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", free_port))
    odd = (9999, socket.SOCK_STREAM, 6, "", ("127.0.0.1", free_port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address, odd])
    assert stopped(f"ws://two.localhost:{free_port}")[0] == "tcp"


def test_tls_with_who_does_not_speak_it(stopped):
    """The port of a plain server."""
    with RawServer(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        assert stopped(local(server, "wss"))[:2] == ("tls", ConnectionLost)


def test_a_certificate_that_is_not_valid(stopped):
    """Of an authority that nobody knows."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with RawServer(hold, server_context(certificate)) as server:
        assert stopped(local(server, "wss"))[:2] == ("tls", CertificateError)


@pytest.fixture
def authority(monkeypatch, tmp_path):
    """Have an authority that this machine trusts; return the context of a server."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return server_context(authority.issue_cert("127.0.0.1", "localhost"))


def test_the_upgrade_behind_tls(probe, authority):
    """TLS stands, and what comes after it does not."""
    with RawServer(lambda sock: read_head(sock), authority) as server:
        one = probe(local(server, "wss"))
        assert one.steps == ("dns", "tcp", "tls", "upgrade")
        with pytest.raises(Stopped) as caught:
            one.connect()
    assert caught.value.step == "upgrade"


def test_tls_is_told_of(probe, authority):
    """Its version, and until when the certificate holds."""

    def behave(sock):
        upgrade(sock)
        hold(sock)

    with RawServer(behave, authority) as server:
        one = probe(local(server, "wss"))
        one.connect()
        assert one.describe("tls").startswith("TLSv1.")
        assert "certificate valid until" in one.describe("tls")
        one.close()


def answering(data):
    """Return the behaviour of a server that answers with these bytes."""

    def behave(sock):
        read_head(sock)
        sock.sendall(data)

    return behave


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (answering(b"HTTP/1.1 404 Not Found\r\n\r\n"), HandshakeError),
        (answering(b"SSH-2.0-x\r\n"), ProtocolError),
        (answering(b""), ConnectionLost),
        (lambda sock: (read_head(sock), reset(sock)), ConnectionLost),
    ],
    ids=["404", "no-http", "end", "reset"],
)
def test_the_upgrade(stopped, behave, error):
    """Another server, or one that has enough."""
    with RawServer(behave) as server:
        assert stopped(local(server))[:2] == ("upgrade", error)


def test_a_proxy(probe, stopped, free_port):
    """It is a step of its own, behind its own DNS and TCP."""
    with RawServer(answering(b"HTTP/1.1 407 Login\r\n\r\n")) as server:
        proxy = f"http://127.0.0.1:{server.port}"
        one = probe("wss://a.example", proxy=proxy)
        assert one.steps == ("dns", "tcp", "proxy", "tls", "upgrade")
        assert one.describe("dns") == "127.0.0.1"
        assert stopped("wss://a.example", proxy=proxy)[:2] == ("proxy", HandshakeError)
        url = f"ws://127.0.0.1:{free_port}"
        assert stopped(url, proxy=proxy)[:2] == ("proxy", HandshakeError)
    proxy = f"http://127.0.0.1:{free_port}"
    assert stopped("wss://a.example", proxy=proxy)[0] == "tcp"
    proxy = f"socks5://127.0.0.1:{free_port}"
    assert stopped("wss://127.0.0.1", proxy=proxy)[0] == "proxy"


def test_through_a_proxy(probe, stopped):
    """What fails behind it is not its fault."""

    def tunnel(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        upgrade(sock)
        hold(sock)

    def broken(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        read_head(sock)

    with RawServer(tunnel) as server:
        one = probe("ws://a.localhost", proxy=f"http://127.0.0.1:{server.port}")
        one.connect()
        assert one.describe("proxy") == "on to a.localhost"
        one.close()
    with RawServer(broken) as server:
        proxy = f"http://127.0.0.1:{server.port}"
        assert stopped("ws://a.localhost", proxy=proxy)[0] == "upgrade"


def serving(*frames):
    """Return the behaviour of a server that sends frames once it has the key."""

    def behave(sock):
        upgrade(sock)
        read_frame(sock)
        for one in frames:
            sock.sendall(one)
        hold(sock)

    return behave


def text(**fields):
    """Return a frame of JSON."""
    return frame(TEXT, json.dumps(fields).encode())


PICTURE = text(type="video_frame", camera_id="front", frame="")


@pytest.mark.parametrize(
    ("frames", "error", "word"),
    [
        ((close_frame(4001, b"unauthorized"),), AuthenticationError, "unauthorized"),
        ((close_frame(4002, b"for " + SECRET.encode()),), PaymentRequiredError, "[api key]"),
        ((text(type="error", message=f"bad {SECRET}"),), AuthenticationError, "bad [api key]"),
        ((text(type="error"),), AuthenticationError, "an error"),
        ((b"\x88\x00",), ConnectionLost, ""),
    ],
    ids=["refused", "plan", "error-frame", "error-frame-without-a-word", "closed"],
)
def test_the_key(probe, frames, error, word):
    """How the service says no; the key is never shown."""
    with RawServer(serving(*frames)) as server:
        one = probe(local(server))
        one.connect()
        with pytest.raises(Stopped) as caught:
            one.authenticate(KeySource(SECRET).fetch())
        assert caught.value.step == "auth"
        assert type(caught.value.error) is error
        assert word in caught.value.error.reason
        one.close()


def test_a_frame_is_a_yes(probe):
    """Whatever it is; what cannot be decoded tells nothing."""
    with RawServer(serving(frame(TEXT, b"{"), PICTURE)) as server:
        one = probe(local(server))
        one.connect()
        assert isinstance(one.authenticate(KeySource(SECRET).fetch()), VideoFrame)
        one.close()


def test_no_answer_to_the_key(probe):
    """It is not waited for longer than was said."""
    with RawServer(serving()) as server:
        one = probe(local(server), timeout=0.2)
        one.connect()
        with pytest.raises(Stopped) as caught:
            one.authenticate(KeySource(SECRET).fetch())
        assert "in time" in caught.value.error.reason
        one.close()


def test_ipv6(probe):
    """Addresses are told as they are written in URLs."""

    class Sock:
        def getpeername(self):
            return ("::1", 443, 0, 0)

        def close(self):
            pass

    one = probe("wss://[::1]")
    one._line.sock = Sock()
    assert one.describe("tcp") == "[::1]:443"


def test_a_socks_proxy(probe, free_port):
    """Its own DNS and TCP are no steps, and where it fails there is nothing to tell of."""
    for url, tls in (("wss://a.example", ("tls",)), ("ws://a.localhost", ())):
        one = probe(url, proxy=f"socks5h://127.0.0.1:{free_port}")
        assert one.steps == ("proxy", *tls, "upgrade")
        assert one.proxy == f"127.0.0.1:{free_port}"
        with pytest.raises(Stopped) as caught:
            one.connect()
        assert caught.value.step == "proxy"
        assert [one.describe(step) for step in one.steps] == [""] * len(one.steps)
    assert probe("wss://a.example", proxy="http://[::1]:9").proxy == "[::1]:9"
