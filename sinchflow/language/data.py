"""The CSV files that a project names: read, and read again only when they have changed."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sinchflow.expression.lists import ListData
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.document import decode
from sinchflow.language.files import Stamp, names_beside, read_file, shown_name, stamp_of
from sinchflow.language.lists import MAX_BYTES, read_days, read_list
from sinchflow.language.nodes import Document, Mapping, Node
from sinchflow.language.suggest import nearest
from sinchflow.model.origin import Origin
from sinchflow.model.project import Project


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the files, by the names of lists and calendars; what is wrong with them, and their state before.

    texts: of the files that something is wrong with. stamps: of every file, before it was read.
    """

    lists: dict[str, ListData] = {}
    closed: dict[str, frozenset[date]] = {}
    findings: tuple[Diagnostic, ...] = ()
    texts: dict[str, str] = {}
    stamps: dict[Path, Stamp] = {}


class _Read(msgspec.Struct, frozen=True):
    """What one file gave."""

    stamp: Stamp
    value: Any
    findings: tuple[Diagnostic, ...]
    text: str


#: A file, as what it was read, and the country of its numbers.
_Key = tuple[Path, str, str | None]


class DataFiles:
    """Remembers each file as it was read last."""

    def __init__(self) -> None:
        self._known: dict[_Key, _Read] = {}

    def read(self, root: Path, project: Project, document: Document | None, now: datetime | None) -> Data:
        """The project's files as they are. A file that is not there is a finding where the project names it.

        document: the project file's, None when there is none. now: see `Checker.check`; None: whether a calendar's
        holidays have passed is not judged.
        """
        reading = _Reading(root, project, document, self._known)
        data = reading.data(now)
        self._known = reading.seen
        return data


class _Reading:
    def __init__(self, root: Path, project: Project, document: Document | None, known: dict[_Key, _Read]) -> None:
        self._root = root
        self._project = project
        self._document = document
        self._known = known
        self.seen: dict[_Key, _Read] = {}
        self._findings: list[Diagnostic] = []
        self._texts: dict[str, str] = {}
        self._stamps: dict[Path, Stamp] = {}

    def data(self, now: datetime | None) -> Data:
        project = self._project
        lists = {name: self._file(path, "list", self._node("lists", name)) for name, path in project.lists.items()}
        closed = {
            name: self._file(calendar.closed_file, "days", self._node("calendars", name, "closed"))
            for name, calendar in project.calendars.items()
            if calendar.closed_file is not None
        }
        if now is not None and project.calendars and not self._findings:
            self._findings += self._old_calendars(closed, now)
        return Data(
            lists={name: data or ListData() for name, data in lists.items()},
            closed={name: days or frozenset() for name, days in closed.items()},
            findings=tuple(self._findings),
            texts=self._texts,
            stamps=self._stamps,
        )

    def _file(self, path: str, kind: str, node: Node | None) -> Any:
        """What the file gives, or None when it cannot be read."""
        whole = self._root / path
        stamp = self._stamps[whole] = stamp_of(whole)
        if stamp is None:
            self._findings.append(finding(self._place(node), "file", f'there is no file "{path}"', _hint(whole, path)))
            return None
        country = self._project.country if kind == "list" else None
        key = (whole, kind, country)
        read = self.seen.get(key) or self._known.get(key)
        if read is None or read.stamp != stamp:
            read = _read(self._root, key, stamp)
        self.seen[key] = read
        self._findings += read.findings
        if read.text:
            self._texts[shown_name(self._root, whole)] = read.text
        return read.value

    def _old_calendars(self, closed: dict[str, Any], now: datetime) -> Iterator[Diagnostic]:
        from sinchflow.expression.calendars import OpenHours

        for name, calendar in self._project.calendars.items():
            hours = OpenHours(calendar, self._project.timezone, closed.get(name) or frozenset())
            today = now.astimezone(ZoneInfo(calendar.timezone or self._project.timezone)).date()
            if warning := hours.holiday_warning(today):
                node = self._node("calendars", name, "closed") or self._node("calendars", name, "holidays")
                hint = "add the coming ones: it would be open on all of them"
                yield finding(self._place(node), "calendar-old", f"{name}: {warning}", hint, "warning")

    def _node(self, *path: str) -> Node | None:
        node = self._document.root if self._document is not None else None
        for key in path:
            node = node.get(key) if isinstance(node, Mapping) else None
        return node

    def _place(self, node: Node | None) -> Origin:
        if self._document is None or node is None:
            return self._project.origin
        return self._document.origin_of(node)


def data_paths(root: Path, project: Project) -> Iterator[Path]:
    """Every file that the project names."""
    yield from (root / path for path in project.lists.values())
    yield from (root / each.closed_file for each in project.calendars.values() if each.closed_file is not None)


def _read(root: Path, key: _Key, stamp: Stamp) -> _Read:
    path, kind, country = key
    path = path.absolute()  # it begins at the root already, which may be relative itself
    value: Any
    if kind == "list":
        value, findings = read_list(path, root, country)
    else:
        value, findings = read_days(path, root)
    raw = read_file(path, MAX_BYTES) if findings else b""
    text = "" if isinstance(raw, str) else decode(raw, "", MAX_BYTES)[0]
    return _Read(stamp, value, tuple(findings), text)


def _hint(whole: Path, path: str) -> str:
    """How to mend a path that leads nowhere: the file beside it that was most likely meant."""
    near = nearest(whole.name, (name for name in names_beside(whole) if name.endswith(".csv")))
    if near:
        return f'did you mean "{(Path(path).parent / near).as_posix()}"?'
    return "paths begin at the folder of sinchflow.yaml; make the file, or correct its path"
