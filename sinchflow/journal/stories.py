"""Runs, their messages and their relatives, looked up for people.

Each look has a connection of its own, so that it may be made in any thread and never waits for the writer. Lists walk
the ids backwards in portions and give up after `MOST_LOOKED_AT` rows; nothing goes through a whole journal.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sinchflow.journal import rows
from sinchflow.journal.explain import explain
from sinchflow.journal.journal import FlowSource
from sinchflow.journal.reader import Reader, connect
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Send

#: Rows that a list looks at; half a second's worth.
MOST_LOOKED_AT = 500_000
_PORTION = 5_000
#: Runs of one person.
_MOST_OF_CONTACT = 10_000
#: Open messages of all runs.
_MOST_OPEN = 100_000
#: A message is stored within this time of the record that tells of it.
_BEFORE, _AFTER = timedelta(seconds=1), timedelta(seconds=5)
#: Ids that the look for one run's messages goes through.
_MOST_SENDS = 5_000_000

_OPEN_SENDS = f"SELECT {rows.SEND_COLUMNS} FROM send WHERE is_open ORDER BY id LIMIT {_MOST_OPEN}"  # noqa: S608
_SENDS = f"SELECT {rows.SEND_COLUMNS} FROM send WHERE id >= ? AND id < ? AND run = ? ORDER BY id"  # noqa: S608


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs. statuses: any of these; none: all. since: those that began, or of failed ones ended, after it."""

    flow: str | None = None
    statuses: frozenset[str] = frozenset()
    contact: str | None = None
    since: datetime | None = None
    is_since_end: bool = False  #: `since` is about the end

    def takes(self, run: Run) -> bool:
        """Whether the run is one of them."""
        time = (run.ended_at or run.started_at) if self.is_since_end else run.started_at
        return (
            self.flow in (None, run.flow)
            and (not self.statuses or run.status in self.statuses)
            and self.contact in (None, run.contact)
            and (self.since is None or time >= self.since)
        )


class Stories:
    """Looks at the journal at `path`. To be closed. Raises CannotStart when there is none."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._reader = Reader(self._connection)

    def __enter__(self) -> "Stories":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def run(self, run_id: int) -> Run | None:
        """One run."""
        return self._reader.run(run_id)

    def event(self, event_id: int) -> Event | None:
        """One event."""
        return self._reader.event(event_id)

    def source(self, digest: str) -> FlowSource | None:
        """The document that a run is pinned to."""
        return self._reader.source(digest)

    def runs(self, wanted: Wanted, limit: int, keep: Callable[[Run], bool] = lambda _: True) -> tuple[list[Run], bool]:
        """The newest of these that `keep` keeps, newest first, and whether all there are were looked at."""
        if wanted.contact is not None:
            return self._of_contact(wanted, limit, keep)
        found: list[Run] = []
        looked = 0
        for rows_read, portion in self._portions(wanted):
            looked += rows_read
            for run_id in portion:
                run = self._reader.run(run_id)
                if run is not None and wanted.takes(run) and keep(run):
                    found.append(run)
                    if len(found) == limit:
                        return found, True
            if looked >= MOST_LOOKED_AT:
                return found, False
        return found, True

    def _of_contact(self, wanted: Wanted, limit: int, keep: Callable[[Run], bool]) -> tuple[list[Run], bool]:
        assert wanted.contact is not None
        runs = self._reader.runs_of(wanted.contact, _MOST_OF_CONTACT)
        found = [run for run in runs if wanted.takes(run) and keep(run)]
        return found[:limit], len(found) >= limit or len(runs) < _MOST_OF_CONTACT

    def _portions(self, wanted: Wanted) -> Iterator[tuple[int, list[int]]]:
        """How many rows were read, and the ids of the runs among them that may be meant, newest first."""
        first = 0
        if wanted.since is not None and not wanted.is_since_end:
            first = self._reader.first_since("run", "started_at", wanted.since)
        [only] = wanted.statuses if len(wanted.statuses) == 1 else [None]
        indexed = f"AND status = '{only}'" if only in ("running", "failed") else ""  # there are indexes of these
        question = f"SELECT id, flow, status FROM run WHERE id < ? AND id >= ? {indexed} ORDER BY id DESC LIMIT ?"  # noqa: S608
        before = 1 << 62
        while portion := self._rows(question, before, first, _PORTION):
            before = portion[-1][0]
            yield (
                len(portion),
                [
                    run_id
                    for run_id, flow, status in portion
                    if wanted.flow in (None, flow.partition("\n")[0])
                    and (not wanted.statuses or status in wanted.statuses)
                ],
            )

    def open_sends(self) -> dict[int, list[Send]]:
        """Messages of which something may still become, by run."""
        found: dict[int, list[Send]] = {}
        for row in self._rows(_OPEN_SENDS):
            send = rows.send_from(row)
            found.setdefault(send.run, []).append(send)
        return found

    def sends_of(self, run: Run) -> tuple[list[Send], bool]:
        """The run's messages, in order of their ids, and whether all were looked for.

        `send` has no index by run: it would cost every message. They are looked for at the times that the trace tells.
        """
        found: list[Send] = []
        looked = 0
        for low, high in self._spans(run):
            start = low
            while start < high:
                end = min(start + _PORTION * 4, high)
                found += [rows.send_from(row) for row in self._rows(_SENDS, start, end, run.id)]
                looked += end - start
                if looked > _MOST_SENDS:
                    return found, False
                start = end
        return found, True

    def _spans(self, run: Run) -> Iterator[tuple[int, int]]:
        """Ranges of ids in which messages of the run may be, one after the other."""
        since = self._reader.first_since
        last = self._rows("SELECT coalesce(max(id), 0) + 1 FROM send")[0][0]
        times = [record.at for record in run.trace if record.what in ("command", "left_out", "retried")]
        is_told = bool(run.trace) and all(record.what != "left_out" for record in run.trace)
        if not is_told:
            high = last if run.ended_at is None else since("send", "created_at", run.ended_at + _AFTER)
            yield since("send", "created_at", run.started_at - _BEFORE), min(high, last)
            return
        reached = 0
        for time in sorted(set(times)):
            low, high = since("send", "created_at", time - _BEFORE), since("send", "created_at", time + _AFTER)
            yield max(low, reached), min(high, last)
            reached = max(high, reached)

    def ids(self, ids: Collection[int]) -> Sequence[Run]:
        """These runs, as far as they are there."""
        return [run for each in sorted(ids) if (run := self._reader.run(each)) is not None]

    def _rows(self, question: str, *bindings: Any) -> list[Any]:
        try:
            return list(self._connection.execute(question, bindings))
        except apsw.Error as error:
            raise explain(error, self._connection.filename) from error
