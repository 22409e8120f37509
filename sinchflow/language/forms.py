"""The form of a value: everything about it that the schema can tell apart.

Two values of one form pass or fail the schema alike: keys, types and numbers are kept as they are, and a text is
replaced by what the schema's `enum`, `pattern` and length limits see of it. Knows the schema only as those tests.
"""

import re
from collections.abc import Iterator
from typing import Any

#: Forms and texts remembered; a project of 10,000 different flows stays below.
_CAPACITY = 200_000


class Forms:
    """Forms under one schema, and which of them are known to be sound."""

    def __init__(self, schema: dict[str, Any]) -> None:
        found = list(_assertions(schema))
        self._words = {word for name, values in found if name == "enum" for word in values if isinstance(word, str)}
        self._patterns = [re.compile(text) for text in dict.fromkeys(text for name, text in found if name == "pattern")]
        self._limits = sorted({int(value) for name, value in found if name in ("minLength", "maxLength")})
        self._texts: dict[str, object] = {}
        self._sound: set[object] = set()

    def of_parts(self, instance: Any) -> list[object]:
        """The forms of a document's parts: its top-level values, and each step for itself."""
        if not isinstance(instance, dict):
            return [self._form(instance)]
        steps = instance.get("steps")
        if not isinstance(steps, list) or not steps:
            return [self._form(instance)]
        around = {key: value for key, value in instance.items() if key != "steps"}
        return [self._form(around), *(("step", self._form(step)) for step in steps)]

    def are_sound(self, parts: list[object]) -> bool:
        """Whether the schema is known to find nothing wrong with any of the parts."""
        return self._sound.issuperset(parts)

    def remember(self, parts: list[object]) -> None:
        """The schema found nothing wrong with a document of these parts."""
        if len(self._sound) > _CAPACITY:
            self._sound.clear()
        self._sound.update(parts)

    def _form(self, value: Any) -> object:
        match value:
            case str():
                return self._text(value)
            case dict():
                return tuple((key, self._form(inner)) for key, inner in value.items())
            case list():
                return ("list", *(self._form(inner) for inner in value))
            case _:
                return type(value).__name__, value

    def _text(self, text: str) -> object:
        """What the schema sees of a text: itself when it is a word of an enum, else its patterns and length."""
        if text in self._words:
            return text
        if text not in self._texts:
            if len(self._texts) > _CAPACITY:
                self._texts.clear()
            fits = tuple(pattern.search(text) is not None for pattern in self._patterns)
            self._texts[text] = (*fits, *(_side(len(text), limit) for limit in self._limits))
        return self._texts[text]


def _side(length: int, limit: int) -> int:
    return (length > limit) - (length < limit)


def _assertions(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every keyword and its value, anywhere in the schema."""
    match schema:
        case dict():
            for name, value in schema.items():
                yield name, value
                yield from _assertions(value)
        case list():
            for value in schema:
                yield from _assertions(value)
        case _:
            pass
