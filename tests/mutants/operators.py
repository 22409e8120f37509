"""The mistakes that can be made in a flow, one at a time: a word, a time, a branch, a condition, a step.

A flow is looked at as nested lists and mappings of what its YAML says; a mutant is the same with one value changed or
left out, written as JSON, which is YAML too.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any, NamedTuple

from sinchflow.language.nodes import Document, Mapping, Node, Sequence, plain
from sinchflow.model.origin import Origin

Path = tuple[str | int, ...]
#: Words for people, and what stands there instead.
Change = tuple[str, Any]

_DROPPED = object()
_WORD = re.compile(r"[A-Za-z]{2,}")
_HOLE = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"|\b\d+\b")
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
#: What a comparison or a connection is mistaken for.
_SWAPS = {
    "==": "!=", "!=": "==", "<=": ">", ">=": "<", "<": ">=", ">": "<=", " not in ": " in ", " in ": " not in ",
    " is not none": " is none", " is none": " is not none", " and ": " or ", " or ": " and ", " + ": " - ",
}  # fmt: skip
_SWAP = re.compile("|".join(map(re.escape, _SWAPS)))
#: One word of a small set, and another one.
_OTHERS = {
    "mode": {"single": "restart", "restart": "single"},
    "if_past": {"continue": "stop"},
    "backoff": {"exponential": "constant"},
    "on_item_error": {"continue": "stop"},
    "method": {"POST": "PUT", "PUT": "POST"},
    "type": {"phone": "string", "datetime": "string"},
    "status": {"failed": "delivered", "rejected": "delivered", "expired": "delivered"},
    "expect": {"2xx": "3xx", "409": "410"},
    "on": {"opt_out": "inbound_sms", "inbound_sms": "opt_out"},
    "when": {},
}  # fmt: skip
#: What decides which texts a flow or a category takes.
_FILTERS = frozenset({"keyword", "exact", "contains", "starts_with", "regex", "answer"})
#: Keys that a flow would be valid without, so that nobody sees at once when they are forgotten.
_OPTIONAL = _FILTERS | {
    "concurrency", "contact", "continue", "dedupe", "default", "delivery_receipt", "else", "expect", "headers", "if",
    "inbound_sms", "json", "key", "on_error", "on_item_error", "otherwise", "priority", "retry", "then", "throttle",
    "token", "until", "urgent", "webhook",
}  # fmt: skip
#: Mappings with names of the user's own: each entry can be forgotten.
_OPEN = frozenset({"categories", "json", "headers", "set", "outputs", "vars"})
#: Names and words for people; nothing goes by them.
_UNHEARD = frozenset({"name", "description", "id", "as"})


class Mutant(NamedTuple):
    """A flow with one mistake. origin: where in the flow as it is written."""

    origin: Origin
    words: str
    text: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.words}"


def mutants(document: Document) -> Iterator[Mutant]:
    """All mutants of a flow, in the order of its lines."""
    assert document.root is not None
    data = plain(document.root)
    for path, node in _walk(document.root, ()):
        for words, new in _changes(path, _at(data, path)):
            yield Mutant(document.origin_of(node), words, json.dumps(_with(data, path, new), ensure_ascii=False))


# --- data ------------------------------------------------------------------------------------------------------------


def _walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    if path:
        yield path, node
    match node:
        case Sequence():
            for at, item in enumerate(node.items):
                yield from _walk(item, (*path, at))
        case Mapping():
            for key, value in node.entries:
                yield from _walk(value, (*path, key.text))


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _with(data: Any, path: Path, value: Any) -> Any:
    """The data with another value at the path, or without it."""
    changed = deepcopy(data)
    inner = _at(changed, path[:-1])
    if value is _DROPPED:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


# --- mistakes --------------------------------------------------------------------------------------------------------


def _changes(path: Path, value: Any) -> Iterator[Change]:
    names = [part for part in path if isinstance(part, str)]
    key = names[-1]
    if key in _UNHEARD and path[-1] == key and not _OPEN & {*names[:-1]}:
        return
    yield from _left_out(path, names, value)
    match value:
        case bool():
            yield f"{key} {value} for {not value}", not value
        case int():
            yield from ((f"{key} {new} for {value}", new) for new in {value * 2, value // 2} - {value})
        case str():
            yield from ((f"{key}: {words}", new) for words, new in _of_text(key, value))
        case list() if key != "on":  # any of them begins a run: their order is no matter
            yield from _of_list(key, value)
        case dict() if {"then", "else"} <= value.keys():
            yield "then and else swapped", value | {"then": value["else"], "else": value["then"]}


def _left_out(path: Path, names: list[str], value: Any) -> Iterator[Change]:
    last = path[-1]
    if isinstance(last, int):
        if not _is_mapping_of(value, "else"):
            yield f"{names[-1]}: {_shown(value)} left out", _DROPPED
    elif last in _OPTIONAL or (len(names) > 1 and names[-2] in _OPEN):
        yield f"{last} left out", _DROPPED


def _of_list(key: str, items: list[Any]) -> Iterator[Change]:
    """Neighbours swapped: steps, and what the branches of `choose` do."""
    for at, (one, other) in enumerate(pairwise(items)):
        if not isinstance(one, dict) or not isinstance(other, dict) or one == other:
            continue
        swapped = deepcopy(items)
        if key == "choose":
            one, other = swapped[at], swapped[at + 1]
            mine, its = ("else" if "else" in each else "steps" for each in (one, other))
            one[mine], other[its] = other[its], one[mine]
            yield f"branches {at + 1} and {at + 2} swapped", swapped
        else:
            swapped[at : at + 2] = [other, one]
            yield f"{key} {at + 1} and {at + 2} swapped", swapped


def _of_text(key: str, text: str) -> Iterator[Change]:
    if key in _OTHERS:
        if text in _OTHERS[key]:
            yield f"{_OTHERS[key][text]} for {text}", _OTHERS[key][text]
    elif found := _DURATION.fullmatch(text):
        for new in (f"{int(found[1]) * 2}{found[2]}", _half(int(found[1]), found[2])):
            yield f"{new} for {text}", new
    elif key in _FILTERS:
        yield f'"zebra" for "{text}"', "zebra"
    elif key == "if" or (key == "until" and "{{" not in text):
        yield "negated", f"not ({text})"
        yield "always", "true"
        yield "never", "false"
        yield from _of_expression(text)
    elif key in ("url", "path"):
        yield from _of_template(text)
        yield "another one", f"{text}x"
    else:
        yield from _of_template(text)


def _half(number: int, unit: str) -> str:
    smaller = {"s": "ms", "m": "s", "h": "m", "d": "h"}[unit]
    return f"{number * {'s': 1000, 'm': 60, 'h': 60, 'd': 24}[unit] // 2}{smaller}"


def _of_template(text: str) -> Iterator[Change]:
    """In what is written out, the first and the last word changed; each hole filled with a word, or changed within."""
    parts = _HOLE.split(text)
    for at, part in enumerate(parts):
        if part.startswith("{{"):
            yield f'"zebra" for {part}', "".join([*parts[:at], "zebra", *parts[at + 1 :]])
            changed = _of_expression(part)
        else:
            changed = _of_words(part)
        for words, new in changed:
            yield words, "".join([*parts[:at], new, *parts[at + 1 :]])


def _of_words(text: str) -> Iterator[Change]:
    found = [*_WORD.finditer(text)]
    for word in found[:1] + found[1:][-1:]:
        yield f'"zebra" for "{word[0]}"', f"{text[: word.start()]}zebra{text[word.end() :]}"
    if not found and text.strip(" "):
        yield f'"~" for "{text}"', "~"


def _of_expression(text: str) -> Iterator[Change]:
    """Comparisons swapped, and what is written out changed."""
    for found in _SWAP.finditer(text):
        new = _SWAPS[found[0]]
        yield f"{new.strip()} for {found[0].strip()}", f"{text[: found.start()]}{new}{text[found.end() :]}"
    for found in _LITERAL.finditer(text):
        old = found[0]
        new = str(int(old) * 2) if old.isdigit() else f"{old[0]}{_otherwise(old[1:-1])}{old[0]}"
        yield f"{new} for {old}", f"{text[: found.start()]}{new}{text[found.end() :]}"


def _otherwise(literal: str) -> str:
    """Another text of the same kind: a clock's time an hour later, a format for something else."""
    if re.fullmatch(r"\d\d:\d\d", literal):
        return f"{int(literal[:2]) + 1:02}{literal[2:]}"
    return literal.replace("%", "%%", 1) if "%" in literal else "zebra"


def _is_mapping_of(value: Any, key: str) -> bool:
    return isinstance(value, dict) and [*value] == [key]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
