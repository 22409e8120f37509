"""How commands print what the provider or the journal tells: tables for people, JSON for programs.

Texts in it are foreign: no control character of theirs reaches the terminal.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sinchflow.sinch.words import shown

_WIDEST_CELL = 48
_WIDEST_LAST_CELL = 120
_LONGEST_FIELD = 10_000
#: What JSON may hold raw although a terminal obeys it or shows nothing; the line breaks between values stay.
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\n]")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned columns, the last one wider; plain text, so that it can be piped on."""
    last = len(head) - 1
    cells = [
        tuple(cell(value, _WIDEST_LAST_CELL if place == last else _WIDEST_CELL) for place, value in enumerate(row))
        for row in rows
    ]
    widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in (head, *cells))
    return "\n".join(line.rstrip() for line in lines)


def fields(found: Mapping[str, Any]) -> str:
    """What there is of these, one a line, in full; a mapping as `key=value, …`."""
    filled = {name: value for name, value in found.items() if value not in (None, "", [], {})}
    width = max((len(name) for name in filled), default=0)
    return "\n".join(f"{cell(name, _WIDEST_CELL).ljust(width)}  {_words(value)}" for name, value in filled.items())


def cell(value: Any, width: int = _WIDEST_CELL) -> str:
    """The value on one line, cut at `width` characters with `…`; what cannot be printed is `?`."""
    text = "" if value is None else " ".join(str(value).split())
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= width else text[: width - 1] + "…"


def print_json(data: Any) -> None:
    """One JSON object on stdout, readable, with everything escaped that is not printable."""
    print(_UNPRINTABLE.sub(_escaped, json.dumps(data, ensure_ascii=False, indent=2)))


def _words(value: Any) -> str:
    match value:
        case bool():
            words = "yes" if value else "no"
        case dict():
            words = ", ".join(f"{key}={item}" for key, item in value.items())
        case list():
            words = ", ".join(map(str, value))
        case _:
            words = str(value)
    return shown(words, _LONGEST_FIELD)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char.isprintable():
        return char
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]
