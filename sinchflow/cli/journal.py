"""Suppressing, allowing and forgetting people in the journal of a daemon that does not run.

It takes the daemon's lock meanwhile. Flows `on: opt_out` do not start by that: nobody is there to run them.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sinchflow.errors import CannotStart, SinchflowError
from sinchflow.journal.identity import nothing_in
from sinchflow.journal.journal import Changes
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.contact import Lifted, Suppression
from sinchflow.runtime.contacts_api import forgotten

_MOST_RUNS = 100_000


def change(folder: Path, number: str, what: str) -> dict[str, Any]:
    """Do what the admin API does: suppress, allow or forget. Raises SinchflowError when it cannot be done."""
    if not (folder / FILE_NAME).exists():
        raise CannotStart(f"there is no journal in {folder}: no daemon has run there yet; name its folder with --data")
    if not (folder / FILE_NAME).stat().st_size:
        raise nothing_in(folder / FILE_NAME)
    return asyncio.run(_change(folder, number, what))


async def _change(folder: Path, number: str, what: str) -> dict[str, Any]:
    journal = SqliteJournal(folder, asyncio.get_running_loop())
    try:
        return await (_forget(journal, number) if what == "forget" else _set(journal, number, what == "suppress"))
    finally:
        journal.close()


async def _set(journal: SqliteJournal, number: str, is_suppressed: bool) -> dict[str, Any]:
    names = {number, journal.pseudonym(number)}
    was_suppressed = any(each.number in names for each in journal.suppressed())
    if is_suppressed != was_suppressed:
        new = Suppression(number=number, since=datetime.now(UTC), source="operator") if is_suppressed else None
        await _done(lambda done: journal.commit(Changes(suppressions=(new or Lifted(number=number),)), done))
    return {"number": number, "is_suppressed": is_suppressed, "is_new": is_suppressed != was_suppressed}


async def _forget(journal: SqliteJournal, number: str) -> dict[str, Any]:
    """Runs that are open end with it."""
    cancelled = sum(not run.is_final for run in journal.runs_of(number, _MOST_RUNS))
    return forgotten(number, cancelled, await _done(lambda done: journal.forget(number, done)))


async def _done(ask: Callable[[Callable[[Any], None]], None]) -> Any:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    ask(answer.set_result)
    result = await answer
    if isinstance(result, Exception):
        raise SinchflowError(str(result)) from result
    return result
