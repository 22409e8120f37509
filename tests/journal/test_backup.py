"""Copies of a journal: whole, marked and checked; and what becomes of one that is put back."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from sinchflow.errors import CannotStart, JournalError, UsageError
from sinchflow.journal import copying
from sinchflow.journal.journal import Changes, Tick
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.command import SendMessage
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Send, SendIds, SendState

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ANNA = "+61491570156"


def opened(folder: Path, work: Callable[[SqliteJournal], Any]) -> Any:
    """What `work` gives, a coroutine or not, of a journal at work."""

    async def at_work() -> Any:
        journal = SqliteJournal(folder, asyncio.get_running_loop())
        try:
            found = work(journal)
            return await found if asyncio.iscoroutine(found) else found
        finally:
            journal.close()

    return asyncio.run(at_work())


async def done(call: Callable[..., None], *arguments: Any) -> Any:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call(*arguments, answer.set_result)
    return await answer


async def fill(journal: SqliteJournal) -> None:
    event = Event(id=journal.new_id(), kind="inbound_sms", key="a", received_at=NOW, fields={"content": "HOURS"})
    waiting = Event(id=journal.new_id(), kind="inbound_sms", key="b", received_at=NOW, fields={"content": "HOURS"})
    for each in (event, waiting):
        assert await done(journal.accept, each) is True
    run = Run(id=journal.new_id(), flow="hours", digest="d", event_id=event.id, started_at=NOW, contact=ANNA)
    ended = Run(
        id=journal.new_id(),
        flow="hours",
        digest="d",
        event_id=event.id,
        started_at=NOW,
        status="completed",
        ended_at=NOW,
    )
    states: list[tuple[SendState, int | None]] = [
        ("queued", None), ("deferred", None), ("sending", 77), ("held", None), ("sent", 78)
    ]  # fmt: skip
    command = SendMessage(id="1:0", account="default", to=ANNA, body={"content": "Hi"})
    sends = [
        Send(id=journal.new_id(), run=run.id, command=command, state=state, created_at=NOW, due=NOW, call=call)
        for state, call in states
    ]
    tick = Tick(flow="daily", trigger=0, at=NOW)
    changes = Changes(routed=(event.id,), runs=(run, ended), new_sends=tuple(sends), ticks=(tick,))
    assert await done(journal.commit, changes) is None


def back_up(folder: Path, target: Path, *, is_forced: bool = False) -> copying.Backup:
    return copying.back_up(folder / FILE_NAME, target, NOW, is_forced=is_forced, told=lambda part: None)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    opened(folder, fill)
    connection = apsw.Connection(str(folder / FILE_NAME))  # who closes it last puts the log into the file
    connection.execute("SELECT 1 FROM run").fetchall()
    connection.close()
    return folder


def test_a_backup_holds_what_the_journal_held_and_says_so(filled: Path, tmp_path: Path) -> None:
    told: list[float] = []
    target = tmp_path / "b"
    found = copying.back_up(filled / FILE_NAME, target, NOW, is_forced=False, told=told.append)
    assert found.holds == {"events": 2, "runs": 2, "open_runs": 1, "sends": 5, "open_sends": 4}
    assert (found.taken_at, found.size_bytes, found.path) == (NOW, target.stat().st_size, str(target))
    assert target.stat().st_mode & 0o777 == 0o600
    assert told == sorted(told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "data"]
    assert copying.look_at(target) == found


def test_what_is_written_meanwhile_is_all_of_it_or_not_in_the_backup(filled: Path, tmp_path: Path) -> None:
    async def at_work(journal: SqliteJournal) -> copying.Backup:
        loop, is_over = asyncio.get_running_loop(), False

        async def write() -> int:
            count = 0
            while not is_over:
                runs = [
                    Run(id=journal.new_id(), flow="f", digest="d", event_id=1, started_at=NOW, vars={"x": "y" * 3_000})
                    for _ in range(7)
                ]
                assert await done(journal.commit, Changes(runs=tuple(runs))) is None
                count += 1
            return count

        writing = loop.create_task(write())
        found = await asyncio.to_thread(back_up, filled, tmp_path / "first")
        found = await asyncio.to_thread(back_up, filled, tmp_path / "second")
        is_over = True
        assert await writing > 1
        return found

    found = opened(filled, at_work)
    assert (found.holds["runs"] - 2) % 7 == 0


@pytest.mark.parametrize(
    ("prepare", "kind", "words"),
    [
        (lambda target: target.write_text("x"), UsageError, "exists already: .* or replace it with --force"),
        (lambda target: target.mkdir(), UsageError, "is a directory"),
        (lambda target: os.link(target.parent / "data" / FILE_NAME, target), UsageError, "is the journal itself"),
    ],
)  # fmt: skip
def test_a_target_that_is_none_is_refused(
    filled: Path, tmp_path: Path, prepare: Callable[[Path], Any], kind: type[Exception], words: str
) -> None:
    target = tmp_path / "b"
    prepare(target)
    with pytest.raises(kind, match=words):
        back_up(filled, target)


def test_a_folder_that_is_not_there_and_a_journal_that_is_none_are_refused(filled: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be written"):
        back_up(filled, tmp_path / "nowhere" / "b")
    with pytest.raises(CannotStart, match="no journal at"):
        back_up(tmp_path, tmp_path / "b")


def test_what_was_there_stays_when_copying_fails_and_goes_when_it_is_forced(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "b"
    target.write_text("older")
    journal = (filled / FILE_NAME).read_bytes()
    (filled / FILE_NAME).write_bytes(journal[:8_192] + b"\x55" * (len(journal) - 8_192))
    with pytest.raises(JournalError):
        back_up(filled, target, is_forced=True)
    assert target.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "data"]
    (filled / FILE_NAME).write_bytes(journal)
    back_up(filled, target, is_forced=True)
    assert copying.look_at(target).holds["runs"] == 2


def test_a_restored_journal_has_another_name_and_suspends_what_is_unfinished(filled: Path, tmp_path: Path) -> None:
    former, last = opened(filled, lambda journal: (journal.identity, journal.new_id() - 1))
    folder = tmp_path / "new"
    folder.mkdir()
    back_up(filled, folder / FILE_NAME)

    def look(journal: SqliteJournal) -> None:
        assert journal.identity != former
        assert journal.new_id() > last + 1_000_000
        ids = journal.send_ids
        assert ids.write(5) == f"{former}{5:012x}"
        assert [ids.read(f"{former}{n:012x}") for n in (5, last, last + 1)] == [5, last, None]
        new = journal.new_id()
        assert ids.read(ids.write(new)) == new
        assert ids.read(f"{journal.identity}{5:012x}") is None
        snapshot = journal.load(datetime(2000, 1, 1, tzinfo=UTC))
        assert (snapshot.runs, snapshot.sends, list(journal.unrouted(0, 9))) == ((), (), [])
        waits = journal.suspended()
        assert ([run.id for run in waits.runs], [event.key for event in waits.events]) == ([3], ["b"])
        assert {send.state for send in waits.sends} == {"held"}
        assert [(send.call == send.id, send.due) for send in waits.sends] == [
            (True, None), (True, None), (False, None), (True, None)
        ]  # fmt: skip
        assert all("restored from a backup of 2026-12-01 09:00:00 UTC" in (send.reason or "") for send in waits.sends)
        assert [tick.at > NOW - timedelta(days=1) for tick in journal.ticks()] == [True]
        assert journal.born_at > NOW - timedelta(days=30)

    opened(folder, look)
    opened(folder, look)  # once only: the second start has the same

    async def release(journal: SqliteJournal) -> None:
        waits = journal.suspended()
        ids = (*(run.id for run in waits.runs), *(event.id for event in waits.events))
        assert await done(journal.commit, Changes(released=ids)) is None

    opened(folder, release)
    snapshot = opened(folder, lambda journal: journal.load(datetime(2000, 1, 1, tzinfo=UTC)))
    assert (len(snapshot.runs), len(snapshot.sends)) == (1, 4)


def test_a_backup_of_a_restored_journal_knows_all_former_names(filled: Path, tmp_path: Path) -> None:
    names = [opened(filled, lambda journal: journal.identity)]
    folder = filled
    for generation in ("second", "third"):
        target = tmp_path / generation
        target.mkdir()
        back_up(folder, target / FILE_NAME)
        folder = target
        names.append(opened(folder, lambda journal: journal.identity))
    ids: SendIds = opened(folder, lambda journal: journal.send_ids)
    assert [name for name, _ in ids.former] == names[:2]
    assert len({*names}) == 3


def test_the_log_of_another_journal_beside_a_backup_is_refused(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "b")
    (filled / FILE_NAME).write_bytes((tmp_path / "b").read_bytes())
    (filled / f"{FILE_NAME}-wal").write_bytes(b"x" * 5_000)
    with pytest.raises(CannotStart, match="the log of another journal"):
        opened(filled, lambda journal: None)
    (filled / f"{FILE_NAME}-wal").unlink()
    assert len(opened(filled, lambda journal: journal.suspended()).runs) == 1


def test_putting_back_keeps_the_journal_that_was_there(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "b")
    former = opened(filled, lambda journal: journal.identity)
    journal = filled / FILE_NAME

    def put_back(*, is_forced: bool) -> Path | None:
        return copying.put_back(tmp_path / "b", journal, NOW, is_forced=is_forced, told=lambda part: None)

    with pytest.raises(UsageError, match="with --force it is kept"):
        put_back(is_forced=False)
    kept = put_back(is_forced=True)
    assert kept == filled / f"{FILE_NAME}.before-restore-20261201T090000"
    assert opened(filled, lambda journal: journal.identity) != former
    (tmp_path / "old").mkdir()
    for path in filled.glob(f"{kept.name}*"):
        path.rename(tmp_path / "old" / path.name.replace(kept.name, FILE_NAME))
    assert opened(tmp_path / "old", lambda journal: journal.identity) == former


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path, _: None, "there is no file"),
        (lambda path, _: path.write_text("hello"), "cannot be read as a backup"),
        (lambda path, data: path.write_bytes((data / FILE_NAME).read_bytes()), "is a journal but no backup"),
        (lambda path, _: apsw.Connection(str(path)).execute("CREATE TABLE t (x)"), "is no backup of a journal"),
    ],
)
def test_what_is_no_backup_is_not_put_back(
    filled: Path, tmp_path: Path, make: Callable[[Path, Path], Any], words: str
) -> None:
    path = tmp_path / "b"
    make(path, filled)
    with pytest.raises(UsageError, match=words):
        copying.put_back(path, filled / FILE_NAME, NOW, is_forced=True, told=lambda part: None)


WRITE = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sinchflow.journal.journal import Changes
from sinchflow.journal.sqlite import SqliteJournal
from sinchflow.model.event import Event
from sinchflow.model.project import Retention
from sinchflow.model.run import Run

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)

async def main():
    journal = SqliteJournal(Path(sys.argv[1]), asyncio.get_running_loop())
    old = NOW - timedelta(days=200)
    def wait(call, *given):
        answer = asyncio.get_running_loop().create_future()
        call(*given, answer.set_result)
        return answer
    for number in range(1_500):
        event = Event(id=journal.new_id(), kind="manual", key=str(number), received_at=old, fields={"a": "b" * 500})
        await wait(journal.accept, event)
        status = "running" if number % 10 == 0 else "completed"
        run = Run(id=journal.new_id(), flow="f", digest="d", event_id=event.id, started_at=old, status=status,
                  ended_at=None if status == "running" else old, vars={"x": "y" * 2_000})
        await wait(journal.commit, Changes(routed=(event.id,), runs=(run,)))
    print("filled", flush=True)
    await wait(journal.retain, Retention(), NOW, timedelta(hours=1))
    print("swept", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2])
def test_a_sweep_that_is_killed_leaves_the_journal_sound_and_nothing_open_lost(tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "data"
    process = subprocess.Popen([sys.executable, "-c", WRITE, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"filled\n"
    time.sleep(after_s)
    back_up(folder, tmp_path / "b")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    connection = apsw.Connection(str(folder / FILE_NAME))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    needed = connection.execute(
        "SELECT count(*) FROM run JOIN event ON event.id = run.data ->> '$.event_id' WHERE status = 'running'"
    ).get
    connection.close()
    assert needed == 150
    assert copying.look_at(tmp_path / "b").holds["open_runs"] == 150


COPY = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from sinchflow.journal import copying

def told(part):
    print(part, flush=True)
    time.sleep(10)

copying.back_up(Path(sys.argv[1]), Path(sys.argv[2]), datetime.now(UTC), is_forced=True, told=told)
"""


def test_a_backup_that_is_killed_leaves_the_journal_and_what_was_there(filled: Path, tmp_path: Path) -> None:
    older = back_up(filled, tmp_path / "b")
    process = subprocess.Popen(
        [sys.executable, "-c", COPY, str(filled / FILE_NAME), str(tmp_path / "b")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert copying.look_at(tmp_path / "b") == older
    assert len(opened(filled, lambda journal: journal.load(datetime(2000, 1, 1, tzinfo=UTC))).runs) == 1
    assert back_up(filled, tmp_path / "c").holds == older.holds


def test_what_a_killed_backup_left_goes_with_the_next_one(filled: Path, tmp_path: Path) -> None:
    for name in (".monday.1.part", ".monday.1.part-journal", ".tuesday.2.part-journal"):
        (tmp_path / name).write_bytes(b"left")
    (tmp_path / ".notes.part").write_text("somebody's own")
    back_up(filled, tmp_path / "wednesday")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".notes.part", "data", "wednesday"]


def test_a_backup_leaves_another_one_that_is_at_work_alone(filled: Path, tmp_path: Path) -> None:
    def meanwhile(_part: float) -> None:
        if not (tmp_path / "second").exists():
            back_up(filled, tmp_path / "second")

    copying.back_up(filled / FILE_NAME, tmp_path / "first", NOW, is_forced=False, told=meanwhile)
    for name in ("first", "second"):
        assert copying.look_at(tmp_path / name).holds["events"] == 2


def test_there_is_a_whole_journal_in_its_place_at_any_moment_of_restoring(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(filled, tmp_path / "b")
    replace, seen = os.replace, []

    def looking(source: str, target: str) -> None:
        seen.append((filled / FILE_NAME).exists() and not (filled / f"{FILE_NAME}-wal").exists())
        replace(source, target)

    monkeypatch.setattr(os, "replace", looking)
    kept = copying.put_back(tmp_path / "b", filled / FILE_NAME, NOW, is_forced=True, told=lambda part: None)
    assert (seen, kept is not None and kept.exists()) == ([True], True)
