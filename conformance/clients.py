"""Echo clients: ours, on the connection that the library reads from, and its peers."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import websocket
import websockets.exceptions
import websockets.sync.client
from websocket import ABNF

from plexus_sync.deadline import Deadline
from plexus_sync.framing import FrameReader
from plexus_sync.interrupt import Interrupt
from plexus_sync.line import Line
from plexus_sync.loss import Lost
from plexus_sync.settings import KeySource, Settings
from plexus_sync.transport import Connection

PATIENCE = 60.0  # seconds; the suite's own pauses are of a few seconds
LARGEST = 16 * 1024 * 1024  # the largest message of the suite, and our default max_frame_bytes


class Binary(bytes):
    """A message that came as binary."""


class _Reader(FrameReader):
    """Tells binary messages from text, which has no meaning to the library."""

    __slots__ = ()

    def _fragment(self, first: int, payload: bytes, messages: List[bytes]) -> None:
        binary = first & 0x0F == ABNF.OPCODE_BINARY or self._fragments_text is False
        before = len(messages)
        super()._fragment(first, payload, messages)
        if binary and len(messages) > before:
            messages[-1] = Binary(messages[-1])


class _EchoConnection(Connection):
    """Our connection, which sends nothing but the auth frame and control frames by itself."""

    def __init__(self, line: Line, settings: Settings) -> None:
        super().__init__(line, settings, Interrupt())
        self._frames = _Reader(settings.max_frame_bytes)

    def send(self, message: bytes) -> None:
        """Send a message as what it came as."""
        opcode = ABNF.OPCODE_BINARY if isinstance(message, Binary) else ABNF.OPCODE_TEXT
        self._send(lambda: ABNF(1, 0, 0, 0, opcode, 1, message).format())


def echo_plexus_sync(url: str) -> List[bytes]:
    """Echo until the connection ends; return the last read's messages."""
    settings = Settings(keys=KeySource("unused"), base_url="ws://localhost", compression="deflate")
    line = Line()
    connection = _EchoConnection(line, settings)
    last: List[bytes] = []
    try:
        connection.open(url, settings, Deadline(PATIENCE))
        while True:
            messages = connection.receive(PATIENCE)
            if messages is None:
                raise TimeoutError(f"{url}: nothing has come for {PATIENCE} s")
            last = messages or last
            for message in messages:
                connection.send(message)
    except Lost:
        return last
    finally:
        line.close()


def echo_websocket_client(url: str) -> None:
    """Do as its documentation says, and close with the code that an exception stands for."""
    client = websocket.create_connection(url, timeout=PATIENCE)
    try:
        while True:
            opcode, data = client.recv_data()
            if opcode == ABNF.OPCODE_CLOSE:
                return
            # What recv() does with a text, whose end websocket-client does not check itself.
            client.send(data.decode() if opcode == ABNF.OPCODE_TEXT else data, opcode)
    except (websocket.WebSocketPayloadException, UnicodeDecodeError):
        client.close(status=1007)
    except websocket.WebSocketProtocolException:
        client.close(status=1002)
    except (websocket.WebSocketConnectionClosedException, OSError):
        pass
    finally:
        client.shutdown()


def echo_websockets(url: str) -> None:
    """Do as its documentation says."""
    try:
        with websockets.sync.client.connect(url, max_size=None, proxy=None) as client:
            for message in client:
                client.send(message)
    except (websockets.exceptions.WebSocketException, OSError):
        pass


CLIENTS: Dict[str, Callable[[str], Any]] = {
    "plexus-sync": echo_plexus_sync,
    "websocket-client": echo_websocket_client,
    "websockets": echo_websockets,
}
