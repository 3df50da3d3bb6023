"""One open connection: frames out, messages in, on the socket that dialing has opened."""

from __future__ import annotations

import json
import math
import os
import socket
import ssl
import struct
from typing import Callable, List, Optional

from websocket import ABNF

from .deadline import MAX_WAIT, Deadline
from .deflate import Inflater
from .dialing import dial
from .framing import CloseFrame, FrameReader
from .interrupt import Interrupt
from .line import Line, lost, network_errors, time_left
from .loss import ABNORMAL, Lost
from .settings import Secret, Settings

__all__ = ["Connection"]

_IN_USE = "the connection"
_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """The client's end of one WebSocket. Only its reader's thread may use it.

    Whatever ends it is raised as ``Lost``.
    """

    def __init__(self, line: Line, settings: Settings, stop: Interrupt) -> None:
        self._line = line
        self._stop = stop
        # A peer that takes nothing for so long is gone.
        self._write_timeout = min(settings.ping_timeout, MAX_WAIT)
        self._frames = FrameReader(settings.max_frame_bytes)
        self._deadline = Deadline(settings.connect_timeout)
        self._timeout = math.inf  # what the socket is set to
        self._leftover: List[bytes] = []  # messages that came with the upgrade
        self._ping: Optional[bytes] = None  # the payload that a pong is awaited for
        self._upgraded = False  # whether the peer speaks WebSocket by now
        self._tls = False
        self._failure: Optional[Lost] = None  # what went wrong while the socket was given away

    def open(self, url: str, settings: Settings, deadline: Deadline) -> None:
        """Connect and upgrade; the time limit is also that of the auth frame."""
        self._deadline = deadline
        leftover, agreement = dial(url, settings, deadline, self._line, self._stop)
        self._upgraded = True
        self._tls = isinstance(self._line.sock, ssl.SSLSocket)
        if agreement is not None:
            self._frames.inflater = Inflater(agreement)
        data = memoryview(leftover)
        while data:
            room = self._frames.room()
            count = min(len(room), len(data))
            room[:count] = data[:count]
            data = data[count:]
            self._leftover += self._frames.received(count)
        self._handle_control_frames()  # those that came with the upgrade

    def authenticate(self, key: Secret) -> None:
        """Send the auth frame ('Handshake', second step)."""
        # Built and sent in one expression: no variable of ours, which a traceback might show, and
        # no trace of websocket-client ever holds the key.
        self._send(
            lambda: ABNF.create_frame(
                json.dumps({"type": "auth", "api_key": key.reveal()}), ABNF.OPCODE_TEXT
            ).format(),
            time_left(self._deadline),
        )

    def receive(self, timeout: float) -> Optional[List[bytes]]:
        """Wait at most ``timeout`` seconds; return the messages that one read brought.

        None where nothing came, an empty list where no message is complete yet. Pings are
        answered on the way; it may return early with None.
        """
        frames = self._frames
        if self._leftover:
            messages, self._leftover = self._leftover, []
            return messages
        if self.has_other_business():  # it came while the socket was given away
            self._do_other_business([])
            return None
        if timeout < self._timeout:  # else it only returns early; a system call a read is saved
            # 0 would mean not to wait at all.
            self._timeout = min(max(timeout, 0.001), MAX_WAIT)
            self._line.sock.settimeout(self._timeout)
        try:
            messages = self._read()
        except socket.timeout:
            self._timeout = math.inf
            frames.shrink()
            return None
        except OSError as error:
            raise lost(error, _IN_USE) from None
        if self.has_other_business():
            self._do_other_business(messages)
        return messages

    # While the socket is given away.

    def may_be_given(self) -> bool:
        """Return whether there is nothing but to read what comes."""
        return not (
            self._stop.is_set()  # else whoever is to read may be waiting for this reader's end
            or self._leftover
            or self._ping is not None
            or self.has_other_business()
            # What TLS has decrypted already is not seen by whoever looks at the socket.
            or (self._tls and self._line.sock.pending())
        )

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return int(self._line.sock.fileno())

    def give(self) -> None:
        """Let others call ``receive_at_once``."""
        self._line.sock.settimeout(0)

    def sleep(self, seconds: float) -> None:
        """Wait until somebody calls ``rouse``; perhaps not at all."""
        self._line.sleep(seconds)

    def rouse(self) -> None:
        """End ``sleep``; safe from any thread."""
        self._line.rouse()

    def take_back(self) -> None:
        """Let others call it no more."""
        self._timeout = math.inf

    def receive_at_once(self, reads: int = 1) -> Optional[List[bytes]]:
        """Return the messages of so many reads at most; None where the first would have to wait.

        What goes wrong after the first is other business.
        """
        messages: Optional[List[bytes]] = None
        try:
            messages = self._read()
            while reads > 1 or (self._tls and self._line.sock.pending()):
                if self.has_other_business():
                    break
                reads -= 1
                messages += self._read()
        except _NOTHING_YET:
            pass
        except OSError as error:
            if error.errno is None:
                raise  # not the system's: a TimeoutError, say, that a signal handler raises
            self._failure = lost(error, _IN_USE)
        except Lost as failure:
            self._failure = failure
        if messages is None and self._failure is not None:
            raise self._failure
        return messages

    def has_other_business(self) -> bool:
        """Return whether something has come for its reader alone: a ping, a pong, the end."""
        frames = self._frames
        return bool(
            frames.pings or frames.pongs or frames.end is not None or self._failure is not None
        )

    def put_back(self, messages: List[bytes]) -> None:
        """Let the next ``receive`` return them."""
        self._leftover = messages

    def ping(self) -> None:
        """Send a ping; ``awaits_pong`` tells until its pong has come."""
        self._ping = payload = os.urandom(4)
        self._send(lambda: ABNF.create_frame(payload, ABNF.OPCODE_PING).format())

    @property
    def awaits_pong(self) -> bool:
        """Whether the last ping is still unanswered."""
        return self._ping is not None

    def close(self, code: int) -> None:
        """Send a close frame if there is an upgrade and that does not block; close the socket."""
        if self._upgraded:
            try:
                self._line.sock.settimeout(0)
                payload = struct.pack("!H", code)
                self._line.sock.send(ABNF.create_frame(payload, ABNF.OPCODE_CLOSE).format())
            except OSError:
                pass  # there is nobody to tell any more
        self._line.close()

    def _read(self) -> List[bytes]:
        frames = self._frames
        count = self._line.sock.recv_into(frames.room())
        if not count:
            raise Lost(ABNORMAL, "the server ended the connection without a close frame")
        return frames.received(count)

    def _do_other_business(self, messages: List[bytes]) -> None:
        """Answer pings, and raise the end unless messages came before it."""
        if self._failure is not None:
            raise self._failure
        try:
            self._handle_control_frames()
        except Lost:
            # What came before is whole, and the close frame tells more than the broken pipe.
            if not messages and self._frames.end is None:
                raise
        if self._frames.end is not None and not messages:
            self._raise_end()

    def _handle_control_frames(self) -> None:
        frames = self._frames
        if self._ping in frames.pongs:
            self._ping = None
        pings, frames.pings, frames.pongs = frames.pings, [], []
        if pings:
            # One write for all of them: a flood costs its sender more than us.
            pongs = [ABNF.create_frame(ping, ABNF.OPCODE_PONG).format() for ping in pings]
            self._send(lambda: b"".join(pongs))

    def _send(self, build: Callable[[], bytes], timeout: Optional[float] = None) -> None:
        self._line.writing = True  # before the look at stop: see Line.wake
        if self._stop.is_set():
            raise Lost(ABNORMAL, "closed")
        with network_errors(_IN_USE):
            self._timeout = self._write_timeout if timeout is None else timeout
            self._line.sock.settimeout(self._timeout)
            self._line.sock.sendall(build())
        self._line.writing = False

    def _raise_end(self) -> None:
        end = self._frames.end
        assert end is not None
        answer = 1000 if end.code == 1005 else end.code
        self.close(answer)
        who = "" if isinstance(end, CloseFrame) else "protocol violation: "
        raise Lost(end.code, who + end.reason)
