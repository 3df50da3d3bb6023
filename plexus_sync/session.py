"""One connection, from its first step to its loss: open it, sign in, read, keep it alive."""

from __future__ import annotations

import math
import time
from typing import Callable, List, Optional

from .deadline import Deadline
from .decode import Entry
from .errors import FrameError
from .gaps import GapBook
from .inbox import Lane
from .judge import Run
from .loss import ABNORMAL, Lost
from .settings import Secret, Settings
from .state import Event
from .streams import VideoStream
from .transport import Connection
from .wire import is_data, is_gateway_notice

__all__ = ["Session"]

OPEN_AFTER = 1.0  # seconds without a close: metrics and logs know no acknowledgement
SILENCE = 30.0  # seconds; a device that does not exist is silent for ever

# What a frame must hold to be a gateway_reconnecting: the words, or letters that JSON escapes.
_NOTICE = b"gateway_reconnecting"
_ESCAPE = b"\\u"


# How telemetry begins or ends that is valid JSON and has one type. Nothing else can: before a quote
# that is part of a string there is a backslash.
_TELEMETRY_FIRST = (b'{"type":"telemetry"', b'{"type": "telemetry"')
_TELEMETRY_LAST = (b',"type":"telemetry"}', b', "type": "telemetry"}')
_LONG = 500  # bytes from which on to look at both ends costs less than to search


def may_hold_notice(messages: List[bytes]) -> bool:
    """Return whether one of them may be a gateway_reconnecting; it is parsed then, to be sure."""
    if len(messages[0]) > _LONG:
        messages = [
            text
            for text in messages
            if not (text.startswith(_TELEMETRY_FIRST) or text.endswith(_TELEMETRY_LAST))
        ]
    # One search over a whole read costs less than one in each of its frames, and a single byte is
    # found many times faster than two.
    texts = b"".join(messages)
    return _NOTICE in texts or (_ESCAPE[:1] in texts and _ESCAPE in texts)


class Session:
    """Runs one connection of one stream on the reader's thread.

    Frames go to the lane as text, parsed only where something hangs on their type: while no data
    frame has come, during an outage, with a stale_timeout, and on video, where each camera has
    places of its own. Everything else is left to the dispatcher.
    """

    def __init__(
        self,
        lane: Lane,
        settings: Settings,
        book: GapBook,
        connection: Connection,
        enter: Callable[[Event], None],
        warn: Callable[[str, str], None],
        on_silence: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._lane = lane
        self._stream = lane.stream
        self._settings = settings
        self._book = book
        self._connection = connection
        self._enter = enter
        self._warn = warn
        self._on_silence = on_silence
        self._clock = clock
        self._wall = wall
        self._is_video = isinstance(lane.stream, VideoStream)
        self._has_stale_timeout = lane.stream.stale_timeout is not None
        self._always_parse = self._is_video or self._has_stale_timeout
        self._is_watched = True  # whether what is heard may change when something is due
        self._frames = self._data = self._data_in_batch = False
        # Points in time on the monotonic clock; inf is never.
        self._began_at = self._heard_at = clock()
        self._auth_at = self._open_at = self._data_at = self._silent_at = math.inf
        self._ping_at = self._pinged_at = math.inf  # the next ping, and the last one
        self._due_at = -math.inf  # the next duty, or some time before it

    def run(self, url: str, key: Secret) -> None:
        """Connect, sign in and read; returns only by raising ``Lost`` or ``LaneFull``."""
        settings = self._settings
        self._connection.open(url, settings, Deadline(settings.connect_timeout, self._clock))
        self._connection.authenticate(key)
        self._auth_at = self._heard_at = self._clock()
        self._ping_at = self._auth_at + settings.ping_interval
        self._enter(Event.AUTHENTICATE)
        self._due_at = self._next_duty()
        while True:
            messages = self._connection.receive(max(0.0, self._due_at - self._clock()))
            if messages is not None:
                self._heard(messages)
            # What is heard changes the time of a duty only while a pong is awaited or data is: else
            # duties are looked at when the first is due, and not at every read.
            if self._is_watched or self._connection.awaits_pong or self._clock() >= self._due_at:
                self._do_duties()
                self._due_at = self._next_duty()
                self._is_watched = self._connection.awaits_pong or self._has_stale_timeout

    def achieved(self) -> Run:
        """Return what the connection achieved up to now."""
        now = self._clock()
        return Run(
            age=now - self._began_at,
            stood=max(0.0, now - self._open_at),
            since_auth=None if self._auth_at == math.inf else now - self._auth_at,
            frames=self._frames,
            data=self._data,
        )

    def _heard(self, messages: List[bytes]) -> None:
        at = self._wall()
        if messages and self._open_at == math.inf:
            self._opened(at)
        if self._open_at != math.inf:
            self._book.delivering(at)
        if messages:
            self._frames = True
            self._put(self._entries(messages, at))
        # After put(), which may have waited for room: the peer is not to blame for that time.
        self._heard_at = self._clock()
        if self._data_in_batch:
            self._data_at = self._heard_at
            self._data_in_batch = False

    def _entries(self, messages: List[bytes], at: float) -> List[Entry]:
        if (
            self._data
            and not self._always_parse
            and not self._book.in_outage
            and not may_hold_notice(messages)
        ):
            return [(text, at, None, None) for text in messages]
        return self._parsed_entries(messages, at)

    def _parsed_entries(self, messages: List[bytes], at: float) -> List[Entry]:
        entries: List[Entry] = []
        decoder = self._lane.decoder
        for text in messages:
            try:
                wire = decoder.parse(text)
            except FrameError:
                entries.append((text, at, None, None))  # the dispatcher will find and tell the same
                continue
            if not decoder.wanted(wire):
                self._lane.count_filtered(text, at)
                continue
            if is_gateway_notice(wire):
                self._book.gateway_notice(at)
            elif is_data(wire):
                self._data = self._data_in_batch = True
                self._silent_at = math.inf
                gap = self._book.data(at)
                if gap is not None:
                    self._put(entries)
                    entries = []
                    self._lane.put_gap(gap)
            entries.append((text, at, wire, None))
        return entries

    def _put(self, entries: List[Entry]) -> None:
        dropped = self._lane.put(entries)
        if dropped and not self._is_video:
            self._warn("drop", f"{self._stream}: buffer full, {dropped} frames dropped")

    def _opened(self, at: float) -> None:
        self._open_at = self._clock()
        self._silent_at = self._open_at + SILENCE
        self._due_at = self._open_at
        self._lane.put_gap(self._book.opened(at))
        self._enter(Event.OPEN)

    def _next_duty(self) -> float:
        due = min(self._pong_due() or self._ping_at, self._stale_at(), self._silent_at)
        return due if self._open_at != math.inf else min(due, self._auth_at + OPEN_AFTER)

    def _do_duties(self) -> None:
        now = self._clock()
        if self._open_at == math.inf and now >= self._auth_at + OPEN_AFTER:
            self._opened(self._wall())
        self._keep_alive(now)
        if now >= self._stale_at():
            raise Lost(ABNORMAL, f"stale: no data for {self._stream.stale_timeout} s")
        if now >= self._silent_at:
            self._silent_at = math.inf
            self._on_silence()

    def _keep_alive(self, now: float) -> None:
        """Ping at intervals; a peer from which nothing comes for ping_timeout after it is gone."""
        pong_due = self._pong_due()
        if pong_due is not None:
            if now >= pong_due:
                raise Lost(ABNORMAL, f"no answer to a ping within {self._settings.ping_timeout} s")
        elif now >= self._ping_at:
            self._ping_at = now + self._settings.ping_interval
            self._connection.ping()
            self._pinged_at = now

    def _pong_due(self) -> Optional[float]:
        """Return until when something must come; None while no pong is awaited.

        Anything that comes will do: a pong may be stuck behind a long row of frames.
        """
        if not self._connection.awaits_pong:
            return None
        return max(self._pinged_at, self._heard_at) + self._settings.ping_timeout

    def _stale_at(self) -> float:
        if self._stream.stale_timeout is None:
            return math.inf
        since = self._data_at if self._data else self._open_at
        return since + self._stream.stale_timeout
