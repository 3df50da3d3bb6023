"""Proxies as behaviours of a RawServer; each is itself the server behind it."""

from __future__ import annotations

import base64

from rawserver import good, header, hold, read_exactly, read_head

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
NO = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


def http_proxy(reply=OK, heads=None, then=good, login=None):
    """Return the behaviour of a proxy by CONNECT; ``login`` is the user:password that it wants."""

    def behave(sock):
        head = read_head(sock)
        if heads is not None:
            heads.append(head)
        if login is not None:
            basic = f"Basic {base64.b64encode(login).decode()}"
            if header(head, "Proxy-Authorization") != basic:
                sock.sendall(NO)
                hold(sock)
                return
        sock.sendall(reply)
        then(sock)

    return behave


def socks5(asked, then=good, reply=0, login=None):
    """Return the behaviour of a SOCKS5 proxy, RFC 1928; ``login`` is user and password."""

    def behave(sock):
        _, count = read_exactly(sock, 2)
        methods = read_exactly(sock, count)
        if login is None:
            assert 0 in methods
            sock.sendall(b"\x05\x00")
        elif 2 not in methods:
            sock.sendall(b"\x05\xff")
            return
        else:
            sock.sendall(b"\x05\x02")
            user = read_exactly(sock, read_exactly(sock, 2)[1])
            password = read_exactly(sock, read_exactly(sock, 1)[0])
            right = (user, password) == login
            sock.sendall(b"\x01" + (b"\x00" if right else b"\x01"))
            if not right:
                return
        kind = read_exactly(sock, 4)[3]
        length = {1: 4, 4: 16}.get(kind) or read_exactly(sock, 1)[0]
        asked.append(
            (kind, read_exactly(sock, length), int.from_bytes(read_exactly(sock, 2), "big"))
        )
        sock.sendall(b"\x05" + bytes([reply]) + b"\x00\x01\0\0\0\0\0\0")
        then(sock)

    return behave
