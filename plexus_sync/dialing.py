"""From a URL to an upgraded connection: DNS, TCP, proxy, TLS, upgrade, one time limit for all."""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import ssl
from typing import Any, List, Optional, Tuple
from urllib.parse import urlsplit

from .deadline import Deadline
from .deflate import Agreement
from .errors import ConfigError
from .interrupt import Interrupt, in_time
from .line import Line, go_on, network_errors, time_left
from .loss import ABNORMAL, Lost
from .proxies import connect_http_proxy, connect_socks_proxy
from .settings import Proxy, Settings, is_loopback
from .upgrade import upgrade

__all__ = ["dial"]

_CONNECT_BEGUN = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


def _resolve(host: str, port: int, deadline: Deadline, interrupt: Interrupt) -> List[Any]:
    def look_up() -> List[Any]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    if _is_address(host):  # which needs neither DNS nor a thread to wait for it
        return look_up()
    return in_time(look_up, deadline, interrupt, "DNS")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])  # without the zone, which 3.8 does not know
    except ValueError:
        return False
    return True


def _connect_tcp(
    host: str, port: int, deadline: Deadline, line: Line, stop: Interrupt, whose: str = ""
) -> None:
    """Connect the line to the first address that answers; each gets its share of the time."""
    line.step = "dns"
    addresses = _resolve(host, port, deadline, stop)
    go_on(stop)
    line.step = "tcp"
    failure: Optional[OSError] = None
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        remaining = time_left(deadline)
        line.close()
        share = remaining / (len(addresses) - index)
        try:
            line.sock = socket.socket(family, kind, protocol)  # fails where there is no IPv6
            _connect_to(line.sock, address, share, stop)
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        except OSError as error:
            failure = error
    raise Lost(ABNORMAL, f"{whose}{host}:{port}: {failure or 'no address'}", cause=failure)


def _connect_to(sock: socket.socket, address: Any, timeout: float, stop: Interrupt) -> None:
    # Not with a blocking connect(): a wake just before it would go unheard.
    sock.setblocking(False)
    status = sock.connect_ex(address)
    if status not in _CONNECT_BEGUN:
        raise OSError(status, os.strerror(status))
    go_on(stop)
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
    if context is None:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # as from Python 3.10 on; RFC 8996
    line.sock = tls = context.wrap_socket(
        line.sock, server_hostname=host, do_handshake_on_connect=False
    )
    go_on(stop)
    tls.settimeout(time_left(left))  # for the handshake as a whole
    tls.do_handshake()


def _connect_by_proxy(
    line: Line, proxy: Proxy, host: str, port: int, deadline: Deadline, stop: Interrupt
) -> None:
    with network_errors(f"the proxy at {proxy.host}:{proxy.port}"):
        if proxy.scheme == "http":
            _connect_tcp(proxy.host, proxy.port, deadline, line, stop, "the proxy at ")
            line.step = "proxy"
            connect_http_proxy(line, proxy, host, port, deadline)
        else:
            line.step = "proxy"
            line.sock = connect_socks_proxy(proxy, host, port, deadline, stop)
            go_on(stop)


def _check_is_here(line: Line, host: str) -> None:
    """Raise ``Lost`` where the other end is not on this machine, whatever its name says."""
    address = line.sock.getpeername()[0]
    if not is_loopback(address):
        raise Lost(
            ABNORMAL,
            f"{host} led to {address}, where ws:// would send the API key in clear text: use "
            "wss://, or allow_insecure=True",
        )


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
    if proxy is not None:
        _connect_by_proxy(line, proxy, host, port, deadline, stop)
    with network_errors(f"{host}:{port}"):
        if proxy is None:
            _connect_tcp(host, port, deadline, line, stop)
        if not secure and not settings.allow_insecure:
            _check_is_here(line, host)  # the settings only saw a name such as x.localhost
        if secure:
            line.step = "tls"
            _start_tls(line, host, settings.ssl_context, deadline, stop)
        line.step = "upgrade"
        # geturl() has the scheme in lower case.
        return upgrade(line, parts.geturl(), deadline, settings.compression is not None)
