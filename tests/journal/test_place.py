"""A journal whose files are taken away under it stores nothing more, until they are back."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sinchflow.errors import JournalError
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.event import Event


@pytest.mark.parametrize("name", [FILE_NAME, f"{FILE_NAME}-wal"])
def test_nothing_is_acknowledged_while_a_file_of_the_journal_is_not_in_its_place(tmp_path: Path, name: str) -> None:
    async def accept(journal: SqliteJournal, key: str) -> Any:
        event = Event(id=journal.new_id(), kind="inbound_sms", key=key, received_at=datetime.now(UTC), fields={})
        answer: asyncio.Future[bool | Exception] = asyncio.get_running_loop().create_future()
        journal.accept(event, answer.set_result)
        return await answer

    async def scenario() -> None:
        journal = SqliteJournal(tmp_path / "data", asyncio.get_running_loop())
        file = tmp_path / "data" / name
        assert await accept(journal, "a") is True
        file.rename(tmp_path / "away")
        refusal = await accept(journal, "b")
        assert isinstance(refusal, JournalError)
        assert f"{name} was deleted, moved or replaced under the daemon: put it back" in str(refusal)
        file.write_bytes(b"another")
        assert isinstance(await accept(journal, "b"), JournalError)
        (tmp_path / "away").rename(file)
        assert [await accept(journal, "a"), await accept(journal, "b")] == [False, True]
        journal.close()

    asyncio.run(scenario())
