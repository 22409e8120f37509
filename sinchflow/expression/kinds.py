"""What is known of a value before there is one: its kinds, and of few values themselves. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

TEXT, NUMBER, TRUTH, TIME, LENGTH = "a text", "a number", "true or false", "a time", "a length of time"
LIST, MAPPING, NONE, OTHER = "a list", "a mapping", "none", "something else"

#: Values of one type that are told apart; more are any value of their kind.
_MOST_VALUES = 20


class Type(msgspec.Struct, frozen=True):
    """What a value can be.

    kinds: any of these; empty when nothing is known. values: all that it can be, where they are few and known.
    is_filled: a text, list or mapping that is never empty. item: of a list, or of a mapping with unknown keys.
    fields: of a mapping whose keys are known. is_told: other rules say which keys it lacks.
    """

    kinds: frozenset[str] = frozenset()
    values: frozenset[Any] | None = None
    is_filled: bool = False
    item: "Type | None" = None
    fields: "dict[str, Type] | None" = None
    is_told: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.kinds)

    def only(self, *kinds: str) -> bool:
        """Whether it is of these kinds for sure."""
        return bool(self.kinds) and self.kinds <= frozenset(kinds)

    def may_be(self, *kinds: str) -> bool:
        """Whether it can be of one of these kinds."""
        return not self.kinds or not self.kinds.isdisjoint(kinds)


ANY = Type()
A_TEXT = Type(frozenset({TEXT}))
A_FILLED_TEXT = Type(frozenset({TEXT}), is_filled=True)
A_NUMBER = Type(frozenset({NUMBER}))
A_TRUTH = Type(frozenset({TRUTH}))
A_TIME = Type(frozenset({TIME}))
A_LENGTH = Type(frozenset({LENGTH}))
A_NONE = Type(frozenset({NONE}))
A_LIST = Type(frozenset({LIST}))
A_MAPPING = Type(frozenset({MAPPING}))
ALWAYS = Type(frozenset({TRUTH}), frozenset({True}))
NEVER = Type(frozenset({TRUTH}), frozenset({False}))


def list_of(item: Type) -> Type:
    """A list of such items."""
    return Type(frozenset({LIST}), item=item)


def mapping_of(fields: dict[str, Type], *, is_told: bool = False) -> Type:
    """A mapping that has these keys and no others."""
    return Type(frozenset({MAPPING}), is_filled=bool(fields), fields=fields, is_told=is_told)


def or_none(given: Type) -> Type:
    """The same, or none."""
    return either((given, A_NONE))


def either(given: Iterable[Type]) -> Type:
    """What is one of these."""
    types = list(given)
    if not types or not all(each.kinds for each in types):
        return ANY
    first = types[0]
    if all(each == first for each in types):
        return first
    known = [each for each in types if each.kinds != A_NONE.kinds]
    values = [each.values for each in known]
    merged = frozenset[Any]().union(*(each for each in values if each is not None))
    are_few = bool(values) and None not in values and len(merged) <= _MOST_VALUES and _are_alike(merged)
    whole = known[0] if len(known) == 1 else None
    return Type(
        kinds=frozenset[str]().union(*(each.kinds for each in types)),
        values=merged if are_few else None,
        is_filled=bool(known) and all(each.is_filled for each in known),
        item=whole.item if whole else None,
        fields=whole.fields if whole else None,
    )


def of_value(value: Any) -> Type:
    """The type of a value that is there: of one that stands in a file."""
    match value:
        case None:
            return A_NONE
        case bool():
            return ALWAYS if value else NEVER
        case str():
            return Type(frozenset({TEXT}), frozenset({value}), bool(value))
        case int() | float():
            return Type(frozenset({NUMBER}), frozenset({value}))
        case list() | tuple():
            return Type(frozenset({LIST}), is_filled=bool(value), item=either(map(of_value, value)) if value else None)
        case dict():
            return mapping_of({str(key): of_value(inner) for key, inner in value.items()})
        case _:
            return ANY


def there(given: Type) -> Type:
    """What it is when it is not none."""
    return msgspec.structs.replace(given, kinds=given.kinds - {NONE})


def mixes(left: Type, right: Type, one: str, other: str) -> bool:
    """Whether one of the two is of one kind only, or none, and the other one of the other."""
    left, right = there(left), there(right)
    return (left.only(one) and right.only(other)) or (left.only(other) and right.only(one))


def truth(given: Type) -> bool | None:
    """Whether a condition of this type always holds (True), never does (False), or it depends (None)."""
    if not given.kinds:
        return None
    if given.kinds == A_NONE.kinds:
        return False
    held = _holds(given)
    return None if held is not False and NONE in given.kinds else held


def _holds(given: Type) -> bool | None:
    """As `truth`, for when it is not none."""
    if given.values is not None:
        return True if all(given.values) else False if not any(given.values) else None
    kinds = given.kinds - {NONE}
    if kinds <= {TIME, OTHER}:
        return True
    return True if given.is_filled and kinds <= {TEXT, LIST, MAPPING} else None


def words(given: Type) -> str:
    """Its kinds, for people."""
    return " or ".join(sorted(given.kinds, key=lambda kind: (kind == NONE, kind)))


def _are_alike(values: frozenset[Any]) -> bool:
    return len({type(value) for value in values}) <= 1


def shown(given: Type) -> str:
    """The one value that it can be, else its kinds, in words."""
    values = given.values
    if values is not None and len(values) == 1:
        value: Any = next(iter(values))
        return f'the text "{value}"' if isinstance(value, str) else str(value).lower()
    return words(given)
