"""One connection taken apart: how far it came, and what stopped it.

Dialing, the transport and the table of close codes are those of the library, so what is found
here is what a subscription would meet.
"""

from __future__ import annotations

from typing import List, Optional, Tuple
from urllib.parse import urlsplit

from ..deadline import Deadline
from ..decode import decode
from ..endings import ending
from ..errors import FrameError, StreamError
from ..frames import ErrorFrame, Frame
from ..interrupt import Interrupt
from ..line import Line
from ..loss import ABNORMAL, Lost
from ..plain import short
from ..settings import Secret, Settings
from ..streams import VideoStream
from ..transport import Connection

__all__ = ["Probe", "Stopped"]


class Stopped(Exception):
    """The connection came to the step, and no further."""

    def __init__(self, step: str, error: StreamError) -> None:
        super().__init__(step)
        self.step = step
        self.error = error


class Probe:
    """Connects to the video endpoint: the only one that acknowledges a key.

    Its ``init`` frame also tells which devices are online, and it comes for any source, be there
    such a device or not.
    """

    def __init__(self, source: Optional[str], settings: Settings, timeout: float) -> None:
        self._stream = VideoStream(source or "plexus-sync-doctor")
        self._url = self._stream.url(settings.base_url)
        self._secure = self._url.startswith("wss:")
        self._settings = settings
        parts = urlsplit(self._url)
        self._host = str(parts.hostname)
        self._port = parts.port or (443 if self._secure else 80)
        self._proxy = settings.proxy_for(self._host, self._port, self._secure)
        self._deadline = Deadline(timeout)
        self._line = Line()
        self._connection = Connection(self._line, settings, Interrupt())

    @property
    def steps(self) -> Tuple[str, ...]:
        """The steps of a connection to this URL, in their order."""
        tls = ("tls",) if self._secure else ()
        if self._proxy is None:
            return ("dns", "tcp", *tls, "upgrade")
        if self._proxy.scheme.startswith("socks"):  # its own DNS and TCP are out of our sight
            return ("proxy", *tls, "upgrade")
        return ("dns", "tcp", "proxy", *tls, "upgrade")

    @property
    def proxy(self) -> Optional[str]:
        """The address of the proxy on the way, None where there is none."""
        if self._proxy is None:
            return None
        host = f"[{self._proxy.host}]" if ":" in self._proxy.host else self._proxy.host
        return f"{host}:{self._proxy.port}"

    def connect(self) -> None:
        """Go up to the upgrade, or raise ``Stopped``."""
        try:
            self._connection.open(self._url, self._settings, self._deadline)
        except Lost as lost:
            # Dialing begins at "dns", also where that is no step of this connection.
            step = self._line.step if self._line.step in self.steps else self.steps[0]
            raise Stopped(step, self._error(lost)) from None

    def authenticate(self, key: Secret) -> Frame:
        """Send the key; return the first frame of the service, or raise ``Stopped``."""
        try:
            self._connection.authenticate(key)
            while True:
                for text in self._receive():
                    frame = _decoded(text)
                    if isinstance(frame, ErrorFrame):
                        reason = short(self._settings.keys.scrub(frame.message or "an error"))
                        raise Stopped("auth", self._refused(reason))
                    if frame is not None:
                        return frame
        except Lost as lost:
            raise Stopped("auth", self._error(lost)) from None

    def close(self) -> None:
        """Close the connection, wherever it stands."""
        self._connection.close(1000)

    def describe(self, step: str) -> str:
        """Tell about a step that was passed."""
        if step == "dns":
            return self._host if self._proxy is None else self._proxy.host
        sock = self._line.sock
        if sock is None:
            return ""
        try:
            if step == "tls":
                until = sock.getpeercert()["notAfter"]
                return f"{sock.version()}, certificate valid until {until}"
            if step == "proxy":
                return f"on to {self._host}"
            host, port = sock.getpeername()[:2]
        except (OSError, ValueError):
            return ""  # reset since then
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _receive(self) -> List[bytes]:
        left = self._deadline.remaining()
        assert left is not None
        if not left:
            raise Lost(ABNORMAL, "no answer to the key in time")
        return self._connection.receive(left) or []

    def _error(self, lost: Lost) -> StreamError:
        loss = lost.loss
        reason = short(self._settings.keys.scrub(loss.reason))
        row = ending(loss.code, self._stream)
        error = row.error(reason, code=loss.code, reason=reason)
        error.__cause__ = loss.cause
        return error

    def _refused(self, reason: str) -> StreamError:
        return ending(4001, self._stream).error(reason, reason=reason)


def _decoded(text: bytes) -> Optional[Frame]:
    try:
        return decode(text)
    except FrameError:
        return None
