"""Catch-up against the simulated Sinch's queues: what webhooks missed is stored, confirmed, and started once."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.event import Event
from sinchflow.runtime.catch_up import CatchUp
from sinchflow.runtime.stats import Stats
from sinchflow.sinch.client import BasicKey, Client

NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
HOURS_2 = timedelta(hours=2)


class Queues:
    """The provider's two queues as documented: the oldest 100 unconfirmed, the same ones until confirmed."""

    def __init__(self) -> None:
        self.entries: dict[str, list[dict]] = {"replies": [], "delivery_reports": []}
        self.calls: list[str] = []
        self.stored_when_confirmed: list[bool] = []
        self.is_stored = lambda _entry_id: True
        self.breaks_on: str | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        name, _, is_confirmed = request.url.path.removeprefix("/v1/").partition("/")
        self.calls.append(request.url.path)
        if self.breaks_on == request.url.path:
            return httpx.Response(500, json={"message": "no"})
        if not is_confirmed:
            return httpx.Response(200, json={name: self.entries[name][:100]})
        id_field = {"replies": "reply_id", "delivery_reports": "delivery_report_id"}[name]
        ids = json.loads(request.content)[f"{id_field}s"]
        assert 0 < len(ids) <= 100
        self.stored_when_confirmed += [self.is_stored(each) for each in ids]
        self.entries[name] = [entry for entry in self.entries[name] if entry.get(id_field) not in ids]
        return httpx.Response(202, text="")

    def reply(self, number: int, age: timedelta = timedelta(minutes=1), **fields) -> None:
        when = (NOW - age).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.entries["replies"].append(
            {"reply_id": f"r{number}", "content": "HOURS", "source_number": "+61491570156",
             "destination_number": "+61491593156", "date_received": when, "metadata": {}, **fields}
        )  # fmt: skip

    def report(self, number: int) -> None:
        self.entries["delivery_reports"].append(
            {"delivery_report_id": f"d{number}", "status": "delivered", "message_id": "m1", "metadata": {"a": "b"},
             "source_number": "+61491570156", "date_received": "2026-03-02T22:29:00.000Z"}
        )  # fmt: skip


class Desk:
    def __init__(self, clock, queues: Queues, born_at: datetime = NOW - timedelta(days=9)) -> None:
        self.queues = queues
        self.stats = Stats()
        self.taken: list[Event] = []
        self.journal = MemoryJournal(asyncio.get_running_loop().call_soon, born_at=born_at)
        queues.is_stored = lambda key: any(key == event.key for event in self.journal._events.values())
        self.client = Client(
            "http://sim", BasicKey(api_key="k", api_secret="s"), transport=httpx.MockTransport(queues.answer)
        )
        self.catch_up = CatchUp(
            account="default", calls=self.client, journal=self.journal, clock=clock, stats=self.stats,
            take=self.taken.append,
        )  # fmt: skip


@pytest.fixture
def desk(clock):
    """`async with desk() as desk`."""

    @asynccontextmanager
    async def opened(**how):
        here = Desk(clock, Queues(), **how)
        async with asyncio.timeout(20):
            yield here
        await here.client.close()

    return opened


def run(scenario) -> None:
    asyncio.run(scenario())


def test_all_of_both_queues_is_stored_before_it_is_confirmed(desk):
    async def scenario():
        async with desk() as here:
            for number in range(230):
                here.queues.reply(number)
            here.queues.report(1)
            assert await here.catch_up.run(HOURS_2) == 231
            assert here.queues.entries == {"replies": [], "delivery_reports": []}
            assert len(here.queues.stored_when_confirmed) == 231
            assert all(here.queues.stored_when_confirmed)
            assert [event.key for event in here.taken] == [*(f"r{number}" for number in range(230)), "d1"]
            assert here.stats.fetched == {"inbound_sms": 230, "delivery_receipt": 1}
            assert len(here.queues.calls) == 2 * 3 + 2

    run(scenario)


def test_what_a_webhook_brought_is_confirmed_and_starts_nothing_again(desk):
    async def scenario():
        async with desk() as here:
            here.queues.reply(1)
            await here.catch_up.run(HOURS_2)
            here.queues.reply(1)
            here.queues.reply(2)
            assert await here.catch_up.run(HOURS_2) == 1
            assert [event.key for event in here.taken] == ["r1", "r2"]
            assert here.queues.entries["replies"] == []

    run(scenario)


@pytest.mark.parametrize(
    ("age", "born_at", "ignored"),
    [
        (timedelta(minutes=119), NOW - timedelta(days=9), None),
        (timedelta(minutes=121), NOW - timedelta(days=9), "catch_up.max_age"),
        (timedelta(minutes=10), NOW - timedelta(minutes=5), "before this journal was begun"),
        (timedelta(minutes=-3), NOW - timedelta(days=9), None),
    ],
)
def test_what_comes_too_late_is_recorded_and_starts_nothing(desk, age, born_at, ignored):
    async def scenario():
        async with desk(born_at=born_at) as here:
            here.queues.reply(1, age)
            await here.catch_up.run(HOURS_2)
            [event] = here.taken
            assert here.journal.event(event.id) == event
            assert (event.ignored is None) == (ignored is None)
            assert ignored is None or ignored in event.ignored
            assert here.queues.entries["replies"] == []

    run(scenario)


@pytest.mark.parametrize("date", [None, "", "yesterday", 5])
def test_without_a_readable_date_an_event_counts_as_new(desk, date):
    async def scenario():
        async with desk() as here:
            here.queues.reply(1, date_received=date)
            await here.catch_up.run(HOURS_2)
            assert [event.ignored for event in here.taken] == [None]

    run(scenario)


def test_entry_that_is_being_stored_while_a_reload_ends_it_is_taken(desk):
    async def scenario():
        async with desk() as here:
            here.queues.reply(1)
            storing: asyncio.Queue = asyncio.Queue()
            here.journal._call_soon = lambda *told: storing.put_nowait(told)
            task = asyncio.create_task(here.catch_up.run(HOURS_2))
            done, result = await storing.get()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            done(result)
            assert [event.key for event in here.taken] == ["r1"]
            assert here.queues.entries["replies"] != []

    run(scenario)


def test_date_without_a_zone_is_utc(desk):
    async def scenario():
        async with desk() as here:
            here.queues.reply(1, date_received="2026-03-02T20:00:00")
            here.queues.reply(2, date_received="2026-03-03T09:25:00+11:00")
            await here.catch_up.run(HOURS_2)
            assert [event.ignored is None for event in here.taken] == [False, True]

    run(scenario)


def test_entry_that_cannot_be_read_holds_up_nobody(desk):
    async def scenario():
        async with desk() as here:
            here.queues.reply(1, content={"not": "a text"})
            here.queues.reply(2)
            assert await here.catch_up.run(HOURS_2) == 1
            assert here.queues.entries["replies"] == []
            [kept] = here.journal._quarantine
            assert b'"not"' in kept.body.replace(b" ", b"")
            assert "quarantine" in here.stats.troubles

    run(scenario)


def test_entry_without_an_id_does_not_make_it_ask_for_ever(desk):
    async def scenario():
        async with desk() as here:
            for _ in range(100):
                here.queues.reply(1, reply_id=None)
            await here.catch_up.run(HOURS_2)
            assert len(here.queues.calls) <= 4

    run(scenario)


@pytest.mark.parametrize("path", ["/v1/replies", "/v1/replies/confirmed", "/v1/delivery_reports"])
def test_failure_is_trouble_until_it_works_again(desk, path):
    async def scenario():
        async with desk() as here:
            here.queues.reply(1)
            here.queues.breaks_on = path
            await here.catch_up.run(HOURS_2)
            assert "cannot be fetched" in here.stats.troubles["catch_up"]
            here.queues.breaks_on = None
            await here.catch_up.run(HOURS_2)
            assert here.stats.troubles == {}
            assert [event.key for event in here.taken] == ["r1"]
            assert here.queues.entries["replies"] == []

    run(scenario)
