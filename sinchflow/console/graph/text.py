"""Texts of users as a picture may show them: printable, short, and without what must stay secret."""

import re
import unicodedata
from datetime import timedelta

from sinchflow.model.flow import Text, Value, Wording, Words

#: Characters of a text that a reviewer needs to know it again.
LONGEST = 160
_LONGEST_CONDITION = 110
_MOST_LISTED = 8

_HOLE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
#: Stand for the holes of an address while it is taken apart.
_FIRST_SIGN, _MOST_HOLES = 0xE000, 100
_LONGEST_ADDRESS = 2_000
#: Parts of a path that look like a key: long, with digits and letters.
_KEY = re.compile(r"[A-Za-z0-9]{20,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRET_NAME = re.compile(r"token|secret|passw|api_?key|authorization", re.IGNORECASE)
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))


def plain(text: str, longest: int = LONGEST) -> str:
    """The text on one line, without what cannot be printed or turns the text around it, cut with `…`."""
    cleaned = "".join(_shown(char) for char in text[: longest * 4])
    words = " ".join(cleaned.split())
    return words if len(words) <= longest and len(text) <= longest * 4 else words[: longest - 1].rstrip() + "…"


def _shown(char: str) -> str:
    category = unicodedata.category(char)
    if char == "\u200d":  # joins emoji
        return char
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if category in ("Cf", "Cs", "Co", "Cn") else char


def condition(source: str) -> str:
    """A condition, shortened."""
    return plain(source, _LONGEST_CONDITION)


def quoted(text: str) -> str:
    """A message in the writer's words."""
    return f"“{plain(text)}”"


def message(words: Words) -> list[str]:
    """What is sent: the text, or the first of several languages and which there are."""
    if isinstance(words, Wording):
        tags = list(words.by_language)
        first = [f"{tag}: {quoted(words.by_language[tag].source)}" for tag in tags[:1]]
        return [*first, f"in {len(tags)} languages: {', '.join(tags)}"] if len(tags) > 1 else first
    return [quoted(words.source)]


def listed(items: tuple[str, ...] | list[str], join: str = ", ") -> str:
    """The items in a row; of many, the first ones and how many more there are."""
    shown = [plain(item, 60) for item in items[:_MOST_LISTED]]
    more = len(items) - len(shown)
    return join.join(shown) + (f" and {more} more" if more else "")


def duration(value: timedelta) -> str:
    """As the language writes it, in the largest units: `1h 30m`, but `24h` rather than `1d`."""
    left = value // timedelta(milliseconds=1)
    parts = []
    for size, unit in _UNITS if value > timedelta(hours=36) else _UNITS[1:]:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:3]) or "0s"


def value(given: Value) -> str:
    """A value as a flow writes it, shortened."""
    match given:
        case None:
            return "null"
        case bool():
            return "true" if given else "false"
        case Text():
            return plain(given.source, 80)
        case tuple():
            return f"[{listed([value(item) for item in given])}]"
        case dict():
            return "{" + listed([entry(key, item, ": ") for key, item in given.items()]) + "}"
        case _:
            return str(given)


def entry(name: str, given: Value, between: str = " = ") -> str:
    """Name and value; a value that seems to be a secret is left out."""
    is_secret = _SECRET_NAME.search(name) and isinstance(given, Text) and not given.is_template
    return f"{plain(name, 60)}{between}{'(not shown)' if is_secret else value(given)}"


def secret(given: Text) -> str:
    """A secret as it is written when it names one, never one that is written out."""
    return plain(given.source, 80) if given.is_template else "(not shown)"


def url(source: str) -> str:
    """Host and path of an address: no scheme, no query, no password, and no parts of the path that look like a key."""
    source = source[:_LONGEST_ADDRESS]
    holes = _HOLE.findall(source)[:_MOST_HOLES]
    signs = [chr(_FIRST_SIGN + at) for at in range(len(holes))]
    marked = "".join(char for char in source if not _FIRST_SIGN <= ord(char) < _FIRST_SIGN + _MOST_HOLES)
    for sign, hole in zip(signs, holes, strict=True):
        marked = marked.replace(hole, sign, 1)
    marked = marked.partition("#")[0].partition("?")[0]
    _, slashes, rest = marked.partition("://")
    host, slash, path = (rest if slashes else marked).partition("/")
    shown = f"{host.rpartition('@')[2]}{slash}{_KEY.sub(_hidden, path)}"
    for sign, hole in zip(signs, holes, strict=True):
        shown = shown.replace(sign, hole)
    return plain(shown, 120)


def _hidden(found: re.Match[str]) -> str:
    """`…` for a key: letters alone are a long word, digits alone a number."""
    return found[0] if found[0].isalpha() or found[0].isdigit() else "…"
