"""What a look at the journal tells an operator: counts of what is open, what failed lately, how large it is.

Each look has a connection of its own, so that it may be made in any thread and never waits for the writer. It asks
indexes of open things, or goes through as many of the newest rows as `_MOST_ROWS`: never through a whole journal.
"""

import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sinchflow.journal import rows
from sinchflow.journal.explain import explain
from sinchflow.journal.reader import Reader, connect
from sinchflow.model.send import OPEN_STATES

#: Newest runs that a look at what flows did goes through, and open runs whose waiting is looked at.
_MOST_ROWS = 50_000
#: Failed runs of earlier days that may have ended in the last one.
_MOST_FAILED = 1_000
LATELY = timedelta(hours=24)

#: Held without a call: the provider refuses the key, and nothing was sent. They leave by themselves, as queued ones do.
_OPEN_SENDS = """
SELECT CASE WHEN state = 'held' AND call IS NULL THEN 'queued' ELSE state END AS now, count(*), min(created_at)
FROM send WHERE is_open GROUP BY now
"""
#: What the cursors of open runs wait for; each run counts once for each thing.
_WAITING_FOR = """
SELECT kind, count(DISTINCT id) FROM (
  SELECT run.id, CASE
    WHEN cursor.value -> '$.tally' IS NOT NULL THEN 'send'
    ELSE coalesce(cursor.value ->> '$.commands[0].type', 'turn')
  END AS kind
  FROM (SELECT id, data FROM run WHERE status = 'running' ORDER BY id LIMIT ?) AS run,
    json_each(run.data, '$.cursors') AS cursor
) GROUP BY kind ORDER BY 2 DESC, 1
"""
#: Open runs with an `http` call of which nobody knows whether it was done. The cheap look at the text comes first.
_HELD_CALLS = """
SELECT count(*) FROM run WHERE status = 'running' AND instr(data, '"held":"') > 0 AND EXISTS (
  SELECT 1 FROM json_each(run.data, '$.cursors') AS cursor, json_each(cursor.value, '$.attempts') AS attempt
  WHERE attempt.value ->> '$.held' IS NOT NULL
)
"""
_FAILED = "SELECT id, flow, data ->> '$.ended_at', data ->> '$.reason' FROM run WHERE status = 'failed' AND id {} ?"
_FLOWS_OPEN = "SELECT flow, count(*) FROM run WHERE status = 'running' GROUP BY flow"
_FLOWS_LATELY = """
SELECT flow, count(*), sum(status = 'failed'), max(started_at), max(id)
FROM (SELECT id, flow, status, started_at FROM run WHERE id >= ? ORDER BY id DESC LIMIT ?) GROUP BY flow
"""
_ACTS = "SELECT at, what, subject, detail FROM act WHERE id >= ? ORDER BY id DESC LIMIT 5"
#: The words for what the commands of open runs wait for.
_WORDS = {
    "await_reply": "reply", "await_receipt": "receipt", "sleep": "time", "http": "url", "ask": "provider",
    "start": "run",
}  # fmt: skip


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """The journal at one moment. Times are ISO 8601 in UTC, so that it is JSON as it is."""

    sends: dict[str, dict[str, Any]]  #: by open state: `count`, `oldest_at`; those that wait for a key are `queued`
    held_calls: int  #: runs whose `http` call waits for a person
    runs: dict[str, Any]  #: `open`, `waiting_for`, `failed_lately` (`count`, `flows`, `last`)
    events: dict[str, Any]  #: accepted, not routed: `unrouted`, `oldest_at`
    quarantine: dict[str, Any]  #: `count`, `last_at`, `last_reason`
    journal: dict[str, Any]  #: `path`, `schema`, `bytes`, `log_bytes`, `free_bytes`
    acts: list[dict[str, Any]]  #: what people did lately, newest first
    settings: dict[str, str]


def survey(path: Path, now: datetime, *, is_brief: bool = False) -> Survey:
    """A look at the journal at `path`. Raises CannotStart when there is none, JournalError when it cannot be read.

    is_brief: without `runs`, `acts` and `settings`; for those who look often.
    """
    connection = connect(path)
    try:
        return _Look(connection, now).survey(path, is_brief=is_brief)
    except apsw.Error as error:
        raise explain(error, str(path)) from error
    finally:
        connection.close()


def flows_lately(path: Path, now: datetime) -> dict[str, dict[str, Any]]:
    """By flow: `open` runs, and of the last 24 hours `started`, `failed`, `last_started_at`. Raises as `survey`.

    Where more than 50 000 runs began in that time, the newest of them only.
    """
    connection = connect(path)
    try:
        return _Look(connection, now).flows()
    except apsw.Error as error:
        raise explain(error, str(path)) from error
    finally:
        connection.close()


class _Look:
    def __init__(self, connection: apsw.Connection, now: datetime) -> None:
        self._connection = connection
        self._reader = Reader(connection)
        self._now = now
        self._schema = int(connection.pragma("user_version"))

    def survey(self, path: Path, *, is_brief: bool) -> Survey:
        self._connection.execute("BEGIN")  # so that the counts are of one moment
        return Survey(
            sends=self._sends(),
            held_calls=self._rows(_HELD_CALLS)[0][0],
            runs={} if is_brief else self._runs(),
            events=self._events(),
            quarantine=self._quarantine(),
            journal={"path": str(path), "schema": self._schema, **sizes(path)},
            acts=[] if is_brief else self._acts(),
            settings={} if is_brief else self._settings(),
        )

    def flows(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name, count in self._rows(_FLOWS_OPEN):
            _of(found, name)["open"] += count
        for name, started, failed, last, _ in self._rows(_FLOWS_LATELY, self._first("run", "started_at"), _MOST_ROWS):
            flow = _of(found, name)
            flow["started"] += started
            flow["failed"] += failed
            flow["last_started_at"] = max(flow["last_started_at"] or "", _iso(last) or "")
        return found

    def _sends(self) -> dict[str, dict[str, Any]]:
        found = {state: (count, oldest) for state, count, oldest in self._rows(_OPEN_SENDS)}
        return {
            state: {"count": count, "oldest_at": _iso(oldest)}
            for state in sorted(OPEN_STATES)
            for count, oldest in [found.get(state, (0, None))]
        }

    def _runs(self) -> dict[str, Any]:
        open_runs = self._rows("SELECT count(*) FROM run WHERE status = 'running'")[0][0]
        waiting = {_WORDS.get(kind, kind): count for kind, count in self._rows(_WAITING_FOR, _MOST_ROWS)}
        return {"open": open_runs, "waiting_for": waiting, "failed_lately": self._failed()}

    def _failed(self) -> dict[str, Any]:
        """Runs that failed in the last 24 hours, also those that began before."""
        first = self._first("run", "started_at")
        since = (self._now - LATELY).isoformat()
        found = self._rows(_FAILED.format(">=") + " ORDER BY id", first)
        earlier = self._rows(_FAILED.format("<") + " ORDER BY id DESC LIMIT ?", first, _MOST_FAILED)
        found += [row for row in earlier if row[2] is not None and _utc(row[2]) >= since]
        flows: dict[str, int] = {}
        for _, flow, _, _ in found:
            flows[_name(flow)] = flows.get(_name(flow), 0) + 1
        last = max(found, key=lambda row: _utc(row[2] or ""), default=None)
        return {
            "count": len(found),
            "flows": dict(sorted(flows.items(), key=lambda item: (-item[1], item[0]))),
            "last": None if last is None else {
                "id": last[0], "flow": _name(last[1]), "ended_at": _utc(last[2] or "") or None, "reason": last[3],
            },
        }  # fmt: skip

    def _events(self) -> dict[str, Any]:
        count, first = self._rows("SELECT count(*), min(event) FROM unrouted")[0]
        oldest = self._rows("SELECT received_at FROM event WHERE id = ?", first) if count else []
        return {"unrouted": count, "oldest_at": _iso(oldest[0][0]) if oldest else None}

    def _quarantine(self) -> dict[str, Any]:
        count = self._rows("SELECT count(*) FROM quarantine")[0][0]
        last = self._rows("SELECT received_at, reason FROM quarantine ORDER BY id DESC LIMIT 1")
        return {
            "count": count, "last_at": _iso(last[0][0]) if last else None, "last_reason": last[0][1] if last else None
        }  # fmt: skip

    def _acts(self) -> list[dict[str, Any]]:
        if self._schema < 3:
            return []
        return [
            {"at": _iso(at), "what": what, "subject": subject, "detail": detail}
            for at, what, subject, detail in self._rows(_ACTS, self._first("act", "at"))
        ]

    def _settings(self) -> dict[str, str]:
        return dict(self._rows("SELECT name, value FROM setting WHERE value NOT NULL")) if self._schema >= 3 else {}

    def _first(self, table: str, column: str) -> int:
        """The first id of the last 24 hours."""
        return self._reader.first_since(table, column, self._now - LATELY)

    def _rows(self, question: str, *bindings: Any) -> list[Any]:
        return list(self._connection.execute(question, bindings))


def sizes(path: Path) -> dict[str, int | None]:
    """Bytes of the journal, of its log, and free on their disk; None where that cannot be known."""
    found: dict[str, int | None] = {"bytes": None, "log_bytes": 0, "free_bytes": None}
    with suppress(OSError):
        found["bytes"] = path.stat().st_size
    with suppress(OSError):
        found["log_bytes"] = path.with_name(f"{path.name}-wal").stat().st_size
    with suppress(OSError):
        found["free_bytes"] = shutil.disk_usage(path.parent).free
    return found


def _of(found: dict[str, dict[str, Any]], flow: str) -> dict[str, Any]:
    return found.setdefault(_name(flow), {"open": 0, "started": 0, "failed": 0, "last_started_at": None})


def _name(flow: str) -> str:
    """The flow's name; runs of its `otherwise` are filed under it and a mark."""
    return flow.partition("\n")[0]


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rows.from_ms(milliseconds).isoformat(timespec="milliseconds")


def _utc(time: str) -> str:
    """A time as the codec writes it, with the offset as `isoformat` does, so that texts compare as times do."""
    return time.removesuffix("Z") + "+00:00" if time.endswith("Z") else time
