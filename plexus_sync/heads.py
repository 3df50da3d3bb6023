"""The head of an HTTP answer, of a server or a proxy: read with a limit, and judged."""

from __future__ import annotations

import email.utils
import http.client
import io
import re
import time
from typing import Optional, Tuple

from .deadline import Deadline
from .line import Line, time_left
from .loss import ABNORMAL, PROTOCOL, Lost

__all__ = ["check_status", "read_head"]

MAX_HEAD = 64 * 1024  # bytes; real ones have less than 1 KiB


def read_head(line: Line, deadline: Deadline) -> Tuple[bytes, bytes]:
    """Return the head of an HTTP answer and what was read past it."""
    data = b""
    while True:
        line.sock.settimeout(time_left(deadline))
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


def check_status(head: bytes, expected: range, who: str) -> http.client.HTTPMessage:
    """Return the headers of an answer; ``Lost`` where its status is none of the expected."""
    status, phrase, headers = _parse_head(head)
    if status not in expected:
        reason = f"{who} answered HTTP {status} {phrase}".rstrip()
        raise Lost(status, reason, retry_after=_retry_after(headers))
    return headers
