"""Forgetting a person: on every `Journal` what is left of them, and of SQLite's files that no byte is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sinchflow.errors import JournalError
from sinchflow.journal.journal import Changes, Forgotten, Journal, Quarantined
from sinchflow.journal.memory import MemoryJournal
from sinchflow.journal.sqlite import SqliteJournal
from sinchflow.model.command import SendMessage
from sinchflow.model.contact import ContactChange, Lifted, Suppression
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Send

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
ANNA, BERT, DESK = "+61491570156", "+61491570999", "+61491593156"
#: What Anna said and what is known about her.
SECRETS = (b"61491570156", b"marmalade", b"Annabelle", b"tulip", b"walnut")


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Journal]:
    loop = asyncio.get_running_loop()
    journal: Journal = SqliteJournal(folder, loop) if kind == "sqlite" else MemoryJournal(loop.call_soon)
    try:
        yield journal
    finally:
        journal.close()


@pytest.fixture(params=["sqlite", "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def wait(call: Callable[..., None], *arguments: Any) -> Any:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call(*arguments, answer.set_result)
    return await answer


class Life:
    """A journal with a bit of everything about Anna, and of others."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.new_id = journal.new_id

    def event(self, key: str, contact: str | None, content: str, **changes: Any) -> Event:
        plain = Event(
            id=self.new_id(), kind="inbound_sms", key=key, received_at=NOW, contact=contact, our_number=DESK,
            fields={"content": content, "source_address": contact},
        )  # fmt: skip
        return replace(plain, **changes)

    def run(self, event: Event, contact: str | None, **changes: Any) -> Run:
        plain = Run(
            id=self.new_id(), flow="hours", digest="d", event_id=event.id, started_at=NOW, contact=contact,
            status="completed",
        )  # fmt: skip
        return replace(plain, **changes)

    def send(self, run: Run, to: str, content: str, **changes: Any) -> Send:
        command = SendMessage(id=f"{run.id}:0:0", account="default", to=to, body={"content": content, "to": to})
        plain = Send(id=self.new_id(), run=run.id, command=command, state="sent", created_at=NOW, message_id="m-1")
        return replace(plain, **changes)

    async def live(self) -> None:
        self.asked = self.event("r-1", ANNA, "I want marmalade")
        self.booked = self.event(
            "call Annabelle", None, "", kind="webhook", fields={"json": {"name": "Annabelle", "phone": "0491 570 156"}}
        )
        self.missed = self.event(
            "x-1", None, "", kind="webhook", fields={"json": {"name": "walnut", "phone": 61491570156}}
        )
        self.named = self.event("r-2", BERT, "ask 0061491570156, not 614915701567")
        self.events = [self.asked, self.booked, self.missed, self.named]
        for event in self.events:
            assert await wait(self.journal.accept, event) is True
        self.own = self.run(
            self.asked, ANNA, vars={"wants": "marmalade"}, outputs={"a": {"reply": {"content": "tulip"}}}
        )
        self.visit = self.run(self.booked, ANNA, status="running", inputs={"name": "Annabelle"})
        self.others = self.run(self.named, BERT, vars={"about": f"call {ANNA}", "text": "pelican"})
        self.runs = (self.own, self.visit, self.others)
        self.sends = (
            self.send(self.own, ANNA, "Here is marmalade"),
            self.send(self.own, DESK, "Somebody wants marmalade"),
            self.send(
                self.visit, ANNA, "Hi Annabelle", state="deferred", due=NOW + timedelta(hours=1), message_id=None
            ),
            self.send(self.others, BERT, f"Her number is {ANNA}, pelican", reason=f"not {ANNA}"),
        )
        body = f'{{"from": "{ANNA}", "text": "walnut"'.encode()
        unread = (
            Quarantined(id=self.new_id(), received_at=NOW, path="/inbound", reason="no JSON: walnut", body=body),
            Quarantined(id=self.new_id(), received_at=NOW, path="/inbound", reason="no JSON", body=b"\xff pelican"),
        )
        people = (
            ContactChange(number=ANNA, at=NOW, values={"first_name": "Annabelle"}, last_inbound_at=NOW),
            ContactChange(number=BERT, at=NOW, values={"friend": ANNA, "first_name": "Bert"}),
        )
        stop = Suppression(number=ANNA, since=NOW, source="keyword", reason=f"tulip of {ANNA}")
        kept = ((self.own.id, "1", ("tulip",) * 200), (self.others.id, "1", (ANNA, "pelican")))
        changes = Changes(
            routed=tuple(event.id for event in self.events), runs=self.runs, new_sends=self.sends, quarantined=unread,
            contacts=people, suppressions=(stop,), kept=kept,
        )  # fmt: skip
        assert await wait(self.journal.commit, changes) is None


def test_what_is_the_persons_is_emptied_and_others_keep_all_but_the_number(kind: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(kind, tmp_path) as journal:
            life = Life(journal)
            await life.live()
            forgotten = await wait(journal.forget, ANNA)
            assert forgotten == Forgotten(events=4, runs=3, sends=4, quarantined=1)

            asked, booked, missed, named = (journal.event(event.id) for event in life.events)
            assert asked is not None
            marker = str(asked.contact)
            assert marker.startswith("forgotten-")
            assert (asked.received_at, asked.our_number, set(asked.fields.values())) == (NOW, DESK, {None})
            for event in (booked, missed):
                assert event is not None
                assert (event.contact, event.key, set(event.fields.values())) == (None, "", {None})
            assert named is not None
            assert named.fields == {"content": f"ask {marker}, not 614915701567", "source_address": BERT}

            assert journal.runs_of(ANNA, 10) == []
            visit, own = journal.runs_of(marker, 10)
            assert (visit.id, visit.status, visit.inputs) == (life.visit.id, "cancelled", {})
            assert (own.id, own.status, own.vars, own.outputs) == (life.own.id, "completed", {}, {})
            (others,) = journal.runs_of(BERT, 10)
            assert others.vars == {"about": f"call {marker}", "text": "pelican"}
            assert list(journal.kept_items(others.id, "1")) == [marker, "pelican"]
            with pytest.raises(JournalError):
                journal.kept_items(own.id, "1")

            shown = [(send.to, send.message, send.state, send.message_id) for send in journal.sends((), 10)]
            assert shown == [
                (BERT, f"Her number is {marker}, pelican", "sent", "m-1"),
                (marker, "", "skipped", None),
                (DESK, "", "sent", None),
                (marker, "", "sent", None),
            ]
            assert journal.load(EPOCH).sends == ()
            assert journal.load(EPOCH).runs == ()

            assert [(it.number, it.values) for it in journal.contacts(10)] == [
                (BERT, {"friend": marker, "first_name": "Bert"})
            ]

    asyncio.run(scenario())


def test_who_was_suppressed_stays_so_by_pseudonym_until_it_is_lifted(kind: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(kind, tmp_path) as journal:
            await Life(journal).live()
            await wait(journal.forget, ANNA)
            (kept,) = journal.suppressed()
            assert kept.is_pseudonym
            assert kept == Suppression(number=journal.pseudonym(ANNA), since=NOW, source="keyword")
            assert journal.pseudonym(BERT) != kept.number
            await wait(journal.commit, Changes(suppressions=(Lifted(number=ANNA),)))
            assert journal.suppressed() == []

    asyncio.run(scenario())


def test_repeats_of_forgotten_events_stay_known_and_forgetting_again_finds_nothing(kind: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(kind, tmp_path) as journal:
            life = Life(journal)
            await life.live()
            await wait(journal.forget, ANNA)
            assert await wait(journal.forget, ANNA) == Forgotten()
            for event in life.events:
                assert await wait(journal.accept, replace(event, id=journal.new_id())) is False

    asyncio.run(scenario())


def test_what_others_still_need_is_left_and_named(kind: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(kind, tmp_path) as journal:
            life = Life(journal)
            list_ = life.event("b-1", None, "", kind="manual", fields={"flow": "broadcast", "to": [ANNA, BERT]})
            unrouted = life.event("r-9", BERT, f"who is {ANNA}?")
            await asyncio.gather(wait(journal.accept, list_), wait(journal.accept, unrouted))
            broadcast = life.run(list_, None, status="running", vars={"to": [ANNA, BERT]})
            first = life.send(broadcast, ANNA, "Power is off", state="deferred", message_id=None)
            second = life.send(broadcast, ANNA, "Power is on")
            kept = ((broadcast.id, "1", (ANNA, BERT)),)
            changes = Changes(routed=(list_.id,), runs=(broadcast,), new_sends=(first, second), kept=kept)
            await wait(journal.commit, changes)

            left = tuple(sorted((list_.id, unrouted.id, broadcast.id, first.id)))
            assert await wait(journal.forget, ANNA) == Forgotten(sends=1, left=left)
            assert journal.load(EPOCH).runs == (broadcast,)
            assert journal.load(EPOCH).sends == (first,)
            assert journal.event(list_.id) == list_
            assert list(journal.kept_items(broadcast.id, "1")) == [ANNA, BERT]

            ended = Changes(
                runs=(replace(broadcast, status="completed"),), sends=(replace(first, state="sent"),),
                routed=(unrouted.id,),
            )  # fmt: skip
            await wait(journal.commit, ended)
            assert await wait(journal.forget, ANNA) == Forgotten(events=2, runs=1, sends=1)
            assert ANNA not in list(journal.kept_items(broadcast.id, "1"))

    asyncio.run(scenario())


def test_no_byte_of_a_forgotten_person_is_in_the_files(tmp_path: Path) -> None:
    def bytes_of(secret: bytes) -> int:
        return sum(file.read_bytes().count(secret) for file in tmp_path.iterdir())

    async def scenario() -> None:
        async with opened("sqlite", tmp_path) as journal:
            life = Life(journal)
            await life.live()
            for steps in range(30):  # former versions of rows, short and of several pages
                grown = replace(life.own, steps_taken=steps, vars={"text": "tulip " * (steps * 400)})
                await wait(journal.commit, Changes(runs=(grown,)))
                crowd = tuple(life.run(life.asked, f"+6149158{steps:04}", vars={"a": "pelican" * 50}) for _ in range(9))
                await wait(journal.commit, Changes(runs=crowd))
            assert all(bytes_of(secret) for secret in SECRETS)
            await wait(journal.forget, ANNA)
            # `+61491570156` in Bert's longer number is his: what is left of the digits is nothing else
            assert {secret: bytes_of(secret) for secret in SECRETS[1:]} == dict.fromkeys(SECRETS[1:], 0)
            assert bytes_of(SECRETS[0]) == bytes_of(b"614915701567") == 1
            assert bytes_of(b"pelican")

    asyncio.run(scenario())


def test_what_comes_while_the_journal_is_searched_is_forgotten_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened("sqlite", tmp_path) as journal:
            life = Life(journal)
            forgotten = asyncio.create_task(wait(journal.forget, ANNA))
            await asyncio.sleep(0)
            late = life.event("late", ANNA, "marmalade")
            await wait(journal.accept, late)
            await wait(journal.commit, Changes(runs=(life.run(late, ANNA),), routed=(late.id,)))
            assert await forgotten in (Forgotten(events=1), Forgotten(events=1, runs=1))

    asyncio.run(scenario())


def test_a_journal_that_is_closed_says_that_nobody_was_forgotten(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened("sqlite", tmp_path) as journal:
            forgotten = asyncio.create_task(wait(journal.forget, ANNA))
            await asyncio.sleep(0)
        assert "ask again" in str(await forgotten)

    asyncio.run(scenario())
