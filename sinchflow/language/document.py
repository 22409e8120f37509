"""From a file's bytes to YAML documents with positioned nodes.

Owns reading as YAML 1.2 core on PyYAML's events (design.md section 3) and every finding about syntax. It refuses to
know what the keys mean. Nothing recurses over input: the composer keeps its own stack; depth, nodes, size are capped.
"""

import codecs
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from sinchflow.language.diagnostic import Diagnostic, Edit, finding
from sinchflow.language.fix import quoted_tag, replaced, spaced_dashes, with_commas
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence
from sinchflow.language.scalars import find_hidden, place, resolve
from sinchflow.language.syntax import Fault, explain, unquoted_template
from sinchflow.model.origin import Origin

MAX_BYTES = 1_048_576  #: of one file
MAX_DEPTH = 100  #: lists and mappings inside each other
_MAX_FAULTS = 20  #: texts without quotes that are reported of one document
MAX_NODES = 50_000  #: of one document, aliases counted as what they stand for

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef\ufeff\ufffe\uffff\ud800-\udfff\U0001fffe\U0001ffff]"
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKER = re.compile(r"^(---|\.\.\.)(?=[ \t\r\n]|\Z)[^\r\n]*(?:\r\n|\r|\n|\Z)", re.MULTILINE)
_MARKER_CR = re.compile(f"(?:{_MARKER.pattern[:1]}|(?<=\r)){_MARKER.pattern[1:]}", re.MULTILINE)  # slower
_BARE_MARKER = re.compile(r"(---|\.\.\.)[ \t]*(#.*)?\s*\Z")
_NOTHING = re.compile(r"(?:[ \t]*(?:#[^\r\n]*|%YAML 1\.2[ \t]*)?(?:\r\n|\r|\n|\Z))*\Z")


def decode(data: bytes, file: str, most: int = MAX_BYTES) -> tuple[str, list[Diagnostic]]:
    """The file's text without a byte order mark; findings instead when it is too large or not clean UTF-8."""
    if len(data) > most:
        message = f"the file has over {most:,} bytes; no more are read"
        return "", [finding(Origin(file, 1, 1), "file-size", message, "split it into several files")]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "", [finding(Origin(file, 1, 1), "encoding", "the file is UTF-16, not UTF-8", "save it as UTF-8")]
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        before = data.removeprefix(codecs.BOM_UTF8)[: error.start].decode()
        at = Document(file, 1, before, "").origin(len(before))
        byte = data.removeprefix(codecs.BOM_UTF8)[error.start]
        return data.decode(errors="replace"), [
            finding(at, "encoding", f"byte 0x{byte:02x} is not UTF-8", "save the file as UTF-8")
        ]
    found = _FORBIDDEN.search(text)
    if found:
        where = Document(file, 1, text, "").origin(found.start())
        message, hint = (
            f"character U+{ord(found[0]):04X} cannot stand in a file",
            "delete it; it is invisible in most editors",
        )
        edits = replaced(where, "") if found[0] == "\ufeff" else ()
        return text, [finding(where, "control-character", message, hint, edits=edits)]
    return text, []


def documents(text: str, file: str, line: int = 1) -> Iterator[Document]:
    """The YAML documents of a text (separated by `---`), not yet composed; those without content are left out.

    line: the file's line on which the text begins.
    """
    counted_to = 0  # documents begin at the beginning of a line, so no line end is cut in two
    for start, end in _parts(text):
        line += len(_LINE_END.findall(text, counted_to, start))
        counted_to = start
        part = text[start:end]
        if not _NOTHING.match(part):
            yield Document(file, line, part, hashlib.sha256(part.encode()).hexdigest())


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of the documents: a bare `---` belongs to none, one with content on its line to the document it opens."""
    start = 0
    for marker in (_MARKER_CR if "\r" in text else _MARKER).finditer(text):
        yield start, marker.start()
        start = marker.end() if _BARE_MARKER.match(marker[0]) else marker.start()
    yield start, len(text)


def compose(document: Document) -> list[Diagnostic]:
    """Fill in the document's root node; or leave it None and say why not."""
    text, faults = document.text, list[Diagnostic]()
    for _ in range(_MAX_FAULTS):
        composer = _Composer(document, text)
        fault = composer.run()
        if fault is not None:
            faults.append(fault.finding)
        if fault is None or fault.culprit is None:
            break
        # Read on as if a word stood in place of the text at fault, so that one missing quote does not hide the next.
        start, end = fault.culprit
        text = f"{text[:start]}{'x' * (end - start)}{text[end:]}"
    findings = [*faults, *composer.findings]
    if findings:
        document.root = None
    return findings


class _Abandoned(Exception):
    """Reading on makes no sense; the finding is already there, or is in `fault`."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, event: Any, start: int) -> None:
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.is_flow = bool(event.flow_style)
        self.anchor: str | None = event.anchor
        self.start = start
        self.items: list[Node] = []
        self.entries: list[tuple[Scalar, Node]] = []
        self.keys: dict[str, Scalar] = {}
        self.key: Scalar | None = None
        self.is_repeated = False
        self.height = 1
        self.size = 1

    def close(self, end: int) -> Node:
        if self.is_mapping:
            return Mapping(tuple(self.entries), self.start, end, {pair[0].text: pair for pair in self.entries})
        return Sequence(tuple(self.items), self.start, end)


class _Named(msgspec.Struct, frozen=True):
    """What an anchor stands for, with the size and height that an alias to it adds."""

    node: Node
    size: int
    height: int
    at: int


class _Composer:
    """Composes once. text: the document's, or the same with some characters replaced."""

    def __init__(self, document: Document, text: str) -> None:
        self.document = document
        self._text = text
        self.findings: list[Diagnostic] = []
        self._stack: list[_Open] = []
        self._named: dict[str, _Named] = {}
        self._used: set[str] = set()
        self._size = 0

    def run(self) -> Fault | None:
        """Compose until the end, or until the fault that is returned."""
        try:
            self._compose()
        except _Abandoned as abandoned:
            return abandoned.fault
        except yaml.YAMLError as error:
            return explain(self._as_read(), error)
        return None

    def _as_read(self) -> Document:
        """The document with the text that was read in it: what has been reported already does not look wrong in it."""
        return Document(self.document.file, self.document.line, self._text, "")

    def _compose(self) -> None:
        take = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
        }
        loader = _Loader(self._text)
        try:
            while type(event := loader.get_event()) is not yaml.StreamEndEvent:
                if type(event) in take:
                    take[type(event)](event)
        finally:
            loader.dispose()
        for name, named in self._named.items():
            if name not in self._used and isinstance(named.node, Scalar):
                message = f'"&{name}" is read as an anchor, a name for this value, and not as text'
                self._report(named.at, named.node.end, "cut-text", message, "put the whole text in quotes")

    def _report(
        self, start: int, end: int, rule: str, message: str, hint: str = "", edits: tuple[Edit, ...] = ()
    ) -> None:
        self.findings.append(finding(self.document.origin(start, end), rule, message, hint, edits=edits))

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        if event.tag is not None:
            self._tag(event, start)
        if event.anchor:
            start = self._after_anchor(start)
        style = event.style if event.style in ("'", '"', "|", ">") else ""
        value = resolve(event.value) if style == "" and event.tag is None else event.value
        node = Scalar(event.value, value, style, start, end)
        hidden_at = find_hidden(event.value) if style == '"' else -1
        if hidden_at >= 0:
            at = place(self.document, node, hidden_at)
            message = f"an escape gives the control character U+{ord(event.value[hidden_at]):04X}"
            self.findings.append(finding(at, "control-character", message, "only \\n and \\t are of use in a message"))
        if event.anchor:
            self._named[event.anchor] = _Named(node, 1, 0, event.start_mark.index)
        self._count(1, start)
        self._place(node, 1, 0)

    def _tag(self, event: Any, start: int) -> None:
        line = self.document.source_line(start)
        word = self.document.text[start : event.end_mark.index].split(None, 1)[0] if event.end_mark else line
        message = f'YAML reads "{word}" as a tag and drops it from the text'
        hint = "put the text in quotes, or take the tag away"
        self._report(start, start + len(word), "yaml-tag", message, hint, quoted_tag(self.document, start))

    def _after_anchor(self, start: int) -> int:
        found = re.compile(r"&\S+\s*").match(self.document.text, start)
        return found.end() if found else start

    def _alias(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        if any(open_.anchor == event.anchor for open_ in self._stack):
            self._report(start, end, "yaml-alias", f'"*{event.anchor}" stands inside what it refers to')
            raise _Abandoned
        named = self._named.get(event.anchor)
        if named is None:
            hint = "a text that begins with * needs quotes"
            message = f'no anchor "&{event.anchor}" stands before this alias'
            self._report(start, end, "yaml-alias", message, hint)
            raise _Abandoned
        self._used.add(event.anchor)
        self._count(named.size, start)
        if len(self._stack) + named.height > MAX_DEPTH:
            self._too_deep(start)
        self._place(named.node, named.size, named.height)

    def _begin(self, event: Any) -> None:
        start = event.start_mark.index
        if event.tag is not None:
            self._tag(event, start)
        if event.anchor:
            start = self._after_anchor(start)
        outer = self._stack[-1] if self._stack else None
        if outer is not None and outer.is_mapping and outer.key is None:
            self._key_is_no_text(outer, start)
        if len(self._stack) >= MAX_DEPTH:
            self._too_deep(start)
        self._count(1, start)
        self._stack.append(_Open(event, start))

    def _end(self, event: Any) -> None:
        done = self._stack.pop()
        node = done.close(event.end_mark.index)
        if done.anchor:
            self._named[done.anchor] = _Named(node, done.size, done.height, done.start)
        self._place(node, done.size, done.height)

    def _key_is_no_text(self, outer: _Open, start: int) -> None:
        if self._text.startswith("{{", outer.start):
            raise _Abandoned(unquoted_template(self._as_read(), outer.start))
        self._report(start, start + 1, "yaml-key", "a key must be a text, not a list or a mapping")
        raise _Abandoned

    def _too_deep(self, start: int) -> None:
        self._report(start, start + 1, "depth", f"nested more than {MAX_DEPTH} levels deep")
        raise _Abandoned

    def _count(self, nodes: int, start: int) -> None:
        self._size += nodes
        if self._size > MAX_NODES:
            message = f"the document has more than {MAX_NODES:,} values, aliases counted as what they stand for"
            self._report(start, start + 1, "document-size", message, "split it into several flows")
            raise _Abandoned

    def _place(self, node: Node, size: int, height: int) -> None:
        """Put a finished node where it belongs: as root, item, key or value."""
        if not self._stack:
            self.document.root = node
            return
        outer = self._stack[-1]
        outer.size += size
        outer.height = max(outer.height, height + 1)
        if not outer.is_mapping:
            outer.items.append(node)
        elif outer.key is None:
            self._key(outer, node)
        else:
            self._value(outer, outer.key, node)
            outer.key = None

    def _key(self, outer: _Open, node: Node) -> None:
        if not isinstance(node, Scalar):  # an alias; a list or mapping was refused where it began
            self._report(node.start, node.start + 1, "yaml-key", "a key must be a text, not a list or a mapping")
            raise _Abandoned
        if node.text == "<<" and node.style == "":
            hint = "write the keys out; an alias may stand for a whole value"
            self._report(node.start, node.end, "merge-key", 'merge keys ("<<") are not part of YAML 1.2', hint)
        outer.key = node
        first = outer.keys.setdefault(node.text, node)
        outer.is_repeated = first is not node
        if outer.is_repeated:
            line = self.document.origin_of(first).line
            message = f'key "{node.text}" stands here twice; the first is on line {line}'
            hint = 'delete one, or begin a new list item with "-"'
            edits = spaced_dashes(self.document, first)
            self._report(node.start, node.end, "duplicate-key", message, hint, edits)

    def _value(self, outer: _Open, key: Scalar, node: Node) -> None:
        if outer.is_flow and self._is_lone(key, node):
            before = self.document.text[outer.start : key.start].rstrip()
            if before.endswith(",") and outer.entries:
                message = f'the comma ends the text before it, and "{key.text}" is read as a key of its own'
                hint, edits = "put the whole text in quotes", with_commas(self.document, *outer.entries[-1], key)
            else:
                message, hint, edits = f'"{key.text}" is a key without a value', f'write "{key.text}: …"', ()
            self._report(key.start, key.end, "cut-text", message, hint, edits)
        if not outer.is_repeated:
            outer.entries.append((key, node))

    def _is_lone(self, key: Scalar, node: Node) -> bool:
        """Whether a key of a flow mapping was written without a colon."""
        if not isinstance(node, Scalar) or node.style or node.text or node.start != node.end:
            return False
        return ":" not in self.document.text[key.end : max(node.start, key.end) + 1]
