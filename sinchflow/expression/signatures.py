"""What each filter takes and gives, for the validator; a test compares it with `filters.FILTERS`."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from sinchflow.expression import filters
from sinchflow.expression.kinds import (
    A_NUMBER,
    A_TEXT,
    A_TIME,
    ANY,
    LENGTH,
    LIST,
    MAPPING,
    NUMBER,
    OTHER,
    TEXT,
    TIME,
    TRUTH,
    Type,
    list_of,
)

_NOT_NONE = (TEXT, NUMBER, TRUTH, TIME, LENGTH, LIST, MAPPING, OTHER)
_SEVERAL = (LIST, TEXT, MAPPING)


class Signature(msgspec.Struct, frozen=True):
    """takes: kinds that a filter has a result for. gives: its result; None: the same as it takes, or an item of it.

    arguments: the kinds of its arguments by name; any where none is given.
    """

    takes: tuple[str, ...] = _NOT_NONE
    gives: Type | None = ANY
    arguments: dict[str, tuple[str, ...]] = {}


_TEXT_IN = Signature(_NOT_NONE, A_TEXT)
_TIME_IN = (TIME, TEXT)

#: By filter. `default` takes anything, also none, and is looked at for itself.
SIGNATURES: dict[str, Signature] = {
    "abs": Signature((NUMBER, TRUTH, LENGTH), None),
    "capitalize": _TEXT_IN,
    "first": Signature((*_SEVERAL,), ANY),
    "float": Signature((TEXT, NUMBER, TRUTH), A_NUMBER),
    "gsm7": _TEXT_IN,
    "int": Signature((TEXT, NUMBER, TRUTH), A_NUMBER, {"base": (NUMBER,)}),
    "join": Signature((*_SEVERAL,), A_TEXT, {"between": _NOT_NONE, "attribute": (TEXT, NUMBER)}),
    "last": Signature((LIST, TEXT, MAPPING), ANY),
    "length": Signature((*_SEVERAL,), A_NUMBER),
    "list": Signature((*_SEVERAL,), list_of(ANY)),
    "local": Signature(_TIME_IN, A_TEXT, {"form": (TEXT,)}),
    "lower": _TEXT_IN,
    "mask": Signature(_NOT_NONE, A_TEXT, {"shown": (NUMBER,)}),
    "max": Signature((*_SEVERAL,), ANY),
    "min": Signature((*_SEVERAL,), ANY),
    "minus": Signature(_TIME_IN, A_TIME, {"duration": (TEXT,)}),
    "phone": Signature((TEXT, NUMBER), A_TEXT, {"form": (TEXT,)}),
    "plus": Signature(_TIME_IN, A_TIME, {"duration": (TEXT,)}),
    "replace": Signature(_NOT_NONE, A_TEXT, {"old": _NOT_NONE, "new": _NOT_NONE}),
    "reverse": Signature((*_SEVERAL,), None),
    "round": Signature((NUMBER, TRUTH), A_NUMBER, {"precision": (NUMBER,), "method": (TEXT,)}),
    "sort": Signature((*_SEVERAL,), list_of(ANY)),
    "split": Signature(_NOT_NONE, list_of(A_TEXT), {"separator": (TEXT,)}),
    "string": _TEXT_IN,
    "sum": Signature((LIST,), ANY),
    "timestamp": Signature(_TIME_IN, A_NUMBER),
    "title": _TEXT_IN,
    "tojson": Signature((*_NOT_NONE, "none"), A_TEXT),
    "trim": Signature(_NOT_NONE, A_TEXT, {"chars": (TEXT,)}),
    "truncate": Signature(
        _NOT_NONE, A_TEXT, {"length": (NUMBER,), "killwords": (TRUTH,), "end": (TEXT,), "leeway": (NUMBER,)}
    ),
    "truncate_sms": Signature(_NOT_NONE, A_TEXT, {"parts": (NUMBER,), "end": _NOT_NONE}),
    "unique": Signature((*_SEVERAL,), None),
    "upper": _TEXT_IN,
    "urlencode": Signature(_NOT_NONE, A_TEXT),
}


@cache
def _parameters(name: str) -> inspect.Signature:
    """The arguments that a filter is given, after its value."""
    function: Callable[..., Any] = filters.FILTERS[name]
    found = list(inspect.signature(function).parameters.values())
    return inspect.Signature(found[2 if hasattr(function, "jinja_pass_arg") else 1 :])


def bind(name: str, count: int, keys: list[str]) -> dict[str, int | str] | str:
    """Which argument of a filter each given one is, by position or key; or what is wrong with them."""
    signature = _parameters(name)
    try:
        bound = signature.bind(*range(count), **{key: key for key in keys})
    except TypeError:
        return _shape(name, signature)
    return {key: value for key, value in bound.arguments.items() if not isinstance(value, (tuple, dict))}


def _shape(name: str, signature: inspect.Signature) -> str:
    """How the filter is written, with its arguments: those in brackets can be left out."""
    written = [
        each.name if each.default is inspect.Parameter.empty else f"[{each.name}]"
        for each in signature.parameters.values()
    ]
    return f"| {name}({', '.join(written)})" if written else f"| {name}"
