"""Permessage-deflate, RFC 7692, for a client that only reads it: negotiating and inflating.

What we send stays as it is, as section 6 allows for every message: an auth frame and pings have
nothing to gain. So the server may ask of our own compressing whatever it likes.
"""

from __future__ import annotations

import re
import zlib
from typing import Any, Dict

import attrs

__all__ = ["OFFER", "Agreement", "Corrupt", "Inflater", "Refused", "agree", "deflated_limit"]

# Section 7.1.2.2: only who offers client_max_window_bits may be asked for it.
OFFER = "permessage-deflate; client_max_window_bits"

_TAIL = b"\x00\x00\xff\xff"  # what the sender has cut off each message, section 7.2.2

# RFC 6455 section 9.1, for one extension. A comma, and so a second one, matches nowhere.
_TOKEN = r"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_PARAMETER = rf'[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*({_TOKEN}|"{_TOKEN}"))?'
_EXTENSION = re.compile(rf"[ \t]*({_TOKEN})((?:{_PARAMETER})*)[ \t]*")
_WINDOW_BITS = re.compile("[89]|1[0-5]")  # section 7.1.2: no leading zeroes
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS = ("server_max_window_bits", "client_max_window_bits")


class Refused(ValueError):
    """The server's answer is none that our offer allows."""


class Corrupt(ValueError):
    """A message's data is no deflate."""


@attrs.frozen
class Agreement:
    """What the server has chosen, by the names of section 7.1."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15


def agree(answer: str) -> Agreement:
    """Read the server's ``Sec-WebSocket-Extensions``; raise ``Refused`` for any but a good one."""
    extension = _EXTENSION.fullmatch(answer)
    if extension is None or extension[1] != "permessage-deflate":
        raise Refused(f"the server chose an extension nobody offered: {answer!r:.200}")
    chosen: Dict[str, Any] = {}
    for name, value in re.findall(_PARAMETER, extension[2]):
        value = value.strip('"')
        right = not value if name in _FLAGS else name in _WINDOWS and _WINDOW_BITS.fullmatch(value)
        if name in chosen or not right:
            what = f"{name:.50} is unknown, wrong or repeated"
            raise Refused(f"the server chose {answer!r:.200}: {what}")
        chosen[name] = int(value) if value else True
    return Agreement(**chosen)


def deflated_limit(limit: int) -> int:
    """Return how long a message of ``limit`` bytes may have become by being compressed.

    Data without any pattern goes into stored blocks with 5 bytes of head each; zlib makes them
    from 128 bytes upwards.
    """
    return limit + limit // 16 + 64


class Inflater:
    """Inflates the messages of one connection, one frame's payload after the other."""

    __slots__ = ("_agreement", "_zlib")

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._restart()

    def _restart(self) -> None:
        """Forget all that was inflated so far."""
        self._zlib = zlib.decompressobj(-self._agreement.server_max_window_bits)

    def inflate(self, payload: bytes, final: bool, limit: int) -> bytes:
        """Inflate the payload of one frame, the last of its message where it is ``final``.

        At most ``limit`` + 1 bytes come out, whatever went in; so many mean that it is more, and
        nothing may be inflated after that. Raises ``Corrupt``.
        """
        room = limit + 1
        try:
            inflated = self._zlib.decompress(payload + _TAIL if final else payload, room)
            if self._zlib.eof and len(inflated) < room:
                inflated = self._go_on(inflated, room)
        except zlib.error as error:
            raise Corrupt(str(error)) from None
        if final and self._agreement.server_no_context_takeover:
            self._restart()
        return inflated

    def _go_on(self, inflated: bytes, room: int) -> bytes:
        """Read on after a block that said it was the last, as section 7.2.3.4 allows."""
        rest = self._zlib.unused_data
        self._restart()
        inflated += self._zlib.decompress(rest, room - len(inflated))
        if self._zlib.eof:  # once a frame is what flushing makes; a thousand times is an attack
            raise Corrupt("more than one last block in a frame")
        return inflated
