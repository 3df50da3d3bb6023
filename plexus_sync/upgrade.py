"""The WebSocket handshake, by websocket-client.

It writes the request and judges the answer. What it would do beyond that is kept from it by the
object that it is given for a socket: it reads an answer of any length with a time-out for each
byte, reads the body of a refusal whole, and keeps a process-wide cookie jar.
"""

from __future__ import annotations

import http.client
import io
from typing import Optional, Tuple

import websocket

from ._version import __version__
from .deadline import Deadline
from .deflate import OFFER, Agreement, Refused, agree
from .heads import check_status, read_head
from .line import Line, network_errors, time_left
from .loss import PROTOCOL, Lost

__all__ = ["upgrade"]


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
                self._line.sock.settimeout(time_left(self._deadline))
                self._line.sock.sendall(_without("cookie:", self._request, "utf-8"))
                head, self.leftover = read_head(self._line, self._deadline)
            headers = check_status(head, range(101, 102), "the server")
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


def upgrade(
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
