"""Who wants to be called with what: the registry, and the one place where user code is called."""

from __future__ import annotations

import fnmatch
import inspect
import re
import threading
from typing import Any, Callable, Dict, Optional, Tuple, Type, TypeVar

import attrs

from .errors import CallbackError, ConfigError, PlexusError
from .frames import TelemetryFrame
from .state import StateChange
from .throttle import LOGGER

__all__ = ["Callbacks"]

F = TypeVar("F", bound=Callable[..., Any])

Matcher = Callable[[str], Any]


@attrs.frozen(eq=False)
class _Entry:
    """One registration: called with objects of ``wanted``, or with the points that match."""

    function: Callable[[Any], Any]
    wanted: Optional[Type[Any]]  # None: every frame, and Gap
    matches: Optional[Matcher] = None

    def takes(self, kind: Type[Any]) -> bool:
        """Return whether objects of this class go to it."""
        if self.wanted is None:
            return not issubclass(kind, (StateChange, PlexusError))
        return issubclass(kind, self.wanted)


class Callbacks:
    """The callbacks of one subscription, in the order of their registration.

    Calls happen on one thread at a time, the dispatcher's; registering and unregistering on any,
    also from inside a callback.
    """

    def __init__(self) -> None:
        # Writers only, so that two of them do not lose each other's entry; the tables are replaced,
        # never changed, and so read without it. Re-entrant, for signal handlers.
        self._lock = threading.RLock()
        self._entries: Tuple[_Entry, ...] = ()
        self._muted = False
        self._by_class: Dict[Type[Any], Tuple[_Entry, ...]] = {}
        self._only: Dict[Type[Any], Callable[[Any], Any]] = {}  # where one function wants a class

    def add(self, function: F, wanted: Optional[Type[Any]], pattern: Optional[str] = None) -> F:
        """Register a function and return it; ConfigError where it cannot be called."""
        _check(function)
        matches = re.compile(fnmatch.translate(pattern)).match if pattern is not None else None
        entry = _Entry(function, wanted, matches)
        with self._lock:
            self._replace((*self._entries, entry))
        return function

    def remove(self, function: Callable[..., Any]) -> None:
        """Unregister a function everywhere."""
        with self._lock:
            self._replace(tuple(e for e in self._entries if e.function != function))

    def want_frames(self) -> bool:
        """Return whether anybody wants frames, points or Gaps."""
        return any(
            entry.wanted is None or not issubclass(entry.wanted, (StateChange, PlexusError))
            for entry in self._entries
        )

    def mute(self) -> None:
        """Call nobody any more."""
        self._muted = True
        self._only = {}

    def call(self, thing: Any) -> None:
        """Call everybody who wants it; what they raise is logged and told to ``on_error``."""
        only = self._only.get(type(thing))
        if only is None:
            self._call_all(thing)
            return
        try:
            only(thing)
        except Exception as raised:
            self._failed(only, thing, raised)

    def _call_all(self, thing: Any) -> None:
        by_class = self._by_class
        entries = by_class.get(type(thing))
        if entries is None:
            entries = by_class[type(thing)] = tuple(
                entry for entry in self._entries if entry.takes(type(thing))
            )
            if len(entries) == 1 and entries[0].matches is None and not self._muted:
                self._only[type(thing)] = entries[0].function
        for entry in entries:
            if self._muted:
                return
            if by_class is not self._by_class and entry not in self._entries:
                continue  # unregistered by a callback before it
            if entry.matches is not None:
                self._call_with_points(entry, thing)
                continue
            try:
                entry.function(thing)
            except Exception as raised:
                self._failed(entry.function, thing, raised)

    def _call_with_points(self, entry: _Entry, frame: TelemetryFrame) -> None:
        assert entry.matches is not None
        for point in frame.points:
            if entry.matches(point.metric):
                if entry not in self._entries:
                    break  # unregistered by itself, on a point before
                try:
                    entry.function(point)
                except Exception as raised:
                    self._failed(entry.function, frame, raised)

    def _replace(self, entries: Tuple[_Entry, ...]) -> None:
        self._entries = entries
        self._by_class, self._only = {}, {}

    def _failed(self, function: Callable[[Any], Any], frame: Any, raised: Exception) -> None:
        if isinstance(frame, PlexusError):
            LOGGER.error("an on_error callback raised; it is told to nobody else", exc_info=raised)
            return
        error = CallbackError(function, frame)
        error.__cause__ = raised
        LOGGER.error("%s", error, exc_info=raised)
        self.call(error)


def _check(function: Any) -> None:
    if not callable(function):
        raise ConfigError(f"a callback must be callable, and {function!r} is not")
    called = getattr(function, "__call__", None)  # noqa: B004  # the method, not whether it is there
    for candidate in (function, called):
        if inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate):
            raise ConfigError(
                f"{function!r} is a coroutine function, and callbacks are plain functions: from "
                "asyncio register lambda frame: loop.call_soon_threadsafe(queue.put_nowait, frame)"
            )
