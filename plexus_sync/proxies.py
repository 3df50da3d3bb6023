"""Through a proxy: HTTP CONNECT on a connected line, SOCKS by python-socks."""

from __future__ import annotations

import socket
from base64 import b64encode
from typing import Optional

from .deadline import Deadline
from .heads import check_status, read_head
from .interrupt import Interrupt, in_time
from .line import Line, time_left
from .loss import ABNORMAL, PROTOCOL, Lost
from .settings import Proxy

__all__ = ["connect_http_proxy", "connect_socks_proxy"]


def connect_http_proxy(line: Line, proxy: Proxy, host: str, port: int, left: Deadline) -> None:
    """Have a proxy connect the line to a host (RFC 9110 section 9.3.6)."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    line.sock.settimeout(time_left(left))
    # In one expression: no variable, which a traceback might show, holds the password.
    line.sock.sendall(f"{request}{_login(proxy)}\r\n".encode())
    head, rest = read_head(line, left)
    check_status(head, range(200, 300), "the proxy")
    if rest:
        raise Lost(PROTOCOL, "the proxy sent data of its own into the tunnel")


def _login(proxy: Proxy) -> str:
    """Return the header that signs in, empty where the proxy wants none."""
    if proxy.username is None:
        return ""
    return f"Proxy-Authorization: Basic {b64encode(_pair(proxy)).decode()}\r\n"


def _pair(proxy: Proxy) -> bytes:
    return f"{proxy.username}:{_password(proxy) or ''}".encode()


def _password(proxy: Proxy) -> Optional[str]:
    return None if proxy.password is None else proxy.password.reveal()


def connect_socks_proxy(
    proxy: Proxy, host: str, port: int, left: Deadline, stop: Interrupt
) -> socket.socket:
    """Return a socket that a proxy has connected to a host; needs the extra ``socks``."""
    # Here, since it is an extra; the settings have seen that it is there.
    from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
    from python_socks.sync import Proxy as SocksProxy

    dialer = SocksProxy(
        ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5,
        proxy.host,
        proxy.port,
        proxy.username,
        _password(proxy),
        rdns=proxy.scheme in ("socks4a", "socks5h"),
    )
    remaining = time_left(left)
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
        raise Lost(
            ABNORMAL, f"the proxy at {proxy.host}:{proxy.port}: {error}", cause=error
        ) from None
