"""Repeats, when keys are in memory, in the index, under way, or were never stored."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import apsw

from sinchflow.errors import JournalError
from sinchflow.journal.recent import Recent
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.event import Event

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


async def accept(journal: SqliteJournal, key: str) -> bool | Exception:
    answer: asyncio.Future[bool | Exception] = asyncio.get_running_loop().create_future()
    event = Event(id=journal.new_id(), kind="inbound_sms", key=key, received_at=NOW)
    journal.accept(event, answer.set_result)
    return await answer


def keys_in_index(folder: Path) -> int:
    connection = apsw.Connection(str(folder / FILE_NAME))
    count: int = connection.execute("SELECT count(*) FROM seen").get
    connection.close()
    return count


def test_keys_move_to_the_index_when_there_are_many_and_repeats_are_known_all_along(tmp_path: Path) -> None:
    keys = [f"reply-{number}" for number in range(6_000)]

    async def first() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        assert set(await asyncio.gather(*(accept(journal, key) for key in keys))) == {True}
        assert set(await asyncio.gather(*(accept(journal, key) for key in keys[::50]))) == {False}
        journal.close()

    async def second() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        assert set(await asyncio.gather(*(accept(journal, key) for key in keys[::7]))) == {False}
        assert await accept(journal, "new") is True
        assert len(journal.unrouted(after=0, limit=10_000)) == 6_001
        journal.close()

    asyncio.run(first())
    assert 200 <= keys_in_index(tmp_path) < 6_000
    asyncio.run(second())


def test_repeat_of_an_event_on_its_way_to_disk_waits_for_it() -> None:
    recent, told = Recent(()), list[bool | Exception]()
    assert recent.is_repeat(b"k", told.append) is False
    assert recent.is_repeat(b"k", told.append) is True
    assert told == []
    recent.settle(b"k", True)
    assert told == [False]


def test_repeat_of_an_event_that_could_not_be_stored_is_no_repeat() -> None:
    recent, told = Recent(()), list[bool | Exception]()
    recent.is_repeat(b"k", told.append)
    recent.is_repeat(b"k", told.append)
    error = JournalError("the disk is full")
    recent.settle(b"k", error)
    assert told == [error]
    assert recent.is_repeat(b"k", told.append) is False


def test_key_that_the_index_knows_is_not_kept_in_memory() -> None:
    recent, told = Recent([b"old"]), list[bool | Exception]()
    recent.forget([b"old"])
    assert recent.is_repeat(b"old", told.append) is False
    recent.settle(b"old", False)
    assert recent.is_repeat(b"old", told.append) is False
