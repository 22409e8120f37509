"""What came in, looked up for people: events with what became of each, and bodies that could not be read.

Each look has a connection of its own, so that it may be made in any thread and never waits for the writer. The list
walks the ids of events backwards in portions, and beside it those of runs: a run's id is above that of its event. It
gives up after `MOST_LOOKED_AT` rows of either; nothing goes through a whole journal.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sinchflow.journal import rows
from sinchflow.journal.explain import explain
from sinchflow.journal.journal import Quarantined
from sinchflow.journal.reader import Reader, connect
from sinchflow.model import codec
from sinchflow.model.event import Event

#: Rows that a list looks at; some seconds' worth when nothing fits.
MOST_LOOKED_AT = 300_000
#: The first portion, and what it grows to: most lists are short, and their events the newest.
_PORTION, _LARGEST_PORTION = 100, 5_000
#: Runs of one person.
_MOST_OF_CONTACT = 10_000
#: A note that says so is about an event that nobody took.
NEAR = "near"

#: What is certain is looked at when decoded: metadata may say `kind`, and a text may name a number.
_EVENTS = "SELECT id, data FROM event WHERE id >= ? AND id < ? AND instr(data, ?) AND instr(data, ?) ORDER BY id DESC"
_RUN_COLUMNS = "id, data ->> '$.flow', status, data ->> '$.event_id'"
_RUNS = f"SELECT {_RUN_COLUMNS} FROM run WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?"  # noqa: S608
_RUNS_OF = (
    f"SELECT {_RUN_COLUMNS} FROM run WHERE id IN (SELECT run FROM run_of WHERE contact = ?1 "  # noqa: S608
    "UNION SELECT id FROM run WHERE id > ?2 AND contact = ?1) ORDER BY id DESC LIMIT ?3"
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events. is_unmatched: only those that nobody took."""

    kind: str | None = None
    contact: str | None = None
    since: datetime | None = None
    is_unmatched: bool = False


class Begun(msgspec.Struct, frozen=True):
    """A run that began with an event, or was begun by one that did."""

    id: int
    flow: str
    status: str


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An event and what is known to have become of it. note: see `runtime.notes`. runs: oldest first."""

    event: Event
    note: dict[str, Any] | None
    runs: Sequence[Begun]
    is_unrouted: bool

    @property
    def is_unmatched(self) -> bool:
        """Whether nobody took it: no run, no wait, no word of policy; nor was it fetched too late."""
        is_for_nobody = self.note is None or self.note["outcome"] == NEAR
        return is_for_nobody and not self.runs and not self.is_unrouted and self.event.ignored is None


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A body in quarantine, without the body."""

    id: int
    received_at: datetime
    path: str
    reason: str
    size_bytes: int


class Arrivals:
    """Looks at the journal at `path`. To be closed. Raises CannotStart when there is none."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._reader = Reader(self._connection)

    def __enter__(self) -> "Arrivals":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    # --- events -----------------------------------------------------------------------------------------------------

    def events(self, wanted: Wanted, limit: int) -> tuple[list[Arrival], bool]:
        """The newest of these, newest first, and whether all there are were looked at."""
        found: list[Arrival] = []
        with self._connection:  # all of it as at one moment: what is routed meanwhile would look like nobody's
            begun = _Runs(self._rows) if wanted.contact is None else self._runs_of(wanted.contact)
            for portion in self._portions(wanted.since):
                if portion is None:
                    return found, False
                for arrival in self._arrivals(wanted, *portion, begun):
                    found.append(arrival)
                    if len(found) == limit:
                        return found, True
                if begun.is_exhausted:
                    return found, False
        return found, True

    def _portions(self, since: datetime | None) -> Iterator[tuple[int, int] | None]:
        """Ranges of ids, newest first; None when there are more than are looked at."""
        first = 0 if since is None else self._reader.first_since("event", "received_at", since)
        high, size, looked = 1 << 62, _PORTION, 0
        question = "SELECT id FROM event WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?"
        while True:
            low, count = self._rows(f"SELECT min(id), count(*) FROM ({question})", high, first, size)[0]  # noqa: S608
            if low is None:
                return
            if looked >= MOST_LOOKED_AT:
                yield None
                return
            yield low, high
            high, size, looked = low, min(size * 4, _LARGEST_PORTION), looked + count

    def _arrivals(self, wanted: Wanted, low: int, high: int, begun: "_Runs") -> Iterator[Arrival]:
        kind = "" if wanted.kind is None else f'"kind":"{wanted.kind}"'
        events = self._rows(_EVENTS, low, high, kind, wanted.contact or "")
        if not events or not begun.read_down_to(low):
            return
        noted = self._rows("SELECT event, data FROM note WHERE event >= ? AND event < ?", low, high)
        notes: dict[int, dict[str, Any]] = {event_id: codec.decode_data(data) for event_id, data in noted}
        waiting = self._rows("SELECT event FROM unrouted WHERE event >= ? AND event < ?", low, high)
        unrouted = {event_id for (event_id,) in waiting}
        for event_id, data in events:
            if wanted.is_unmatched and event_id in begun.by_event:
                continue  # most of them; spares decoding
            event = codec.decode_event(data)
            if wanted.kind not in (None, event.kind) or wanted.contact not in (None, event.contact):
                continue  # it only speaks of it
            arrival = Arrival(
                event=event, note=notes.get(event_id), runs=begun.by_event.get(event_id, ())[::-1],
                is_unrouted=event_id in unrouted,
            )  # fmt: skip
            if arrival.is_unmatched or not wanted.is_unmatched:
                yield arrival

    def _runs_of(self, contact: str) -> "_Runs":
        """The runs of one person: the index gives these at once."""
        filed_to = int(self._reader.meta("filed_to") or 0)
        runs = _Runs(None)
        runs.add(self._rows(_RUNS_OF, contact, filed_to, _MOST_OF_CONTACT))
        return runs

    # --- quarantine -------------------------------------------------------------------------------------------------

    def quarantined(self) -> int:
        """How many bodies are in quarantine."""
        return self._reader.quarantined()

    def aside(self, limit: int) -> list[Aside]:
        """Bodies in quarantine, newest first."""
        return self._aside("ORDER BY id DESC LIMIT ?", limit)

    def aside_above(self, after: int, limit: int) -> list[Aside]:
        """Bodies in quarantine with ids above `after`, oldest first."""
        return self._aside("WHERE id > ? ORDER BY id LIMIT ?", after, limit)

    def aside_of(self, ids: Sequence[int]) -> list[Aside]:
        """These of the bodies in quarantine, oldest first."""
        return self._aside("WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", _json(ids))

    def bodies(self, ids: Sequence[int]) -> list[Quarantined]:
        """These of the bodies in quarantine, oldest first."""
        found = self._rows(
            "SELECT id, received_at, path, reason, body FROM quarantine "
            "WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
            _json(ids),
        )
        return [
            Quarantined(id=row_id, received_at=rows.from_ms(at), path=path, reason=reason, body=bytes(body))
            for row_id, at, path, reason, body in found
        ]

    def _aside(self, which: str, *bindings: Any) -> list[Aside]:
        columns = "id, received_at, path, reason, length(body)"
        found = self._rows(f"SELECT {columns} FROM quarantine {which}", *bindings)  # noqa: S608
        return [
            Aside(id=row_id, received_at=rows.from_ms(at), path=path, reason=reason, size_bytes=size_bytes)
            for row_id, at, path, reason, size_bytes in found
        ]

    def _rows(self, question: str, *bindings: Any) -> list[Any]:
        try:
            return list(self._connection.execute(question, bindings))
        except apsw.Error as error:
            raise explain(error, self._connection.filename) from error


class _Runs:
    """Runs by the event that they began with, newest first. ask: for more of them; None: these are all."""

    def __init__(self, ask: Callable[..., list[Any]] | None) -> None:
        self.by_event: dict[int, list[Begun]] = {}
        self.is_exhausted = False  #: there are more than are looked at
        self._ask = ask
        self._before = 1 << 62
        self._looked = 0

    def read_down_to(self, event_id: int) -> bool:
        """Read all that may have begun with this event or a later one; whether they are not too many."""
        if self._ask is not None:
            found = self._ask(_RUNS, event_id, self._before, MOST_LOOKED_AT - self._looked + 1)
            self.add(found)
            self._before, self._looked = event_id, self._looked + len(found)
            self.is_exhausted = self._looked > MOST_LOOKED_AT
        return not self.is_exhausted

    def add(self, found: Sequence[Any]) -> None:
        """Rows, newest first."""
        for run_id, flow, status, event_id in found:
            self.by_event.setdefault(event_id, []).append(Begun(run_id, flow, status))


def _json(ids: Sequence[int]) -> str:
    return codec.encode_data(list(ids)).decode()
