"""A daemon on a journal that was put back: nothing unfinished goes on by itself, all of it when somebody says so."""

import shutil
from contextlib import closing
from datetime import UTC, datetime

import apsw
import pytest

from sinchflow.journal import copying
from sinchflow.journal.sqlite import FILE_NAME

CONTACT, OTHER, THIRD = "+61491570156", "+61491570157", "+61491570158"
ASKS = """\
name: asks
on: {inbound_sms: {keyword: ASK}}
steps:
  - reply: Yes or no?
  - wait_for_reply: {timeout: 20h}
  - reply: Thank you.
"""
SLEEPS = """\
name: sleeps
on: {inbound_sms: {keyword: LATER}}
steps:
  - delay: 1s
  - http: {method: POST, url: "URL"}
"""
REPLIES = "name: replies\non: {inbound_sms: {keyword: HOURS}}\nsteps: [{reply: We are open.}]\n"


def back_up(house):
    target = house.root / "backup.sqlite3"
    journal = house.root / ".sinchflow" / FILE_NAME
    copying.back_up(journal, target, datetime.now(UTC), is_forced=True, told=lambda part: None)
    return target


def put_back(house, backup, how):
    """By the command's way, or by somebody who copies the file."""
    journal = house.root / ".sinchflow" / FILE_NAME
    if how == "restore":
        copying.put_back(backup, journal, datetime.now(UTC), is_forced=True, told=lambda part: None)
    else:
        for end in ("", "-wal", "-shm"):
            journal.with_name(journal.name + end).unlink(missing_ok=True)
        shutil.copy(backup, journal)


@pytest.mark.parametrize("how", ["restore", "copied"])
@pytest.mark.parametrize("word", ["release", "cancel"])
def test_what_was_unfinished_waits_for_a_word(house, scene, eventually, answering, how, word):
    async def scenario():
        async with answering() as url:
            for name, text in {"asks": ASKS, "sleeps": SLEEPS.replace("URL", url.url), "replies": REPLIES}.items():
                house.flow(text, f"{name}.yaml")
            async with house.at_work():
                await house.text_in("ASK")
                await eventually(lambda: len(house.sim.messages) == 1)
                await house.admin("/api/pause", "POST")
                await house.text_in("HOURS", OTHER)
                await eventually(lambda: len(house.daemon.journal.sends((), 9)) == 2)
                await house.text_in("LATER", THIRD)
                await eventually(lambda: house.daemon.journal.runs_of(THIRD, 9))
                backup = back_up(house)
                await house.admin("/api/resume", "POST")
                await eventually(lambda: len(house.sim.messages) == 2)
            former = house.daemon.journal.identity
            put_back(house, backup, how)
            async with house.at_work():
                journal = house.daemon.journal
                assert journal.identity != former
                assert (await house.admin("/api/resume", "POST")).status_code == 200  # it was paused in the backup
                await house.text_in("HOURS", "+61491570159")  # new work is not concerned
                await eventually(lambda: len(house.sim.messages) == 3)
                assert house.got()[2][0] == "+61491570159"
                assert "restored" in (await house.health())["troubles"]
                waiting = (await house.admin("/api/restored")).json()
                assert (waiting["flows"], waiting["held"]) == ({"asks": 1, "replies": 1, "sleeps": 1}, 1)
                [held] = await house.sends("held")
                assert held["to"] == OTHER
                assert "restored from a backup" in held["reason"]
                refused = await house.admin(f"/api/sends/{held['id']}/resolve", "POST", json={"as": "resend"})
                assert (refused.status_code, "suspended" in refused.text) == (409, True)
                asked_before = len(url.requests)
                done = await house.admin(f"/api/restored/{word}", "POST", json={"by": "ann"})
                assert done.json() == {"done": word, "runs": 3, "events": 0, "held": 1}
                again = await house.admin(f"/api/restored/{word}", "POST", json={"by": "bob"})
                assert again.status_code == 409
                assert "restored" not in (await house.health())["troubles"]
                if word == "release":
                    await eventually(lambda: len(url.requests) == asked_before + 1)
                    await house.text_in("yes")
                    await eventually(lambda: (CONTACT, "Thank you.") in house.got())
                else:
                    assert house.daemon.worker.open_runs == 0
                assert (await house.states())[OTHER] == "held"
                how_resolved = "sent" if word == "release" else "skip"
                answer = await house.admin(f"/api/sends/{held['id']}/resolve", "POST", json={"as": how_resolved})
                assert answer.status_code == 200
                await eventually(lambda: house.daemon.worker.open_runs == 0)
            assert [to for to, _ in house.got()].count(OTHER) == 1
            async with house.at_work():  # the word outlives a restart
                assert (await house.admin("/api/restored")).json()["restored"] is None

    scene(scenario)


def test_a_receipt_of_what_went_out_after_the_backup_settles_what_is_held(house, scene, eventually):
    async def scenario():
        house.flow(REPLIES)
        async with house.at_work():
            await house.admin("/api/pause", "POST")
            await house.text_in("HOURS")
            await eventually(lambda: house.daemon.journal.sends((), 9))
            backup = back_up(house)
            await house.admin("/api/resume", "POST")
            await eventually(lambda: len(house.sim.messages) == 1)
            await house.text_in("HOURS", OTHER)
            await eventually(lambda: len(house.sim.messages) == 2)
        first, second = (message.metadata for message in house.sim.messages)
        put_back(house, backup, "restore")
        async with house.at_work():
            ids = house.daemon.journal.send_ids
            [held] = await house.sends("held")
            assert ids.read(first["sinchflow_id"]) == held["id"]
            assert ids.read(second["sinchflow_id"]) is None  # the original sent it after the backup
            receipt = {
                "delivery_report_id": "d1", "message_id": house.sim.messages[0].message_id, "status": "delivered",
                "source_address": "+61491593156", "destination_address": CONTACT, "metadata": first,
            }  # fmt: skip
            assert (await house.post(receipt, path="/hooks/hook-token-of-the-test/receipts")).status_code == 202
            await house.admin("/api/restored/release", "POST")
            await eventually(lambda: house.daemon.worker.open_runs == 0)
            assert (await house.states()) == {CONTACT: "sent"}
        assert len(house.sim.messages) == 2

    scene(scenario)


def test_events_that_were_not_routed_wait_as_well(house, scene, eventually):
    async def scenario():
        house.flow(REPLIES)
        async with house.at_work():
            await house.text_in("HOURS")
            await eventually(lambda: len(house.sim.messages) == 1)
        backup = back_up(house)
        with closing(apsw.Connection(str(backup))) as connection:  # as if it had been taken before the routing
            connection.execute("INSERT INTO unrouted SELECT id FROM event")
        put_back(house, backup, "restore")
        async with house.at_work():
            assert (await house.admin("/api/restored")).json()["events"] == 1
            assert list(house.daemon.journal.unrouted(0, 9)) == []
            assert len(house.sim.messages) == 1
            await house.admin("/api/restored/release", "POST")
            await eventually(lambda: len(house.sim.messages) == 2)

    scene(scenario)
