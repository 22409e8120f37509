"""Comments that ignore findings: `# sinchflow: ignore[RULE] why`, behind what is found or alone on the line above it.

Owns what such a comment takes away, and what is wrong with the comment itself. Warnings only: what is an error cannot
work, whatever anybody says of it. Files without the words are not looked at, others are composed once more.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding, split_lines
from sinchflow.language.document import compose, documents
from sinchflow.language.nodes import Document, Node, Scalar, Sequence
from sinchflow.language.suggest import nearest
from sinchflow.model.origin import Origin

_WORDS = "sinchflow: ignore"
_COMMENT = re.compile(r"#\s*sinchflow: ignore(?![\w-])(?:\s*\[(?P<rules>[^\[\]]*)\])?(?P<why>.*)")
_SIGN = re.compile(r"(?:^|(?<=[ \t]))#")
_NAME = re.compile(r"[^\s,][^,]*")
_MOST_GUESSES = 20  #: of one file, at what a rule's name was meant to be
_ENDINGS = (".yaml", ".yml")
_FORM = "write it as # sinchflow: ignore[RULE] and why"


class _Ignored(msgspec.Struct, frozen=True):
    """One rule that a comment names. lines: where its findings are taken away. is_sound: the comment has no mistake."""

    origin: Origin
    rule: str
    lines: frozenset[int]
    is_sound: bool


def without_ignored(findings: Iterable[Diagnostic], texts: Mapping[str, str], *, is_whole: bool) -> list[Diagnostic]:
    """The findings without the ignored ones, and with what is wrong with the comments that ignore.

    texts: of the files that are reported. is_whole: all of the project could be read; otherwise, and while there are
    errors, a comment that takes nothing away may still have its use.
    """
    marked = {name: text for name, text in texts.items() if _WORDS in text and name.endswith(_ENDINGS)}
    found = list(findings)
    if not marked:
        return found
    is_whole &= not any(item.severity == "error" for item in found)
    by_file: dict[str, list[Diagnostic]] = {name: [] for name in marked}
    for item in found:
        by_file.setdefault(item.file, []).append(item)
    for name, text in marked.items():
        by_file[name] = _heed(by_file[name], _File(name, text), is_whole)
    return [item for items in by_file.values() for item in items]


def _heed(found: list[Diagnostic], file: "_File", is_whole: bool) -> list[Diagnostic]:
    """The findings of one file, when its comments are heeded."""
    by_place: dict[tuple[str, int], list[Diagnostic]] = {}
    for item in found:
        by_place.setdefault((item.rule, file.line_of(item.line)), []).append(item)
    gone: set[Diagnostic] = set()
    more = list(file.faults)
    for ignored in file.ignored:
        here = [each for line in ignored.lines for each in by_place.get((ignored.rule, line), ())]
        gone.update(each for each in here if each.severity == "warning")
        if not ignored.is_sound:  # one mistake, one finding
            continue
        if any(each.severity == "error" for each in here):
            message = f"what {ignored.rule} finds here is an error; only warnings can be ignored"
            more.append(finding(ignored.origin, "ignore-comment", message, "mend it, and delete the comment"))
        elif not here and is_whole:
            message = f"{ignored.rule} finds nothing here that could be ignored"
            hint = "delete the comment, or move it to the line that it is about, or to the line above that"
            more.append(finding(ignored.origin, "unused-ignore", message, hint, "warning"))
    return [each for each in found if each not in gone] + more


class _File:
    """The comments of one file. A document that cannot be read has none: what is in it is not known."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = split_lines(text)
        self._first: dict[int, int] = {}
        self._within: dict[int, list[tuple[int, int]]] = {}  #: columns of scalars by line, from 0
        self._unread: set[int] = set()
        for document in documents(text, name):
            self._look_at(document)
        self._guesses = 0
        self.ignored: list[_Ignored] = []
        self.faults: list[Diagnostic] = []
        for number, line in enumerate(self._lines, 1):
            if _WORDS in line and number not in self._unread:
                self._read(number, line)

    def line_of(self, line: int) -> int:
        """The line on which the text begins that a line is part of."""
        return self._first.get(line, line)

    def _look_at(self, document: Document) -> None:
        compose(document)
        if document.root is None:
            last = document.line + len(split_lines(document.text.rstrip("\r\n")))
            self._unread.update(range(document.line, last))
            return
        for scalar in sorted(_scalars(document.root), key=lambda each: each.start):
            begin = document.origin(scalar.start)
            end = document.origin(max(scalar.start, scalar.end - 1))
            first = begin.line + (scalar.style in ("|", ">"))  # behind their sign stands a comment, not the text
            for line in range(first, end.line + 1):
                start = begin.column - 1 if line == begin.line else 0
                stop = end.column if line == end.line else len(self._lines[line - 1])
                self._within.setdefault(line, []).append((start, stop))
            for line in range(begin.line + 1, end.line + 1):
                self._first[line] = self.line_of(begin.line)

    def _read(self, number: int, line: str) -> None:
        at = self._comment_at(number)
        found = _COMMENT.match(line, at) if at >= 0 else None
        if found is None:
            return
        lines = frozenset({number, self._next[number - 1]} if not line[:at].strip() else {self.line_of(number)})
        whole = Origin(self._name, number, at + 1, len(found[0].rstrip()))
        names = list(_NAME.finditer(line, *found.span("rules"))) if found["rules"] else []
        if not names:
            self._add(whole, "this comment names no rule that is to be ignored", _FORM)
        has_why = re.search(r"\w", found["why"]) is not None
        if names and not has_why:
            self._add(whole, "this comment does not say why", f"{_FORM}, for whoever reads it next")
        for name in names:
            word = name[0].rstrip()
            self._add_rule(Origin(self._name, number, name.start() + 1, len(word)), word, lines, has_why)

    def _add_rule(self, origin: Origin, word: str, lines: frozenset[int], has_why: bool) -> None:
        from sinchflow.language.rules.pages import ALL

        rule = word if word in ALL else None
        if rule is None and self._guesses < _MOST_GUESSES:
            self._guesses += 1
            rule = nearest(word, ALL)
        if rule is not None:
            self.ignored.append(_Ignored(origin, rule, lines, has_why and rule == word))
        if rule != word:
            hint = f'did you mean "{rule}"?' if rule else "`sinchflow explain` lists all rules"
            self._add(origin, f'there is no rule "{word}"', hint)

    def _add(self, origin: Origin, message: str, hint: str) -> None:
        self.faults.append(finding(origin, "ignore-comment", message, hint))

    def _comment_at(self, number: int) -> int:
        """Where on the line the comment begins, from 0; -1 when there is none."""
        line, within = self._lines[number - 1], self._within.get(number, [])
        for sign in _SIGN.finditer(line):
            before = bisect_right(within, (sign.start(), len(line)))
            if not before or within[before - 1][1] <= sign.start():
                return sign.start()
        return -1

    @cached_property
    def _next(self) -> list[int]:
        """By line from 0, the line that a comment alone on it is about: the next that is no comment."""
        following = list(range(2, len(self._lines) + 2))
        for at in range(len(self._lines) - 2, -1, -1):
            if self._lines[at + 1].lstrip(" \t").startswith("#"):
                following[at] = following[at + 1]
        return following


def _scalars(root: Node) -> Iterator[Scalar]:
    """All keys and values. What an alias stands for comes once."""
    seen: set[int] = set()
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Scalar):
            if node.start < node.end:
                yield node
        elif isinstance(node, Sequence):
            waiting.extend(node.items)
        else:
            waiting.extend(each for entry in node.entries for each in entry)
