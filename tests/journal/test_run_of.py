"""Which runs a person has had: before they are filed, after, and when one comes late."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import apsw

from sinchflow.journal.journal import Changes, Forgotten
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.run import Run

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ANNA = "+61491570156"


def run(run_id: int, contact: str | None) -> Run:
    return Run(id=run_id, flow="hours", digest="d", event_id=1, started_at=NOW, contact=contact, status="completed")


async def commit(journal: SqliteJournal, *runs: Run) -> None:
    answer: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    journal.commit(Changes(runs=runs), answer.set_result)
    assert await answer is None


def test_runs_of_a_person_are_found_filed_or_not_and_forgotten_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        ids = [journal.new_id() for _ in range(6_000)]
        late = ids.pop(3)
        for start in range(0, len(ids), 1_000):
            portion = ids[start : start + 1_000]
            await commit(journal, *(run(it, ANNA if it % 1_000 == 5 else f"+61492{it:06}") for it in portion))
        while not filed():  # the writer files when it has nothing else to do; each commit wakes it
            await commit(journal)
        await commit(journal, run(late, ANNA), run(ids[0], "+61492000001"))
        await commit(journal, run(journal.new_id(), ANNA))
        expected = [6_001, 5_005, 4_005, 3_005, 2_005, 1_005, 5, late]
        assert [it.id for it in journal.runs_of(ANNA, 10)] == expected
        assert [it.id for it in journal.runs_of(ANNA, 3)] == expected[:3]

        answer: asyncio.Future[Forgotten | Exception] = asyncio.get_running_loop().create_future()
        journal.forget(ANNA, answer.set_result)
        assert await answer == Forgotten(runs=8)
        assert journal.runs_of(ANNA, 10) == []
        journal.close()

    def filed() -> int:
        connection = apsw.Connection(str(tmp_path / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
        count: int = connection.execute("SELECT count(*) FROM run_of").get
        connection.close()
        return count

    asyncio.run(scenario())
