"""Applying the edits of findings: as many as are good, tried before they are kept. In memory; it writes no file.

A mend is good when its finding is gone and no worse one has come: a file that is read wrongly, or a word of the schema
in the wrong place. All mends of a round are tried together; where that fails, each half, so that a bad one costs a few
checks and takes no good one with it.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from sinchflow.language.check import Checked
from sinchflow.language.diagnostic import Diagnostic, Edit

#: A mend may show the next mistake behind it, seldom more than a few times.
_MOST_ROUNDS = 10
#: Checks of one round: each bad mend costs some, and a project is not checked for ever.
_MOST_CHECKS = 200
#: Findings that keep the rest of a document from being looked at.
_READING = frozenset(
    {
        "control-character", "cut-text", "depth", "document-size", "duplicate-key", "merge-key", "unquoted-template",
        "yaml-alias", "yaml-key", "yaml-syntax", "yaml-tag",
    }
)  # fmt: skip
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
#: What shows that a mend was a wrong guess, when it comes to stand on the mended line.
_STRUCTURE = frozenset({"unknown-key", "missing-key", "type", "value", "one-action", "action-option"})

#: A file, a line of it, a rule and its message: edits leave lines where they are, so this tells findings apart.
_Key = tuple[str, int, str, str]
#: The project's findings when some of its files have other bytes.
Check = Callable[[Mapping[str, bytes]], Checked]


class Mended(msgspec.Struct, frozen=True):
    """What came of it. contents: new bytes of the files that change; counts: findings mended in each of them."""

    contents: dict[str, bytes]
    counts: dict[str, int]
    checked: Checked


def mend(check: Check, read: Callable[[str], bytes | None]) -> Mended:
    """Mend until nothing changes any more. read: the bytes of a file by its name, None when it is not to be changed."""
    contents: dict[str, bytes] = {}
    counts: Counter[str] = Counter()
    checked = check(contents)
    for _ in range(_MOST_ROUNDS):
        found = _Round(check, read, contents, checked).run()
        if found is None:
            break
        kept, contents, checked = found
        counts.update(item.file for item in kept)
    return Mended(contents, dict(counts), checked)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with its edits, which must not overlap; ends of lines stay as they are."""
    lines = _LINE.findall(text)
    for edit in sorted(set(edits), key=lambda each: (each.line, each.column, each.length), reverse=True):
        line, at = lines[edit.line - 1], edit.column - 1
        lines[edit.line - 1] = f"{line[:at]}{edit.text}{line[at + edit.length :]}"
    return "".join(lines)


class _Round:
    """One round: the mends that do not get into each other's way, tried on the files as they are by now."""

    def __init__(
        self, check: Check, read: Callable[[str], bytes | None], contents: Mapping[str, bytes], checked: Checked
    ) -> None:
        self._check = check
        self._read = read
        self._contents = contents
        self._before = checked
        self._texts: dict[str, str | None] = {}
        self._checks = 0
        self._kept: tuple[list[Diagnostic], dict[str, bytes], Checked] | None = None

    def run(self) -> tuple[list[Diagnostic], dict[str, bytes], Checked] | None:
        """What was mended, the bytes of all files changed so far, and what is found now; None when nothing was."""
        mends = self._chosen()
        if mends:
            self._grow([], mends)
        return self._kept

    def _chosen(self) -> list[Diagnostic]:
        taken: dict[tuple[str, int], list[Edit]] = {}
        chosen: list[Diagnostic] = []
        for item in self._before.diagnostics:
            if not item.edits or self._text(item.file) is None:
                continue
            if any(_collide(edit, other) for edit in item.edits for other in taken.get((item.file, edit.line), ())):
                continue  # its turn comes in the next round
            for edit in item.edits:
                taken.setdefault((item.file, edit.line), []).append(edit)
            chosen.append(item)
        return chosen

    def _grow(self, good: list[Diagnostic], more: list[Diagnostic]) -> list[Diagnostic]:
        """The mends that are good together: those of `good`, and of `more` as many as can be."""
        mends = [*good, *more]
        contents = self._mended(mends)
        self._checks += 1
        checked = self._check(contents)
        if _is_good(self._before, checked, mends):
            self._kept = (mends, contents, checked)
            return mends
        if len(more) == 1 or self._checks >= _MOST_CHECKS:
            return good
        half = len(more) // 2
        return self._grow(self._grow(good, more[:half]), more[half:])

    def _mended(self, mends: Sequence[Diagnostic]) -> dict[str, bytes]:
        edits: dict[str, list[Edit]] = {}
        for item in mends:
            edits.setdefault(item.file, []).extend(item.edits)
        contents = dict(self._contents)
        for name, wanted in edits.items():
            mark = codecs.BOM_UTF8 if (self._bytes(name) or b"").startswith(codecs.BOM_UTF8) else b""
            contents[name] = mark + edited(self._text(name) or "", wanted).encode()
        return contents

    def _bytes(self, name: str) -> bytes | None:
        return self._contents.get(name) or self._read(name)

    def _text(self, name: str) -> str | None:
        """The text that the findings are about; None when the file is not to be changed, or was by someone else."""
        if name not in self._texts:
            data = self._bytes(name)
            text = None if data is None else data.removeprefix(codecs.BOM_UTF8).decode(errors="replace")
            self._texts[name] = text if text == self._before.texts.get(name) else None
        return self._texts[name]


def _collide(one: Edit, other: Edit) -> bool:
    """Whether two edits of a line cannot both be made; the same edit twice is one."""
    if one == other:
        return False
    first, second = sorted((one, other), key=lambda each: (each.column, each.length))
    return first.column == second.column or first.column + first.length > second.column


def _is_good(before: Checked, after: Checked, mends: Sequence[Diagnostic]) -> bool:
    were, are = (Counter(_key(item) for item in checked.diagnostics) for checked in (before, after))
    if any(are[key] > were[key] - number for key, number in Counter(_key(item) for item in mends).items()):
        return False
    lines = {(item.file, edit.line) for item in mends for edit in item.edits}
    read_anew = {item.file for item in mends if item.rule in _READING}
    # A space that makes a key or an item changes how the lines below it are read, too.
    laid_out = {item.file for item in mends for edit in item.edits if not edit.length and edit.text == " "}
    for item in after.diagnostics:
        # A text that was not looked at may turn out to be cut; that is no sign of a wrong guess.
        if item.severity == "error" and item.rule != "cut-text" and are[_key(item)] > were[_key(item)]:
            if item.rule in _READING and (item.file not in read_anew or item.file in laid_out):
                return False
            if (item.file, item.line) in lines and item.rule in _READING | _STRUCTURE and not item.edits:
                return False
    # What could not be read before may hold any number of mistakes; elsewhere more errors mean a wrong guess.
    files = {item.file for item in mends} - read_anew if read_anew else None
    return _errors(after, files) <= _errors(before, files)


def _errors(checked: Checked, files: set[str] | None) -> int:
    return sum(item.severity == "error" and (files is None or item.file in files) for item in checked.diagnostics)


def _key(item: Diagnostic) -> _Key:
    return item.file, item.line, item.rule, item.message
