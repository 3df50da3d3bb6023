"""The table: what each end of a connection means, what to do about it, and how to tell it.

Source of the codes: 'Close codes' of 'Live streams', RFC 6455 section 7.4, and what the running
service was seen to do.
"""

from __future__ import annotations

import enum
from typing import Dict, Type

import attrs

from .errors import (
    AuthenticationError,
    CertificateError,
    ConnectionLost,
    FrameTooLarge,
    GatewayError,
    HandshakeError,
    PaymentRequiredError,
    ProtocolError,
    StreamError,
)
from .loss import TLS
from .streams import Stream, VideoStream

__all__ = ["TABLE", "Action", "Ending", "ending"]


class Action(enum.Enum):
    """What the table can say about a code."""

    RETRY = "back off and reconnect"
    NOW = "reconnect at once where the connection was good, else back off"
    RENEW = "the stream's time is up: ended where the caller asked for it, else renewed at once"
    ONCE_MORE = "back off and reconnect once, then it is final"
    STRIKE = "back off and reconnect; the third in a row is final"
    END = "the stream has ended, normally"
    FAIL = "final"


@attrs.frozen
class Ending:
    """One row of the table: what to do, which error tells it, and what the reader can do."""

    action: Action
    error: Type[StreamError]
    meaning: str
    advice: str


_UNAUTHORIZED = Ending(
    Action.ONCE_MORE,
    AuthenticationError,
    "the API key was refused, or came later than the 10 s that the service allows",
    "Check the key; where keys expire, give api_key a callable that returns a fresh one",
)
_UNPAID = Ending(
    Action.FAIL,
    PaymentRequiredError,
    "the plan behind this API key does not include API access",
    "Change the plan or use the key of another organisation",
)
_GATEWAY = Ending(
    Action.RETRY,
    GatewayError,
    "the service has lost its gateway, or this client answered its pings too late",
    "Nothing to do if it passes; else look at the device's own link",
)
_LOST = Ending(
    Action.RETRY,
    ConnectionLost,
    "the connection was lost or could not be made",
    "Nothing to do if it passes; else check base_url, DNS, proxy and network",
)
_BUSY = Ending(
    Action.RETRY,
    HandshakeError,
    "the server is overloaded or broken at the moment",
    "Nothing to do if it passes",
)
_REFUSED = Ending(
    Action.FAIL,
    HandshakeError,
    "the server refused the upgrade",
    "Check base_url and the stream's source_id and parameters; a redirect is never followed, "
    "because the key would go to another host",
)
_BROKEN = Ending(
    Action.STRIKE,
    ProtocolError,
    "the peer does not keep to the WebSocket protocol",
    "Check that base_url is the Data API and no other server or proxy answers",
)

TABLE: Dict[int, Ending] = {
    4401: _UNAUTHORIZED,
    4001: _UNAUTHORIZED,
    4402: _UNPAID,
    4002: _UNPAID,
    4008: attrs.evolve(_GATEWAY, action=Action.RENEW, meaning="the stream's time-out expired"),
    1011: _GATEWAY,
    1000: _LOST,
    1001: _LOST,
    1005: _LOST,
    1006: _LOST,
    1012: _LOST,
    1013: _LOST,
    1014: _LOST,
    TLS: Ending(
        Action.FAIL,
        CertificateError,
        "the server's certificate is not valid",
        "Check base_url and the clock; for a private authority pass ssl_context",
    ),
    1009: Ending(
        Action.STRIKE,
        FrameTooLarge,
        "a message was larger than allowed",
        "Raise max_frame_bytes if such messages are meant to come",
    ),
    429: _BUSY,
}


def ending(code: int, stream: Stream) -> Ending:
    """Return the row for a close code or HTTP status."""
    if code == 4008 and not isinstance(stream, VideoStream):
        return _GATEWAY  # the document knows it on video only
    if code in TABLE:
        return TABLE[code]
    if code < 1000:
        return _BUSY if code >= 500 else _REFUSED
    return _BROKEN
