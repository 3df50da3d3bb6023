"""Who reads the table when a connection has ended, and says what to do now. Pure."""

from __future__ import annotations

from typing import Optional

import attrs

from .endings import Action, Ending, ending
from .errors import StreamError
from .loss import Loss
from .reconnect import OVERRIDES, Reconnect
from .streams import Stream

__all__ = ["Judge", "Run", "Verdict"]

SPACING = 0.2  # seconds; a server that ends every connection at once must not be hammered
MAX_RETRY_AFTER = 300.0  # seconds; a longer wish is a mistake or malice
STRIKES = 3  # a peer that breaks the protocol so often in a row will not mend
VIDEO_TIMEOUT_TOLERANCE = 1.0  # seconds by which the server's clock may run ahead of ours


@attrs.define
class Run:
    """What one connection achieved, up to its end; all times in seconds.

    ``age``: since the attempt began; ``stood``: since the stream was open, 0 where it never was;
    ``since_auth``: since the auth frame, None where none was sent; ``frames`` and ``data``:
    whether a frame of any kind, and a data frame, came.
    """

    age: float = 0.0
    stood: float = 0.0
    since_auth: Optional[float] = None
    frames: bool = False
    data: bool = False


@attrs.frozen
class Verdict:
    """What to do now. ``error`` is to be told to the caller, None where there is nothing to tell.

    ``good``: the connection was worth starting the backoff anew; ``pause``: exactly so many
    seconds instead of a backoff; ``at_least``: no less than so many; ``earliest``: the backoff's
    jitter begins there and not at 0.
    """

    action: Action  # RETRY, END or FAIL
    reason: str
    error: Optional[StreamError] = None
    good: bool = False
    pause: Optional[float] = None
    at_least: float = 0.0
    earliest: float = 0.0


class Judge:
    """Reads the table for one stream, and remembers what a row needs to know of earlier ends."""

    def __init__(self, stream: Stream, policy: Reconnect) -> None:
        self._stream = stream
        self._policy = policy
        self._refused = 0  # 4401s since the last data frame
        self._strikes = 0  # violations since the last data frame

    def verdict(self, loss: Loss, run: Run) -> Verdict:
        """Return what to do after a connection that achieved ``run`` ended with ``loss``."""
        row = ending(loss.code, self._stream)
        override = self._policy.on_code.get(loss.code)
        action = OVERRIDES[override] if override else row.action
        if run.data:
            self._refused = self._strikes = 0
        if action is not Action.STRIKE:
            self._strikes = 0
        stable = run.stood >= self._policy.stable_after
        good = run.data or stable
        pause = None
        if action is Action.RENEW:
            if self._asked_for(run):
                action = Action.END
            elif run.frames or stable:
                return Verdict(Action.RETRY, "renewed", None, True, self._renewal(run))
        elif action is Action.NOW and (run.frames or stable):
            good, pause = True, self._renewal(run)
        elif action is Action.ONCE_MORE:
            self._refused += 1
            action = Action.FAIL if self._refused > 1 else Action.RETRY
        elif action is Action.STRIKE:
            self._strikes += 1
            action = Action.FAIL if self._strikes >= STRIKES else Action.RETRY
        if action is Action.END:
            return Verdict(action, loss.reason)
        final = action is Action.FAIL
        error = self._error(row, loss, final)
        wait = min(loss.retry_after or 0.0, MAX_RETRY_AFTER)
        action = action if final else Action.RETRY
        spacing = self.spacing(run.age)
        return Verdict(action, loss.reason, error, good, pause, wait, spacing)

    def spacing(self, age: float) -> float:
        """Return the seconds until the next attempt may begin, for one that began ``age`` ago.

        Jitter may be 0 time after time: this alone bounds how often a stream knocks.
        """
        return max(0.0, min(SPACING, self._policy.initial) - age)

    def _asked_for(self, run: Run) -> bool:
        """Return whether the time-out that the caller gave has passed."""
        timeout = getattr(self._stream, "timeout", None)
        if timeout is None or run.since_auth is None:
            return False
        return bool(run.since_auth >= timeout - min(VIDEO_TIMEOUT_TOLERANCE, timeout / 2))

    @staticmethod
    def _renewal(run: Run) -> float:
        return max(0.0, SPACING - run.age)

    def _error(self, row: Ending, loss: Loss, final: bool) -> StreamError:
        detail = f" ({loss.code}: {loss.reason})" if loss.reason else f" ({loss.code})"
        outlook = "given up" if final else "trying again"
        error = row.error(
            f"{self._stream}: {row.meaning}{detail}; {outlook}. {row.advice}",
            stream=self._stream,
            code=loss.code,
            reason=loss.reason,
            final=final,
        )
        error.__cause__ = loss.cause
        return error
