"""CSV files of the project: lists of people, and days on which a calendar is closed.

CSV is RFC 4180 in UTF-8: commas, quotes where needed, a first row of column names. Of the columns only `number` means
something here; the others are texts for templates. Every row that cannot be taken is a finding at its line.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from sinchflow.expression.days import read_date
from sinchflow.expression.lists import NUMBER, ListData, Row
from sinchflow.expression.numbers import Numbers
from sinchflow.language.diagnostic import Diagnostic, Severity, finding, split_lines
from sinchflow.language.document import decode
from sinchflow.language.files import cannot_take, read_file, shown_name
from sinchflow.language.rules.number import fault
from sinchflow.language.zones import zone_fault
from sinchflow.model.origin import Origin

#: Of one file.
MAX_BYTES = 50 * 1_048_576
_LONGEST_HEADER = 65_536  #: bytes that are looked at for the columns' names alone
_ZONE = "timezone"  #: the column of time zones
_MOST_ZONES = 600  #: of one file; there are fewer, so a column that has more holds something else
_MOST_SHOWN = 20  #: findings of one file that are shown
_MOST_WRONG = 1_000  #: wrong rows after which a file is read no further: it is not what it was taken for

_CSV_FAULTS = {
    "unexpected end of data": "a quote is opened in this row and closed nowhere",
    "expected after": "behind a closing quote something else stands than a comma",
    "field larger": "a field of this row is endless; perhaps a quote is not closed",
}
_QUOTES = 'a quote inside a quoted field is written twice: "Joe ""Mac"" Smith"'


def read_list(path: Path, root: Path, country: str | None = None) -> tuple[ListData, list[Diagnostic]]:
    """A list's rows that are sound, in order, and what is wrong with the file.

    path: relative paths begin at `root`, which findings' names begin at too. country: how national numbers are read.
    A number that came before is a warning, and its later row is left out; a time zone that there is not is a warning.
    Everything else that is found is an error.
    """
    file = _File(path, root)
    rows: list[Row] = []
    records = file.records()
    header = next(records, None)
    if header is None:
        file.add_if_clean("list-header", "the list is empty", "begin it with column names, one of them number")
        return ListData(), file.findings()
    numbers = Numbers(country)
    columns = _columns(file, *header, numbers)
    if columns is None:
        return ListData(), file.findings()
    at, known = columns.index(NUMBER), dict[str, int]()
    zones = _Zones(file, columns)
    for line, cells in records:
        if not file.is_hopeless and _is_whole(file, line, cells, len(columns)):
            number = numbers.to_e164(cells[at])
            if number is None:
                _add_wrong_number(file, line, cells[at], country)
            elif number in known:
                message = f'"{cells[at].strip()}" is on line {known[number]} already'
                file.add(line, "list-duplicate", message, "this row is left out", cells[at], "warning")
            else:
                known[number] = line
                zones.look(line, cells)
                cells[at] = number
                rows.append(dict(zip(columns, cells, strict=False)))
    return ListData(rows), file.findings()


def list_columns(root: Path, lists: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The columns of the lists whose files have a sound header, by name. lists: paths from `root`."""
    for name, path in lists.items():
        data = read_file(root / path, _LONGEST_HEADER)
        text = "" if isinstance(data, str) else data.decode("utf-8-sig", errors="replace")
        try:
            header = next((cells for cells in csv.reader(io.StringIO(text, newline="")) if "".join(cells).strip()), [])
        except csv.Error:
            continue
        columns = _names(header)
        if NUMBER in columns and all(columns) and len(set(columns)) == len(columns):
            yield name, tuple(columns)


def read_days(path: Path, root: Path) -> tuple[frozenset[date], list[Diagnostic]]:
    """The days in the first column of a CSV file, written 2026-12-24, and what is wrong with the file.

    The first row may hold column names. path, root: as in `read_list`.
    """
    file = _File(path, root)
    days: set[date] = set()
    for index, (line, cells) in enumerate(file.records()):
        written = cells[0].strip()
        day = read_date(written)
        if day is not None:
            days.add(day)
        elif (index or any(char.isdigit() for char in written)) and not file.is_hopeless:
            file.add(line, "date", f'"{written}" is no date', "write it as 2026-12-24", cells[0])
    return frozenset(days), file.findings()


class _Zones:
    """The column of time zones, where there is one; each name is looked up once."""

    def __init__(self, file: "_File", columns: Sequence[str]) -> None:
        self._file = file
        self._at = columns.index(_ZONE) if _ZONE in columns else -1
        self._faults: dict[str, tuple[str, str]] = {"": ("", "")}

    def look(self, line: int, cells: Sequence[str]) -> None:
        """A warning where there is no such zone: to the file the column is a text like any other."""
        if self._at < 0 or len(self._faults) > _MOST_ZONES:
            return
        name = cells[self._at].strip()
        if name not in self._faults:
            self._faults[name] = zone_fault(name)
        message, hint = self._faults[name]
        if message:
            self._file.add(line, "list-row", message, hint, cells[self._at], "warning")


class _File:
    """One file while it is read: its text, and what was found so far."""

    def __init__(self, path: Path, root: Path) -> None:
        self._name = shown_name(root, root / path)
        self._text = ""
        self._lines: list[str] | None = None
        self._found: list[Diagnostic] = []
        self._wrong = 0  #: errors among the rows
        self._hidden: dict[Severity, int] = {"error": 0, "warning": 0}  #: findings that are not shown
        self._last = 1  #: line of the last of them
        data = read_file(root / path, MAX_BYTES)
        if isinstance(data, str):
            self._found.append(cannot_take(self._name, data))
            return
        text, findings = decode(data, self._name, MAX_BYTES)
        self._found += findings
        self._text = "" if findings else text

    @property
    def is_hopeless(self) -> bool:
        """Whether so much is wrong that looking further is of no use."""
        return self._wrong >= _MOST_WRONG

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not empty, with the line on which it begins; up to the first that is no CSV."""
        reader = csv.reader(io.StringIO(self._text, newline=""), strict=True)
        line = 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                message = next((ours for theirs, ours in _CSV_FAULTS.items() if theirs in str(error)), str(error))
                self.add(line, "csv", message, _QUOTES)
                return
            if "".join(cells).strip():
                yield line, cells
            line = reader.line_num + 1

    def add(
        self, line: int, rule: str, message: str, hint: str = "", cell: str | None = None, severity: Severity = "error"
    ) -> None:
        """One more finding, in the row that begins on `line`, at the cell where it can be made out."""
        self._wrong += severity == "error"
        if len(self._found) < _MOST_SHOWN:
            self._found.append(finding(self._place(line, cell), rule, message, hint, severity))
        else:
            self._hidden[severity] += 1
            self._last = line

    def add_if_clean(self, rule: str, message: str, hint: str) -> None:
        """A finding about the file as a whole, unless there is another one."""
        if not self._found:
            self.add(1, rule, message, hint)

    def findings(self) -> list[Diagnostic]:
        """What was found; of many findings the first ones and how many more there are."""
        found = list(self._found)
        for severity, hidden in self._hidden.items():
            if hidden:
                count = f"{'at least ' if self.is_hopeless else ''}{hidden:,}"
                message = f"{count} more {severity}{'' if hidden == 1 else 's'} in the rows up to here"
                found.append(finding(Origin(self._name, self._last, 1), "list-row", message, "", severity))
        return found

    def _place(self, line: int, cell: str | None) -> Origin:
        if self._lines is None:
            self._lines = split_lines(self._text)
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        column = text.find(cell) if cell else 0
        if column < 0 or cell is None:
            return Origin(self._name, line, 1, max(len(text), 1))
        return Origin(self._name, line, column + 1, max(len(cell), 1))


def _names(cells: Sequence[str]) -> list[str]:
    """The columns' names as they are written in the header, `number` in small letters."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return [NUMBER if name.lower() == NUMBER else name for name in names]


def _columns(file: _File, line: int, cells: list[str], numbers: Numbers) -> list[str] | None:
    """The names of the columns, or None when one cannot go on with them."""
    columns = _names(cells)
    is_sound = True
    for index, name in enumerate(columns):
        if not name:
            file.add(line, "list-header", f"column {index + 1} has no name", "give it one, or delete the column")
        elif name in columns[:index]:
            file.add(line, "list-header", f'two columns are named "{name}"', "rename one of them", cells[index])
        else:
            continue
        is_sound = False
    if NUMBER in columns:
        return columns if is_sound else None
    listed = ", ".join(columns)[:200]
    if any(numbers.to_e164(name) for name in columns):
        hint = "begin the file with a line of column names, for example number,name"
        file.add(line, "list-header", "the first row holds a number instead of column names", hint)
    elif len(columns) == 1 and (sign := next((each for each in ";\t|" if each in columns[0]), None)):
        shown = "tabs" if sign == "\t" else f'"{sign}"'
        file.add(line, "list-header", f"columns are separated by commas, not by {shown}", "save it with commas")
    else:
        file.add(line, "list-header", 'there is no column "number"', f"columns: {listed}; rename one of them to number")
    return None


def _is_whole(file: _File, line: int, cells: Sequence[str], width: int) -> bool:
    """Whether a row has a field for each column, and no more but empty ones."""
    if len(cells) == width or (len(cells) > width and not any(cell.strip() for cell in cells[width:])):
        return True
    count = f"{len(cells)} field{'' if len(cells) == 1 else 's'}"
    hint = "a field with a comma in it is put in quotes" if len(cells) > width else "an empty field keeps its comma"
    file.add(line, "list-row", f"the row has {count}, the header {width}", hint)
    return False


def _add_wrong_number(file: _File, line: int, cell: str, country: str | None) -> None:
    written = cell.strip()
    if not written:
        file.add(line, "number", "the row has no number", "write one, or delete the row")
        return
    hint = "write it with + and the country's code, such as +61491570156"
    if "E+" in written.upper():
        hint = "a spreadsheet has rounded it; format the column as text and enter the numbers again"
    elif country is None and written[0] == "0":
        hint += ", or set country in sinchflow.yaml"
    shown = written if len(written) <= 60 else f"{written[:60]}…"
    file.add(line, "number", f'"{shown}" {fault(written[:100], country)[0]}', hint, cell)
