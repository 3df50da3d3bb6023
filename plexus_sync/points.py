"""How msgspec fills points: straight from the text into the public attrs class.

A telemetry frame is little more than its points: the one place where speed pays for such means.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, Callable, Iterable, Literal, Optional, Sequence, Tuple, Union

import attrs
import msgspec

from .frames import Point

__all__ = ["consume", "decoder_of_points", "may_have_tags", "prefill", "prefill_tags", "unset_tags"]

consume: Any = deque(maxlen=0).extend  # the quickest way to the end of an iterator
_get_points = attrgetter("points")

_set_alert, _set_tags = (Point.__dict__[name].__set__ for name in ("alert", "tags"))


def prefill(point: Point) -> None:
    """Set the members that the running service leaves out."""
    _set_alert(point, None)
    _set_tags(point, None)


def prefill_tags(point: Point) -> None:
    """Set the member that the documented frames leave out."""
    _set_tags(point, None)


def decoder_of_points(
    target: Any, prefill: Optional[Callable[[Point], None]], exactly: Tuple[str, ...] = ()
) -> Callable[[Union[bytes, str]], Any]:
    """Return a decoder of something that holds points, which it fills from the wire's members.

    msgspec takes the names of ``__attrs_attrs__`` for the wire's and sets them on the instance: so
    the slot of ``class_`` has a second name, and msgspec is shown a list of fields that has the
    wire's. It asks after each member that did not come by an attribute look-up that raises, which
    costs more than all the rest of the point: so ``prefill`` sets those that may well be missing
    before. ``exactly`` names the members of a point that must be there, in the order in which they
    are looked for; other points are not decoded. msgspec keeps what it has read in a cache on the
    class. For the import only, while nobody else can have the class, which is put back as it was.
    """
    cls: Any = Point
    fields = cls.__attrs_attrs__
    on_wire = {field.name.rstrip("_"): field for field in fields}
    cls.__annotations__["class"] = cls.__annotations__["class_"]
    if exactly:
        cls.__annotations__["class"] = Literal["metric", "event"]  # as documented
        on_wire = {name: on_wire[name].evolve(default=attrs.NOTHING) for name in exactly}
    cls.__attrs_attrs__ = tuple(field.evolve(name=name) for name, field in on_wire.items())
    if prefill is not None:
        cls.__attrs_pre_init__ = prefill
    if "__msgspec_cache__" in cls.__dict__:
        del cls.__msgspec_cache__
    try:
        return msgspec.json.Decoder(target).decode
    finally:
        cls.__attrs_attrs__ = fields
        del cls.__annotations__["class"]
        if prefill is not None:
            del cls.__attrs_pre_init__


setattr(Point, "class", Point.__dict__["class_"])


# The end of the name "tags", where no letter is escaped. To go from one g to the next takes C less
# than to look for the whole name, as letters go in these texts.
_ends_tags = re.compile(rb'g(?=s")').search


def may_have_tags(texts: Sequence[bytes]) -> bool:
    """Return whether a point in one of them may have tags."""
    together = b"".join(texts)
    return _ends_tags(together) is not None or b"\\" in together


def unset_tags(telemetry: Iterable[Any]) -> None:
    """Say that the points of many frames have no tags."""
    consume(map(_set_tags, chain.from_iterable(map(_get_points, telemetry)), repeat(None)))
