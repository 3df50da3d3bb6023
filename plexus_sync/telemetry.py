"""Telemetry as msgspec fills it, straight from the text; pure.

Telemetry is what comes most: the one place where speed pays for such means. An object of these
classes is of the public class to everybody else, and says so.

msgspec sets the members that came, and then asks the object for each that it may have. Where a slot
is not set the look-up raises, which costs more than all the rest of a point. So each of the two
sets of members that come all the time has a class of its own, and all other points have one.
"""

from __future__ import annotations

import types
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Generic,
    Literal,
    NewType,
    Optional,
    Tuple,
    Type,
    TypeVar,
)

import attrs
import msgspec

from .frames import Point, TelemetryFrame

__all__ = ["AnyPoint", "OwnTelemetry", "telemetry_as_documented", "telemetry_as_served"]


class _Never(msgspec.Struct):
    """What no text holds, since it would have no end."""

    again: _Never


msgspec.json.Decoder(_Never)  # for all decoders; see _only()


_T = TypeVar("_T")


class _Filled(Generic[_T]):
    """What msgspec fills; a point that is copied or pickled becomes one of the public class."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        plain: Any = super().__reduce_ex__(max(2, protocol))  # 0 and 1 know no slots
        new, _, *rest = plain
        return (new, (self.__class__,), *rest)


def _class_like(
    public: Type[Any],
    name: str,
    fields: Tuple[Any, ...],
    annotations: Dict[str, Any],
    **members: Any,
) -> Any:
    """Return a class that msgspec fills with ``fields``, whose names are the wire's.

    Its parameter may stand in the ``annotations``.
    """
    namespace = {
        "__module__": __name__,
        "__doc__": public.__doc__,
        "__slots__": (),
        # To be equal to others, and for all that attrs makes of an object.
        "__class__": property(lambda self: public),
        "__annotations__": annotations,
        "__attrs_attrs__": fields,
        **members,
    }
    # In this order the public class is found soon: each look at a slot asks whether it is a base.
    bases = (public, _Filled[_T])  # type: ignore[valid-type]
    return types.new_class(name, bases, exec_body=lambda body: body.update(namespace))


_POINT = {
    name: field.evolve(name=name)
    for name, field in ((field.name.rstrip("_"), field) for field in attrs.fields(Point))
}
_class_slot = Point.__dict__["class_"]
_set_alert, _set_tags = (Point.__dict__[name].__set__ for name in ("alert", "tags"))


def _point_with(members: Tuple[str, ...], absent: Tuple[str, ...]) -> Any:
    """Return a class of points that have all the ``members``, looked for in this order.

    What is ``absent`` is None in the class, at no cost for the point, and a text that has it is
    refused.
    """
    return _class_like(
        Point,
        "_Point",
        (
            *(_POINT[name].evolve(default=attrs.NOTHING) for name in members),
            *(_POINT[name] for name in absent),
        ),
        {
            "source_id": _T,
            "class": Literal["metric", "event"],
            **dict.fromkeys(absent, _Never),
        },
        **{"class": _class_slot, **dict.fromkeys(absent)},
    )


def _prefill(point: Point) -> None:
    """Set the members that may well be missing."""
    _set_alert(point, None)
    _set_tags(point, None)


_DocumentedPoint = _point_with(
    ("source_id", "metric", "value", "timestamp", "class", "alert"), absent=("tags",)
)
# The service sends them in order of the alphabet.
_ServedPoint = _point_with(
    ("class", "metric", "source_id", "timestamp", "value"), absent=("alert", "tags")
)
_AnyPoint = _class_like(
    Point,
    "_AnyPoint",
    tuple(_POINT.values()),
    {"source_id": _T, "class": Optional[str]},
    **{"class": _class_slot, "__attrs_pre_init__": _prefill},
)

# A frame whose points are all of one class, and of the stream's own device. The slot of ``raw`` is
# lent to ``type``, so that it can be made a frame of the public class.
_required = attrs.fields(TelemetryFrame).points
_OwnTelemetry = _class_like(
    TelemetryFrame,
    "_OwnTelemetry",
    (_required, _required.evolve(name="type")),
    {"points": Tuple[_T, ...], "type": Literal["telemetry"]},
    type=TelemetryFrame.__dict__["raw"],
)

if TYPE_CHECKING:
    AnyPoint = Point
    OwnTelemetry = TelemetryFrame
else:
    AnyPoint = _AnyPoint[str]
    OwnTelemetry = _OwnTelemetry


def _only(source_id: str) -> Any:
    """Return a type of that one string, which is equal to no other type.

    msgspec leaves on a type what it knows of it, and before that is finished: whoever meets it
    then, in another thread or after Ctrl-C, gets a decoder that crashes. typing hands out one
    object for types that are equal. So no two decoders share one.
    """
    literal: Any = Literal[""]
    return NewType("_only", literal.copy_with((str.__str__(source_id),)))  # no subclass of str


def telemetry_as_documented(source_id: str) -> Any:
    """Return the type of one device's telemetry as the document has it, without tags."""
    return _OwnTelemetry[_DocumentedPoint[_only(source_id)]]


def telemetry_as_served(source_id: str) -> Any:
    """Return the type of one device's telemetry as the running service sends it."""
    return _OwnTelemetry[_ServedPoint[_only(source_id)]]
