"""What to do when a connection ends: a table, a judge who reads it, and tenacity to carry it out.

Nothing here touches a socket or a thread. Source of the codes: 'Close codes' of 'Live streams',
RFC 6455 section 7.4, and what the running service was seen to do.
"""

from __future__ import annotations

import enum
import time
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type

import attrs
import tenacity

from .errors import (
    AuthenticationError,
    CertificateError,
    ConfigError,
    ConnectionLost,
    FrameTooLarge,
    GatewayError,
    HandshakeError,
    PaymentRequiredError,
    ProtocolError,
    StreamError,
)
from .latch import Latch
from .loss import TLS, Loss
from .streams import Stream, VideoStream, is_count, is_duration

__all__ = ["Action", "Ending", "Failed", "Judge", "Reconnect", "Run", "Verdict", "retrying"]

RENEWAL_PAUSE = 0.2  # seconds; a server that ends every connection at once must not be hammered
MAX_RETRY_AFTER = 300.0  # seconds; a longer wish is a mistake or malice
STRIKES = 3  # a peer that breaks the protocol so often in a row will not mend
VIDEO_TIMEOUT_TOLERANCE = 1.0  # seconds by which the server's clock may run ahead of ours


class Action(enum.Enum):
    """What the table can say about a code."""

    RETRY = "back off and reconnect"
    NOW = "reconnect at once where the connection was good, else back off"
    RENEW = "the stream's time is up: ended where the caller asked for it, else renewed at once"
    ONCE_MORE = "back off and reconnect once, then it is final"
    STRIKE = "back off and reconnect; the third in a row is final"
    END = "the stream has ended, normally"
    FAIL = "final"


@attrs.frozen
class Ending:
    """One row of the table: what to do, which error tells it, and what the reader can do."""

    action: Action
    error: Type[StreamError]
    meaning: str
    advice: str


_UNAUTHORIZED = Ending(
    Action.ONCE_MORE,
    AuthenticationError,
    "the API key was refused, or came later than the 10 s that the service allows",
    "check the key; where keys expire, give api_key a callable that returns a fresh one",
)
_UNPAID = Ending(
    Action.FAIL,
    PaymentRequiredError,
    "the plan behind this API key does not include API access",
    "change the plan or use the key of another organisation",
)
_GATEWAY = Ending(
    Action.RETRY,
    GatewayError,
    "the service has lost its gateway, or this client answered its pings too late",
    "nothing to do if it passes; else look at the device's own link",
)
_LOST = Ending(
    Action.RETRY,
    ConnectionLost,
    "the connection was lost or could not be made",
    "nothing to do if it passes; else check base_url, DNS, proxy and network",
)
_BUSY = Ending(
    Action.RETRY,
    HandshakeError,
    "the server is overloaded or broken at the moment",
    "nothing to do if it passes",
)
_REFUSED = Ending(
    Action.FAIL,
    HandshakeError,
    "the server refused the upgrade",
    "check base_url and the stream's source_id and parameters; a redirect is never followed, "
    "because the key would go to another host",
)
_BROKEN = Ending(
    Action.STRIKE,
    ProtocolError,
    "the peer does not keep to the WebSocket protocol",
    "check that base_url is the Data API and no other server or proxy answers",
)

TABLE: Dict[int, Ending] = {
    4401: _UNAUTHORIZED,
    4001: _UNAUTHORIZED,
    4402: _UNPAID,
    4002: _UNPAID,
    4008: attrs.evolve(_GATEWAY, action=Action.RENEW, meaning="the stream's time-out expired"),
    1011: _GATEWAY,
    1000: _LOST,
    1001: _LOST,
    1005: _LOST,
    1006: _LOST,
    1012: _LOST,
    1013: _LOST,
    1014: _LOST,
    TLS: Ending(
        Action.FAIL,
        CertificateError,
        "the server's certificate is not valid",
        "check base_url and the clock; for a private authority pass ssl_context",
    ),
    1009: Ending(
        Action.STRIKE,
        FrameTooLarge,
        "a message was larger than allowed",
        "raise max_frame_bytes if such messages are meant to come",
    ),
    429: _BUSY,
}

_OVERRIDES = {
    "retry": Action.RETRY,
    "now": Action.NOW,
    "end": Action.END,
    "fail": Action.FAIL,
}


def ending(code: int, stream: Stream) -> Ending:
    """Return the row for a close code or HTTP status."""
    if code == 4008 and not isinstance(stream, VideoStream):
        return _GATEWAY  # the document knows it on video only
    if code in TABLE:
        return TABLE[code]
    if code < 1000:
        return _BUSY if code >= 500 else _REFUSED
    return _BROKEN


def _refuse(field: str, value: object, allowed: str) -> ConfigError:
    return ConfigError(f"Reconnect: {field}={value!r} is not allowed: {allowed}")


def _check_on_code(value: Any) -> Dict[int, str]:
    if not isinstance(value, Mapping):
        raise _refuse("on_code", value, "it must be a dict of codes to actions")
    for code, action in value.items():
        if not is_count(code, 100) or code > 4999 or code == TLS:
            raise _refuse(
                "on_code", value, "each key must be an HTTP status or a close code other than 1015"
            )
        if not isinstance(action, str) or action not in _OVERRIDES:
            raise _refuse("on_code", value, f"each action must be one of {', '.join(_OVERRIDES)}")
    return dict(value)


@attrs.frozen(hash=False)
class Reconnect:
    """How to come back after a loss: exponential backoff with full jitter.

    The wait before attempt n is random between 0 and ``initial * 2 ** (n - 1)`` seconds, at most
    ``maximum``. It starts again from ``initial`` only after a connection that delivered a data
    frame or stayed open ``stable_after`` seconds. ``max_attempts`` counts failed attempts in a
    row, the first included, and ``max_elapsed`` their seconds; None is no limit. ``on_code`` maps
    a close code (1006 for every loss without one) or an HTTP status to ``"retry"``, ``"now"``,
    ``"end"`` or ``"fail"``, in place of what the table of close codes says.
    """

    initial: float = attrs.field(default=0.5)
    maximum: float = attrs.field(default=30.0)
    max_attempts: Optional[int] = attrs.field(default=None)
    max_elapsed: Optional[float] = attrs.field(default=None)
    stable_after: float = attrs.field(default=10.0)
    on_code: Mapping[int, str] = attrs.field(factory=dict, converter=_check_on_code)

    def __attrs_post_init__(self) -> None:
        for field in ("initial", "maximum", "stable_after"):
            if not is_duration(getattr(self, field)):
                raise _refuse(field, getattr(self, field), "it must be seconds above 0")
        if self.maximum < self.initial:
            raise _refuse("maximum", self.maximum, f"it must not be below initial={self.initial!r}")
        if self.max_attempts is not None and not is_count(self.max_attempts):
            raise _refuse("max_attempts", self.max_attempts, "it must be 1 or more, or None")
        if self.max_elapsed is not None and not is_duration(self.max_elapsed):
            raise _refuse("max_elapsed", self.max_elapsed, "it must be seconds above 0, or None")


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
    seconds instead of a backoff; ``at_least``: no less than so many.
    """

    action: Action  # RETRY, END or FAIL
    reason: str
    error: Optional[StreamError] = None
    good: bool = False
    pause: Optional[float] = None
    at_least: float = 0.0


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
        action = _OVERRIDES[override] if override else row.action
        if run.data:
            self._refused = self._strikes = 0
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
        return Verdict(action if final else Action.RETRY, loss.reason, error, good, pause, wait)

    def _asked_for(self, run: Run) -> bool:
        """Return whether the time-out that the caller gave has passed."""
        timeout = getattr(self._stream, "timeout", None)
        if timeout is None or run.since_auth is None:
            return False
        return bool(run.since_auth >= timeout - min(VIDEO_TIMEOUT_TOLERANCE, timeout / 2))

    @staticmethod
    def _renewal(run: Run) -> float:
        return max(0.0, RENEWAL_PAUSE - run.age)

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


class Failed(Exception):
    """One attempt and its connection are over; the verdict tells what comes next."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


def _verdict(state: tenacity.RetryCallState) -> Verdict:
    assert state.outcome is not None
    failed = state.outcome.exception()
    assert isinstance(failed, Failed)
    return failed.verdict


def _goes_on(state: tenacity.RetryCallState) -> bool:
    """Tell tenacity whether to try again; after a good connection it counts from the start."""
    assert state.outcome is not None
    if not isinstance(state.outcome.exception(), Failed):
        return False
    verdict = _verdict(state)
    if verdict.good:
        state.attempt_number = 0  # tenacity adds one before the next attempt
        state.start_time = time.monotonic()
    return verdict.action is Action.RETRY


class _Wait(tenacity.wait.wait_base):
    """Full jitter; what a verdict says of the wait goes before."""

    def __init__(self, policy: Reconnect) -> None:
        self._first = tenacity.wait_random(0, policy.initial)
        self._backoff = tenacity.wait_random_exponential(policy.initial, policy.maximum)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        verdict = _verdict(retry_state)
        if verdict.pause is not None:
            return verdict.pause
        wait = self._first if verdict.good else self._backoff
        return max(verdict.at_least, wait(retry_state))


def retrying(
    policy: Reconnect, stop: Latch, before_sleep: Callable[[Verdict, float], None]
) -> tenacity.Retrying:
    """Return what calls a function that raises ``Failed`` again and again, as the policy says.

    It ends with the ``Failed`` of a final verdict, or with ``tenacity.RetryError`` where the
    attempts are used up or ``stop`` is set, which also ends a wait at once. ``before_sleep`` is
    told the verdict and the seconds that it is about to wait.
    """
    limits: Tuple[Any, ...] = (tenacity.stop_when_event_set(stop),)  # type: ignore[arg-type]
    if policy.max_attempts is not None:
        limits += (tenacity.stop_after_attempt(policy.max_attempts),)
    if policy.max_elapsed is not None:
        limits += (tenacity.stop_after_delay(policy.max_elapsed),)
    return tenacity.Retrying(
        retry=_goes_on,
        wait=_Wait(policy),
        stop=tenacity.stop_any(*limits),
        sleep=tenacity.sleep_using_event(stop),  # type: ignore[arg-type]
        before_sleep=lambda state: before_sleep(_verdict(state), state.upcoming_sleep),
    )
