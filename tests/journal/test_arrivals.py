"""Events looked up beside their runs, and bodies in quarantine: without decoding what is not asked for."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from sinchflow.journal.arrivals import Arrivals, Wanted
from sinchflow.journal.journal import Changes, Quarantined
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.event import Event
from sinchflow.model.run import Run

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ANNA, BERT = "+61491570156", "+61491570999"


def event(number, kind="inbound_sms", contact=ANNA, ignored=None, **fields):
    received_at = NOW + timedelta(seconds=number)
    return Event(
        id=number, kind=kind, key=f"k{number}", received_at=received_at, contact=contact, fields=fields, ignored=ignored
    )


def run(number, event_id, contact=ANNA):
    return Run(
        id=number, flow="hours", digest="d", contact=contact, event_id=event_id, started_at=NOW, status="completed"
    )


#: Events 1 to 8 in order; all but the last are routed.
EVENTS = (
    event(1),  # waited for its turn: its run comes after all others
    event(2, contact=BERT, content=f"{ANNA} told me"),
    event(3, metadata={"kind": "opt_out"}),
    event(4, kind="opt_out"),
    event(5),
    event(6, ignored="it was fetched too late"),
    event(7),
    event(8),
)
NOTES = ((5, {"outcome": "near", "flow": "vip"}), (7, {"outcome": "policy", "word": "help"}))
RUNS = (run(20, 2, BERT), run(21, 1), run(22, 1, BERT))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    async def fill() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        for each in EVENTS:
            journal.accept(each, lambda _: None)
        journal.commit(Changes(routed=tuple(range(1, 8)), notes=NOTES, runs=RUNS), done.set_result)
        assert await done is None
        journal.close()

    asyncio.run(fill())
    return tmp_path / FILE_NAME


@pytest.mark.parametrize(
    ("wanted", "limit", "expected"),
    [
        (Wanted(), 50, [8, 7, 6, 5, 4, 3, 2, 1]),
        (Wanted(), 2, [8, 7]),
        (Wanted(kind="opt_out"), 50, [4]),
        (Wanted(kind="opt_out", contact=BERT), 50, []),
        (Wanted(contact=ANNA), 50, [8, 7, 6, 5, 4, 3, 1]),
        (Wanted(contact=ANNA, is_unmatched=True), 50, [5, 4, 3]),
        (Wanted(contact=BERT, is_unmatched=True), 50, []),
        (Wanted(is_unmatched=True), 50, [5, 4, 3]),
        (Wanted(is_unmatched=True, kind="inbound_sms"), 1, [5]),
        (Wanted(since=NOW + timedelta(seconds=6)), 50, [8, 7, 6]),
        (Wanted(since=NOW + timedelta(days=1)), 50, []),
    ],
)
def test_newest_events_that_are_wanted(path, wanted, limit, expected):
    with Arrivals(path) as arrivals:
        found, is_all = arrivals.events(wanted, limit)
    assert ([each.event.id for each in found], is_all) == (expected, True)


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(contact=ANNA)])
def test_runs_are_found_however_late_they_began(path, wanted):
    with Arrivals(path) as arrivals:
        found, _ = arrivals.events(wanted, 50)
    own = [21, 22] if wanted.contact is None else [21]  # the list of one person's has that person's runs
    assert [(run.id, run.flow, run.status) for run in found[-1].runs] == [(each, "hours", "completed") for each in own]
    assert [each.event.id for each in found if each.is_unrouted] == [8]
    assert {each.event.id: each.note for each in found if each.note} == dict(NOTES)


def test_list_gives_up_in_a_journal_that_is_too_large(path):
    connection = apsw.Connection(str(path))
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 305200) "
        "INSERT INTO event SELECT i, 0, CAST(i AS BLOB), '{}' FROM n"
    )
    connection.close()
    with Arrivals(path) as arrivals:
        assert arrivals.events(Wanted(kind="opt_out"), 50) == ([], False)


def test_bodies_are_taken_out_of_quarantine_or_get_another_reason(tmp_path):
    async def scenario() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        bodies = tuple(
            Quarantined(id=number, received_at=NOW, path="inbound", reason="not JSON", body=b"x" * number)
            for number in (1, 2, 3, 4)
        )
        units = (
            Changes(quarantined=bodies),
            Changes(dequarantined=(2,), requarantined=((1, "empty"), (2, "gone"), (9, "?"))),
        )
        for unit in units:
            done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            journal.commit(unit, done.set_result)
            assert await done is None
        with Arrivals(journal.path) as arrivals:
            assert journal.quarantined() == arrivals.quarantined() == 3
            found = [(each.id, each.reason, each.size_bytes) for each in arrivals.aside(50)]
            assert found == [(4, "not JSON", 4), (3, "not JSON", 3), (1, "empty", 1)]
            assert [each.id for each in arrivals.aside_above(1, 1)] == [3]
            assert [each.id for each in arrivals.aside_of([4, 2, 1])] == [1, 4]
            assert [each.body for each in arrivals.bodies([3])] == [b"xxx"]
        journal.close()

    asyncio.run(scenario())
