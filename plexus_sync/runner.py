"""Where the callbacks run: on the caller's own thread, or on one in the background."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from .deadline import Deadline
from .dispatch import Dispatcher
from .inbox import Inbox
from .latch import Latch

__all__ = ["Runner"]

LAST_NOTICES = 1.0  # seconds that the background thread waits for the readers to tell their end


class Runner:
    """Calls the callbacks with what the dispatcher hands over, on one thread."""

    def __init__(self, dispatcher: Dispatcher, inbox: Inbox) -> None:
        self._dispatcher = dispatcher
        self._inbox = inbox
        self._thread: Optional[threading.Thread] = None
        self._is_ours = False  # the thread; else it is the caller's of run(), not to be joined
        self._is_over = Latch()

    def use_this_thread(self) -> None:
        """Be the thread on which the callbacks run."""
        self._thread = threading.current_thread()

    def start(self, closed: Callable[[], bool], close: Callable[[], Any]) -> None:
        """Run in the background until ``closed()``; what ends it before closes everything."""
        # Callbacks need a thread that nobody else waits on; a daemon, since one of them may never
        # return.
        self._is_ours = True
        self._thread = threading.Thread(
            target=self._live, args=(closed, close), name="plexus-sync dispatch", daemon=True
        )
        self._thread.start()

    def run(self, deadline: Deadline, finished: Callable[[], bool]) -> None:
        """Call the callbacks until ``finished()`` or the time is up, and see to the sockets."""
        try:
            self._inbox.lookout.open()
            self._dispatcher.run(deadline, finished)
        finally:
            self._inbox.lookout.close()

    def end(self) -> None:
        """Say that the callers of ``join`` need not wait any longer."""
        self._inbox.lookout.close()  # Ctrl-C may have come on the way out of run()
        self._is_over.set()

    def join(self, deadline: Deadline) -> bool:
        """Wait until no callback runs any more, unless this is one; return whether none does."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        if not self._is_ours:
            return self._is_over.wait(deadline.remaining())
        if thread.ident is not None:  # else a signal handler came before it was started
            thread.join(deadline.remaining())
        return not thread.is_alive()

    def _live(self, closed: Callable[[], bool], close: Callable[[], Any]) -> None:
        try:
            self.run(Deadline(None), closed)
        except BaseException:  # SystemExit or KeyboardInterrupt, out of a callback
            close()
            raise
        self._inbox.wait_until(lambda: not self._inbox.live, Deadline(LAST_NOTICES))
        self._dispatcher.tell_notices()
