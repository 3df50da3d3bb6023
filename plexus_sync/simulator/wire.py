"""TCP sockets that can be stalled and cut from outside, below the WebSocket library."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from typing import Any, Callable, Optional, Tuple

# Seconds for a connection to itself, which takes none unless the queue of clients is full.
WAKE_TIMEOUT = 0.3

_numbers = itertools.count(1)


class Wire(socket.socket):
    """One client's TCP connection.

    The library writes with ``sendall`` alone, so what passes through here is everything: data,
    pings, and the pongs and close frames that its own thread answers with.
    """

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.number = next(_numbers)
        # The one lock: stalls and cuts come from any thread, and wake the ones that write.
        self._changed = threading.Condition()
        self._stalled_until = 0.0
        self._broken = False
        self._handler: Optional[threading.Thread] = None
        self.reader: Optional[threading.Thread] = None
        """The library's thread that reads; its handler sets it."""

    def adopt(self, handler: threading.Thread) -> None:
        """Tell which thread serves this connection, so that it can be waited for."""
        with self._changed:
            if self._handler is None:
                self._handler = handler
                self._changed.notify_all()

    def join(self, deadline: Optional[float] = None) -> None:
        """Wait until no thread serves this connection, or for the deadline (monotonic)."""

        def left() -> Optional[float]:
            return None if deadline is None else max(0.0, deadline - time.monotonic())

        with self._changed:
            self._changed.wait_for(lambda: self._handler is not None, left())
        if self._handler is not None:
            self._handler.join(left())
        # Looked at only now: the handler sets it when it starts the reader.
        if self.reader is not None:
            self.reader.join(left())

    @property
    def done(self) -> bool:
        """Whether the threads that served this connection have ended."""
        if self._handler is None or self._handler.is_alive():
            return False
        return self.reader is None or not self.reader.is_alive()

    def stall(self, until: float) -> None:
        """Send nothing at all until then (monotonic); a time that has passed ends the stall."""
        with self._changed:
            self._stalled_until = until
            self._changed.notify_all()

    @property
    def stalled(self) -> bool:
        """Whether nothing is sent at present."""
        return time.monotonic() < self._stalled_until

    def abort(self) -> None:
        """End the TCP connection in order (FIN), whatever is written or waited for."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()
        with contextlib.suppress(OSError):  # it has ended already
            self.shutdown(socket.SHUT_RDWR)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send everything, once no stall is in the way."""
        with self._changed:
            while not self._broken and self.stalled:
                self._changed.wait(self._stalled_until - time.monotonic())
            if self._broken:
                raise BrokenPipeError("the simulator has cut this connection")
        super().sendall(data, flags)

    def close(self) -> None:
        """Close, and wake a thread that sits in ``sendall``: a plain close would not."""
        self.abort()
        # Without a handler yet, this would have become it.
        self.adopt(threading.current_thread())
        super().close()


class Listener(socket.socket):
    """A listening socket whose clients are wires; ``admit`` may turn one away."""

    def __init__(self, host: str, port: int, admit: Callable[[Wire], bool]) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            # 1024: a thousand clients may come at the same time in a load test.
            bound = socket.create_server((host, port), family=family, backlog=1024)
        except OSError as exc:
            why = str(exc.strerror).partition(" (while attempting")[0]  # which is Python's own
            raise OSError(
                exc.errno, f"cannot listen on {host} port {port} ({why}): choose another"
            ) from exc
        super().__init__(fileno=bound.detach())
        self._admit = admit

    def accept(self) -> Tuple[Wire, Any]:
        """Return the next client's wire and address."""
        plain, address = super().accept()
        wire = Wire(plain.detach())
        if not self._admit(wire):
            wire.close()
            raise OSError("the simulator is stopping")
        return wire, address

    def wake(self) -> None:
        """End the wait of whoever is in ``accept``, or will be, by a connection to itself."""
        host, port = self.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        # If it fails there is no room for it: then there are others to wake it.
        with contextlib.suppress(OSError):
            socket.create_connection((host, port), timeout=WAKE_TIMEOUT).close()
