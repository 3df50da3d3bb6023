"""How a connection ended, in one vocabulary for the network, TLS, HTTP and WebSocket."""

from __future__ import annotations

from typing import Optional

import attrs

__all__ = ["ABNORMAL", "PROTOCOL", "TLS", "Loss", "Lost"]

# Codes of RFC 6455 section 7.4.1 that never stand in a close frame, used for what they describe.
ABNORMAL = 1006  # every loss without a code: DNS, refused, reset, end of stream, time-outs
TLS = 1015  # the certificate is not valid
PROTOCOL = 1002  # the peer does not speak the protocol, be it HTTP or WebSocket


def _forget_frames(error: Optional[BaseException]) -> None:
    """Take the tracebacks off an error and what led to it.

    Their frames are those of sockets, TLS and proxies, whose variables hold what was being sent:
    the key, a proxy's password. Who logs a traceback with variables would show them.
    """
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


@attrs.frozen
class Loss:
    """Why there is no connection any more.

    ``code`` is a close code (1000 and above) or an HTTP status, ``reason`` what happened in
    words, ``retry_after`` the seconds that an HTTP refusal asked for, ``cause`` the exception
    below, where there was one.
    """

    code: int
    reason: str
    retry_after: Optional[float] = None
    cause: Optional[BaseException] = None


class Lost(Exception):
    """Raised wherever a connection ends; other people's errors become this, once."""

    def __init__(
        self,
        code: int,
        reason: str,
        *,
        retry_after: Optional[float] = None,
        cause: Optional[BaseException] = None,
    ) -> None:
        super().__init__(reason)
        _forget_frames(cause)
        self.loss = Loss(code, reason, retry_after, cause)
