"""One open connection: frames out, messages in, on the socket that dialing has opened."""

from __future__ import annotations

import json
import math
import os
import socket
import struct
from typing import Callable, List, Optional

from websocket import ABNF

from .deadline import Deadline
from .deflate import Inflater
from .dialing import dial
from .framing import CloseFrame, FrameReader
from .interrupt import Interrupt
from .line import MAX_WAIT, Line, network_errors, time_left
from .loss import ABNORMAL, Lost
from .settings import Secret, Settings

__all__ = ["Connection"]

_IN_USE = network_errors("the connection")


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

    def open(self, url: str, settings: Settings, deadline: Deadline) -> None:
        """Connect and upgrade; the time limit is also that of the auth frame."""
        self._deadline = deadline
        leftover, agreement = dial(url, settings, deadline, self._line, self._stop)
        self._upgraded = True
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
        if frames.end is not None:
            self._raise_end()
        if timeout < self._timeout:  # else it only returns early; a system call a read is saved
            # 0 would mean not to wait at all.
            self._timeout = min(max(timeout, 0.001), MAX_WAIT)
            self._line.sock.settimeout(self._timeout)
        with _IN_USE:
            try:
                count = self._line.sock.recv_into(frames.room())
            except socket.timeout:
                self._timeout = math.inf
                frames.shrink()
                return None
        if not count:
            raise Lost(ABNORMAL, "the server ended the connection without a close frame")
        messages = frames.received(count)
        if frames.pings or frames.pongs:
            try:
                self._handle_control_frames()
            except Lost:
                # What came before is whole, and the close frame tells more than the broken pipe.
                if not messages and frames.end is None:
                    raise
        if frames.end is not None and not messages:
            self._raise_end()
        return messages

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
        with _IN_USE:
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
