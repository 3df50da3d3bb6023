"""Networks as they are, on loopback and through the whole public interface.

Resets, DNS that comes and goes, addresses that are dead, proxies and certificates: what each does
to a subscription, what it tells, and that it goes on where it can. Links that lose and delay
packets are in ``tests/network``, which needs root.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading

import pytest
from helpers import PATIENCE, join_helpers, values, watching
from proxyserver import http_proxy, socks5
from rawserver import (
    TEXT,
    RawServer,
    frame,
    hold,
    read_exactly,
    reset,
    server_context,
    sign_in,
    trustme,
)

from plexus_sync import (
    CertificateError,
    ConnectionLost,
    HandshakeError,
    Reconnect,
    RetriesExhausted,
)

SHORT = 0.3  # seconds, where a time limit is what is tested
HOST = "robot.localhost"  # loopback by its name, and known to no resolver of ours


def in_turns(*behaviours):
    """Return a behaviour that is another one for each connection, and the last from then on."""
    turns = list(behaviours)

    def behave(sock):
        (turns.pop(0) if len(turns) > 1 else turns[0])(sock)

    return behave


def serve(value):
    """Return the behaviour of a good server that sends one frame."""

    def behave(sock):
        sign_in(sock, value)
        hold(sock)

    return behave


def serve_and_cut(value):
    """Return the behaviour of a server that sends one frame and ends TCP."""

    def behave(sock):
        sign_in(sock, value)
        sock.shutdown(socket.SHUT_WR)
        hold(sock)

    return behave


def torn_frame(sock):
    """Send a frame and the half of another, wait until both are read, and reset the connection."""
    sign_in(sock, 1)
    sock.sendall(frame(TEXT, b'{"type": "telemetry", "points": []}')[:-10])
    read_exactly(sock, 6)  # the ping of a client that has read everything before
    reset(sock)


class Resolver:
    """Stands in for ``getaddrinfo``: each look-up gives what is next, the last for ever."""

    def __init__(self, monkeypatch, *answers):
        self._answers = list(answers)
        self.asked = []
        self._original = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host, port, *args, **kwargs):
        if host != HOST:
            return self._original(host, port, *args, **kwargs)
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


UNKNOWN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_reset_in_the_middle_of_a_frame(authority, trusting, secure):
    """The half frame is nothing, the loss is told, and a Gap stands where it was."""
    context = server_context(authority.issue_cert("127.0.0.1")) if secure else None
    with RawServer(in_turns(torn_frame, serve(2)), context) as server:
        url = server.url.replace("ws:", "wss:") if secure else server.url
        sub, errors = watching(url, ssl_context=trusting, ping_interval=0.05)
        with sub:
            assert values(sub, 3) == [1, "connection", 2]
            (status,) = sub.status().values()
    (error,) = errors
    assert (type(error), error.code, error.final) == (ConnectionLost, 1006, False)
    if not secure:  # TLS may take a reset for an end
        assert isinstance(error.__cause__, ConnectionResetError)
    assert (status.received, status.bad) == (2, 0)


class TestNames:
    """DNS, and the addresses that it tells."""

    def test_dns_that_comes_back(self, monkeypatch):
        """A name that is not found at the start, and again after a loss, is asked for again."""
        with RawServer(in_turns(serve_and_cut(1), serve(2))) as server:
            found = [server.address]
            Resolver(monkeypatch, UNKNOWN, UNKNOWN, found, UNKNOWN, UNKNOWN, UNKNOWN, found)
            sub, errors = watching(f"ws://{HOST}:1")
            with sub:
                assert values(sub, 3) == [1, "connection", 2]
                (status,) = sub.status().values()
        assert [(type(error), error.code) for error in errors] == [(ConnectionLost, 1006)] * 6
        causes = [isinstance(error.__cause__, socket.gaierror) for error in errors]
        assert causes == [True, True, False, True, True, True]
        assert (status.attempts, status.reconnects) == (7, 1)

    def test_dns_that_hangs(self, monkeypatch):
        """A resolver that does not answer costs connect_timeout, and the next attempt may work."""
        release = threading.Event()
        with RawServer(serve(1)) as server:
            asked = []

            def look_up(host, port, *args, **kwargs):
                asked.append(host)
                if len(asked) == 1:
                    release.wait(PATIENCE)
                return [server.address]

            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            sub, errors = watching(f"ws://{HOST}:1", connect_timeout=SHORT)
            try:
                with sub:
                    assert values(sub, 1) == [1]
            finally:
                release.set()
                join_helpers()
        assert type(errors[0]) is ConnectionLost
        assert "DNS took longer than connect_timeout" in errors[0].reason

    def test_a_new_address(self, monkeypatch):
        """A server that has moved is found, since each attempt asks anew."""
        with RawServer(serve_and_cut(1)) as old, RawServer(serve(2)) as new:
            names = Resolver(monkeypatch, [old.address], [new.address])
            sub, _ = watching(f"ws://{HOST}:1")
            with sub:
                assert values(sub, 3) == [1, "connection", 2]
        assert len(names.asked) == 2

    def test_first_address_refuses(self, monkeypatch, free_port):
        """IPv6 that nobody serves costs nothing: the same attempt goes on to IPv4."""
        refusing = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", free_port, 0, 0))
        with RawServer(serve(1)) as server:
            Resolver(monkeypatch, [refusing, server.address])
            sub, errors = watching(f"ws://{HOST}:1")
            with sub:
                assert values(sub, 1) == [1]
                (status,) = sub.status().values()
        assert (status.attempts, errors) == (1, [])

    def test_first_address_silent(self, monkeypatch, silent):
        """An address that does not answer takes its half of the time, the good one the rest."""
        with RawServer(serve(1)) as server:
            Resolver(monkeypatch, [silent, server.address])
            sub, errors = watching(f"ws://{HOST}:1", connect_timeout=2.0)
            with sub:
                assert values(sub, 1) == [1]
                (status,) = sub.status().values()
        assert (status.attempts, errors) == (1, [])


USER = (b"user", b"p:w")
LOGINS = [
    pytest.param(None, "", id="no password"),
    pytest.param(USER, "user:p%3Aw@", id="password"),
]
PROXIES = {"http": http_proxy, "socks5h": socks5}


def proxy_for(scheme, login, then, **more):
    """Return the behaviour of a proxy that wants a login, and is itself the server behind it."""
    if scheme == "http":
        return http_proxy(then=then, login=login and b":".join(login), **more)
    return socks5([], then=then, login=login)


@pytest.mark.parametrize("scheme", PROXIES)
class TestProxies:
    """What a proxy does to a subscription. The host is one that only the proxy can know."""

    @pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
    @pytest.mark.parametrize(("login", "given"), LOGINS)
    def test_delivers(self, authority, trusting, scheme, secure, login, given):
        """Frames come through the tunnel, with TLS to the server behind it, and come back."""
        context = server_context(authority.issue_cert("api.invalid"))

        def end(value, last):
            def then(sock):
                sock = proxy.start_tls(sock, context) if secure else sock
                (serve if last else serve_and_cut)(value)(sock)

            return proxy_for(scheme, login, then)

        with RawServer(in_turns(end(1, False), end(2, True))) as proxy:
            sub, errors = watching(
                "wss://api.invalid" if secure else "ws://api.invalid:8765",
                allow_insecure=True,
                ssl_context=trusting,
                proxy=f"{scheme}://{given}127.0.0.1:{proxy.port}",
            )
            with sub:
                assert values(sub, 3) == [1, "connection", 2]
        assert [error.code for error in errors] == [1006]

    @pytest.mark.parametrize("given", ["", "user:wrong-secret@"], ids=["none", "wrong"])
    def test_wrong_password(self, scheme, given):
        """It is told without the password: CONNECT's 407 is final, SOCKS knows no such code."""
        reached = []
        with RawServer(proxy_for(scheme, USER, reached.append)) as proxy:
            url = f"{scheme}://{given}127.0.0.1:{proxy.port}"
            policy = Reconnect(initial=0.001, max_attempts=1)
            sub, errors = watching("wss://api.invalid", proxy=url, reconnect=policy)
            with sub, pytest.raises((HandshakeError, RetriesExhausted)) as told:
                sub.get(PATIENCE)
        assert reached == []
        error = told.value if scheme == "http" else told.value.__cause__
        assert type(error) is (HandshakeError if scheme == "http" else ConnectionLost)
        assert error.code == (407 if scheme == "http" else 1006)
        assert "the proxy" in error.reason
        assert not any("secret" in str(each) + repr(each.__cause__) for each in errors)

    def test_environment(self, monkeypatch, scheme):
        """With "env" the proxy is used but for the hosts of NO_PROXY, which it never sees."""
        through, direct = RawServer(proxy_for(scheme, None, serve(1))), RawServer(serve(2))
        with through, direct:
            monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{through.port}")
            sub, _ = watching(direct.url, proxy="env")
            with sub:
                assert values(sub, 1) == [1]
            monkeypatch.setenv("NO_PROXY", "other.example,127.0.0.1")
            used = through.accepted
            sub, _ = watching(direct.url, proxy="env")
            with sub:
                assert values(sub, 1) == [2]
            assert (used, through.accepted) == (1, 1)


def self_signed(authority):
    """Return the context of a server whose certificate nobody else has signed."""
    alone = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with alone.cert_pem.tempfile() as certificate, alone.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


def expired(authority):
    """Return the context of a server whose certificate is of the past."""
    return server_context(authority.issue_cert("127.0.0.1", not_after=dt.datetime(2020, 2, 1)))


def wrong_host(authority):
    """Return the context of a server that shows another host's certificate."""
    return server_context(authority.issue_cert("other.example"))


def unknown_authority(authority):
    """Return the context of a server whose authority the client does not know."""
    return server_context(trustme.CA().issue_cert("127.0.0.1"))


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def only(request):
    """Confine a server's context to one version of TLS."""

    def only(context):
        context.minimum_version = context.maximum_version = ssl.TLSVersion[request.param]
        return context

    only.version = request.param.replace("_", ".")
    return only


class TestTls:
    """Certificates, for servers that speak only TLS 1.2 and only 1.3."""

    def test_private_authority(self, authority, trusting, only):
        """A certificate of an authority that ssl_context trusts is good."""
        versions = []

        def behave(sock):
            versions.append(sock.version())
            serve(1)(sock)

        with RawServer(behave, only(server_context(authority.issue_cert("127.0.0.1")))) as server:
            sub, errors = watching(f"wss://127.0.0.1:{server.port}", ssl_context=trusting)
            with sub:
                assert values(sub, 1) == [1]
        assert (versions, errors) == ([only.version], [])

    @pytest.mark.parametrize(
        ("bad", "words"),
        [
            (expired, "expired"),
            (self_signed, "self"),
            (wrong_host, "127.0.0.1"),
            (unknown_authority, "issuer"),
        ],
    )
    def test_bad_certificate(self, authority, trusting, only, bad, words):
        """It is final at once, told in its own words, and nothing is said to that server."""
        heard = []

        def behave(sock):
            heard.append(sock)

        with RawServer(behave, only(bad(authority))) as server:
            sub, errors = watching(f"wss://127.0.0.1:{server.port}", ssl_context=trusting)
            with sub, pytest.raises(CertificateError) as told:
                sub.get(PATIENCE)
            (status,) = sub.status().values()
        assert (told.value.code, told.value.final, errors) == (1015, True, [told.value])
        assert words in told.value.reason
        assert status.attempts == 1
        assert heard == []

    def test_client_certificate(self, authority, trusting, only):
        """A server that wants a certificate of the client gets it from ssl_context."""
        context = only(server_context(authority.issue_cert("127.0.0.1")))
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
        names = []

        def behave(sock):
            names.append(sock.getpeercert()["subjectAltName"])
            serve(1)(sock)

        with RawServer(behave, context) as server:
            url = f"wss://127.0.0.1:{server.port}"
            sub, errors = watching(url, ssl_context=trusting, reconnect=Reconnect(max_attempts=1))
            with sub, pytest.raises(RetriesExhausted):
                sub.get(PATIENCE)
            assert errors[0].code == 1006
            assert isinstance(errors[0].__cause__, OSError)
            authority.issue_cert("client.example").configure_cert(trusting)
            sub, errors = watching(url, ssl_context=trusting)
            with sub:
                assert values(sub, 1) == [1]
        assert (names, errors) == ([(("DNS", "client.example"),)], [])
