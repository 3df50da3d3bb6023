"""The socket of one connection: how others wake its reader, and how its errors become ours."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from queue import Empty, SimpleQueue
from typing import Any, Iterator

from .deadline import MAX_WAIT, Deadline
from .interrupt import Interrupt
from .loss import ABNORMAL, TLS, Lost

__all__ = ["Line", "go_on", "lost", "network_errors", "time_left"]


class Line:
    """The socket of one connection, under whichever layer is the outermost at the moment.

    ``step`` goes through "dns", "tcp", "proxy", "tls" and "upgrade", as far as there is such a
    step. Its reader uses ``sock`` freely; other threads only call :meth:`wake`.
    """

    def __init__(self) -> None:
        self.sock: Any = None
        self.step = "dns"  # where dialing is, or was when it failed; for people
        self.writing = False  # set by the reader around a write that may block
        self._bed: SimpleQueue[None] = SimpleQueue()
        # wake() must not meet a descriptor that close() has just given back to the system.
        self._lock = threading.RLock()

    def sleep(self, seconds: float) -> None:
        """Wait until somebody calls ``rouse`` or ``wake``; perhaps not at all."""
        try:
            self._bed.get(timeout=min(seconds, MAX_WAIT))
        except Empty:
            pass

    def rouse(self) -> None:
        """End ``sleep``; safe from any thread."""
        self._bed.put(None)

    def wake(self) -> None:
        """Make whoever sleeps, reads from or writes to the socket return; safe from any thread.

        Only the reading half is shut while nobody writes, so that a close frame can still go out,
        and by the method of the plain socket: that of an SSLSocket drops TLS first, under its
        reader's hands.
        """
        self.rouse()
        half = socket.SHUT_RDWR if self.writing else socket.SHUT_RD
        with self._lock:
            if self.sock is None:
                return
            try:
                socket.socket.shutdown(self.sock, half)
            except OSError:
                pass  # not connected yet, or not any more

    def close(self) -> None:
        """Close the socket without waiting for anything."""
        with self._lock:
            if self.sock is not None:
                self.sock.close()


def lost(error: OSError, where: str) -> Lost:
    """Return the operating system's or TLS's error as ours: the one place where that is done.

    ``where`` says in the message what it happened to.
    """
    if isinstance(error, socket.timeout):
        return Lost(ABNORMAL, f"{where}: no answer in time", cause=error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Lost(TLS, f"{where}: {error.verify_message}", cause=error)
    return Lost(ABNORMAL, f"{where}: {error}", cause=error)


@contextlib.contextmanager
def network_errors(where: str) -> Iterator[None]:
    """Raise ``lost`` for the errors within."""
    try:
        yield
    except OSError as error:
        raise lost(error, where) from None


def time_left(deadline: Deadline) -> float:
    """Return the seconds that a socket may take; ``Lost`` where none are left."""
    remaining = deadline.remaining()
    if not remaining:  # a socket would take it for 'do not block'
        raise Lost(ABNORMAL, "it took longer than connect_timeout")
    return min(remaining, MAX_WAIT)


def go_on(stop: Interrupt) -> None:
    """Raise ``Lost`` where a wake may have come before the line had its new socket."""
    if stop.is_set():
        raise Lost(ABNORMAL, "closed")
