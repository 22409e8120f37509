"""A journal that was restored from a backup: what is done to it before anybody works with it.

A backup is the journal as it was. The original went on after it: messages that are queued in the backup may have gone
out, runs that wait may have ended. Nobody can tell from here, so nothing unfinished goes on without a person's word:
open runs and events not routed are suspended, open messages are held. New events and runs are not concerned. It gets
another identity and higher ids, so that nothing is called as something that the original did after the backup.

A backup is known by its marker, so it does not matter how it got to its place. All of it happens in one transaction
that also takes the marker away, and before the file has a log (`take_over`).
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sinchflow.errors import CannotStart
from sinchflow.journal import rows
from sinchflow.journal.reader import Reader

#: The name in `meta` of the time at which the backup was taken.
MARKER = "backup_at"
#: The name of the setting that tells of the restoration while something of it waits.
SETTING = "restored"
#: The original may have given out so many ids a second since, times its average, and this many in any case.
_BUSIER = 10
_MARGIN = 1_000_000
#: Where the file's header says whether the file has a log (sqlite.org, "The Database File Format", 1.3.3).
_VERSIONS = slice(18, 20)

_SUSPEND = (
    "INSERT OR IGNORE INTO suspended SELECT id FROM run WHERE status = 'running' UNION SELECT event FROM unrouted"
)


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored: when the backup was taken and when it was first used, and how much is unfinished."""

    taken_at: datetime
    restored_at: datetime
    runs: int = 0
    events: int = 0
    sends: int = 0


def former(meta: str | None) -> tuple[tuple[str, int], ...]:
    """The journal's former identities, as `SendIds.former`."""
    return () if meta is None else msgspec.json.decode(meta, type=tuple[tuple[str, int], ...])


def refuse_log_of_another(path: Path) -> None:
    """A backup was copied to where another journal's log still is: SQLite would write that into it.

    Raises CannotStart. A backup has no log, and gets one only after the backup has become a journal.
    """
    try:
        with path.open("rb") as file:
            has_no_log = file.read(20)[_VERSIONS] == b"\1\1"
        log = path.with_name(f"{path.name}-wal")
        is_there = log.stat().st_size > 0
    except OSError:
        return
    if has_no_log and is_there:
        raise CannotStart(
            f"{path} is a backup, and beside it is the log of another journal ({log.name}): move {log.name} and "
            f"{path.name}-shm elsewhere, or use `sinchflow restore`"
        )


def is_backup(connection: apsw.Connection) -> bool:
    """Whether the file is a backup with which nobody has worked yet."""
    return taken_at(connection) is not None


def taken_at(connection: apsw.Connection) -> datetime | None:
    """When this backup was taken; None: it is none."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone() is None:
        return None
    found = connection.execute("SELECT value FROM meta WHERE name = ?", (MARKER,)).fetchone()
    return None if found is None else rows.from_ms(int(found[0]))


def take_over(connection: apsw.Connection, now: datetime, identity: str) -> None:
    """Make a journal of a backup. identity: a new one."""
    taken = taken_at(connection)
    assert taken is not None
    reader = Reader(connection)
    last, born = reader.last_id(), rows.from_ms(int(reader.meta("born_at") or rows.to_ms(taken)))
    rate = last / max(60.0, (taken - born).total_seconds())
    ids_from = last + _MARGIN + round(_BUSIER * rate * max(0.0, (now - taken).total_seconds()))
    identities = [*former(reader.meta("former")), (reader.meta("identity") or "", last)]
    execute = connection.execute
    with connection:
        execute(_SUSPEND)
        reason = f"the journal was restored from a backup of {taken:%Y-%m-%d %H:%M:%S} UTC: it may have gone out since"
        # One that was in no call is in doubt alone: its own id stands for the call that nobody here knows of.
        execute(
            "UPDATE send SET state = 'held', due = NULL, call = coalesce(call, id), reason = ? WHERE is_open", (reason,)
        )
        execute("UPDATE tick SET at = max(at, ?)", (rows.to_ms(now),))
        counts = [
            int(execute(f"SELECT count(*) FROM {what}").get)  # noqa: S608
            for what in ("run WHERE status = 'running'", "unrouted", "send WHERE is_open")
        ]
        about = Restored(taken_at=taken, restored_at=now, runs=counts[0], events=counts[1], sends=counts[2])
        if about.runs or about.events:
            execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (SETTING, msgspec.json.encode(about).decode()))
        execute(
            "INSERT INTO act VALUES (?, ?, 'restore', ?, ?)",
            (
                ids_from,
                rows.to_ms(now),
                taken.isoformat(timespec="seconds"),
                f"{about.runs} runs, {about.events} events, {about.sends} messages",
            ),
        )
        for name, value in _meta(identity, identities, now, ids_from).items():
            execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        execute("DELETE FROM meta WHERE name = ?", (MARKER,))


def _meta(identity: str, identities: list[tuple[str, int]], now: datetime, ids_from: int) -> dict[str, Any]:
    """What happened before `born_at` was seen to by the original, whatever polling brings of it."""
    return {
        "identity": identity,
        "former": msgspec.json.encode(identities).decode(),
        "born_at": str(rows.to_ms(now)),
        "ids_from": str(ids_from),
    }
