"""A sweep: what has ended and is old, or too much, goes; of what went well only the newest is kept whole.

Looking is done here, on a thread and a connection of its own, by ranges of ids: ids ascend with time, so age needs no
index. What is found is handed to the writer in portions (`chores`), each of which looks again. A sweep that a crash
interrupts has done some portions whole and the others not at all; the next one goes on.

What something still needs stays: open runs, the events that open and failed runs began with, events not routed,
messages of which something may still become, documents that a run is pinned to.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from sinchflow.errors import JournalError
from sinchflow.journal import rows
from sinchflow.journal.chores import Chores, Portion
from sinchflow.journal.explain import explain
from sinchflow.journal.portions import (
    FILED_AT_A_TIME,
    DropEvents,
    DropFrom,
    DropRuns,
    DropSends,
    DropSources,
    EmptyEvents,
    FileLate,
    FileRuns,
    Rows,
    SlimRuns,
)
from sinchflow.journal.reader import Reader
from sinchflow.journal.retained import ACTS_KEPT, CALLS_KEPT, NOTES_PER_TRACE, REPEATS_KNOWN, Retained
from sinchflow.model import codec
from sinchflow.model.project import Retention

#: Rows that one question looks at.
_AT_A_TIME = 500
#: While nothing presses, the writer works for one part of the time and rests for so many.
_RESTS = 9
#: A run's id is given out before the run is stored, by this time at most: none is passed by before it is there.
_STORED_WITHIN = timedelta(minutes=1)
#: Portions of runs that are filed before the oldest of them are made slim.
_FILINGS = 25
#: What is too large is made smaller than it need be by this part, so that it is not too large again at once.
_BELOW = 0.95
#: The steps in which younger things go while the journal is too large.
_STEPS = 40
#: How often everything is looked at again that could not go when its time had come.
_FULL_LOOK = timedelta(days=1)

_ENDED = "status <> 'running' AND coalesce(data ->> '$.ended_at' < ?, 1)"
_SETTLED = "NOT is_open AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = send.run)"
_NEEDED = (
    "SELECT event FROM unrouted",
    "SELECT data ->> '$.event_id' FROM run WHERE status = 'running'",
    "SELECT data ->> '$.event_id' FROM run WHERE status = 'failed'",
)
_NEXT_RUNS = "SELECT max(id) FROM (SELECT id FROM run WHERE id > ? AND id < ? ORDER BY id LIMIT ?)"
#: By indexes that hold ids only.
_LATE = (
    "SELECT run FROM passed EXCEPT SELECT id FROM run WHERE status = 'running' "
    "EXCEPT SELECT id FROM run WHERE status = 'failed'"
)
_TOO_MANY = "SELECT run FROM traced WHERE flow = ? AND status = ? ORDER BY run DESC LIMIT ? OFFSET ?"
_TOO_MANY_NOTES = (
    "SELECT event FROM (SELECT event, row_number() OVER ("
    "PARTITION BY data ->> '$.flow', data ->> '$.outcome' ORDER BY event DESC) AS place FROM note) WHERE place > ?"
)
_DIGESTS = (
    "SELECT max(id), json_group_array(DISTINCT data ->> '$.digest') "
    "FROM (SELECT id, data FROM run WHERE id > ? ORDER BY id LIMIT ?)"
)


class Progress:
    """How far the sweeps of this process have got: up to which ids there is nothing more to do, by kind of work."""

    def __init__(self) -> None:
        self.upto: dict[str, int] = {}
        self.full_look_at: datetime | None = None


class _Stopped(Exception):
    """The journal is being closed."""


class Sweep(threading.Thread):
    """One sweep over the journal at `path`; tells `told`, on this thread, what it did.

    least: what is younger stays, however large the journal is.
    """

    def __init__(
        self, path: Path, rules: Retention, now: datetime, least: timedelta, *, progress: Progress, chores: Chores,
        stored_sources: set[str],
        told: Callable[[Retained | Exception], None],
    ) -> None:  # fmt: skip
        super().__init__(name="journal-sweep", daemon=True)
        self._path = path
        self._rules = rules
        self._now = now
        self._least = least
        self._progress = progress
        self._chores = chores
        self._stored_sources = stored_sources
        self._told = told
        self._stopped = threading.Event()
        self._is_pressing = False
        self._enough: Callable[[], bool] = lambda: False
        self._needed_events: frozenset[int] | None = None
        self._result = Retained()

    def run(self) -> None:
        """The thread's work."""
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                connection.set_busy_timeout(5_000)
                self._connection, self._reader = connection, Reader(connection)
                self._sweep()
            finally:
                connection.close()
        except _Stopped:
            self._told(JournalError("the journal was closed meanwhile"))
        except apsw.Error as error:
            self._told(explain(error, str(self._path)))
        except JournalError as error:
            self._told(error)
        else:
            self._told(self._result)

    def stop(self) -> None:
        """Give up and wait for the thread's end."""
        self._stopped.set()
        self._chores.stop()
        self.join()

    def _sweep(self) -> None:
        rules, now, progress = self._rules, self._now, self._progress
        is_full_look = progress.full_look_at is None or abs(now - progress.full_look_at) >= _FULL_LOOK
        if is_full_look:
            progress.upto.clear()
        if rules.traces is not None:
            self._file_and_slim(rules.traces)
            self._thin_notes(rules.traces)
        if rules.runs is not None:
            self._drop_runs(now - rules.runs, progress.upto)
            self._drop("act", "at", now - max(rules.runs, ACTS_KEPT))
        if rules.events is not None:
            self._drop_events(now - rules.events, now - max(rules.events, REPEATS_KNOWN), progress.upto)
            self._drop("quarantine", "received_at", now - rules.events)
        self._drop("call", "started_at", now - CALLS_KEPT)
        if is_full_look:
            self._drop_sources()
            progress.full_look_at = now
        if rules.max_size_bytes is not None:
            self._shrink(rules.max_size_bytes)
        self._result.size_bytes = self._size_bytes()

    # --- what is kept whole -----------------------------------------------------------------------------------------

    def _file_and_slim(self, traces: int) -> None:
        filings, after = 0, int(self._reader.meta("traced_to") or 0)
        self._do_rows(FileLate(run_id for (run_id,) in self._rows(_LATE)))
        before = self._reader.first_since("run", "started_at", self._now - _STORED_WITHIN)
        while (upto := self._value(_NEXT_RUNS, after, before, FILED_AT_A_TIME)) is not None:
            self._do(FileRuns(after, upto))
            after = upto
            filings += 1
            if filings % _FILINGS == 0:
                self._slim(traces)
        self._slim(traces)

    def _slim(self, traces: int) -> None:
        for flow, status in self._rows("SELECT DISTINCT flow, status FROM traced"):
            while found := self._rows(_TOO_MANY, flow, status, _AT_A_TIME, traces):
                self._result.slimmed += self._do_rows(SlimRuns(flow, status, [run_id for (run_id,) in found]))

    def _thin_notes(self, traces: int) -> None:
        """The newest of each flow and outcome stay, as with runs. The table is small because of that."""
        found = [event_id for (event_id,) in self._rows(_TOO_MANY_NOTES, traces * NOTES_PER_TRACE)]
        self._result.others += self._do_rows(DropFrom("note", found, "event"))

    # --- what is old ------------------------------------------------------------------------------------------------

    def _drop_runs(self, before: datetime, upto: dict[str, int]) -> None:
        """Runs that ended before this time, then the messages of those that are gone."""
        ended = before.isoformat().replace("+00:00", "Z")
        for ids in self._ids("run", "started_at", before, upto, "run", _ENDED, ended):
            self._result.runs += self._do_rows(DropRuns(ids))
        for ids in self._ids("send", "created_at", before, upto, "send", _SETTLED):
            self._result.sends += self._do_rows(DropSends(ids))

    def _drop_events(self, empty_before: datetime, drop_before: datetime, upto: dict[str, int]) -> None:
        for ids in self._ids("event", "received_at", drop_before, upto, "event"):
            self._result.events += self._do_rows(DropEvents(each for each in ids if each not in self._needed()))
        upto["emptied"] = max(upto.get("emptied", 0), upto.get("event", 0))
        for ids in self._ids("event", "received_at", empty_before, upto, "emptied"):
            self._result.emptied += self._do_rows(EmptyEvents(each for each in ids if each not in self._needed()))

    def _drop(self, table: str, column: str, before: datetime) -> None:
        for ids in self._ids(table, column, before, {}, table):
            self._result.others += self._do_rows(DropFrom(table, ids))

    def _drop_sources(self) -> None:
        """Documents that no run is pinned to."""
        unused = {digest for (digest,) in self._rows("SELECT digest FROM flow_source")} - self._stored_sources
        after = 0
        while unused:
            last, digests = self._rows(_DIGESTS, after, _AT_A_TIME)[0]
            if last is None:
                break
            unused.difference_update(codec.decode_data(digests))
            after = last
            self._rest(0.005)
        self._result.others += self._do_rows(DropSources(sorted(unused), self._stored_sources))

    def _needed(self) -> frozenset[int]:
        """Events that something began with that is open or may be retried. What comes later begins with later ones."""
        if self._needed_events is None:
            found = (event_id for question in _NEEDED for (event_id,) in self._rows(question))
            self._needed_events = frozenset(found)
        return self._needed_events

    # --- what is too much -------------------------------------------------------------------------------------------

    def _shrink(self, most: int) -> None:
        """The oldest goes first, in portions between which nobody else is waited for."""
        if self._size_bytes() <= most:
            return
        goal = round(most * _BELOW)
        self._is_pressing, self._enough = True, lambda: self._size_bytes() <= goal
        upto: dict[str, int] = {}
        oldest, youngest = self._oldest(), self._now - self._least
        known = self._now - REPEATS_KNOWN
        for step in range(1, _STEPS + 1):
            before = oldest + (youngest - oldest) * step / _STEPS
            if before > youngest or self._enough():
                break
            self._drop("quarantine", "received_at", before)
            self._drop_runs(before, upto)
            self._drop_events(before, min(before, known), upto)
        self._is_pressing, self._enough = False, lambda: False
        self._result.is_too_large = self._size_bytes() > most

    def _oldest(self) -> datetime:
        times = [
            self._value(f"SELECT {column} FROM {table} ORDER BY id LIMIT 1")  # noqa: S608
            for table, column in (("event", "received_at"), ("run", "started_at"), ("send", "created_at"))
        ]
        return min([rows.from_ms(each) for each in times if each is not None], default=self._now)

    def _size_bytes(self) -> int:
        """What is in use: pages that became free are used again. Without the log, which deleting makes no smaller."""
        count, free, size = (self._value(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
        return int((count - free) * size)

    # --- looking and handing over -----------------------------------------------------------------------------------

    def _ids(
        self, table: str, column: str, before: datetime, upto: dict[str, int], kind: str, fits: str = "1",
        *bindings: Any,
    ) -> Iterator[list[int]]:  # fmt: skip
        """The ids of rows that are older and fit, in portions. upto: is moved on past what was looked at, as `kind`."""
        high = self._reader.first_since(table, column, before)
        # Ids do not ascend with time where the clock was set back in between: each row's own time decides.
        fits, bindings = f"{column} < ? AND {fits}", (rows.to_ms(before), *bindings)
        question = f"SELECT id, {fits} FROM {table} WHERE id > ? AND id < ? ORDER BY id LIMIT ?"  # noqa: S608
        while not self._enough() and (found := self._rows(question, *bindings, upto.get(kind, 0), high, _AT_A_TIME)):
            if ids := [row_id for row_id, is_fit in found if is_fit]:
                yield ids
            upto[kind] = found[-1][0]

    def _do_rows(self, portion: Rows) -> int:
        """Have all of it done; of how many rows something went."""
        while portion.rest:
            self._do(portion)
        return portion.count

    def _do(self, portion: Portion) -> None:
        if self._stopped.is_set():
            raise _Stopped
        took_s = self._chores.do(portion, is_pressing=self._is_pressing)
        self._rest(0 if self._is_pressing else took_s * _RESTS)

    def _rest(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise _Stopped

    def _value(self, question: str, *bindings: Any) -> Any:
        found = self._rows(question, *bindings)
        return found[0][0] if found else None

    def _rows(self, question: str, *bindings: Any) -> list[Any]:
        if self._stopped.is_set():
            raise _Stopped
        return list(self._connection.execute(question, bindings))
