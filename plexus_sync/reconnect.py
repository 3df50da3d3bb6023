"""How the caller wants to come back after a loss."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

import attrs

from .endings import Action
from .errors import ConfigError
from .loss import TLS
from .streams import is_count, is_duration

__all__ = ["OVERRIDES", "Reconnect"]

OVERRIDES = {
    "retry": Action.RETRY,
    "now": Action.NOW,
    "end": Action.END,
    "fail": Action.FAIL,
}


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
        if not isinstance(action, str) or action not in OVERRIDES:
            raise _refuse("on_code", value, f"each action must be one of {', '.join(OVERRIDES)}")
    return dict(value)


@attrs.frozen(hash=False)
class Reconnect:
    """How to come back after a loss: exponential backoff with full jitter.

    The wait after the n-th failed attempt in a row is random between 0 and ``initial * 2 ** (n -
    1)`` seconds, at most ``maximum``; no two attempts begin within 0.2 s, or ``initial`` where that
    is less. It starts again from ``initial`` only after a connection that delivered a data frame or
    stayed open ``stable_after`` seconds. ``max_attempts`` counts failed attempts in a row, the
    first included, and ``max_elapsed`` their seconds; None is no limit.
    ``on_code`` maps a close code (1006 for every loss without one) or an HTTP status to
    ``"retry"``, ``"now"``, ``"end"`` or ``"fail"``, in place of what the table of close codes says.
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
