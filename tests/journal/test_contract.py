"""One contract suite for every `Journal`: what each promise of the protocol's text means, on SQLite and in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sinchflow.errors import JournalError
from sinchflow.journal.journal import CallAnswer, Changes, FlowSource, Forgotten, Journal, Quarantined, Tick
from sinchflow.journal.memory import MemoryJournal
from sinchflow.journal.sqlite import SqliteJournal
from sinchflow.model.command import SendMessage
from sinchflow.model.contact import Contact, ContactChange, Lifted, Suppression
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
ANNA, BERT = "+61491570156", "+61491570999"


class Store:
    """A journal that can be closed and opened again, as a restart does."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self._memory: MemoryJournal | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Journal]:
        loop = asyncio.get_running_loop()
        journal: Journal
        if self.kind == "sqlite":
            journal = SqliteJournal(self.folder, loop)
        else:
            self._memory = self._memory or MemoryJournal(lambda *call: asyncio.get_running_loop().call_soon(*call))
            journal = self._memory
        try:
            yield journal
        finally:
            journal.close()


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(request.param, tmp_path)


async def wait(call: Callable[..., None], *arguments: Any) -> Any:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call(*arguments, answer.set_result)
    return await answer


def event(journal: Journal, key: str = "reply-1", **changes: Any) -> Event:
    plain = Event(
        id=journal.new_id(), kind="inbound_sms", key=key, received_at=NOW, contact="+61491570156",
        our_number="+61491593156", fields={"content": "HOURS\n\x00 Ω🎉", "metadata": {"a": "b"}, "attachments": []},
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def run(run_id: int, **changes: Any) -> Run:
    plain = Run(id=run_id, flow="opening-hours", digest="d1", event_id=1, started_at=NOW, contact="+61491570156")
    return msgspec.structs.replace(plain, **changes)


def send(send_id: int, run_id: int, **changes: Any) -> Send:
    command = SendMessage(id=f"{run_id}:0:0", account="default", to="+61491570156", body={"content": "Hi"})
    plain = Send(id=send_id, run=run_id, command=command, state="queued", created_at=NOW)
    return msgspec.structs.replace(plain, **changes)


def test_an_accepted_event_comes_back_as_it_was_until_it_is_routed(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            stored = event(journal)
            assert await wait(journal.accept, stored) is True
        async with store.open() as journal:
            assert [stored] == list(journal.unrouted(after=0, limit=10))
            assert stored == journal.event(stored.id)
            assert await wait(journal.commit, Changes(routed=(stored.id,))) is None
            assert list(journal.unrouted(after=0, limit=10)) == []
            assert stored == journal.event(stored.id)

    asyncio.run(scenario())


def test_a_repeat_is_told_from_a_new_event_at_once_later_and_after_a_restart(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            burst = [event(journal, key) for key in ("a", "b", "a", "c", "a")]
            answers = await asyncio.gather(*(wait(journal.accept, each) for each in burst))
            assert answers == [True, True, False, True, False]
            assert await wait(journal.accept, event(journal, "b")) is False
        async with store.open() as journal:
            assert await wait(journal.accept, event(journal, "c")) is False
            assert await wait(journal.accept, event(journal, "c", account="nz")) is True
            assert await wait(journal.accept, event(journal, "c", kind="delivery_receipt")) is True
            assert len(journal.unrouted(after=0, limit=100)) == 5

    asyncio.run(scenario())


def test_unrouted_events_are_read_in_portions_in_order(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            events = [event(journal, f"k{number}") for number in range(7)]
            await asyncio.gather(*(wait(journal.accept, each) for each in events))
            first = journal.unrouted(after=0, limit=3)
            second = journal.unrouted(after=first[-1].id, limit=10)
            assert [*first, *second] == events

    asyncio.run(scenario())


def test_open_runs_and_sends_survive_and_ended_ones_are_not_loaded(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            ids = [journal.new_id() for _ in range(6)]
            changes = Changes(
                runs=(run(ids[0]), run(ids[1], status="completed")),
                new_sends=(send(ids[2], ids[0]), send(ids[3], ids[0]), send(ids[4], ids[1])),
            )
            assert await wait(journal.commit, changes) is None
            settled = (send(ids[3], ids[0], state="sent", message_id="m-1"), send(ids[4], ids[1], state="refused"))
            assert await wait(journal.commit, Changes(sends=settled)) is None
        async with store.open() as journal:
            loaded = journal.load(EPOCH)
            assert loaded.runs == (run(ids[0]),)
            assert loaded.sends == (send(ids[2], ids[0]),)

    asyncio.run(scenario())


def test_a_send_comes_back_with_all_that_changed(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            run_id, send_id, call_id = (journal.new_id() for _ in range(3))
            await wait(journal.commit, Changes(runs=(run(run_id),), new_sends=(send(send_id, run_id),)))
            changed = send(
                send_id, run_id, state="held", attempt=2, due=NOW + timedelta(seconds=5), call=call_id, reason="cut off"
            )
            await wait(journal.commit, Changes(sends=(changed,)))
            assert journal.load(EPOCH).sends == (changed,)

    asyncio.run(scenario())


def test_the_last_of_several_changes_to_one_run_counts(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            run_id = journal.new_id()
            steps = [run(run_id, steps_taken=count) for count in range(5)]
            await asyncio.gather(*(wait(journal.commit, Changes(runs=(each,))) for each in steps))
            assert journal.load(EPOCH).runs == (steps[-1],)

    asyncio.run(scenario())


def test_ids_ascend_and_are_not_given_again_after_a_restart(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            stored = event(journal)
            run_id = journal.new_id()
            assert run_id > stored.id
            await wait(journal.accept, stored)
            await wait(journal.commit, Changes(runs=(run(run_id),)))
        async with store.open() as journal:
            assert journal.new_id() > run_id

    asyncio.run(scenario())


def test_the_identity_stays_the_same(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            identity = journal.identity
        async with store.open() as journal:
            assert len(identity) == 8
            assert identity == journal.identity

    asyncio.run(scenario())


def test_starts_sends_and_calls_are_loaded_from_the_given_time_on(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            for minutes in range(30):
                at = NOW + timedelta(minutes=minutes)
                run_id, send_id, call_id = (journal.new_id() for _ in range(3))
                changes = Changes(
                    runs=(run(run_id, started_at=at, status="completed"),),
                    new_sends=(send(send_id, run_id, created_at=at, state="sent"),),
                    calls=(Call(id=call_id, account="default", started_at=at),),
                )
                await wait(journal.commit, changes)
            since = NOW + timedelta(minutes=25)
            loaded = journal.load(since)
            times = [since + timedelta(minutes=minutes) for minutes in range(5)]
            assert list(loaded.run_starts) == [("opening-hours", "default", "+61491570156", at) for at in times]
            assert list(loaded.send_times) == [("+61491570156", "opening-hours", at) for at in times]
            assert [call.started_at for call in loaded.calls] == times

    asyncio.run(scenario())


def test_sends_are_listed_newest_first_by_state(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            ids = [journal.new_id() for _ in range(4)]
            states = ("sent", "held", "queued")
            sends = tuple(send(ids[n + 1], ids[0], state=state) for n, state in enumerate(states))
            await wait(journal.commit, Changes(runs=(run(ids[0]),), new_sends=sends))
            assert [each.id for each in journal.sends((), 10)] == [ids[3], ids[2], ids[1]]
            assert [each.state for each in journal.sends(("held", "queued"), 10)] == ["queued", "held"]
            (newest,) = journal.sends((), 1)
            assert (newest.to, newest.message, newest.run) == ("+61491570156", "Hi", ids[0])

    asyncio.run(scenario())


def test_a_flow_source_is_found_by_its_digest(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            source = FlowSource(digest="d1", name="hours", file="flows/hours.yaml", line=4, source="name: hours\n")
            await wait(journal.commit, Changes(sources=(source,)))
            await wait(journal.commit, Changes(sources=(source,)))
            assert journal.source("d1") == source
            assert journal.source("d2") is None

    asyncio.run(scenario())


def test_items_of_a_loop_are_kept_beside_the_run(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            await wait(journal.commit, Changes(kept=((7, "2", ("a", {"b": 1})), (7, "3", (None,)))))
        async with store.open() as journal:
            assert list(journal.kept_items(7, "2")) == ["a", {"b": 1}]
            assert list(journal.kept_items(7, "3")) == [None]
            with pytest.raises(JournalError, match="loop at 2 of run 8"):
                journal.kept_items(8, "2")

    asyncio.run(scenario())


def test_what_is_remembered_of_a_person_is_merged_by_name(store: Store) -> None:
    later = NOW + timedelta(minutes=5)
    changes = (
        ContactChange(number=ANNA, at=NOW, values={"first_name": "Anna", "visit": {"day": 1, "room": None}}),
        ContactChange(number=ANNA, at=NOW, last_inbound_at=NOW),
        ContactChange(number=ANNA, at=NOW, values={"pet": "cat"}, language="de", timezone="Europe/Berlin"),
        ContactChange(number=ANNA, at=later, values={"visit": {"hour": 2}, "pet": None}, timezone=None),
        ContactChange(number=ANNA, at=NOW, last_inbound_at=NOW - timedelta(hours=1)),
    )
    expected = Contact(
        number=ANNA, updated_at=later, values={"first_name": "Anna", "visit": {"hour": 2}}, language="de",
        last_inbound_at=NOW,
    )  # fmt: skip

    async def scenario(together: bool) -> None:
        async with store.open() as journal:
            assert journal.contact(ANNA) is None
            if together:
                await wait(journal.commit, Changes(contacts=changes))
            else:
                for change in changes:
                    await wait(journal.commit, Changes(contacts=(change,)))
            assert journal.contact(ANNA) == expected
            assert isinstance(await wait(journal.forget, ANNA), Forgotten)

    asyncio.run(scenario(together=True))
    asyncio.run(scenario(together=False))


def test_people_are_listed_in_portions_by_number(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            numbers = [f"+6149157{n:04}" for n in range(7)]
            touches = tuple(ContactChange(number=number, at=NOW, last_inbound_at=NOW) for number in reversed(numbers))
            await wait(journal.commit, Changes(contacts=touches))
        async with store.open() as journal:
            first = journal.contacts(3)
            rest = journal.contacts(100, after=first[-1].number)
            assert [each.number for each in (*first, *rest)] == numbers
            assert first[0] == Contact(number=numbers[0], updated_at=NOW, last_inbound_at=NOW)

    asyncio.run(scenario())


def test_suppression_stays_as_it_was_first_until_it_is_lifted(store: Store) -> None:
    stop = Suppression(number=ANNA, since=NOW, source="keyword", reason="STOP")
    again = Suppression(number=ANNA, since=NOW + timedelta(hours=1), source="provider")
    other = Suppression(number=BERT, since=NOW, source="step")

    async def scenario() -> None:
        async with store.open() as journal:
            await asyncio.gather(
                wait(journal.commit, Changes(suppressions=(stop, other))),
                wait(journal.commit, Changes(suppressions=(again,))),
            )
        async with store.open() as journal:
            assert list(journal.suppressed()) == [stop, other]
            await asyncio.gather(
                wait(journal.commit, Changes(suppressions=(Lifted(number=ANNA), again))),
                wait(journal.commit, Changes(suppressions=(Lifted(number=BERT),))),
            )
        async with store.open() as journal:
            assert list(journal.suppressed()) == [again]

    asyncio.run(scenario())


def test_the_last_tick_of_each_schedule_is_known(store: Store) -> None:
    later = NOW + timedelta(hours=1)

    async def scenario() -> None:
        async with store.open() as journal:
            ticks = (
                Tick(flow="b", trigger=1, at=NOW),
                Tick(flow="a", trigger=0, at=NOW),
                Tick(flow="b", trigger=1, at=later),
            )
            await wait(journal.commit, Changes(ticks=ticks))
            await wait(journal.commit, Changes(ticks=(Tick(flow="a", trigger=0, at=later),)))
        async with store.open() as journal:
            assert list(journal.ticks()) == [Tick(flow="a", trigger=0, at=later), Tick(flow="b", trigger=1, at=later)]

    asyncio.run(scenario())


def test_the_first_answer_to_a_call_is_known(store: Store) -> None:
    def call(event_id: int, key: str) -> Event:
        return Event(id=event_id, kind="webhook", key=key, received_at=NOW)

    async def scenario() -> None:
        async with store.open() as journal:
            answers = (
                CallAnswer(event=call(1, "a"), run=7),
                CallAnswer(event=call(2, "b"), reason="throttled"),
                CallAnswer(event=call(3, "a"), run=8),
            )
            await wait(journal.commit, Changes(answers=answers))
        async with store.open() as journal:
            again = call(9, "a")
            assert journal.answer(again) == CallAnswer(event=again, run=7)
            known = journal.answer(call(9, "b"))
            assert known is not None
            assert (known.run, known.reason) == (None, "throttled")
            assert journal.answer(call(9, "c")) is None

    asyncio.run(scenario())


def test_runs_of_a_person_come_newest_first_and_a_cancelled_one_is_over(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            ids = [journal.new_id() for _ in range(4)]
            runs = (run(ids[0], status="cancelled"), run(ids[1]), run(ids[2], contact=BERT), run(ids[3], contact=None))
            await wait(journal.commit, Changes(runs=runs))
            assert list(journal.runs_of(ANNA, 10)) == [runs[1], runs[0]]
            assert list(journal.runs_of(ANNA, 1)) == [runs[1]]
            assert journal.load(EPOCH).runs == (runs[1], runs[2], runs[3])

    asyncio.run(scenario())


def test_a_unit_that_cannot_be_encoded_spoils_no_other() -> None:
    async def scenario(folder: Path) -> None:
        async with Store("sqlite", folder).open() as journal:
            good, bad = event(journal, "good"), event(journal, "bad", fields={"content": "\ud800"})
            answers = await asyncio.gather(wait(journal.accept, bad), wait(journal.accept, good))
            assert isinstance(answers[0], Exception)
            assert answers[1] is True

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))


def test_bodies_leave_the_quarantine_one_by_one(store: Store) -> None:
    async def scenario() -> None:
        async with store.open() as journal:
            bodies = tuple(
                Quarantined(id=journal.new_id(), received_at=NOW, path="inbound", reason="not JSON", body=b"{")
                for _ in range(3)
            )
            await wait(journal.commit, Changes(quarantined=bodies))
            assert journal.quarantined() == 3
            await wait(journal.commit, Changes(dequarantined=(bodies[1].id, 999), requarantined=((bodies[0].id, "?"),)))
            assert journal.quarantined() == 2
        async with store.open() as journal:
            assert journal.quarantined() == 2

    asyncio.run(scenario())


def test_quarantine_keeps_the_newest_thousand(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Store("sqlite", tmp_path).open() as journal:
            bodies = [
                Quarantined(id=journal.new_id(), received_at=NOW, path="/inbound", reason="not JSON", body=b"\xff")
                for _ in range(1_200)
            ]
            await wait(journal.commit, Changes(quarantined=tuple(bodies)))
        import apsw

        connection = apsw.Connection(str(tmp_path / "journal.sqlite3"))
        assert connection.execute("SELECT count(*), min(id) FROM quarantine").fetchone() == (1_000, bodies[200].id)
        connection.close()

    asyncio.run(scenario())


def test_calls_that_no_window_counts_are_deleted_at_a_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        now = datetime.now(UTC)
        async with Store("sqlite", tmp_path).open() as journal:
            calls = tuple(
                Call(id=journal.new_id(), account="default", started_at=now - timedelta(days=days)) for days in (9, 1)
            )
            await wait(journal.commit, Changes(calls=calls))
        async with Store("sqlite", tmp_path).open() as journal:
            assert [call.id for call in journal.load(EPOCH).calls] == [calls[1].id]

    asyncio.run(scenario())
