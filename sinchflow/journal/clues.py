"""Looking for what a person asks about: an id of any kind, a provider's id, the events of a number.

Events and messages have no index by number or by the provider's ids: that would cost every one of them. The newest are
looked through, in portions of ids, up to `MOST_LOOKED_AT` rows; each look says whether it got to the end. Each `Clues`
has a connection of its own, so that it may be used in any thread.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import apsw

from sinchflow.journal import rows
from sinchflow.journal.explain import explain
from sinchflow.journal.reader import Reader, connect
from sinchflow.journal.restored import former
from sinchflow.model import codec
from sinchflow.model.contact import Contact, Suppression
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Send, SendIds

#: Rows of one table; a second's worth.
MOST_LOOKED_AT = 300_000
_PORTION = 5_000
#: Runs that begin with an event have ids soon after it, unless it waited for its turn.
_SOON = 20_000
_MOST_RUNS = 1_000

Kind = Literal["event", "run", "send"]

_EVENTS = "SELECT data FROM event WHERE id < ? AND id >= ? AND instr(data, ?) ORDER BY id DESC"
_SENDS_TO = f"SELECT {rows.SEND_COLUMNS} FROM send WHERE id < ? AND id >= ? AND recipient = ? ORDER BY id DESC"  # noqa: S608
_SENDS_BY_ID = f"SELECT {rows.SEND_COLUMNS} FROM send WHERE id < ? AND id >= ? AND message_id = ? ORDER BY id DESC"  # noqa: S608
_SENDS_OF = f"SELECT {rows.SEND_COLUMNS} FROM send WHERE id >= ? AND id < ? AND run = ? ORDER BY id"  # noqa: S608
_RUNS_OF = (
    "SELECT data FROM run WHERE id > ? AND id <= ? AND instr(data, ?) AND data ->> '$.event_id' = ? ORDER BY id LIMIT ?"
)


class Clues:
    """Looks at the journal at `path`. To be closed. Raises CannotStart when there is none."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self.reader = Reader(self._connection)
        self.is_all = True  #: whether every look so far got to the end

    def __enter__(self) -> "Clues":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def send_ids(self) -> SendIds:
        """What the provider knows the journal's messages by."""
        return SendIds(identity=self.reader.meta("identity") or "", former=former(self.reader.meta("former")))

    def kind_of(self, number: int) -> Kind | None:
        """What has this id."""
        kinds: tuple[Kind, ...] = ("event", "run", "send")
        return next(
            (kind for kind in kinds if self._rows(f"SELECT 1 FROM {kind} WHERE id = ?", number)),  # noqa: S608
            None,
        )

    def send(self, send_id: int) -> Send | None:
        """One message."""
        found = self._rows(f"SELECT {rows.SEND_COLUMNS} FROM send WHERE id = ?", send_id)  # noqa: S608
        return rows.send_from(found[0]) if found else None

    def send_with(self, message_id: str) -> Send | None:
        """The message that the provider knows by this id."""
        return next((rows.send_from(row) for row in self._newest("send", _SENDS_BY_ID, message_id)), None)

    def event_with(self, provider_id: str) -> Event | None:
        """The newest event in which this id stands as its own."""
        names = ("reply_id", "delivery_report_id", "notification_id", "message_id")
        for (data,) in self._newest("event", _EVENTS, provider_id):
            event = codec.decode_event(data)
            if provider_id in (event.key, *(event.fields.get(name) for name in names)):
                return event
        return None

    def events_of(self, number: str, limit: int) -> list[Event]:
        """The newest events about this person, newest first."""
        found: list[Event] = []
        for (data,) in self._newest("event", _EVENTS, number):
            event = codec.decode_event(data)
            if event.contact == number:
                found.append(event)
                if len(found) == limit:
                    break
        return found

    def sends_to(self, number: str, limit: int) -> list[Send]:
        """The newest messages to this person, newest first."""
        found: list[Send] = []
        for row in self._newest("send", _SENDS_TO, number):
            found.append(rows.send_from(row))
            if len(found) == limit:
                break
        return found

    def sends_of(self, run: Run, limit: int) -> list[Send]:
        """The run's first messages."""
        last = int(self._rows("SELECT coalesce(max(id), 0) FROM send")[0][0])
        high = last + 1 if run.ended_at is None else self._since("send", "created_at", run.ended_at, last) + _PORTION
        low, found = run.id, list[Send]()
        while low < high and len(found) < limit and low - run.id < MOST_LOOKED_AT:
            found += [rows.send_from(row) for row in self._rows(_SENDS_OF, low, low + _PORTION, run.id)]
            low += _PORTION
        self.is_all = self.is_all and low >= high
        return found[:limit]

    def runs_of_event(self, event: Event) -> list[Run]:
        """The runs that began with the event."""
        found = {
            run.id: run
            for (data,) in self._rows(
                _RUNS_OF, event.id, event.id + _SOON, f'"event_id":{event.id}', event.id, _MOST_RUNS
            )
            for run in [codec.decode_run(data)]
        }
        if event.contact is not None:
            own = self.reader.runs_of(event.contact, _MOST_RUNS)
            found |= {run.id: run for run in own if run.event_id == event.id}
        return [run for _, run in sorted(found.items())]

    def is_unrouted(self, event_id: int) -> bool:
        """Whether the event waits to be routed."""
        return bool(self._rows("SELECT 1 FROM unrouted WHERE event = ?", event_id))

    def suppression(self, number: str) -> Suppression | None:
        """Since when and why nothing is sent to this person; None: messages may be."""
        names = (number, rows.pseudonym(number, bytes.fromhex(self.reader.meta("salt") or "")))
        found = self._rows(
            f"SELECT {rows.SUPPRESSION_COLUMNS} FROM suppression WHERE number IN (?, ?)",  # noqa: S608
            *names,
        )
        return rows.suppression_from(found[0]) if found else None

    def contact(self, number: str) -> Contact | None:
        """What is known of a person."""
        return self.reader.contact(number)

    def _newest(self, table: str, question: str, wanted: str) -> Iterator[Any]:
        """The rows that the question finds, newest first, as far as they are looked for."""
        low, high = self._rows(f"SELECT coalesce(min(id), 0), coalesce(max(id), -1) + 1 FROM {table}")[0]  # noqa: S608
        looked = 0
        while high > low:
            found = self._rows(
                f"SELECT min(id), count(*) FROM (SELECT id FROM {table} WHERE id < ? ORDER BY id DESC LIMIT ?)",  # noqa: S608
                high,
                _PORTION,
            )
            first, count = found[0]
            if first is None:
                return
            yield from self._rows(question, high, first, wanted)
            high, looked = first, looked + count
            if looked >= MOST_LOOKED_AT and high > low:
                self.is_all = False
                return

    def _since(self, table: str, column: str, time: datetime, otherwise: int) -> int:
        found = self.reader.first_since(table, column, time)
        return found if found else otherwise

    def _rows(self, question: str, *bindings: Any) -> list[Any]:
        try:
            return list(self._connection.execute(question, bindings))
        except apsw.Error as error:
            raise explain(error, self._connection.filename) from error
