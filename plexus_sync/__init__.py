"""Watch Plexus live streams (metrics, logs, video) from plain Python threads, without asyncio.

Start at :class:`Subscription`; the README shows the ten lines that most people need.
"""

from ._version import __version__
from .decode import decode
from .errors import (
    AuthenticationError,
    BufferOverflow,
    CallbackError,
    CertificateError,
    Closed,
    ConfigError,
    ConnectionLost,
    FrameError,
    FrameTooLarge,
    GatewayError,
    HandshakeError,
    PaymentRequiredError,
    PlexusError,
    ProtocolError,
    RetriesExhausted,
    StreamError,
)
from .frames import (
    Camera,
    ErrorFrame,
    EventFrame,
    Frame,
    Gap,
    GatewayReconnectingFrame,
    InitFrame,
    OnlineSource,
    Point,
    TelemetryFrame,
    UnknownFrame,
    VideoFrame,
)
from .reconnect import Reconnect
from .state import State, StateChange
from .status import StreamStatus
from .streams import Buffer, LogsStream, MetricsStream, Stream, VideoStream
from .subscription import Subscription

__all__ = [
    "AuthenticationError",
    "Buffer",
    "BufferOverflow",
    "CallbackError",
    "Camera",
    "CertificateError",
    "Closed",
    "ConfigError",
    "ConnectionLost",
    "ErrorFrame",
    "EventFrame",
    "Frame",
    "FrameError",
    "FrameTooLarge",
    "Gap",
    "GatewayError",
    "GatewayReconnectingFrame",
    "HandshakeError",
    "InitFrame",
    "LogsStream",
    "MetricsStream",
    "OnlineSource",
    "PaymentRequiredError",
    "PlexusError",
    "Point",
    "ProtocolError",
    "Reconnect",
    "RetriesExhausted",
    "State",
    "StateChange",
    "Stream",
    "StreamError",
    "StreamStatus",
    "Subscription",
    "TelemetryFrame",
    "UnknownFrame",
    "VideoFrame",
    "VideoStream",
    "__version__",
    "decode",
]
