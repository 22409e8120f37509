"""Bodies in quarantine, read again: by whose account, in which order, how late, and what keeps them there."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.errors import JournalError
from sinchflow.journal.arrivals import Arrivals
from sinchflow.journal.journal import Changes, Quarantined
from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.project import Retention
from sinchflow.runtime.quarantine import Quarantine
from tests.runtime.test_accounts import REPLY, two  # noqa: F401  (a fixture)

ANNA = "+61491570156"


def body(number, **fields):
    return json.dumps({"reply_id": f"r{number}", "source_address": ANNA, "content": "hi", **fields}).encode()


async def put_aside(house, eventually, *bodies, path="inbound", age=timedelta(0)):
    """Bodies that came when the parser could not read them."""
    done: list[object] = []
    journal = house.daemon.journal
    at = datetime.now(UTC) - age
    kept = tuple(
        Quarantined(id=journal.new_id(), received_at=at, path=path, reason="no such key", body=each) for each in bodies
    )
    journal.commit(Changes(quarantined=kept), done.append)
    await eventually(lambda: done)
    return [each.id for each in kept]


async def reparse(house, **asked):
    answer = await house.admin("/api/events/reparse", "POST", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def settled(house, eventually):
    await eventually(lambda: house.daemon.worker.is_idle)
    await house.daemon.worker._commits.drain()


def left(house):
    with Arrivals(house.daemon.journal.path) as arrivals:
        return [(each.path, each.reason) for each in arrivals.aside(50)]


def test_bodies_keep_their_account(two, eventually):  # noqa: F811
    async def scenario():
        async with two(REPLY) as (house, nz):
            await put_aside(house, eventually, body(1, destination_address="+6421555111"), path="nz/callback")
            await put_aside(house, eventually, body(2), path="old/inbound")
            done = await reparse(house)
            assert (done["started"], done["unreadable"], done["left"]) == (1, 1, 1)
            await eventually(lambda: nz.messages)
            assert house.sim.messages == []
            assert left(house) == [("old/inbound", 'there is no account "old" under `accounts:` any more')]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "happened", "age", "outcome"),
    [
        ("replies", timedelta(days=1), timedelta(0), "too_late"),  # catch-up fetched it that late
        ("replies", timedelta(minutes=1), timedelta(0), "started"),
        ("replies", timedelta(minutes=1), timedelta(hours=3), "too_late"),
        ("inbound", timedelta(days=1), timedelta(0), "started"),  # a webhook's date is not looked at
    ],
)
def test_what_is_too_late_is_recorded_only(house, play, eventually, path, happened, age, outcome):
    house.flow(REPLY)

    async def scenario(house):
        date = (datetime.now(UTC) - happened).isoformat()
        await put_aside(house, eventually, body(1, date_received=date), path=path, age=age)
        assert {name: count for name, count in (await reparse(house)).items() if count} == {outcome: 1}
        await settled(house, eventually)
        assert len(house.got()) == (outcome == "started")
        [event] = (await house.admin("/api/events")).json()["events"]
        assert event["outcome"] == ("started" if outcome == "started" else "ignored")
        assert datetime.fromisoformat(event["received_at"]) > datetime.now(UTC) - timedelta(minutes=2)

    play(scenario)


@pytest.mark.parametrize(
    "late",
    [
        body(1, content="STOP"),
        json.dumps({"notification_id": "n1", "source_address": ANNA, "content": "STOP"}).encode(),
    ],
)
def test_opt_out_is_never_too_late(house, play, eventually, late):
    house.flow("on: opt_out\nsteps: [{send_sms: {to: '+61491570157', message: lost one}}]")

    async def scenario(house):
        await put_aside(house, eventually, late, age=timedelta(days=1))
        assert (await reparse(house))["too_late"] == 1
        await settled(house, eventually)
        assert (await house.admin(f"/api/contacts/{ANNA}")).json()["suppressed"] is not None
        assert house.got() == []

    play(scenario)


def test_many_are_read_in_portions_and_repeats_among_them_once(house, play, eventually):
    house.flow(REPLY)

    async def scenario(house):
        texts = [body(number, source_address=f"+6149157{number:04}") for number in range(120)]
        bodies = texts + texts[:10]  # Sinch repeats what is answered 400
        ids = await put_aside(house, eventually, *bodies)
        first = await reparse(house, after=0, limit=5)
        assert (first["started"], first["left"], first["last"]) == (5, 125, ids[4])
        rest = await reparse(house, after=first["last"], limit=500)
        assert (rest["started"], rest["known"], rest["left"], rest["last"]) == (115, 10, 0, None)
        await settled(house, eventually)
        assert len(house.got()) == 120
        acts = [line["detail"] for line in (await house.admin("/api/status")).json()["acts"]]
        assert "an operator: 5 started" in acts

    play(scenario)


def test_body_that_still_cannot_be_read_stays_with_the_new_reason(house, play, eventually):
    async def scenario(house):
        await put_aside(house, eventually, b"{")
        assert (await reparse(house))["unreadable"] == 1
        assert left(house) == [("inbound", "the body is not JSON: it ends too early (byte 1)")]

    play(scenario)


def test_attachments_are_shown_without_their_content(house, play, eventually):
    picture = {"attachment_type": "image/png", "attachment_content": "aGVsbG8=", "attachment_name": "a.png"}

    async def scenario(house):
        await house.text_in("look", attachments=[picture])
        await settled(house, eventually)
        [event] = (await house.admin("/api/events")).json()["events"]
        shown = (await house.admin(f"/api/events/{event['id']}")).json()
        assert shown["fields"]["attachments"] == [{"name": "a.png", "type": "image/png", "size_bytes": 5}]

    play(scenario)


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"ids": ["x"]}, 400, "the body is"),
        ({"ids": [2**63]}, 400, "the body is"),
        ({"limit": 0}, 400, "at most 10000 bodies"),
        ({"what": 1}, 400, "the body is"),
        ({"ids": [12]}, 404, "nothing in quarantine has the id 12"),
    ],
)
@pytest.mark.parametrize("command", ["reparse", "discard"])
def test_wrong_requests_change_nothing(house, play, eventually, command, asked, status, words):
    async def scenario(house):
        await put_aside(house, eventually, body(1))
        answer = await house.admin(f"/api/events/{command}", "POST", json=asked)
        assert answer.status_code == status
        assert words in answer.json()["error"]
        assert len(left(house)) == 1

    play(scenario)


def quarantine_of(daemon, journal):
    worker = daemon.worker
    return Quarantine(
        path=daemon.journal.path, journal=journal, commits=worker._commits, clock=worker._clock, stats=daemon.stats,
        project=lambda: worker.catalog.project, take=worker.take,
    )  # fmt: skip


class Full(MemoryJournal):
    """Its disk is full."""

    def accept(self, event, done):
        done(JournalError("the disk is full"))


def test_nothing_leaves_the_quarantine_while_nothing_can_be_stored(house, play, eventually):
    async def scenario(house):
        daemon = house.daemon
        await put_aside(house, eventually, body(1), b"{")
        full = Full(lambda *call: asyncio.get_running_loop().call_soon(*call))
        quarantine = quarantine_of(daemon, full)
        with Arrivals(daemon.journal.path) as arrivals:
            asked = arrivals.aside(50)
        counts, count = await quarantine.reparse(asked, "ann", is_old_wanted=False)
        await daemon.worker._commits.drain()
        assert (counts["not_stored"], counts["unreadable"], count) == (1, 1, 2)
        assert len(left(house)) == 2

    play(scenario)


def test_health_is_green_again_once_retention_has_deleted_the_last_one(house, play, eventually):
    async def scenario(house):
        stats, journal = house.daemon.stats, house.daemon.journal
        quarantine = quarantine_of(house.daemon, journal)
        await put_aside(house, eventually, b"{")
        quarantine.note(journal.quarantined())
        quarantine.count_again()
        assert "quarantine" in stats.troubles
        done: list[object] = []
        rules = Retention(events=timedelta(days=1))
        journal.retain(rules, datetime.now(UTC) + timedelta(days=2), timedelta(0), done.append)
        await eventually(lambda: done)
        stats.quarantined += 1  # one that is being stored
        quarantine.count_again()
        assert "quarantine" in stats.troubles
        quarantine.count_again()
        assert "quarantine" not in stats.troubles

    play(scenario)
