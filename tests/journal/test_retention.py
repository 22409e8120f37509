"""What goes with time, what stays because something needs it, and what is kept whole: on SQLite and in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from sinchflow.journal.journal import CallAnswer, Changes, FlowSource, Journal, Quarantined, Tick
from sinchflow.journal.memory import MemoryJournal
from sinchflow.journal.retained import Retained
from sinchflow.journal.retained import slim as as_slim
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.command import SendMessage
from sinchflow.model.contact import ContactChange, Suppression
from sinchflow.model.event import Event
from sinchflow.model.project import Retention
from sinchflow.model.run import Record, Run, RunStatus
from sinchflow.model.send import Call, Send, SendState

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ANNA = "+61491570156"
HOUR = timedelta(hours=1)
FOR_EVER = Retention(events=None, runs=None, max_size_bytes=None, traces=None)


def days(count: float) -> datetime:
    """So many days ago."""
    return NOW - timedelta(days=count)


class World:
    """A journal and what is put into it, in order of time."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def done(self, call: Callable[..., None], *arguments: Any) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call(*arguments, answer.set_result)
        return await answer

    async def commit(self, **changes: Any) -> None:
        assert await self.done(self.journal.commit, Changes(**changes)) is None

    async def event(self, at: datetime, key: str, *, is_routed: bool = True) -> Event:
        event = Event(
            id=self.journal.new_id(), kind="webhook", key=key, received_at=at, contact=ANNA, our_number="+61400",
            fields={"json": {"a": key}},
        )  # fmt: skip
        assert await self.done(self.journal.accept, event) is True
        if is_routed:
            await self.commit(routed=(event.id,))
        return event

    async def is_repeat(self, key: str) -> bool:
        event = Event(id=self.journal.new_id(), kind="webhook", key=key, received_at=NOW)
        return await self.done(self.journal.accept, event) is False

    async def run(self, at: datetime, status: RunStatus, ended: datetime | None = None, **more: Any) -> Run:
        run = Run(
            id=self.journal.new_id(), flow=more.pop("flow", "hours"), digest=more.pop("digest", "d"),
            event_id=more.pop("event_id", 1), started_at=at, contact=ANNA, status=status,
            ended_at=None if status == "running" else ended or at, inputs={"a": 1}, vars={"b": 2}, known={"d": 4},
            outputs={"s": {"c": 3}}, reason="why", trace=(Record(at=at, address="0", what="command"),), **more,
        )  # fmt: skip
        await self.commit(runs=(run,))
        return run

    async def send(self, run: Run, state: SendState) -> int:
        command = SendMessage(id=f"{run.id}:0:0", account="default", to=ANNA, body={"content": "Hi"})
        send = Send(
            id=self.journal.new_id(), run=run.id, command=command, state=state, created_at=run.started_at, call=1
        )
        await self.commit(new_sends=(send,))
        return send.id

    async def retain(self, rules: Retention, now: datetime = NOW) -> Retained:
        result: Retained = await self.done(self.journal.retain, rules, now, HOUR)
        assert isinstance(result, Retained), result
        return result

    def whole(self, *runs: Run) -> list[bool]:
        found = [self.journal.run(run.id) for run in runs]
        return [run is not None and not run.is_slim for run in found]


Scenario = Callable[[World], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture(params=["sqlite", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    async def played(scenario: Scenario) -> None:
        loop = asyncio.get_running_loop()
        journal: Journal = SqliteJournal(tmp_path, loop) if request.param == "sqlite" else MemoryJournal(loop.call_soon)
        try:
            await scenario(World(journal))
        finally:
            journal.close()

    return lambda scenario: asyncio.run(played(scenario))


def test_old_events_are_emptied_then_go_and_repeats_of_them_stay_known_for_sixty_days(play: Play) -> None:
    async def scenario(world: World) -> None:
        journal = world.journal
        old, middle, young = (
            await world.event(days(61), "a"),
            await world.event(days(40), "b"),
            await world.event(days(9), "c"),
        )
        for event in (old, middle, young):
            await world.commit(answers=(CallAnswer(event=event, run=7),), notes=((event.id, {"x": 1}),))
        assert (await world.retain(FOR_EVER)).is_nothing
        found = await world.retain(msgspec.structs.replace(FOR_EVER, events=timedelta(days=30)))
        assert (found.events, found.emptied) == (1, 1)
        assert (journal.event(old.id), journal.event(young.id)) == (None, young)
        empty = journal.event(middle.id)
        assert empty == msgspec.structs.replace(middle, fields={}, contact=None, our_number=None)
        assert [journal.note(each.id) for each in (old, middle, young)] == [None, None, {"x": 1}]
        assert [journal.answer(each) is None for each in (old, middle, young)] == [True, False, False]
        assert [await world.is_repeat(key) for key in "bc"] == [True, True]

    play(scenario)


def test_what_something_needs_stays(play: Play) -> None:
    async def scenario(world: World) -> None:
        journal = world.journal
        waiting, of_open, of_failed, of_ended = [
            await world.event(days(100), key, is_routed=key != "a") for key in "abcd"
        ]
        source = FlowSource(digest="d", name="hours", file="f", line=1, source="s")
        await world.commit(sources=(source, msgspec.structs.replace(source, digest="unused")))
        open_run = await world.run(days(100), "running", event_id=of_open.id)
        failed = await world.run(days(100), "failed", days(10), event_id=of_failed.id)
        late = await world.run(days(100), "completed", days(2), event_id=of_ended.id)
        ended = await world.run(days(100), "completed", days(95), event_id=of_ended.id)
        await world.commit(kept=((open_run.id, "0", (1,)), (ended.id, "0", (1,))))
        sends = [await world.send(*each) for each in ((open_run, "sent"), (ended, "held"), (ended, "sent"))]
        await world.commit(
            suppressions=(Suppression(number=ANNA, since=days(400), source="keyword"),),
            ticks=(Tick(flow="f", trigger=0, at=days(400)),),
            contacts=(ContactChange(number=ANNA, at=days(400), values={"a": 1}),), settings=(("paused", "{}"),),
        )  # fmt: skip
        found = await world.retain(Retention())
        assert (found.events, found.runs, found.sends) == (1, 1, 1)
        assert [journal.event(each.id) is not None for each in (waiting, of_open, of_failed, of_ended)] == [
            True
        ] * 3 + [False]
        assert [journal.run(each.id) is not None for each in (open_run, failed, late, ended)] == [True] * 3 + [False]
        assert sorted(each.id for each in journal.sends((), 9)) == sends[:2]
        assert [each.id for each in journal.runs_of(ANNA, 9)] == [late.id, failed.id, open_run.id]
        assert journal.kept_items(open_run.id, "0") in ([1], (1,))
        assert journal.source("d") == source
        assert (len(journal.suppressed()), len(journal.ticks()), len(journal.contacts(9))) == (1, 1, 1)
        assert journal.setting("paused") == "{}"
        assert [each.id for each in journal.unrouted(0, 9)] == [waiting.id]
        assert (await world.retain(Retention())).is_nothing
        # what is no longer needed goes at the next full look
        await world.commit(runs=(msgspec.structs.replace(open_run, status="cancelled", ended_at=days(0)),))
        later = await world.retain(Retention(), NOW + timedelta(days=91))
        assert (later.events, later.runs, later.sends) == (2, 3, 1)

    play(scenario)


def test_the_newest_of_each_flow_and_outcome_are_kept_whole_and_all_that_failed(play: Play) -> None:
    async def scenario(world: World) -> None:
        completed = [await world.run(days(5), "completed", flow="a") for _ in range(5)]
        stopped = [await world.run(days(4), "stopped", flow="a") for _ in range(3)]
        other = [await world.run(days(3), "completed", flow="b", is_otherwise=True) for _ in range(2)]
        failed = [await world.run(days(2), "failed", flow="a") for _ in range(4)]
        open_runs = [await world.run(days(1), "running", flow="a") for _ in range(3)]
        await world.commit(kept=tuple((run.id, "0", (1,)) for run in completed))
        rules = msgspec.structs.replace(FOR_EVER, traces=2)
        assert (await world.retain(rules)).slimmed == 4
        assert world.whole(*completed, *stopped) == [False] * 3 + [True] * 2 + [False] + [True] * 2
        assert all(world.whole(*other, *failed, *open_runs))
        slim = world.journal.run(completed[0].id)
        assert slim is not None
        assert (slim.flow, slim.contact, slim.status, slim.reason, slim.event_id) == ("a", ANNA, "completed", "why", 1)
        assert (slim.trace, slim.inputs, slim.vars, slim.outputs, slim.known) == ((), {}, {}, {}, {})
        assert slim == as_slim(completed[0])
        assert (slim.started_at, slim.ended_at) == (days(5), days(5))
        assert (await world.retain(rules)).is_nothing

    play(scenario)


def test_a_run_that_ends_after_younger_ones_takes_its_place_among_them(play: Play) -> None:
    async def scenario(world: World) -> None:
        first = await world.run(days(9), "running")
        younger = [await world.run(days(8), "completed") for _ in range(2)]
        middle = await world.run(days(7), "running")
        rules = msgspec.structs.replace(FOR_EVER, traces=2)
        assert (await world.retain(rules)).is_nothing
        await world.commit(runs=(msgspec.structs.replace(first, status="completed", ended_at=NOW),))
        await world.commit(runs=(msgspec.structs.replace(middle, status="completed", ended_at=NOW),))
        assert (await world.retain(rules)).slimmed == 2
        assert world.whole(first, *younger, middle) == [False, False, True, True]
        # one that failed when it was passed, and went well when it was tried again
        failed = await world.run(days(6), "failed")
        assert (await world.retain(rules)).is_nothing
        await world.commit(runs=(msgspec.structs.replace(failed, status="completed", ended_at=NOW),))
        assert (await world.retain(rules)).slimmed == 1
        assert world.whole(*younger, middle, failed) == [False, False, True, True]

    play(scenario)


def test_of_what_routing_said_the_newest_of_each_flow_and_outcome_stay(play: Play) -> None:
    async def scenario(world: World) -> None:
        said = [("a", "near")] * 12 + [("a", "refused"), ("b", "near"), (None, "policy")]
        await world.commit(notes=tuple((n, {"flow": flow, "outcome": how}) for n, (flow, how) in enumerate(said, 1)))
        assert (await world.retain(msgspec.structs.replace(FOR_EVER, traces=1))).others == 2
        assert [world.journal.note(n) is not None for n in range(1, 16)] == [False] * 2 + [True] * 13

    play(scenario)


def test_a_child_keeps_what_it_gave_because_the_run_that_waits_for_it_may_not_have_heard(play: Play) -> None:
    async def scenario(world: World) -> None:
        child = await world.run(days(5), "completed", parent="9:0", outputs_given={"price": 5})
        alone = await world.run(days(5), "completed", outputs_given={"price": 5})
        await world.retain(msgspec.structs.replace(FOR_EVER, traces=0))
        found = [world.journal.run(each.id) for each in (child, alone)]
        assert [run.outputs_given for run in found if run is not None] == [{"price": 5}, {}]

    play(scenario)


def sqlite(tmp_path: Path, scenario: Scenario) -> None:
    async def played() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        try:
            await scenario(World(journal))
        finally:
            journal.close()

    asyncio.run(played())


def counts(tmp_path: Path, *tables: str) -> list[int]:
    connection = apsw.Connection(str(tmp_path / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    found = [connection.execute(f"SELECT count(*) FROM {table}").get for table in tables]
    connection.close()
    return found


def test_nothing_that_belongs_to_what_is_gone_stays_behind(tmp_path: Path) -> None:
    async def fill(world: World) -> None:
        for number in range(5_100):  # so many that keys and runs are filed in tables of their own
            await world.event(days(100), f"k{number}")
        event = await world.event(days(100), "last")
        source = FlowSource(digest="d", name="hours", file="f", line=1, source="s")
        run = await world.run(days(100), "completed", event_id=event.id)
        await world.send(run, "sent")
        await world.commit(
            sources=(source,), kept=((run.id, "0", (1,)),), answers=(CallAnswer(event=event, run=run.id),),
            notes=((event.id, {}),), calls=(Call(id=world.journal.new_id(), account="a", started_at=days(100)),),
            quarantined=(
                Quarantined(id=world.journal.new_id(), received_at=days(100), path="/", reason="r", body=b"x"),
            ),
        )  # fmt: skip

    async def sweep(world: World) -> None:
        found = await world.retain(Retention())
        assert (found.events, found.runs, found.sends, found.others) == (5_101, 1, 1, 2)

    sqlite(tmp_path, fill)
    assert counts(tmp_path, "seen")[0] > 0
    sqlite(tmp_path, sweep)
    tables = (
        "event", "run", "send", "seen", "run_of", "kept", "answer", "note", "call", "quarantine", "flow_source",
        "traced", "passed",
    )  # fmt: skip
    assert counts(tmp_path, *tables) == [0] * len(tables)


def test_a_run_that_ended_after_it_was_passed_is_filed_although_the_process_died(tmp_path: Path) -> None:
    rules = msgspec.structs.replace(FOR_EVER, traces=1)
    runs: list[Run] = []

    async def first(world: World) -> None:
        runs.append(await world.run(days(9), "running"))
        runs.append(await world.run(days(8), "completed"))
        await world.retain(rules)
        await world.commit(runs=(msgspec.structs.replace(runs[0], status="completed", ended_at=NOW),))

    async def second(world: World) -> None:
        assert (await world.retain(rules)).slimmed == 1
        assert world.whole(*runs) == [False, True]

    sqlite(tmp_path, first)
    sqlite(tmp_path, second)


def test_a_document_stored_by_this_process_stays_because_it_is_stored_once_only(tmp_path: Path) -> None:
    source = FlowSource(digest="new", name="hours", file="f", line=1, source="s")

    async def scenario(world: World) -> None:
        await world.commit(sources=(source,))
        await world.retain(Retention())
        assert world.journal.source("new") == source

    sqlite(tmp_path, scenario)
    sqlite(tmp_path, lambda world: world.retain(Retention()))  # type: ignore[arg-type, return-value]
    assert counts(tmp_path, "flow_source") == [0]


def test_too_large_a_journal_lets_the_oldest_go_and_says_when_nothing_more_may(tmp_path: Path) -> None:
    async def fill(world: World) -> None:
        for number in range(400):
            event = Event(
                id=world.journal.new_id(), kind="webhook", key=f"k{number}", received_at=days(20 - number / 20),
                fields={"content": "x" * 4_000},
            )  # fmt: skip
            await world.done(world.journal.accept, event)
            await world.commit(routed=(event.id,))

    async def scenario(world: World) -> None:
        whole = (await world.retain(FOR_EVER)).size_bytes
        rules = msgspec.structs.replace(FOR_EVER, max_size_bytes=whole // 2)
        found = await world.retain(rules)
        assert not found.is_too_large
        assert 0.4 * whole < found.size_bytes <= 0.5 * whole
        emptied = [not (event := world.journal.event(id_)) or not event.fields for id_ in range(1, 401)]
        assert emptied == sorted(emptied, reverse=True)
        assert (await world.retain(rules)).is_nothing
        tiny = await world.retain(msgspec.structs.replace(FOR_EVER, max_size_bytes=1_000))
        assert tiny.is_too_large
        assert await world.is_repeat("k0") is True

    sqlite(tmp_path, fill)
    sqlite(tmp_path, scenario)
