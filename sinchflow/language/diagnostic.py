"""What is wrong with the user's files: one `Diagnostic` each, and how they are shown as text and as JSON.

Nothing here is raised; findings are collected, sorted and presented together.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from sinchflow.model.origin import Origin

Severity = Literal["error", "warning"]

#: Widest source line shown; longer ones are cut around the mark.
_WIDTH = 140


class Edit(msgspec.Struct, frozen=True):
    """What mends a finding, where that is beyond doubt: `length` characters (0: none) of one line give way to `text`.

    `line` and `column` from 1, in characters of the file, as in a finding; the place need not be the finding's own.
    """

    line: int
    column: int
    length: int
    text: str


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `line` and `column` from 1, in characters; `length` of the mark; `hint` may be empty.

    `edits` mend it, all of them together (`validate --fix`); none where a person must decide.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    length: int = 1
    severity: Severity = "error"
    hint: str = ""
    edits: tuple[Edit, ...] = ()

    def __str__(self) -> str:
        kind = "warning: " if self.severity == "warning" else ""
        place = f"{printable(self.file)}:{self.line}:{self.column}"
        return f"{place}: {kind}{printable(self.message)} [{self.rule}]"


def finding(
    origin: Origin,
    rule: str,
    message: str,
    hint: str = "",
    severity: Severity = "error",
    edits: tuple[Edit, ...] = (),
) -> Diagnostic:
    """A diagnostic at a place."""
    return Diagnostic(
        file=origin.file,
        line=origin.line,
        column=origin.column,
        length=origin.length,
        rule=rule,
        message=message,
        hint=hint,
        severity=severity,
        edits=edits,
    )


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file, line, column; the same finding at the same place only once."""
    return tuple(sorted(set(diagnostics), key=lambda d: (d.file, d.line, d.column, d.rule, d.message)))


def present_text(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str]) -> str:
    """Each finding with its source line, a mark under the place, and its hint. Ends with a newline, or is empty.

    texts: whole content of the files by name, as in `Checked.texts`; a finding in another file shows no line.
    """
    return "".join(present_each(diagnostics, texts))


def present_each(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str]) -> Iterator[str]:
    """The same, finding by finding; a file is split into its lines once."""
    lines: dict[str, list[str]] = {}
    for item in diagnostics:
        if item.file not in lines:
            lines[item.file] = split_lines(texts.get(item.file, ""))
        yield "\n".join(_block(item, lines[item.file])) + "\n"


def present_json(diagnostics: Iterable[Diagnostic], flows: int) -> str:
    """One JSON object: `findings` and the number of `flows` that are sound (design.md section 5)."""
    findings = [
        {
            "file": item.file,
            "line": item.line,
            "column": item.column,
            "rule": item.rule,
            "severity": item.severity,
            "message": item.message,
            "hint": item.hint,
        }
        for item in diagnostics
    ]
    shown = json.dumps({"findings": findings, "flows": flows}, ensure_ascii=False, indent=2)
    return shown.encode(errors="backslashreplace").decode()  # names of files need not be UTF-8


def printable(text: str) -> str:
    """The text on one line: control and other invisible characters written as escapes."""
    return "".join(_escape(char) if _is_hidden(char) else char for char in text)


def split_lines(text: str) -> list[str]:
    """The text's lines as YAML 1.2 counts them: ended by LF, CR LF or CR, and by nothing else."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _block(item: Diagnostic, lines: list[str]) -> list[str]:
    block = [str(item)]
    number = str(item.line)
    gutter = " " * (len(number) + 1)
    if item.line <= len(lines) and (item.column > 1 or lines[item.line - 1]):
        source, mark = _marked(lines[item.line - 1], item.column - 1, item.length)
        block += [f"{gutter}|", f"{number} | {source}", f"{gutter}| {mark}"]
    if item.hint:
        hint = [printable(line) for line in item.hint.split("\n")]
        block.append(f"{gutter}= {hint[0]}")
        block += [f"{gutter}  {line}" for line in hint[1:]]
    return block


def _marked(line: str, start: int, length: int) -> tuple[str, str]:
    """The line as shown, and the mark under it; both cut to the window around the mark when the line is long."""
    first = max(0, start - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = line[first : first + _WIDTH]
    cut_left, cut_right = "…" if first else "", "…" if first + _WIDTH < len(line) else ""
    at = start - first
    before, under = _visible(shown[:at]), _visible(shown[at : at + length])
    mark = "^" + "~" * (max(_columns(under), 1) - 1)
    return f"{cut_left}{_visible(shown)}{cut_right}", " " * (_columns(before) + len(cut_left)) + mark


def _visible(text: str) -> str:
    return printable(text.replace("\t", "    "))


def _columns(text: str) -> int:
    """How many columns a terminal gives the text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _is_hidden(char: str) -> bool:
    return not char.isprintable() and char != " "


def _escape(char: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char) or (
        f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    )
