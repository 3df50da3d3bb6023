"""From a URL to an upgraded connection: DNS, TCP, proxy, TLS, upgrade, one time limit for all.

websocket-client writes the upgrade request and judges the answer. What it would do beyond that
is kept from it by the object that it is given for a socket: it reads an answer of any length with
a time-out for each byte, reads the body of a refusal whole, and keeps a process-wide cookie jar.
"""

from __future__ import annotations

import contextlib
import email.utils
import errno
import http.client
import io
import os
import re
import selectors
import socket
import ssl
import threading
import time
from base64 import b64encode
from typing import Any, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

import websocket

from ._version import __version__
from .deadline import Deadline
from .deflate import OFFER, Agreement, Refused, agree
from .errors import ConfigError
from .interrupt import Interrupt, in_time
from .loss import ABNORMAL, PROTOCOL, TLS, Lost
from .settings import Proxy, Settings

__all__ = ["MAX_WAIT", "Line", "dial", "network_errors"]

_CONNECT_BEGUN = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)
MAX_WAIT = 1_000_000.0  # seconds; more than 2**31 ms is refused by a socket's time-out
MAX_HEAD = 64 * 1024  # bytes of an HTTP answer's head; real ones have less than 1 KiB


class Line:
    """The socket of one connection, under whichever layer is the outermost at the moment.

    Its reader uses ``sock`` freely; other threads only call :meth:`wake`.
    """

    def __init__(self) -> None:
        self.sock: Any = None
        self.writing = False  # set by the reader around a write that may block
        # wake() must not meet a descriptor that close() has just given back to the system.
        self._lock = threading.RLock()

    def wake(self) -> None:
        """Make whoever reads from or writes to the socket return; safe from any thread.

        Only the reading half is shut while nobody writes, so that a close frame can still go out,
        and by the method of the plain socket: that of an SSLSocket drops TLS first, under its
        reader's hands.
        """
        half = socket.SHUT_RDWR if self.writing else socket.SHUT_RD
        with self._lock:
            if self.sock is None:
                return
            try:
                socket.socket.shutdown(self.sock, half)
            except OSError:
                pass  # not connected yet, or not any more

    def close(self) -> None:
        """Close the socket without waiting for anything."""
        with self._lock:
            if self.sock is not None:
                self.sock.close()


@contextlib.contextmanager
def network_errors(where: str) -> Iterator[None]:
    """Turn the operating system's and TLS's errors into ``Lost``: the one place where that is done.

    ``where`` says in the message what they happened to.
    """
    try:
        yield
    except socket.timeout as error:
        raise Lost(ABNORMAL, f"{where}: no answer in time", cause=error) from None
    except ssl.SSLCertVerificationError as error:
        raise Lost(TLS, f"{where}: {error.verify_message}", cause=error) from None
    except OSError as error:
        raise Lost(ABNORMAL, f"{where}: {error}", cause=error) from None


def _time_left(deadline: Deadline) -> float:
    remaining = deadline.remaining()
    if not remaining:  # a socket would take it for 'do not block'
        raise Lost(ABNORMAL, "it took longer than connect_timeout")
    return min(remaining, MAX_WAIT)


def _go_on(stop: Interrupt) -> None:
    """Raise ``Lost`` where a wake may have come before the line had its new socket."""
    if stop.is_set():
        raise Lost(ABNORMAL, "closed")


def _resolve(host: str, port: int, deadline: Deadline, interrupt: Interrupt) -> List[Any]:
    return in_time(
        lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
        deadline,
        interrupt,
        "DNS",
    )


def _connect_tcp(host: str, port: int, deadline: Deadline, line: Line, stop: Interrupt) -> None:
    """Connect the line to the first address that answers; each gets its share of the time."""
    addresses = _resolve(host, port, deadline, stop)
    failure: Optional[OSError] = None
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        remaining = _time_left(deadline)
        line.close()
        share = remaining / (len(addresses) - index)
        try:
            line.sock = socket.socket(family, kind, protocol)  # fails where there is no IPv6
            _connect_to(line.sock, address, share, stop)
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        except OSError as error:
            failure = error
    raise Lost(ABNORMAL, f"{host}:{port}: {failure or 'no address'}", cause=failure)


def _connect_to(sock: socket.socket, address: Any, timeout: float, stop: Interrupt) -> None:
    # Not with a blocking connect(): a wake just before it would go unheard.
    sock.setblocking(False)
    status = sock.connect_ex(address)
    if status not in _CONNECT_BEGUN:
        raise OSError(status, os.strerror(status))
    _go_on(stop)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        if not selector.select(timeout):
            raise socket.timeout("no answer in time")
    status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if status:
        raise OSError(status, os.strerror(status))


def _start_tls(
    line: Line, host: str, context: Optional[ssl.SSLContext], left: Deadline, stop: Interrupt
) -> None:
    context = context or ssl.create_default_context()
    line.sock = tls = context.wrap_socket(
        line.sock, server_hostname=host, do_handshake_on_connect=False
    )
    _go_on(stop)
    tls.settimeout(_time_left(left))  # for the handshake as a whole
    tls.do_handshake()


def _read_head(line: Line, deadline: Deadline) -> Tuple[bytes, bytes]:
    """Return the head of an HTTP answer and what was read past it."""
    data = b""
    while True:
        line.sock.settimeout(_time_left(deadline))
        some = line.sock.recv(4096)
        if not some:
            raise Lost(ABNORMAL, "the server closed the connection instead of answering")
        data += some
        if not data.startswith(b"HTTP/"[: len(data)]):
            raise Lost(PROTOCOL, "the answer is no HTTP")
        head, end, rest = data.partition(b"\r\n\r\n")
        if len(head) > MAX_HEAD:
            raise Lost(PROTOCOL, f"the head of the answer has more than {MAX_HEAD} bytes")
        if end:
            return head + end, rest


def _parse_head(head: bytes) -> Tuple[int, str, http.client.HTTPMessage]:
    """Return status, phrase and headers."""
    first, _, rest = head.partition(b"\r\n")
    match = re.fullmatch(rb"HTTP/1\.[01] ([1-5]\d\d)(?: (.*))?", first)
    if match is None:
        raise Lost(PROTOCOL, "the answer is no HTTP")
    try:
        headers = http.client.parse_headers(io.BytesIO(rest))
    except http.client.HTTPException as error:
        raise Lost(PROTOCOL, f"the head of the answer is malformed: {error!r}") from None
    return int(match[1]), (match[2] or b"").decode("latin-1"), headers


def _retry_after(headers: http.client.HTTPMessage) -> Optional[float]:
    """Return the seconds of a Retry-After, RFC 9110 section 10.2.3; None where it has none."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _check_status(head: bytes, expected: range, who: str) -> http.client.HTTPMessage:
    status, phrase, headers = _parse_head(head)
    if status not in expected:
        reason = f"{who} answered HTTP {status} {phrase}".rstrip()
        raise Lost(status, reason, retry_after=_retry_after(headers))
    return headers


def _connect_http_proxy(line: Line, proxy: Proxy, host: str, port: int, left: Deadline) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if proxy.username is not None:
        login = f"{proxy.username}:{proxy.password or ''}".encode()
        request += f"Proxy-Authorization: Basic {b64encode(login).decode()}\r\n"
    line.sock.settimeout(_time_left(left))
    line.sock.sendall(f"{request}\r\n".encode())
    head, rest = _read_head(line, left)
    _check_status(head, range(200, 300), "the proxy")
    if rest:
        raise Lost(PROTOCOL, "the proxy sent data of its own into the tunnel")


def _connect_socks_proxy(
    proxy: Proxy, host: str, port: int, left: Deadline, stop: Interrupt
) -> socket.socket:
    try:
        from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
        from python_socks.sync import Proxy as SocksProxy
    except ImportError as error:
        raise Lost(
            ABNORMAL,
            "a SOCKS proxy needs an extra: pip install 'plexus-sync[socks]'",
            cause=error,
        ) from None
    dialer = SocksProxy(
        ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5,
        proxy.host,
        proxy.port,
        proxy.username,
        proxy.password,
        rdns=proxy.scheme in ("socks4a", "socks5h"),
    )
    remaining = _time_left(left)
    try:
        # Its socket cannot be reached from outside while it connects, so it cannot be woken.
        return in_time(
            lambda: dialer.connect(host, port, remaining),
            left,
            stop,
            "SOCKS",
            socket.socket.close,
        )
    except (ProxyConnectionError, ProxyError, ProxyTimeoutError) as error:
        raise Lost(ABNORMAL, f"the proxy at {proxy.host}: {error}", cause=error) from None


def _without(name: str, head: bytes, encoding: str) -> bytes:
    """Return the head of a message without the headers of a name, so that no cookie passes.

    It is cut into lines as websocket-client does it, and comes out as UTF-8, the one encoding that
    it reads, where an answer has ISO-8859-1.
    """
    lines = (line.strip() for line in head.decode(encoding).split("\n"))
    return "\r\n".join(x for x in lines if not x.lower().startswith(name)).encode()


class _UpgradeSocket:
    """What websocket-client takes for its socket while it shakes hands."""

    def __init__(self, line: Line, deadline: Deadline, compress: bool) -> None:
        self._line = line
        self._deadline = deadline
        self._compress = compress
        self._request = b""
        self._head: Optional[io.BytesIO] = None
        self.leftover = b""
        self.agreement: Optional[Agreement] = None

    def gettimeout(self) -> None:
        """Say that it blocks; the time limit is kept here."""

    def send(self, request: bytes) -> int:
        """Keep the request for ``recv``: what is raised here websocket-client may replace."""
        self._request = request
        return len(request)

    def recv(self, count: int) -> bytes:
        """Return a part of the answer's head, once all of it is there and its status 101."""
        if self._head is None:
            # websocket-client has meanings of its own for an OSError, so none reaches it.
            with network_errors("the upgrade"):
                self._line.sock.settimeout(_time_left(self._deadline))
                self._line.sock.sendall(_without("cookie:", self._request, "utf-8"))
                head, self.leftover = _read_head(self._line, self._deadline)
            headers = _check_status(head, range(101, 102), "the server")
            self._judge_choices(headers)
            self._head = io.BytesIO(_without("set-cookie:", head, "latin-1"))
        return self._head.read(count)

    def _judge_choices(self, headers: http.client.HTTPMessage) -> None:
        extensions = headers.get_all("Sec-WebSocket-Extensions", [])
        if "Sec-WebSocket-Protocol" in headers or (extensions and not self._compress):
            raise Lost(PROTOCOL, "the server chose an extension or protocol nobody offered")
        if extensions:
            try:
                self.agreement = agree(", ".join(extensions))
            except Refused as error:
                raise Lost(PROTOCOL, str(error), cause=error) from None

    def close(self) -> None:
        """Leave the socket to its owner."""


def _upgrade(
    line: Line, url: str, deadline: Deadline, compress: bool
) -> Tuple[bytes, Optional[Agreement]]:
    """Shake hands; return what the server sent right behind its answer, and how it compresses."""
    stand_in = _UpgradeSocket(line, deadline, compress)
    headers = [f"User-Agent: plexus-sync/{__version__}"]
    if compress:
        headers.append(f"Sec-WebSocket-Extensions: {OFFER}")
    client = websocket.WebSocket(enable_multithread=False, skip_utf8_validation=True)
    try:
        client.connect(  # type: ignore[no-untyped-call]
            url,
            socket=stand_in,
            redirect_limit=0,
            suppress_origin=True,
            header=headers,
        )
    except websocket.WebSocketException as error:
        raise Lost(PROTOCOL, f"the upgrade: {error}", cause=error) from None
    return stand_in.leftover, stand_in.agreement


def dial(
    url: str, settings: Settings, deadline: Deadline, line: Line, stop: Interrupt
) -> Tuple[bytes, Optional[Agreement]]:
    """Connect the line to a URL and upgrade it.

    Returns the first bytes behind the upgrade, and what was agreed on compression, None for none.
    Raises ``Lost`` for whatever goes wrong on the way, and nothing else.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host = str(parts.hostname)
    port = parts.port or (443 if secure else 80)
    try:
        proxy = settings.proxy_for(host, port, secure)
    except ConfigError as error:  # of the environment, which was in order when it was checked
        raise Lost(ABNORMAL, str(error), cause=error) from None
    with network_errors(f"{host}:{port}"):
        if proxy is None:
            _connect_tcp(host, port, deadline, line, stop)
        elif proxy.scheme == "http":
            _connect_tcp(proxy.host, proxy.port, deadline, line, stop)
            _connect_http_proxy(line, proxy, host, port, deadline)
        else:
            line.sock = _connect_socks_proxy(proxy, host, port, deadline, stop)
            _go_on(stop)
        if secure:
            _start_tls(line, host, settings.ssl_context, deadline, stop)
        # geturl() has the scheme in lower case.
        return _upgrade(line, parts.geturl(), deadline, settings.compression is not None)
