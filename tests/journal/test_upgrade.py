"""A journal that an earlier release made is taken over as it stands."""

import asyncio
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import apsw
import pytest

from sinchflow.errors import JournalError
from sinchflow.journal import rows
from sinchflow.journal.journal import Changes, Forgotten
from sinchflow.journal.reader import open_reader
from sinchflow.journal.sqlite import APPLICATION_ID, FILE_NAME, SCHEMA_VERSION, SqliteJournal
from sinchflow.model.contact import ContactChange
from sinchflow.model.event import Event
from sinchflow.model.run import Run

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ANNA = "+61491570156"
EVENT = Event(id=1, kind="inbound_sms", key="r-1", received_at=NOW, contact=ANNA, fields={"content": "purple"})
RUN = Run(id=2, flow="hours", digest="d1", event_id=1, started_at=NOW, contact=ANNA, vars={"a": 1})


def journal_of_version_1(folder: Path) -> None:
    connection = apsw.Connection(str(folder / FILE_NAME))
    script = resources.files("sinchflow.journal").joinpath("schema", "0001.sql").read_text("utf-8")
    for _ in connection.execute(script):
        pass
    connection.execute("INSERT INTO meta VALUES ('identity', '0badcafe'), ('born_at', '1764579600000')")
    connection.execute("INSERT INTO event VALUES (?, ?, ?, ?)", rows.event_row(EVENT, rows.event_key(EVENT)))
    connection.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)", rows.run_row(RUN))
    connection.execute("INSERT INTO event VALUES (9, 0, x'09', ?)", ("an answer in lilac " * 500,))
    connection.execute("DELETE FROM event WHERE id = 9")
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", 1)
    connection.close()


def test_version_1_goes_on_as_version_2(tmp_path: Path) -> None:
    journal_of_version_1(tmp_path)

    async def scenario() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        assert journal.identity == "0badcafe"
        assert journal.load(NOW).runs == (RUN,)
        assert list(journal.runs_of(ANNA, 5)) == [RUN]
        repeat: asyncio.Future[bool | Exception] = asyncio.get_running_loop().create_future()
        journal.accept(EVENT, repeat.set_result)
        assert await repeat is False
        stored: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        change = ContactChange(number=ANNA, at=NOW, values={"first_name": "Anna"})
        journal.commit(Changes(contacts=(change,)), stored.set_result)
        assert await stored is None
        journal.close()

    asyncio.run(scenario())
    asyncio.run(scenario())
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    assert connection.pragma("user_version") == SCHEMA_VERSION
    connection.close()


def test_what_version_1_left_in_unused_parts_of_the_file_goes_with_the_first_forgetting(tmp_path: Path) -> None:
    journal_of_version_1(tmp_path)

    async def forget() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        done: asyncio.Future[Forgotten | Exception] = asyncio.get_running_loop().create_future()
        assert b"lilac" in (tmp_path / FILE_NAME).read_bytes()
        journal.forget("+4915112345678", done.set_result)
        assert await done == Forgotten()
        journal.close()

    asyncio.run(forget())
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"purple" in files
    assert b"lilac" not in files


def test_reading_a_journal_of_version_1_says_what_to_do(tmp_path: Path) -> None:
    journal_of_version_1(tmp_path)
    reader = open_reader(tmp_path / FILE_NAME)
    assert reader.sends((), 10) == []
    with pytest.raises(JournalError, match="it is of an earlier release: start the daemon once"):
        reader.contact(ANNA)
    reader.close()
