"""The frames of a subscription for a limited time, with a word on what goes on meanwhile."""

from __future__ import annotations

import queue
import sys
import time
from typing import Iterator, List, Optional, Set

from ..deadline import Deadline
from ..errors import AuthenticationError, Closed, FrameError, PlexusError, StreamError
from ..frames import Frame
from ..state import State, StateChange
from ..streams import Stream
from ..subscription import Subscription
from .exits import why
from .messages import Messages, is_terminal

__all__ = ["Watch"]

TICK = 0.2  # seconds: soon enough to tell what happened, seldom enough to cost nothing
BAD_FRAME_INTERVAL = 10.0  # seconds between notes: a thousand bad frames are one problem
SILENCE = 30.0  # seconds; as the library's own log has it


class Watch:
    """Hands over frames until the time is up.

    The first connection of each stream must succeed at once: who has mistyped a host wants to
    know. After that the library reconnects for as long as it takes. One stream that has failed
    for good ends all of them.
    """

    def __init__(self, subscription: Subscription, messages: Messages, deadline: Deadline) -> None:
        self._subscription = subscription
        self._messages = messages
        self._deadline = deadline
        self._began = time.monotonic()
        self._redraw = Deadline(0.0)
        self._bad_frame = Deadline(0.0)
        self._silent: Optional[Deadline] = Deadline(SILENCE)  # None: told, or not so
        self._opened: Set[Stream] = set()
        self._failures: List[StreamError] = []
        subscription.on_state(self._note_state)
        subscription.on_error(self._note_error)

    def frames(self) -> Iterator[Optional[Frame]]:
        """Yield frames, and None now and then while none comes.

        Raises the error of a stream that has failed for good or was never open.
        """
        while not self._deadline.expired():
            left = self._deadline.remaining()
            frame: Optional[Frame] = None
            try:
                frame = self._subscription.get(timeout=TICK if left is None else min(TICK, left))
            except queue.Empty:
                self._tell_silence()
                if self._failures:
                    raise self._failures[0] from None
            except Closed:
                return
            # The line would only flicker between lines of output.
            if self._redraw.expired() and (frame is None or not is_terminal(sys.stdout)):
                self._redraw = Deadline(TICK)
                self._messages.status(self._describe())
            if frame is not None:
                self._silent = None
            yield frame
        if self._failures:
            raise self._failures[0]

    def _note_state(self, change: StateChange) -> None:
        if change.current is State.OPEN:
            self._opened.add(change.stream)

    def _note_error(self, error: PlexusError) -> None:
        if isinstance(error, FrameError):
            if self._bad_frame.expired():
                self._bad_frame = Deadline(BAD_FRAME_INTERVAL)
                self._messages.note(str(error))
        elif isinstance(error, StreamError):
            is_new = error.stream not in self._opened
            # A refused key is tried once more: it may only have come too late.
            if error.final or (is_new and not isinstance(error, AuthenticationError)):
                self._failures.append(error)
            elif not is_new:
                self._messages.note(f"{error.stream}: lost ({why(error)}), connecting again")

    def _tell_silence(self) -> None:
        if self._silent is not None and self._silent.expired():
            self._silent = None
            self._messages.note(
                f"nothing has come for {SILENCE:.0f} s: the device may be off, or there is none of "
                "this name, which the service does not tell"
            )

    def _describe(self) -> str:
        """Return the status line."""
        frames = 0
        what = "open"
        for stream, status in self._subscription.status().items():
            frames += status.delivered
            if status.state is not State.OPEN:
                what = f"{stream} is {status.state.value}"
        passed = f"{time.monotonic() - self._began:.0f} s"
        return f"{what}, {f'{frames} frames' if frames else 'no frame yet'}, {passed}"
