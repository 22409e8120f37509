"""What a scalar means and where each of its characters stands in the file.

`resolve` is YAML 1.2 core with the exceptions of design.md section 3; `offsets` undoes escapes, folding and
indentation.
"""

import re

from sinchflow.language.nodes import Document, Scalar
from sinchflow.model.origin import Origin

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})")
_BASED = re.compile(r"0x[0-9a-fA-F]{1,16}|0o[0-7]{1,21}")
_FLOAT = re.compile(r"-?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|(?:\r\n|\r|\n)[ \t]*|.)", re.DOTALL)
_FOLD = re.compile(r"[ \t]*(?:\r\n|\r|\n)[ \t\r\n]*")
_BREAK = re.compile(r"\r\n|\r|\n")


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-.0123456789" or len(text) > 60:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and abs(number := float(text)) != float("inf"):
        return number
    return text


def find_hidden(text: str) -> int:
    """Where the text has a character that no message needs, or that the program uses for itself; -1 for nowhere."""
    found = _HIDDEN.search(text)
    return found.start() if found else -1


def place(document: Document, scalar: Scalar, offset: int, length: int = 1) -> Origin:
    """Where in the file the characters `offset … offset + length` of the scalar's text stand."""
    marks = offsets(document, scalar)
    if len(marks) != len(scalar.text) + 1:  # a spelling that we cannot retrace: the scalar's beginning
        return document.origin(scalar.start, scalar.end)
    first = min(max(offset, 0), len(scalar.text))
    last = min(first + max(length, 1), len(scalar.text))
    start = marks[first]
    return document.origin(start, max(marks[last - 1] + 1 if last > first else start + 1, start + 1))


def offsets(document: Document, scalar: Scalar) -> list[int]:
    """Each character's offset in the document, then the end of the scalar; empty when they do not tally."""
    raw = document.text[scalar.start : scalar.end]
    match scalar.style:
        case '"':
            pieces = _double_quoted(raw)
        case "'":
            pieces = _single_quoted(raw)
        case "|" | ">":
            return _block(document, scalar)
        case _:
            pieces = _folded(raw, 0, len(raw))
    if "".join(char for char, _ in pieces) != scalar.text:
        return []
    return [scalar.start + at for _, at in pieces] + [scalar.end]


def _folded(raw: str, start: int, end: int) -> list[tuple[str, int]]:
    """Characters of raw[start:end] where a line break is a space, and n + 1 breaks are n line breaks."""
    pieces: list[tuple[str, int]] = []
    at = start
    while at < end:
        fold = _FOLD.match(raw, at, end) if raw[at] in " \t\r\n" else None
        if fold is None:
            pieces.append((raw[at], at))
            at += 1
            continue
        breaks = len(_BREAK.findall(fold[0]))
        pieces += [(" ", at)] if breaks == 1 else [("\n", at)] * (breaks - 1)
        at = fold.end()
    return pieces


def _single_quoted(raw: str) -> list[tuple[str, int]]:
    pieces: list[tuple[str, int]] = []
    at, end = 1, len(raw) - 1
    while at < end:
        quote = raw.find("''", at, end)
        stop = end if quote < 0 else quote
        pieces += _folded(raw, at, stop)
        if quote >= 0:
            pieces.append(("'", quote))
        at = stop + 2
    return pieces


def _double_quoted(raw: str) -> list[tuple[str, int]]:
    simple = {
        "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
        "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029", "\t": "\t",
    }  # fmt: skip
    pieces: list[tuple[str, int]] = []
    at, end = 1, len(raw) - 1
    while at < end:
        slash = raw.find("\\", at, end)
        stop = end if slash < 0 else slash
        pieces += _folded(raw, at, stop)
        if slash < 0:
            break
        escape = _ESCAPE.match(raw, slash)
        if escape is None:
            break
        body = escape[0][1:]
        if body[0] in "xuU" and len(body) > 1:
            pieces.append((chr(int(body[1:], 16)), slash))
        elif body[0] not in "\r\n":
            pieces.append((simple.get(body[0], body[0]), slash))
        at = escape.end()
    return pieces


def _block(document: Document, scalar: Scalar) -> list[int]:
    """Offsets in a `|` or `>` scalar: its text's lines are found again one after the other below the header."""
    header = _BREAK.search(document.text, scalar.start)
    if header is None:
        return []
    marks: list[int] = []
    at = header.end()
    for char in scalar.text:
        found = _next_in_block(document.text, at, scalar.end, char)
        if found < 0:
            return []
        marks.append(found)
        at = found + 1
    return [*marks, scalar.end]


def _next_in_block(text: str, at: int, end: int, char: str) -> int:
    """Where `char` stands at or after `at`, passing over line breaks and indentation only."""
    while at <= end:
        if at < len(text) and (text[at] == char or (char in " \n" and text[at] in "\r\n")):
            return at
        if at < end and text[at] in " \t\r\n":
            at += 1
        else:
            return end if char == "\n" and at >= end else -1
    return -1
