"""From messages to what goes into a lane, with a look at the types on which something hangs.

Everything else is left to the dispatcher, so that a frame that an overflow drops was never parsed.
"""

from __future__ import annotations

from typing import Iterator, List, Optional, Tuple, Union

from .decode import Entry
from .errors import FrameError
from .frames import Gap
from .gaps import GapBook
from .inbox import Lane
from .streams import VideoStream
from .wire import Wire, is_data, is_gateway_notice

__all__ = ["Sorter", "may_hold_notice"]

# What a frame must hold to be a gateway_reconnecting: the words, or letters that JSON escapes.
_NOTICE = b"gateway_reconnecting"
_ESCAPE = b"\\u"

# How telemetry begins or ends that is valid JSON and has one type. Nothing else can: before a quote
# that is part of a string there is a backslash.
_TELEMETRY_FIRST = (b'{"type":"telemetry"', b'{"type": "telemetry"')
_TELEMETRY_LAST = (b',"type":"telemetry"}', b', "type": "telemetry"}')
_LONG = 500  # bytes from which on to look at both ends costs less than to search

Parsed = Tuple[bytes, Optional[Wire]]


def may_hold_notice(messages: List[bytes]) -> bool:
    """Return whether one of them may be a gateway_reconnecting; it is parsed then, to be sure."""
    if len(messages[0]) > _LONG:
        messages = [
            text
            for text in messages
            if not (text.startswith(_TELEMETRY_FIRST) or text.endswith(_TELEMETRY_LAST))
        ]
        if not messages:
            return False
    # One search over a whole read costs less than one in each of its frames, and a single byte is
    # found many times faster than two.
    texts = b"".join(messages)
    return _NOTICE in texts or (_ESCAPE[:1] in texts and _ESCAPE in texts)


class Sorter:
    """Makes entries of the messages of one connection.

    Parses them only while no data frame has come, during an outage, with a ``stale_timeout``, and
    on video, where each camera has places of its own.
    """

    def __init__(self, lane: Lane, book: GapBook) -> None:
        self._lane = lane
        self._book = book
        stream = lane.stream
        self._parses_all = isinstance(stream, VideoStream) or stream.stale_timeout is not None
        self.data_came = False  # on this connection
        self.new_data = False  # for the session to take back
        self._all_wanted = True  # no picture so far was of another camera or device

    def sort(self, messages: List[bytes], at: float) -> Iterator[Union[List[Entry], Gap]]:
        """Yield what is for the lane, in order; ``at``: when they came, seconds since the epoch."""
        if self.data_came and not self._book.in_outage:
            entries = self.plain(messages, at, is_next=False)
            if entries is not None:
                yield entries
                return
        yield from self._sorted(self._parsed(messages), at)

    def plain(self, messages: List[bytes], at: float, is_next: bool) -> Optional[List[Entry]]:
        """Return what is for the lane after data came; None where there may be more to be done.

        ``is_next``: it is handed over next, so that to decode its pictures is not for nothing.
        """
        if not self._parses_all:
            if may_hold_notice(messages):
                return None
            return [(text, at, None, None) for text in messages]
        parsed = self._parsed(messages, is_next and self._all_wanted)
        if any(wire is not None and is_gateway_notice(wire) for _, wire in parsed):
            return None
        (entries,) = self._sorted(parsed, at)
        assert not isinstance(entries, Gap), "outside of an outage nothing is missing"
        return entries

    def _parsed(self, messages: List[bytes], at_once: bool = False) -> List[Parsed]:
        decoder = self._lane.decoder
        parse = decoder.parse_at_once if at_once else decoder.parse
        parsed: List[Parsed] = []
        for text in messages:
            try:
                parsed.append((text, parse(text)))
            except FrameError:
                parsed.append((text, None))  # the dispatcher will find and tell the same
        return parsed

    def _sorted(self, parsed: List[Parsed], at: float) -> Iterator[Union[List[Entry], Gap]]:
        entries: List[Entry] = []
        for text, wire in parsed:
            if wire is not None:
                if not self._lane.decoder.wanted(wire):
                    self._all_wanted = False
                    self._lane.count_filtered(text, at)
                    continue
                gap = self._gap_before(wire, at)
                if gap is not None:
                    yield entries
                    yield gap
                    entries = []
            entries.append((text, at, wire, None))
        yield entries

    def _gap_before(self, wire: Wire, at: float) -> Optional[Gap]:
        """Take note of what a frame is; return the Gap that stands before it."""
        if is_gateway_notice(wire):
            self._book.gateway_notice(at)
        elif is_data(wire):
            self.data_came = self.new_data = True
            return self._book.data(at)
        return None
