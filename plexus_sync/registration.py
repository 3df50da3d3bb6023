"""The ``on_...`` half of the subscription: who wants to be called with what."""

from __future__ import annotations

from typing import Any, Callable, Optional, Type, TypeVar, overload

from .callbacks import Callbacks
from .errors import ConfigError, PlexusError
from .frames import (
    EventFrame,
    Gap,
    GatewayReconnectingFrame,
    InitFrame,
    Point,
    TelemetryFrame,
    VideoFrame,
)
from .state import StateChange

__all__ = ["Registration"]

F = TypeVar("F", bound=Callable[..., Any])


class Registration:
    """Registers callbacks: any number, called in the order of registration, from any thread.

    Each method returns the function it is given, so that it can stand as a decorator.
    """

    def __init__(self) -> None:
        self._callbacks = Callbacks()

    def _allow(self, wanted: Optional[Type[Any]]) -> None:
        """Raise RuntimeError where callbacks for such objects cannot be called any more."""

    def on_telemetry(self, fn: F) -> F:
        """Call ``fn(frame)`` with every TelemetryFrame; returns ``fn``, so a decorator too."""
        return self._register(fn, TelemetryFrame)

    def on_event(self, fn: F) -> F:
        """Call ``fn(frame)`` with every EventFrame."""
        return self._register(fn, EventFrame)

    def on_init(self, fn: F) -> F:
        """Call ``fn(frame)`` with every InitFrame."""
        return self._register(fn, InitFrame)

    def on_video_frame(self, fn: F) -> F:
        """Call ``fn(frame)`` with every VideoFrame."""
        return self._register(fn, VideoFrame)

    def on_gateway_reconnecting(self, fn: F) -> F:
        """Call ``fn(frame)`` with every GatewayReconnectingFrame."""
        return self._register(fn, GatewayReconnectingFrame)

    def on_frame(self, fn: F) -> F:
        """Call ``fn(frame)`` with every frame of any type, and with every Gap."""
        return self._register(fn, None)

    def on_gap(self, fn: F) -> F:
        """Call ``fn(gap)`` wherever data may be missing."""
        return self._register(fn, Gap)

    @overload
    def on_metric(self, pattern: str) -> Callable[[F], F]: ...

    @overload
    def on_metric(self, pattern: str, fn: F) -> F: ...

    def on_metric(
        self, pattern: str, fn: Optional[Callable[[Point], Any]] = None
    ) -> Callable[..., Any]:
        """Call ``fn(point)`` with every point whose metric matches, as ``fnmatch.fnmatchcase``.

        A decorator where ``fn`` is left out.
        """
        if not isinstance(pattern, str):
            raise ConfigError(
                f"pattern={pattern!r} is not allowed: it must be a str such as 'joint.*'"
            )
        if fn is None:
            return lambda function: self._register(function, TelemetryFrame, pattern)
        return self._register(fn, TelemetryFrame, pattern)

    def on_state(self, fn: F) -> F:
        """Call ``fn(change)`` with every StateChange; it may overtake buffered frames."""
        return self._register(fn, StateChange)

    def on_error(self, fn: F) -> F:
        """Call ``fn(error)`` with every PlexusError; ``.final`` tells whether it ended a stream.

        It may overtake buffered frames.
        """
        return self._register(fn, PlexusError)

    def off(self, fn: Callable[..., Any]) -> None:
        """Unregister ``fn`` everywhere."""
        self._allow(PlexusError)
        self._callbacks.remove(fn)

    def _register(self, fn: F, wanted: Optional[Type[Any]], pattern: Optional[str] = None) -> F:
        self._allow(wanted)
        return self._callbacks.add(fn, wanted, pattern)
