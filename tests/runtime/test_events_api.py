"""What came in and what became of it; and bodies that could not be read, read again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.journal.journal import Changes, Quarantined
from tests.runtime.test_notes import ASK, HOURS, VIP

CONTACT = "+61491570156"


def body(reply_id="r-9", content="HOURS"):
    fields = {
        "reply_id": reply_id,
        "source_address": CONTACT,
        "destination_address": "+61491593156",
        "content": content,
    }
    return json.dumps(fields).encode()


async def listed(house, query=""):
    answer = await house.admin(f"/api/events{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def settled(house, eventually):
    await eventually(lambda: house.daemon.worker.is_idle)
    await house.daemon.worker._commits.drain()


def test_events_are_listed_with_what_became_of_them(house, play, eventually):
    house.flow("---\n".join([HOURS, ASK, VIP]))

    async def scenario(house):
        for text in ("HOURS", "HOURS", "hm", "VIP", "VISIT", "yes", "STOP"):
            await house.text_in(text)
            await settled(house, eventually)
        await house.text_in("HOURS", sender="+61491570157")
        await settled(house, eventually)
        found = await listed(house)
        assert found["is_all"] is True
        assert [(each["text"], each["outcome"]) for each in found["events"]] == [
            ("HOURS", "started"), ("STOP", "policy"), ("yes", "wait"), ("VISIT", "started"), ("VIP", "near"),
            ("hm", "unmatched"), ("HOURS", "refused"), ("HOURS", "started"),
        ]  # fmt: skip
        texts = {
            "?unmatched=true": ["VIP", "hm"],
            "?contact=%2B61491570157": ["HOURS"],
            "?kind=delivery_receipt": [],
            "?limit=2": ["HOURS", "STOP"],
            f"?since={(datetime.now(UTC) + timedelta(hours=1)).isoformat().replace('+', '%2B')}": [],
        }
        for query, expected in texts.items():
            assert [each["text"] for each in (await listed(house, query))["events"]] == expected, query
        wait = next(each for each in found["events"] if each["outcome"] == "wait")
        asked = next(each for each in found["events"] if each["text"] == "VISIT")
        assert wait["runs"] == [{"id": asked["runs"][0]["id"]}]
        one = (await house.admin(f"/api/events/{asked['id']}")).json()
        assert one["fields"]["content"] == "VISIT"
        assert [run["flow"] for run in one["runs"]] == ["ask"]

    play(scenario)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/events?kind=sms", 400, 'no events of kind "sms"'),
        ("/api/events?limit=0", 400, "limit is a number"),
        ("/api/events?contact=abc", 400, '"abc" is no phone number'),
        ("/api/events?since=yesterday", 400, "since is a time like"),
        ("/api/events/999", 404, "there is no event 999"),
    ],
)
def test_wrong_questions_get_one_line(house, play, path, status, words):
    async def scenario(house):
        answer = await house.admin(path)
        assert answer.status_code == status
        assert words in answer.json()["error"]

    play(scenario)


async def put_aside(house, eventually, bodies, received_at):
    """Bodies in quarantine that today's parser can read: they came when it could not."""
    done: list[object] = []
    journal = house.daemon.journal
    kept = tuple(
        Quarantined(id=journal.new_id(), received_at=received_at, path="inbound", reason="no such key", body=each)
        for each in bodies
    )
    journal.commit(Changes(quarantined=kept), done.append)
    await eventually(lambda: done)
    return [each.id for each in kept]


@pytest.mark.parametrize(
    ("age", "even_old", "counts", "answered"),
    [
        (timedelta(minutes=1), False, {"started": 1, "unreadable": 1}, 1),
        (timedelta(hours=3), False, {"too_late": 1, "unreadable": 1}, 0),
        (timedelta(hours=3), True, {"started": 1, "unreadable": 1}, 1),
    ],
)
def test_body_is_read_again_as_if_it_had_just_come(house, play, eventually, age, even_old, counts, answered):
    house.flow(HOURS)

    async def scenario(house):
        assert (await house.post(b'{"what": 1}')).status_code == 400
        await put_aside(house, eventually, [body()], datetime.now(UTC) - age)
        asked = {"by": "ann", "even_old": even_old}
        done = (await house.admin("/api/events/reparse", "POST", json=asked)).json()
        assert done == {"started": 0, "too_late": 0, "known": 0, "unreadable": 0} | counts | {"left": 1, "last": None}
        await settled(house, eventually)
        assert len(house.got()) == answered
        again = (await house.admin("/api/events/reparse", "POST", json=asked)).json()
        assert again["unreadable"] == 1
        assert len(house.got()) == answered
        assert "quarantine" in (await house.health())["troubles"]

    play(scenario)


def test_body_that_came_again_meanwhile_starts_nothing_twice(house, play, eventually):
    house.flow(HOURS)

    async def scenario(house):
        [kept] = await put_aside(house, eventually, [body()], datetime.now(UTC))
        assert (await house.post(body())).status_code == 202
        await settled(house, eventually)
        done = (await house.admin("/api/events/reparse", "POST", json={"ids": [kept]})).json()
        assert (done["known"], done["left"]) == (1, 0)
        await settled(house, eventually)
        assert len(house.got()) == 1
        missing = await house.admin("/api/events/reparse", "POST", json={"ids": [kept]})
        assert missing.status_code == 404
        assert f"nothing in quarantine has the id {kept}" in missing.json()["error"]

    play(scenario)


def test_what_is_given_up_is_gone_and_health_is_green_again(house, scene, eventually):
    house.flow(HOURS)

    async def scenario():
        async with house.at_work():
            assert (await house.post(b'{"what": 1}')).status_code == 400
            [kept] = (await house.admin("/api/events/quarantined")).json()["quarantined"]
            shown = (await house.admin(f"/api/events/{kept['id']}")).json()
            assert shown["body"] == '{"what": 1}'
        async with house.at_work():
            assert "1 webhook body could not be read" in (await house.health())["troubles"]["quarantine"]
            done = (await house.admin("/api/events/discard", "POST", json={"ids": [kept["id"]]})).json()
            assert done == {"discarded": 1, "left": 0, "last": None}
            assert (await house.health())["troubles"] == {}

    scene(scenario)
