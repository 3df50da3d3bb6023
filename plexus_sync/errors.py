"""The errors, and whose fault each one is.

::

    PlexusError                    the root; .final tells whether it ended the stream
     +- ConfigError                the caller passed something wrong (a ValueError too)
     +- Closed                     the subscription was closed, or has come to its normal end
     +- CallbackError              a callback of the caller's raised; __cause__ is what it raised
     +- StreamError                one stream; .stream, .code, .reason
         +- AuthenticationError    the key was refused (4401, 4001), or could not be had
         +- PaymentRequiredError   the plan has no API access (4402, 4002)
         +- HandshakeError         the upgrade was answered by another HTTP status; .status
         +- CertificateError       the server's certificate is not valid
         +- GatewayError           the service lost its gateway for good (1011)
         +- ConnectionLost         the network, the server or a time-out ended the connection
         +- ProtocolError          the peer broke RFC 6455
         |   +- FrameTooLarge      ... or sent a frame above max_frame_bytes (1009)
         +- FrameError             one frame could not be decoded; the stream goes on
         +- BufferOverflow         a Buffer(..., overflow="error") was full
         +- RetriesExhausted       max_attempts or max_elapsed; __cause__ is the last failure

The class tells the reason; whether the stream goes on is told by ``.final``, because the table
of close codes and the caller's ``Reconnect`` decide that, not the reason alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple, Union

if TYPE_CHECKING:
    from .streams import Stream

__all__ = [
    "AuthenticationError",
    "BufferOverflow",
    "CallbackError",
    "CertificateError",
    "Closed",
    "ConfigError",
    "ConnectionLost",
    "FrameError",
    "FrameTooLarge",
    "GatewayError",
    "HandshakeError",
    "PaymentRequiredError",
    "PlexusError",
    "ProtocolError",
    "RetriesExhausted",
    "StreamError",
]


class PlexusError(Exception):
    """The root of all errors of this library.

    ``final`` is True where the error ended a stream for good.
    """

    final: bool = False


class ConfigError(PlexusError, ValueError):
    """The caller passed something wrong; the message names field, value and what is allowed."""


class Closed(PlexusError):
    """The subscription was closed, or all of its streams have ended normally."""


class CallbackError(PlexusError):
    """A callback raised; ``__cause__`` is what it raised.

    ``callback`` is the function, ``frame`` what it was called with. A pickled or copied error
    names the function instead of holding it, because a function may not be picklable.
    """

    def __init__(self, callback: Union[Callable[..., Any], str], frame: Any) -> None:
        self.callback = callback
        self.frame = frame
        stream = getattr(frame, "stream", None)
        where = "" if stream is None else f" of {stream}"
        super().__init__(
            f"callback {self.name} raised on a {type(frame).__name__}{where}; "
            "its own traceback is in the log and in __cause__"
        )

    @property
    def name(self) -> str:
        """The callback's qualified name."""
        if isinstance(self.callback, str):
            return self.callback
        module = getattr(self.callback, "__module__", None)
        name = getattr(self.callback, "__qualname__", type(self.callback).__qualname__)
        return f"{module}.{name}" if module else name

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.name, self.frame)


class StreamError(PlexusError):
    """Something happened to one stream.

    ``stream`` is the stream, ``code`` the close code (RFC 6455 section 7.4 and the service's
    'Close codes') or the HTTP status, None where there was none, ``reason`` what the peer or the
    operating system gave as the reason.
    """

    def __init__(
        self,
        message: str,
        *,
        stream: Optional[Stream] = None,
        code: Optional[int] = None,
        reason: str = "",
        final: bool = False,
    ) -> None:
        super().__init__(message)
        self.stream = stream
        self.code = code
        self.reason = reason
        self.final = final


class AuthenticationError(StreamError):
    """The service refused the API key (4401, video 4001), or no key could be had."""


class PaymentRequiredError(StreamError):
    """The plan behind the key has no API access (4402, video 4002)."""


class HandshakeError(StreamError):
    """The upgrade was answered by an HTTP status other than 101."""

    @property
    def status(self) -> Optional[int]:
        """The HTTP status."""
        return self.code


class CertificateError(StreamError):
    """The server's certificate is not valid for this host."""


class GatewayError(StreamError):
    """The service has lost its own gateway for good (1011)."""


class ConnectionLost(StreamError):
    """The connection could not be made or was lost: network, restart, time-out, stale stream."""


class ProtocolError(StreamError):
    """The peer broke the WebSocket protocol, or is no WebSocket server at all."""


class FrameTooLarge(ProtocolError):
    """A message was larger than ``max_frame_bytes`` (1009)."""


class FrameError(StreamError):
    """One frame could not be decoded; it was counted as bad and the stream goes on.

    ``excerpt`` holds the start of its text, at most 200 bytes.
    """

    def __init__(self, message: str, *, excerpt: bytes = b"", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.excerpt = excerpt


class BufferOverflow(StreamError):
    """A buffer with ``overflow="error"`` was full."""


class RetriesExhausted(StreamError):
    """``max_attempts`` or ``max_elapsed`` was reached; ``__cause__`` is the last failure."""
