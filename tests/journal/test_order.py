"""A unit that cannot be written is not overtaken by those that were handed in after it."""

import asyncio

import pytest

from sinchflow.errors import JournalError
from sinchflow.journal.journal import Changes
from sinchflow.journal.sqlite import SqliteJournal


def setting(number: int) -> Changes:
    return Changes(settings=(("number", str(number)),))


@pytest.mark.parametrize("later", [1, 5])
def test_units_behind_one_that_is_refused_are_refused_until_that_is_known(tmp_path, later):
    """The disk is full for one write only; whoever has the units hands all of them in again, in order."""

    async def scenario():
        loop = asyncio.get_running_loop()
        journal = SqliteJournal(tmp_path, loop)
        told: list[tuple[int, Exception | None]] = []
        all_told = asyncio.Event()

        def done(number: int, error: Exception | None) -> None:
            told.append((number, error))
            if len(told) == 1 + later:
                all_told.set()

        write, groups = journal._writer._write, []

        def fails_once(group):
            groups.append(len(group))
            if len(groups) > 1:
                return write(group)
            for number in range(1, 1 + later):  # they are handed in while the first one is being written
                journal._writer.put([(setting(number), lambda error, number=number: done(number, error))])
            connection = journal._writer._connection
            connection.pragma("query_only", True)
            results = write(group)
            connection.pragma("query_only", False)
            return results

        journal._writer._write = fails_once
        try:
            journal.commit(setting(0), lambda error: done(0, error))
            await asyncio.wait_for(all_told.wait(), 10)
            assert [number for number, _ in told] == list(range(1 + later))
            assert all(isinstance(error, JournalError) for _, error in told)
            assert journal.setting("number") is None
            told.clear()
            all_told.clear()
            for number in range(1 + later):
                journal.commit(setting(number), lambda error, number=number: done(number, error))
            await asyncio.wait_for(all_told.wait(), 10)
            assert told == [(number, None) for number in range(1 + later)]
            assert journal.setting("number") == str(later)
        finally:
            journal.close()

    asyncio.run(scenario())
