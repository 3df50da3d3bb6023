"""tenacity carries out what the judge says: waits, limits, and a stop that ends a wait at once."""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Tuple

import tenacity

from .endings import Action
from .judge import Verdict
from .latch import Latch
from .reconnect import Reconnect

__all__ = ["Failed", "retrying"]


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
        self._initial = policy.initial
        self._backoff = tenacity.wait_exponential(policy.initial, policy.maximum)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        verdict = _verdict(retry_state)
        if verdict.pause is not None:
            return verdict.pause
        longest = self._initial if verdict.good else self._backoff(retry_state)
        return max(verdict.at_least, random.uniform(verdict.earliest, longest))


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
