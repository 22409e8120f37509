"""What came of an event, looked up for people: runs that it began, answers to them, and receipts of their messages.

The look has a connection of its own, so that it may be made in any thread and never waits for the writer. It walks the
ids upwards from the event in portions and gives up after `MOST_LOOKED_AT` rows.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from sinchflow.journal.explain import explain
from sinchflow.journal.reader import Reader, connect
from sinchflow.model import codec
from sinchflow.model.event import Event
from sinchflow.model.run import Run

#: Rows of a table; a few seconds' worth.
MOST_LOOKED_AT = 300_000
_PORTION = 5_000

_RUNS = "SELECT id FROM run WHERE id > ? AND id <= ? AND data ->> '$.event_id' = ? ORDER BY id"
_ANSWERS = (
    "SELECT event FROM note WHERE event > ? AND event <= ? AND data ->> '$.outcome' = 'wait' "
    "AND data ->> '$.run' IN (SELECT value FROM json_each(?))"
)
#: A text may say so too: what is certain is looked at in the second line.
_RECEIPTS = (
    'SELECT id FROM event WHERE id > ? AND id <= ? AND instr(data, \'"kind":"delivery_receipt"\') '
    "AND data ->> '$.kind' = 'delivery_receipt' "
    "AND data ->> '$.fields.message_id' IN (SELECT value FROM json_each(?))"
)


class Aftermath:
    """Looks at the journal at `path`, for the event with this id. To be closed. Raises CannotStart when there is none.

    is_whole: whether all rows were looked at that there are.
    """

    def __init__(self, path: Path, event_id: int) -> None:
        self._connection = connect(path)
        self._reader = Reader(self._connection)
        self._event_id = event_id
        self.is_whole = True

    def __enter__(self) -> "Aftermath":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def runs(self) -> list[Run]:
        """All runs that began with it, also those that other runs began, oldest first."""
        found = self._walk("run", 1 << 62, lambda low, high: self._rows(_RUNS, low, high, self._event_id))
        return [run for (each,) in found if (run := self._reader.run(each)) is not None]

    def answers(self, runs: Collection[int], until: datetime | None) -> list[Event]:
        """The messages up to then that waits of these runs took, oldest first."""
        ids = codec.encode_data(sorted(runs)).decode()
        return self._events(until, lambda low, high: self._rows(_ANSWERS, low, high, ids))

    def receipts(self, message_ids: Collection[str], until: datetime | None) -> list[Event]:
        """The receipts of these messages up to then, oldest first."""
        ids = codec.encode_data(sorted(message_ids)).decode()
        return self._events(until, lambda low, high: self._rows(_RECEIPTS, low, high, ids))

    def _events(self, until: datetime | None, look: Callable[[int, int], list[Any]]) -> list[Event]:
        last = 1 << 62 if until is None else self._reader.first_since("event", "received_at", until)
        found = sorted(self._walk("event", last, look))
        return [event for (each,) in found if (event := self._reader.event(each)) is not None]

    def _walk(self, table: str, last: int, look: Callable[[int, int], list[Any]]) -> list[Any]:
        """What `look` finds in the ranges of ids above the event's up to `last`, its lower end left out."""
        low, looked, found = self._event_id, 0, list[Any]()
        question = f"SELECT id FROM {table} WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"  # noqa: S608
        while True:
            high, count = self._rows(f"SELECT max(id), count(*) FROM ({question})", low, last, _PORTION)[0]  # noqa: S608
            if high is None:
                return found
            if looked >= MOST_LOOKED_AT:
                self.is_whole = False
                return found
            found += look(low, high)
            low, looked = high, looked + count

    def _rows(self, question: str, *bindings: Any) -> list[Any]:
        try:
            return list(self._connection.execute(question, bindings))
        except apsw.Error as error:
            raise explain(error, self._connection.filename) from error
