"""What an attacker gets: the key from reports and logs, a way around TLS, a line in our log.

Each test plays one of those that ``docs/security.rst`` names, against a whole subscription or the
whole dialing. What concerns one module alone is tested beside that module; the page has the list.
"""

from __future__ import annotations

import base64
import faulthandler
import logging
import ssl
import sys
import threading
from types import SimpleNamespace

import pytest
import websocket
from helpers import PATIENCE, shown_of, variables_of
from proxyserver import socks5
from rawserver import (
    RawServer,
    close_frame,
    frame,
    hold,
    read_frame,
    read_head,
    reset,
    server_context,
    trustme,
    upgrade,
)

from plexus_sync import (
    ConfigError,
    LogsStream,
    MetricsStream,
    PlexusError,
    Reconnect,
    Subscription,
    VideoStream,
    dialing,
)
from plexus_sync.deadline import Deadline
from plexus_sync.interrupt import Interrupt
from plexus_sync.line import Line
from plexus_sync.loss import Lost
from plexus_sync.settings import KeySource, Settings

KEY = "plx_0123456789abcdef0123456789abcdef"
PASSWORD = "proxy-password-of-nobody"
LOGIN = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
SECRETS = (KEY, PASSWORD, LOGIN)
METRICS = MetricsStream("robot-01")
STEER = "\x1b]0;owned\x07\x1b[2J\r\n2026-01-01 ERROR forged \u202e"


def watch(port, **settings):
    """Return a subscription to a port of loopback that gives up after two attempts."""
    settings.setdefault("reconnect", Reconnect(initial=0.001, maximum=0.001, max_attempts=2))
    stream = settings.pop("stream", METRICS)
    return Subscription(stream, api_key=KEY, base_url=f"ws://127.0.0.1:{port}", **settings)


def failure(subscription):
    """Run it to its end; return all that it told, and what it raised at last."""
    told = []
    subscription.on_error(told.append)
    with pytest.raises(PlexusError) as raised:
        subscription.run(PATIENCE)
    return [*told, raised.value]


def upgraded(then):
    """Return a behaviour: upgrade, take the auth frame, go on."""

    def behave(sock):
        upgrade(sock)
        assert KEY in read_frame(sock)[1].decode()
        then(sock)

    return behave


def refuses(status):
    """Return a behaviour: read a request, and refuse it."""

    def behave(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")

    return behave


class TestTheKeyInReports:
    """Whoever reads logs, crash reports and dumps: no key and no proxy's password is in them."""

    @pytest.mark.parametrize(
        ("behave", "scheme"),
        [
            (upgraded(reset), None),
            (upgraded(lambda sock: sock.sendall(close_frame(4401, KEY.encode()))), None),
            (upgraded(lambda sock: sock.sendall(b"\xff" + KEY.encode())), None),
            (upgraded(lambda sock: sock.sendall(frame(1, KEY.encode()) * 3)), None),
            (refuses(b"403 " + KEY.encode()), None),
            (refuses(b"407 Login"), "http"),
            (reset, "http"),
            (socks5([], login=(b"other", b"")), "socks5h"),
            (reset, "socks5h"),
            (reset, "socks4a"),
        ],
        ids=[
            "reset",
            "echo",
            "garbage",
            "frames",
            "status",
            "proxy-status",
            "proxy-reset",
            "socks-login",
            "socks-reset",
            "socks4-reset",
        ],
    )
    def test_errors_with_all_that_led_to_them(self, caplog, behave, scheme):
        """Not in a message, nor in a variable of any frame behind it, nor in the log at DEBUG."""
        if scheme and scheme.startswith("socks"):
            pytest.importorskip("python_socks", reason="the extra socks")
        with RawServer(behave) as server, caplog.at_level(logging.DEBUG):
            via = {"proxy": f"{scheme}://user:{PASSWORD}@127.0.0.1:{server.port}"} if scheme else {}
            errors = failure(watch(1 if scheme else server.port, **via))
        shown = [shown_of(error) for error in errors] + [caplog.text]
        assert not [secret for secret in SECRETS if any(secret in text for text in shown)]

    def test_the_trace_of_websocket_client(self, caplog, capfd):
        """It shows the upgrade, and neither what went to the proxy before nor the key after it."""

        def behave(sock):
            assert LOGIN in read_head(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            upgraded(reset)(sock)

        websocket.enableTrace(True, handler=caplog.handler)
        try:
            with RawServer(behave) as server, caplog.at_level(logging.DEBUG):
                failure(watch(1, proxy=f"http://user:{PASSWORD}@127.0.0.1:{server.port}"))
        finally:
            websocket.enableTrace(False)
        shown = caplog.text + "".join(capfd.readouterr())
        assert "Sec-WebSocket-Key" in shown  # else there was no trace
        assert not [secret for secret in SECRETS if secret in shown]

    def test_a_dump_of_all_threads(self, simulator, subscribe, tmp_path):
        """A watchdog that prints every variable of every thread of ours finds no key."""
        simulator.keys.add(KEY)
        with subscribe(METRICS, api_key=KEY) as sub, open(str(tmp_path / "dump"), "w+") as dump:
            simulator.wait_for_connections(1)
            shown = [self.variables_of_the_reader(), repr(vars(sub)), repr(sub.status())]
            faulthandler.dump_traceback(dump)
            dump.seek(0)
            shown.append(dump.read())
        assert "plexus_sync" in shown[-1]
        assert not any(KEY in text for text in shown)

    def test_a_dump_while_a_proxy_is_asked(self):
        """Nor the proxy's password, while its answer is awaited."""

        def behave(sock):
            read_head(sock)
            server.ready.set()
            hold(sock)

        with RawServer(behave) as server:
            proxy = f"http://user:{PASSWORD}@127.0.0.1:{server.port}"
            with watch(1, proxy=proxy):
                server.wait()
                shown = self.variables_of_the_reader()
        assert "connect_http_proxy" in shown
        assert not [secret for secret in SECRETS if secret in shown]

    @staticmethod
    def variables_of_the_reader():
        """Return the variables of every frame of every reader, live."""
        shown = []
        for bottom in sys._current_frames().values():
            frames, at = [], bottom
            while at is not None:
                frames.append(at)
                at = at.f_back
            if any(at.f_code.co_name == "_live" for at in frames):
                shown += [f"{at.f_code.co_name}: {variables_of(at)}" for at in frames]
        assert shown, "there is no reader"
        return "\n".join(shown)


class TestTheWayToTheServer:
    """Whoever owns the network, its DNS or its proxies: the key leaves by TLS, or not at all."""

    @pytest.mark.parametrize("host", ["proxy.example", "10.0.0.1", "0.0.0.0", "localhost.example"])
    @pytest.mark.parametrize("scheme", ["http", "socks5h"])
    def test_no_clear_text_through_a_far_proxy(self, scheme, host):
        """To be localhost by way of another machine is not to be here."""
        proxy = f"{scheme}://{host}:3128"
        with pytest.raises(ConfigError, match=r"ws:// through a proxy.*allow_insecure=True"):
            watch(1, proxy=proxy)
        if scheme == "http":
            watch(1, proxy=proxy, allow_insecure=True).close()

    def test_no_clear_text_through_a_far_proxy_of_the_environment(self, monkeypatch):
        """It is left out for this machine, as if NO_PROXY named it; told to, it is used."""
        monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
        monkeypatch.setenv("all_proxy", "socks5://proxy.example")
        made = Settings(keys=KeySource(KEY), base_url="ws://localhost:1", proxy="env")
        assert made.proxy_for("localhost", 1, False) is None
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
        assert made.proxy_for("localhost", 1, False).host == "127.0.0.1"
        monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
        told = Settings(
            keys=KeySource(KEY), base_url="ws://localhost:1", proxy="env", allow_insecure=True
        )
        assert told.proxy_for("localhost", 1, False).host == "proxy.example"

    def test_a_web_server_s_header_names_no_proxy(self, monkeypatch):
        """Below CGI the variable HTTP_PROXY is a header of whoever asks ("httpoxy")."""
        monkeypatch.setenv("REQUEST_METHOD", "GET")
        monkeypatch.setenv("HTTP_PROXY", "http://evil.example")
        made = Settings(keys=KeySource(KEY), proxy="env", allow_insecure=True)
        assert made.proxy_for("api.example", 80, False) is None

    @pytest.mark.parametrize("told", [False, True])
    def test_no_clear_text_where_a_name_lies(self, monkeypatch, told):
        """DNS may send robot.localhost anywhere; nothing is said to an address that is not here."""
        sent = []
        far = SimpleNamespace(
            getpeername=lambda: ("192.0.2.1", 80),
            settimeout=lambda seconds: None,
            sendall=sent.append,
            recv=lambda count: b"",
        )

        def connect(host, port, deadline, line, stop):
            line.sock = far

        monkeypatch.setattr(dialing, "_connect_tcp", connect)
        url = "ws://robot.localhost"
        made = Settings(keys=KeySource(KEY), base_url=url, allow_insecure=told)
        with pytest.raises(Lost) as lost:
            dialing.dial(f"{url}/", made, Deadline(PATIENCE), Line(), Interrupt())
        assert bool(sent) is told
        assert ("led to 192.0.2.1" in lost.value.loss.reason) is not told

    def test_no_old_tls(self, monkeypatch):
        """Where Python's own defaults still had TLS 1.0, ours begin with 1.2."""
        authority = trustme.CA()
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        authority.configure_trust(context)
        monkeypatch.setattr(ssl, "create_default_context", lambda: context)
        made = Settings(keys=KeySource(KEY), base_url="wss://127.0.0.1")
        line = Line()

        def behave(sock):
            upgrade(sock)
            hold(sock)

        with RawServer(behave, server_context(authority.issue_cert("127.0.0.1"))) as server:
            url = f"wss://127.0.0.1:{server.port}/"
            dialing.dial(url, made, Deadline(PATIENCE), line, Interrupt())
            assert line.sock.context.minimum_version is ssl.TLSVersion.TLSv1_2
            assert line.sock.context.verify_mode is ssl.CERT_REQUIRED
            assert line.sock.context.check_hostname
            line.close()

    def test_what_others_in_the_process_did(self, monkeypatch):
        """Who has switched certificates off for all of HTTPS has not done so for us."""
        unverified = ssl._create_unverified_context
        monkeypatch.setattr(ssl, "_create_default_https_context", unverified)
        line = Line()
        with RawServer(hold, server_context(trustme.CA().issue_cert("127.0.0.1"))) as server:
            made = Settings(keys=KeySource(KEY), base_url=f"wss://127.0.0.1:{server.port}")
            arguments = (f"{made.base_url}/", made, Deadline(PATIENCE), line, Interrupt())
            with pytest.raises(Lost) as lost:
                dialing.dial(*arguments)
            line.close()
        assert lost.value.loss.code == 1015


class TestWhatTheServerIsAsked:
    """Whoever chooses the name of a device, a metric or a camera: it stays a name."""

    EVIL = "a\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil.example\r\n\r\n\0\u2028é"

    @pytest.mark.parametrize(
        "stream",
        [
            MetricsStream(EVIL.replace("/", "")),
            LogsStream(EVIL.replace("/", "")),
            MetricsStream("r", metrics=[EVIL]),
            VideoStream("r", cameras=[EVIL, EVIL]),
        ],
        ids=["metrics", "logs", "names", "cameras"],
    )
    def test_no_header_and_no_second_request(self, stream):
        """The request is one line and the headers of every request, in printable ASCII."""
        heads = []

        def behave(sock):
            heads.append(read_head(sock))
            sock.sendall(b"HTTP/1.1 403 No\r\n\r\n")
            assert sock.recv(64)[:1] in (b"", b"\x88"), "more than a close frame came after it"

        with RawServer(behave) as server:
            failure(watch(server.port, stream=stream))
        first, *headers = heads[0][:-4].split("\r\n")
        assert first.startswith("GET /v1/sources/")
        assert first.endswith(" HTTP/1.1")
        assert first.count(" ") == 2
        assert first.isascii()
        assert first.isprintable()
        assert {header.partition(":")[0] for header in headers} == {
            "Upgrade",
            "Host",
            "Connection",
            "User-Agent",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
        }


class TestWhatIsShownOfStrangers:
    """Whoever answers at the URL, or names a device: he writes no line of a log or a terminal."""

    @pytest.mark.parametrize(
        "behave",
        [
            upgraded(lambda sock: sock.sendall(close_frame(1011, STEER.encode()))),
            refuses(b"500 " + STEER.replace("\n", "").encode("latin-1", "replace")),
            refuses(b"500 " + b"x" * 60_000),
        ],
        ids=["close", "status", "long"],
    )
    def test_reasons(self, caplog, behave):
        """Why a connection ended is one line that can be seen, and no page."""
        with RawServer(behave) as server, caplog.at_level(logging.DEBUG):
            errors = failure(watch(server.port))
        texts = [record.getMessage() for record in caplog.records]
        texts += [str(error) for error in errors] + [error.reason for error in errors]
        assert len(caplog.records) >= 2
        assert [text for text in texts if not text.isprintable()] == []
        assert max(map(len, texts)) < 1500

    def test_error_frames_and_names(self, simulator, subscribe, caplog):
        """What the service reports is cut and spelled out in the log, and handed over as it is."""
        stream = MetricsStream(f"robot{STEER}")
        message = STEER + "x" * 1_000_000
        with subscribe(stream) as sub, caplog.at_level(logging.DEBUG):
            simulator.wait_for_connections(1)
            simulator.publish(stream.source_id, "metrics", {"type": "error", "message": message})
            assert sub.get(PATIENCE).message == message
            names = [thread.name for thread in threading.enumerate()]
        texts = [record.getMessage() for record in caplog.records]
        assert any("the service reports: \\x1b]0;owned" in text for text in texts)
        assert [text for text in [*texts, *names] if not text.isprintable()] == []
        assert max(map(len, texts)) < 2500


def test_a_login_on_the_command_line_is_not_repeated(capsys):
    """A proxy's password in a mistyped option is not said once more; journals keep stderr."""
    from plexus_sync.cli import main

    url = f"http://user:{PASSWORD}@proxy.example"
    for arguments in (["--porxy", url], [f"--porxy={url}"], ["--proxy", f"{url}:0"], [url]):
        assert main(["tail", "metrics", "robot-01", *arguments]) == 2
        said = capsys.readouterr()
        assert PASSWORD not in said.out + said.err
