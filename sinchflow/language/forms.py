"""The form of a value: everything about it that the schema can tell apart.

Two values of one form pass or fail the schema alike: keys, types and numbers are kept as they are, and a text is
replaced by what the schema's `enum`, `pattern` and length limits see of it. Knows the schema only as those tests.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

#: Forms and texts remembered; a project of 10,000 different flows stays below.
_CAPACITY = 200_000


class Forms:
    """Forms under one schema, and which of them are known to be sound.

    kind: the schema's name. learned: digests of forms, under whatever schema, that another process found sound.
    """

    def __init__(self, kind: str, schema: dict[str, Any], learned: set[bytes]) -> None:
        self._kind = kind
        found = list(_assertions(schema))
        self._words = {word for name, values in found if name == "enum" for word in values if isinstance(word, str)}
        self._patterns = [re.compile(text) for text in dict.fromkeys(text for name, text in found if name == "pattern")]
        self._limits = sorted({int(value) for name, value in found if name in ("minLength", "maxLength")})
        self._texts: dict[str, str] = {}
        self._sound: set[str] = set()
        self._learned = learned
        self._new: list[str] = []

    def of_parts(self, instance: Any) -> list[str]:
        """The forms of a document's parts: its top-level values, and each step for itself."""
        if not isinstance(instance, dict):
            return [self._form(instance)]
        steps = instance.get("steps")
        if not isinstance(steps, list) or not steps:
            return [self._form(instance)]
        around = {key: value for key, value in instance.items() if key != "steps"}
        return [f"around {self._form(around)}", *(f"step {self._form(step)}" for step in steps)]

    def are_sound(self, parts: Sequence[str]) -> bool:
        """Whether the schema is known to find nothing wrong with any of the parts."""
        if self._sound.issuperset(parts):
            return True
        if self._learned.issuperset(self._digest(part) for part in parts if part not in self._sound):
            self._sound.update(parts)
            return True
        return False

    def remember(self, parts: Sequence[str]) -> None:
        """The schema found nothing wrong with a document of these parts."""
        if len(self._sound) > _CAPACITY:
            self._sound.clear()
        self._new += (part for part in parts if part not in self._sound)
        self._sound.update(parts)

    def take_new(self) -> list[bytes]:
        """The digests of forms that were found sound since this was asked last."""
        new, self._new = self._new, []
        return [self._digest(form) for form in new]

    def _digest(self, form: str) -> bytes:
        return blake2b(f"{self._kind} {form}".encode(errors="surrogatepass"), digest_size=16).digest()

    def _form(self, value: Any) -> str:
        match value:
            case str():
                return self._text(value)
            case dict():
                return f"{{{','.join([f'{key!r}:{self._form(inner)}' for key, inner in value.items()])}}}"
            case list():
                return f"[{','.join([self._form(inner) for inner in value])}]"
            case _:
                return repr(value)

    def _text(self, text: str) -> str:
        """What the schema sees of a text: itself when it is a word of an enum, else its patterns and length."""
        found = self._texts.get(text)
        if found is None:
            if len(self._texts) > _CAPACITY:
                self._texts.clear()
            found = self._texts[text] = repr(text) if text in self._words else self._fits(text)
        return found

    def _fits(self, text: str) -> str:
        patterns = "".join("y" if pattern.search(text) else "n" for pattern in self._patterns)
        return f"t{patterns}{''.join(_side(len(text), limit) for limit in self._limits)}"


def _side(length: int, limit: int) -> str:
    return ">" if length > limit else "<" if length < limit else "="


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
