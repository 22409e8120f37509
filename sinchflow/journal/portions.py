"""The portions of a sweep: what the writer does to a few rows at a time. Each looks again whether they may go."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apsw

from sinchflow.journal.retained import WENT_WELL, emptied
from sinchflow.model import codec

#: Rows between two looks at the time.
_AT_A_TIME = 4
#: Runs that are filed by their outcome at a time.
FILED_AT_A_TIME = 200

_FILE = (
    "INSERT OR IGNORE INTO traced SELECT flow, status, id FROM run WHERE id > ? AND id <= ? "  # noqa: S608
    f"AND status IN {WENT_WELL} ORDER BY flow, status, id"
)
_PASS = "INSERT OR IGNORE INTO passed SELECT id FROM run WHERE id > ? AND id <= ? AND status IN ('running', 'failed')"
_FILE_LATE = (
    "INSERT OR IGNORE INTO traced SELECT flow, status, id FROM run WHERE id IN ({}) "  # noqa: S608
    f"AND status IN {WENT_WELL}"
)
_PASSED_NO_MORE = (
    "DELETE FROM passed WHERE run IN ({}) "
    "AND run NOT IN (SELECT id FROM run WHERE id = passed.run AND status IN ('running', 'failed'))"
)
#: As `retained.slim`, by SQLite: it does not hold the interpreter's lock meanwhile.
_SLIM = (
    "UPDATE run SET data = json_set(json_remove(data, '$.trace', '$.inputs', '$.vars', '$.outputs', '$.match', "
    "'$.known', '$.receipts', '$.message_ids', '$.error', '$.stand', '$.handled', '$.cursors', '$.frames', "
    "'$.branches', '$.deadlines', CASE WHEN data ->> '$.parent' IS NULL THEN '$.outputs_given' ELSE '$.trace' END), "
    "'$.is_slim', json('true')) WHERE status = ? AND id IN ({})"
)
_FORGET_KEPT = "DELETE FROM kept WHERE run IN (SELECT id FROM run WHERE status = ? AND id IN ({}))"
_FORGET_TRACED = "DELETE FROM traced WHERE flow = ? AND status = ? AND run IN ({})"
_NOTE_FILED = "INSERT INTO meta VALUES ('traced_to', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Rows(ABC):
    """Rows that are taken from `rest` as they are done. count: of how many something went."""

    def __init__(self, ids: Iterable[Any]) -> None:
        self.rest = list(ids)
        self.count = 0

    def work(self, connection: apsw.Connection, is_over: Callable[[], bool]) -> None:
        """See `Portion.work`."""
        self._execute = connection.execute
        self._changes = connection.changes
        while self.rest and not is_over():
            some = self.rest[:_AT_A_TIME]
            del self.rest[:_AT_A_TIME]
            self.do(some)

    @abstractmethod
    def do(self, some: Sequence[Any]) -> None:
        """These."""

    def _delete(self, table: str, column: str, values: Sequence[Any], unless: str = "") -> int:
        """How many rows went."""
        marks = ",".join("?" * len(values))
        self._execute(f"DELETE FROM {table} WHERE {column} IN ({marks}) {unless}", tuple(values))  # noqa: S608
        return int(self._changes())

    def _found(self, columns: str, table: str, values: Sequence[Any], unless: str = "") -> list[Any]:
        marks = ",".join("?" * len(values))
        question = f"SELECT {columns} FROM {table} WHERE id IN ({marks}) {unless}"  # noqa: S608
        return list(self._execute(question, tuple(values)))


_ROUTED = "AND id NOT IN (SELECT event FROM unrouted)"


class EmptyEvents(Rows):
    """Takes out of events what was in them, and what routing had to say of them. That they were there stays known."""

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`."""
        for event_id, data in self._found("id, data", "event", some, _ROUTED):
            after = codec.encode(emptied(codec.decode_event(data))).decode()
            if after != data:
                self._execute("UPDATE event SET data = ? WHERE id = ?", (after, event_id))
                self.count += 1
            self._execute("DELETE FROM note WHERE event = ?", (event_id,))


class DropEvents(Rows):
    """Deletes events, and with them all that tells a repeat of them."""

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`."""
        found = self._found("id, key", "event", some, _ROUTED)
        if not found:
            return
        ids, keys = [event_id for event_id, _ in found], sorted(key for _, key in found)
        self._delete("seen", "key", keys)
        self._delete("answer", "key", keys)
        self._delete("note", "event", ids)
        self.count += self._delete("event", "id", ids)


class DropRuns(Rows):
    """Deletes runs that have ended, and what is kept beside them."""

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`."""
        found = self._found("id, flow, status, contact", "run", some, "AND status <> 'running'")
        if not found:
            return
        ids = [row[0] for row in found]
        for run_id, flow, status, contact in found:
            self._execute("DELETE FROM run_of WHERE contact = ? AND run = ?", (contact, run_id))
            self._execute("DELETE FROM traced WHERE flow = ? AND status = ? AND run = ?", (flow, status, run_id))
        self._delete("kept", "run", ids)
        self._delete("passed", "run", ids)
        self.count += self._delete("run", "id", ids)


class DropSends(Rows):
    """Deletes messages of which nothing more can become and whose runs are gone."""

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`."""
        unless = "AND NOT is_open AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = send.run)"
        self.count += self._delete("send", "id", some, unless)


class DropFrom(Rows):
    """Deletes rows of a table that nothing else is about."""

    def __init__(self, table: str, ids: Iterable[Any], column: str = "id") -> None:
        super().__init__(ids)
        self._table = table
        self._column = column

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`."""
        self.count += self._delete(self._table, self._column, some)


class DropSources(Rows):
    """Deletes documents that no run is pinned to. stored: those that this process has stored: it stores none twice."""

    def __init__(self, digests: Iterable[str], stored: frozenset[str] | set[str]) -> None:
        super().__init__(digests)
        self._stored = stored

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`."""
        if unused := [digest for digest in some if digest not in self._stored]:
            self.count += self._delete("flow_source", "digest", unused)


class SlimRuns(Rows):
    """Leaves of runs of one flow and outcome what lists and counts need."""

    def __init__(self, flow: str, status: str, ids: Iterable[int]) -> None:
        super().__init__(ids)
        self._flow = flow
        self._status = status

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`. One that was retried meanwhile is of another outcome by now, and filed under that."""
        marks = ",".join("?" * len(some))
        self._execute(_SLIM.format(marks), (self._status, *some))
        self.count += int(self._changes())
        self._execute(_FORGET_KEPT.format(marks), (self._status, *some))
        self._execute(_FORGET_TRACED.format(marks), (self._flow, self._status, *some))


class FileRuns:
    """Files ended runs up to an id by flow and outcome, and notes those that it passes."""

    def __init__(self, after: int, upto: int) -> None:
        self._span = (after, upto)

    def work(self, connection: apsw.Connection, _is_over: Callable[[], bool]) -> None:
        """See `Portion.work`: all of it, or nothing."""
        connection.execute(_FILE, self._span)
        connection.execute(_PASS, self._span)
        connection.execute(_NOTE_FILED, (str(self._span[1]),))


class FileLate(Rows):
    """Files runs that ended, or ended well after all, when the filing had passed them."""

    def do(self, some: Sequence[Any]) -> None:
        """See `Rows.do`."""
        marks = ",".join("?" * len(some))
        self._execute(_FILE_LATE.format(marks), tuple(some))
        self._execute(_PASSED_NO_MORE.format(marks), tuple(some))
