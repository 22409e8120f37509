"""`sinchflow texts`: every text that people can get, and how many SMS it takes."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.cli.output import print_json, table
from sinchflow.errors import UsageError

if TYPE_CHECKING:
    from sinchflow.language.texts import Text

_HEAD = ("text", "flow", "language", "encoding", "characters", "SMS", "Unicode by", "begins")
#: Characters of each text that are shown.
_SHOWN = 40


class Format(StrEnum):
    """How the list is printed."""

    TEXT = "text"
    JSON = "json"


def texts(
    context: typer.Context,
    flows: Annotated[list[str] | None, typer.Argument(metavar="[FLOW…]", help="Only the texts of these flows.")] = None,
    output: Annotated[Format, typer.Option("--format", help="text for people, json for programs.")] = Format.TEXT,
) -> None:
    """List every text that the flows can send: its encoding, its length and how many SMS it takes.

    A text in plain SMS characters (GSM-7) has 160 of them in one SMS, 153 in each of several; one other character
    makes it Unicode (UCS-2): 70, and 67.

    What stands in {{ }} is not known before it is sent. It counts as one plain character at least; at most as what its
    filter or name lets through, and as 20 for what is remembered of a person or stands in a list. A + says that there
    is no such limit.

    \b
    Examples:
      sinchflow texts
      sinchflow texts opening-hours --format json
    """
    from sinchflow.language.texts import Texts

    found = Texts(root_of(context))
    every = list(found.all())
    for name in flows or ():
        if name not in found.flows:
            raise UsageError(f'there is no flow "{name}" among those that can be read')
    chosen = [each for each in every if not flows or each.flow in flows]
    if output is Format.JSON:
        print_json({"texts": [_data(each) for each in chosen]})
    elif chosen:
        print(table(_HEAD, [_row(each) for each in chosen]))
    else:
        print("no texts")
    if found.unread:
        files = ", ".join(dict.fromkeys(found.unread))
        print(f"not read: {files}; `sinchflow validate` says why", file=sys.stderr)


def _row(text: "Text") -> Sequence[str]:
    cost, is_sms = text.cost, text.message.format == "SMS"
    unicode = ""
    if text.unicode is not None and is_sms:
        character, origin = text.unicode
        unicode = f"{character if _is_visible(character) else ''} {_code(character)} at {origin.line}:{origin.column}"
    return (
        f"{text.origin.file}:{text.origin.line}",
        text.flow or "policy",
        text.message.language or "",
        _encoding(text),
        _range(cost.characters) if cost is not None else "?",
        (_range(cost.parts) if cost is not None else "?") if is_sms else "",
        unicode,
        _begin(text),
    )


def _begin(text: "Text") -> str:
    words = " ".join(text.message.scalar.text.split())
    return words if len(words) <= _SHOWN else words[: _SHOWN - 1] + "…"


def _range(given: tuple[int, int | None]) -> str:
    least, most = given
    if most is None:
        return f"{least}+"
    return str(least) if least == most else f"{least}-{most}"


def _encoding(text: "Text") -> str:
    if text.message.format != "SMS":
        return text.message.format
    if text.cost is None:
        return "?"
    if text.unicode is None:
        return "GSM-7"
    return "UCS-2" if text.cost.is_always else "GSM-7 or UCS-2"


def _is_visible(character: str) -> bool:
    return character.isprintable() and not character.isspace()


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _data(text: "Text") -> dict[str, Any]:
    cost, sms = text.cost, text.message.format == "SMS"
    unicode = None
    if text.unicode is not None and sms:
        character, origin = text.unicode
        unicode = {"character": character, "code": _code(character), "line": origin.line, "column": origin.column}
    return {
        "file": text.origin.file,
        "line": text.origin.line,
        "column": text.origin.column,
        "flow": text.flow,
        "language": text.message.language,
        "format": text.message.format,
        "encoding": _encoding(text) if sms and cost is not None else None,
        "characters": None if cost is None else {"least": cost.characters[0], "most": cost.characters[1]},
        "parts": None if cost is None or not sms else {"least": cost.parts[0], "most": cost.parts[1]},
        "unicode": unicode,
        "text": text.message.scalar.text,
    }
