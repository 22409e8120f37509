"""Schema checking: the files' shape by JSON Schema, every error at its own key or value and in our words.

`jsonschema` finds the errors; this module says where in the file they are and what was expected. It is imported when
first needed, so that commands that check nothing start quickly.
"""

import json
import re
from collections.abc import Collection
from collections.abc import Sequence as Series
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sinchflow import schemas
from sinchflow.language.diagnostic import Diagnostic, Edit, finding
from sinchflow.language.fix import as_duration, as_language, inserted, meant, renamed, respelled, retyped
from sinchflow.language.forms import Forms
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence, plain
from sinchflow.language.outline import ACTIONS
from sinchflow.language.suggest import did_you_mean, nearest

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Kind = Literal["flow", "project", "test"]

_EXAMPLE = re.compile(r"Example: `([^`\n]+)`")
_PATTERNS = {
    "|24:00)$": "a span such as 08:00-18:00",
    ":[0-5][0-9]$": "a time of day such as 21:00",
    "(mon|tue": "a weekday or a range of them, such as sat or mon-fri",
    "MB|": "a size such as 500MB or 20GB, 100MB at least, or off",
    "|h|d)|off)": "a duration such as 30s, 15m or 24h, or off",
    "(ms|s|m|h|d)": "a duration such as 500ms, 30s, 15m, 24h or 2d",
    "^[A-Za-z_]": "a name of letters, digits and underscores that does not begin with a digit",
    "timeout|connection": "timeout, connection, a status such as 429 or a class such as 5xx",
    "(xx|": "a status such as 409 or a class such as 2xx",
    "[a-z][a-z0-9-]": "small letters, digits and hyphens, at most 31, with a letter first",
    "[A-Za-z0-9][A-Za-z0-9._-]": "letters, digits, dots, underscores and hyphens, at most 60",
    "([a-z]{2}|fil": "a language in two small letters, such as en or pt-BR",
    "^/[A-Za-z0-9": "a path such as /bookings",
    "[A-Za-z0-9-]{1,100}": "a header's name of letters, digits and hyphens",
    "[!-~]": "the sub-account's id, in ASCII",
    "[A-Z]{2}": "a country in two capital letters, such as AU",
    "{2}$": "a code of three digits",
}
_TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ROOTS = {"flow": "the flow", "project": "sinchflow.yaml", "test": "the test file"}


class Shapes:
    """The schemas, compiled when first used.

    A project's flows are alike, and jsonschema takes a millisecond for each. So every top-level value and every step
    that it found nothing wrong with is remembered by its form (`forms.Forms`), and a document all of whose
    parts have a known form is not handed to it again.
    """

    def __init__(self) -> None:
        self._validators: dict[Kind, Validator] = {}
        self._schemas: dict[Kind, dict[str, Any]] = {}
        self._forms: dict[Kind, Forms] = {}
        self._learned: set[bytes] = set()

    def check(self, document: Document, kind: Kind) -> list[Diagnostic]:
        """What the schema finds wrong with a document that has nodes."""
        forms = self._forms_of(kind)
        instance = plain(document.root)
        parts = forms.of_parts(instance)
        if forms.are_sound(parts):
            return []
        errors = list(self._validator(kind).iter_errors(instance))
        if not errors:
            forms.remember(parts)
        return [item for error in errors for item in _Error(document, error, _ROOTS[kind]).diagnostics()]

    def learn(self, forms: Collection[bytes]) -> None:
        """Another check found nothing wrong with documents of these forms (`take_new_forms`)."""
        self._learned.update(forms)

    def take_new_forms(self) -> list[bytes]:
        """Forms of documents that were found sound since this was asked last, for other checks."""
        return [form for forms in self._forms.values() for form in forms.take_new()]

    def _forms_of(self, kind: Kind) -> Forms:
        if kind not in self._forms:
            self._schemas[kind] = read_schema(kind)
            self._forms[kind] = Forms(kind, self._schemas[kind], self._learned)
        return self._forms[kind]

    def _validator(self, kind: Kind) -> "Validator":
        if kind not in self._validators:
            from jsonschema import Draft7Validator

            self._validators[kind] = Draft7Validator(self._schemas[kind])
        return self._validators[kind]


def read_schema(kind: Kind) -> dict[str, Any]:
    """The schema as it is shipped."""
    # Not by importlib.resources, which takes longer to import than the schema to read.
    text = (Path(schemas.__file__).parent / f"{kind}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


class _Error:
    """One error of jsonschema, on its way to findings."""

    def __init__(self, document: Document, error: Any, root: str) -> None:
        self._document = document
        self._error = error
        self._root = root
        self._key, self._node = _follow(document.root, list(error.absolute_path))
        self._label = _label(list(error.absolute_path), root)

    def diagnostics(self) -> list[Diagnostic]:
        if "propertyNames" in self._error.relative_schema_path:
            return [self._key_name()]
        match self._error.validator:
            case "additionalProperties":
                return self._unknown_keys()
            case "required":
                return self._required()
            case "type":
                return [self._type()]
            case "enum":
                return [self._enum()]
            case "pattern":
                return [self._pattern()]
            case _:
                return [self._limit()]

    def _at_value(self, rule: str, message: str, hint: str = "", edits: tuple[Edit, ...] = ()) -> Diagnostic:
        """At the value; at its key where the value is nothing that can be underlined."""
        node: Node | None = self._node
        if self._key is not None and (node is None or not isinstance(node, Scalar) or node.start == node.end):
            node = self._key
        origin = self._document.origin_of(node) if node is not None else self._document.origin(0)
        return finding(origin, rule, message, hint or self._example(), edits=edits)

    def _example(self) -> str:
        found = _EXAMPLE.search(str(self._schema().get("description", "")))
        return f"for example: {found[1]}" if found else ""

    def _schema(self) -> dict[str, Any]:
        """The schema of the whole value, also when the error is in one of its `items` or in `then`."""
        error = self._error
        if "description" not in error.schema and error.parent is not None:
            return dict(error.parent.schema)
        return dict(error.schema)

    def _unknown_keys(self) -> list[Diagnostic]:
        known = self._error.schema.get("properties", {})
        place = self._label
        return [
            finding(
                self._document.origin_of(key),
                "unknown-key",
                f'unknown key "{key.text}" in {place}',
                did_you_mean(key.text, known, "allowed here") if known else f"{place} takes no keys",
                edits=self._renamed(key, known),
            )
            for key, _ in (self._node.entries if isinstance(self._node, Mapping) else ())
            if key.text not in known
        ]

    def _renamed(self, key: Scalar, known: Collection[str]) -> tuple[Edit, ...]:
        """The key that was meant, in its place; of a step's actions only if the step has no other."""
        node = self._node
        if not isinstance(node, Mapping):
            return ()
        if any(given.text in ACTIONS for given, _ in node.entries):
            known = [name for name in known if name not in ACTIONS or "reply" not in known]  # only a step takes reply
        return renamed(self._document, node, key, known)

    def _required(self) -> list[Diagnostic]:
        missing = next(name for name in self._error.validator_value if name not in self._error.instance)
        missing = _missing_name(self._error.message) or missing
        node = self._key
        if node is None:
            node = self._node.entries[0][0] if isinstance(self._node, Mapping) and self._node.entries else None
        origin = self._document.origin_of(node) if node else self._document.origin(0)
        inner = self._error.schema.get("properties", {}).get(missing, {})
        found = _EXAMPLE.search(str(inner.get("description", "")))
        hint = f"for example: {found[1]}" if found else ""
        written = [key.text for key, _ in self._node.entries] if isinstance(self._node, Mapping) else []
        known = self._error.schema.get("properties", {})
        others = [key for key in written if key not in known]
        if nearest(missing, others) or any(nearest(key, known) == missing for key in others):
            return []  # the finding about the unknown key says it already
        return [finding(origin, "missing-key", f'{self._label} needs the key "{missing}"', hint)]

    def _type(self) -> Diagnostic:
        wanted = self._error.validator_value
        types = [wanted] if isinstance(wanted, str) else list(wanted)
        expected = _expected(types, self._error.schema)
        if self._node is None or (isinstance(self._node, Scalar) and self._node.value is None):
            return self._at_value("type", f"{self._label} has no value; expected {expected}")
        hint = _type_hint(types, self._node)
        if isinstance(self._node, Scalar) and self._node.text in self._error.schema.get("properties", {}):
            hint = f'put a colon after it: "{self._node.text}:"'
        elif isinstance(self._node, Scalar) and self._node.text in _properties(self._error.schema, "type"):
            hint = f"write {self._label}: {{type: {self._node.text}}}"
        edits = retyped(self._document, types, self._node) or self._with_colon()
        return self._at_value("type", f"{self._label} must be {expected}, but is {_found(self._node)}", hint, edits)

    def _with_colon(self) -> tuple[Edit, ...]:
        """A colon after the name of what takes nothing else."""
        node = self._node
        is_name = isinstance(node, Scalar) and not node.style and node.text in self._error.schema.get("properties", {})
        return inserted(self._document, node.end, ":") if is_name and node is not None else ()

    def _enum(self) -> Diagnostic:
        allowed = [str(item) for item in self._error.validator_value]
        given = self._node.text if isinstance(self._node, Scalar) else ""
        if isinstance(self._node, Scalar):
            hint = did_you_mean(given, allowed, "allowed")
            if "description" in self._error.schema and "then" in self._error.relative_schema_path:
                hint = str(self._error.schema["description"])
            edits = meant(self._document.origin_of(self._node), given, allowed)
            return self._at_value("value", f'{self._label} cannot be "{given}"', hint, edits)
        message = f"{self._label} must be one of a few words, but is {_found(self._node)}"
        return self._at_value("type", message, f"allowed: {', '.join(allowed)}")

    def _pattern(self) -> Diagnostic:
        given = self._node.text if isinstance(self._node, Scalar) else ""
        message = f'{self._label} cannot be "{given}"; expected {self._pattern_words()}'
        return self._at_value("value", message, *self._mended(given, self._node))

    def _mended(self, given: str, node: Node | None) -> tuple[str, tuple[Edit, ...]]:
        """A hint with the text as it would fit, when little has to change, and its edit when nothing refers to it."""
        spellings = (given.lower(), given.upper(), given.replace(" ", ""), as_duration(given), as_language(given))
        tries = (*spellings, given.replace(" ", "").upper(), _identifier(given))
        mended = next((text for text in tries if text and re.search(str(self._error.validator_value), text)), "")
        is_name = self._pattern_words().startswith(("a name", "small letters", "letters", "a path", "a header"))
        edits = () if is_name or node is None else respelled(self._document.origin_of(node), given, mended)
        return (f'did you mean "{mended}"?' if mended else ""), edits

    def _pattern_words(self) -> str:
        return pattern_words(str(self._error.validator_value))

    def _key_name(self) -> Diagnostic:
        name = str(self._error.instance)
        pair = self._node.entry(name) if isinstance(self._node, Mapping) else None
        origin = self._document.origin_of(pair[0]) if pair else self._document.origin(0)
        hint, edits = self._mended(name, pair[0] if pair else None) if self._error.validator == "pattern" else ("", ())
        if self._error.validator == "pattern":
            message = f'"{name}" cannot be a key of {self._label}; expected {self._pattern_words()}'
        else:
            message = f"this key of {self._label} has {len(name)} characters; expected 1 to 100"
        return finding(origin, "value", message, hint, edits=edits)

    def _limit(self) -> Diagnostic:
        value, given, label = self._error.validator_value, self._error.instance, self._label
        match self._error.validator:
            case "minLength":
                return self._at_value("value", f"{label} is an empty text")
            case "maxLength":
                return self._at_value("value", f"{label} has {len(given)} characters; at most {value} are allowed")
            case "minItems":
                return self._at_value("value", f"{label} is an empty list")
            case "maxItems":
                return self._at_value("value", f"{label} has {len(given)} items; at most {value} are allowed")
            case "minProperties":
                return self._at_value("value", f"{label} is an empty mapping")
            case "maxProperties":
                return self._at_value("value", f"{label} has {len(given)} entries; at most {value} are allowed")
            case "minimum":
                return self._at_value("value", f"{label} is {given}; at least {value} is needed")
            case "maximum":
                return self._at_value("value", f"{label} is {given}; at most {value} is allowed")
            case _:
                return self._at_value("value", f"{label} is not as it should be")


def pattern_words(pattern: str) -> str:
    """What a text that fits a pattern of the schemas is, in words."""
    return next((words for part, words in _PATTERNS.items() if part in pattern), "a text of another form")


def _follow(root: Node | None, path: Series[str | int]) -> tuple[Scalar | None, Node | None]:
    """The node at the end of the path, and the nearest key above it."""
    key: Scalar | None = None
    node = root
    for part in path:
        if isinstance(node, Mapping) and isinstance(part, str) and (pair := node.entry(part)):
            key, node = pair
        elif isinstance(node, Sequence) and isinstance(part, int):
            key, node = None, node.items[part]
    return key, node


def _label(path: Series[str | int], root: str) -> str:
    """What the value at the path is called in a sentence."""
    if not path:
        return root
    last, outer = path[-1], path[-2] if len(path) > 1 else ""
    if isinstance(last, str):
        return last
    if outer in ("steps", "else", "on_error", "script"):
        return "this step"
    if outer == "tests":
        return "this test"
    return "this branch" if outer == "choose" else f"{outer}"


def _missing_name(message: str) -> str | None:
    """jsonschema reports missing keys one by one, and names each only in its message."""
    found = re.match(r"'([^']+)' is a required property", message)
    return found[1] if found else None


def _expected(types: Series[str], schema: Any) -> str:
    if "pattern" in schema and types == ["string"]:
        return pattern_words(str(schema["pattern"]))
    names = ["a text"] if {"string", "number", "boolean"} <= set(types) else []
    names += [_TYPES[name] for name in types if not (names and name in ("string", "number", "boolean"))]
    names = [name for name in names if name != "nothing"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _found(node: Node | None) -> str:
    match node:
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar(value=bool()):
            return f"{node.text}, which is true or false and no text" if node.value is None else f'"{node.text}"'
        case Scalar(value=int() | float()):
            return f"the number {node.text}"
        case Scalar(value=None):
            return "nothing"
        case Scalar():
            return f'the text "{_short(node.text)}"'
        case None:
            return "nothing"


def _identifier(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def _properties(schema: Any, name: str) -> Series[str]:
    """The words that a key of a mapping takes; none where it takes any."""
    words: Series[str] = schema.get("properties", {}).get(name, {}).get("enum", ())
    return words


def _type_hint(types: Series[str], node: Node | None) -> str:
    """What was probably meant by a value of the wrong type."""
    match node:
        case Scalar(text=text) if "boolean" in types and text.lower() in ("yes", "on", "true", "1"):
            return "write true"
        case Scalar(text=text) if "boolean" in types and text.lower() in ("no", "off", "false", "0"):
            return "write false"
        case Scalar(text=text) if "integer" in types and text.lower() in _COUNTS:
            return f"write {_COUNTS.index(text.lower())}"
        case Scalar(text=text) if "object" in types and "string" not in types and re.match(r"[A-Za-z_]\w*:\S", text):
            return f"put a space after the colon: {text.replace(':', ': ', 1)}"
        case Mapping(entries=((Scalar(text=key), _), *_)) if types == ["array"]:
            if key.startswith("-"):
                return f'put a space after the dash: "- {key[1:]}: …"'
            return f'begin each item with a dash: "- {key}: …"'
        case _:
            return ""


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
