"""What the status object says needs a hand, and the admin API that gives it and holds the switch."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.journal.survey import Survey
from sinchflow.runtime.status import first_finding, size, span, status

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LIVE = {"daemon": {"pid": 1}, "events": {"in_lanes": 0}, "runs": {}, "internal_errors": 0}


def ago(**duration: float) -> str:
    return (NOW - timedelta(**duration)).isoformat()


def survey(**changes) -> Survey:
    """A journal in which all is well, but for these."""
    nothing = {"count": 0, "oldest_at": None}
    parts = {
        "sends": dict.fromkeys(("queued", "deferred", "sending", "unknown", "held"), nothing),
        "held_calls": 0,
        "runs": {"open": 0, "waiting_for": {}, "failed_lately": {"count": 0, "flows": {}, "last": None}},
        "events": {"unrouted": 0, "oldest_at": None},
        "quarantine": {"count": 0, "last_at": None, "last_reason": None},
        "journal": {"path": "j", "schema": 3, "bytes": 1, "log_bytes": 1, "free_bytes": 10**12},
        "acts": [],
        "settings": {},
    }
    for part, change in changes.items():
        parts[part] = {**parts[part], **change} if isinstance(change, dict) else change
    return Survey(**parts)


PAUSED = {"paused": json.dumps({"since": ago(minutes=14), "by": "ana", "reason": "double billing"})}
#: What the journal tells, the troubles, and the subjects that need a hand, those in red with `!`.
CASES = [
    ({}, {}, []),
    ({"settings": PAUSED}, {"paused": "said better by the setting"}, ["!paused"]),
    ({"sends": {"held": {"count": 2, "oldest_at": ago(hours=3)}}}, {}, ["!held"]),
    ({"held_calls": 1}, {}, ["!held_calls"]),
    ({"sends": {"unknown": {"count": 1, "oldest_at": ago(minutes=59)}}}, {}, []),
    ({"sends": {"unknown": {"count": 1, "oldest_at": ago(minutes=61)}}}, {}, ["!unknown"]),
    ({"sends": {"queued": {"count": 9, "oldest_at": ago(minutes=14)}}}, {}, []),
    ({"sends": {"queued": {"count": 9, "oldest_at": ago(minutes=16)}}}, {}, ["queued"]),
    ({"sends": {"queued": {"count": 9, "oldest_at": ago(minutes=16)}}, "settings": PAUSED}, {}, ["!paused"]),
    ({"events": {"unrouted": 9, "oldest_at": ago(seconds=100)}}, {}, []),
    ({"events": {"unrouted": 9, "oldest_at": ago(seconds=130)}}, {}, ["!backlog"]),
    ({"quarantine": {"count": 1, "last_reason": "no JSON"}}, {"quarantine": "the same"}, ["!quarantine"]),
    ({"journal": {"free_bytes": 10**9 - 1}}, {}, ["!disk"]),
    ({"journal": {"free_bytes": None}}, {}, []),
    ({"runs": {"failed_lately": {"count": 3, "flows": {"crm": 3}, "last": None}}}, {}, ["failed"]),
    ({}, {"provider:nz": "HTTP 503", "reload": "x", "drift": "y"}, ["!drift", "!provider:nz", "!reload"]),
]


@pytest.mark.parametrize(("changes", "troubles", "expected"), CASES)
def test_what_needs_a_hand_is_named_with_what_helps(changes, troubles, expected) -> None:
    found = status(now=NOW, looked=survey(**changes), live=LIVE, troubles=troubles)
    assert [f"{'!' if need['is_red'] else ''}{need['subject']}" for need in found["needs"]] == expected
    assert found["is_red"] == any(each.startswith("!") for each in expected)
    assert all(need["what"] and need["command"] for need in found["needs"])


def test_journal_that_cannot_be_read_is_said_once_and_the_rest_is_shown() -> None:
    for troubles in ({}, {"journal": "the disk is full"}):
        found = status(now=NOW, looked="it is damaged", live=LIVE, troubles=troubles)
        assert [need["subject"] for need in found["needs"]] == ["journal"]
        assert found["daemon"] == {"pid": 1}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the project has errors:\nflows/x.yaml:3:1: wrong [rule]\n  |\n", "flows/x.yaml:3:1: wrong [rule]"),
        ("secret A is missing\nsecret B is missing", "secret A is missing"),
        ("", ""),
    ],
)
def test_long_reason_gives_its_first_finding(words: str, expected: str) -> None:
    assert first_finding(words) == expected


def test_durations_and_sizes_are_for_people() -> None:
    spans = [span(timedelta(seconds=seconds)) for seconds in (-1, 40, 100, 3_700, 100_000)]
    assert spans == ["0 s", "40 s", "1 min", "1 h 1 min", "1 d 3 h"]
    assert [size(value) for value in (0, 999, 4_100, 120_000_000_000, 10**13)] == [
        "0 B", "999 B", "4.1 kB", "120 GB", "10.0 TB",
    ]  # fmt: skip


REFUSED = [
    (b"nonsense", 'the body is {"reason": "text", "by": "who"}'),
    (b"[]", 'the body is {"reason"'),
    (b'{"reason": 7}', 'the body is {"reason"'),
    (b'{"why": "x"}', 'unknown "why"'),
    (json.dumps({"reason": "x" * 501}).encode(), "longer than 500"),
]


def test_switch_takes_what_it_knows_and_refuses_the_rest(play, house):
    house.flow("name: x\non: manual\nsteps: [{log: x}]\n")

    async def scenario(house):
        async def post(what: str, body: bytes = b""):
            headers = {"Authorization": f"Bearer {house.daemon.token}"}
            url = f"http://127.0.0.1:{house.daemon.admin_port}/api/{what}"
            return await house.http.post(url, content=body, headers=headers)

        for body, words in REFUSED:
            for what in ("pause", "resume"):
                answer = await post(what, body)
                assert (answer.status_code, words in answer.json()["error"]) == (400, True), answer.text
        assert (await house.health())["status"] == "green"
        first = (await post("pause", b'{"reason": "wrong price", "by": "ana"}')).json()
        again = (await post("pause", b'{"reason": "other", "by": "bob"}')).json()
        assert (first["is_new"], first["is_stored"], again["is_new"]) == (True, True, False)
        assert again["paused"] == first["paused"]
        assert (first["paused"]["by"], first["paused"]["reason"]) == ("ana", "wrong price")
        health = await house.admin("/health")
        assert (health.status_code, health.json()["status"]) == (200, "red")
        assert "wrong price" in health.json()["troubles"]["paused"]
        assert (await house.admin("/ready")).status_code == 200
        found = (await house.admin("/api/status")).json()
        assert [act["what"] for act in found["acts"]] == ["pause"]
        assert (await post("resume")).json()["is_new"] is True
        assert (await post("resume")).json()["is_new"] is False
        assert (await house.health())["status"] == "green"

    play(scenario)


def test_flows_tell_of_a_refused_reload_and_of_newer_files(play, house, eventually):
    path = house.flow("name: x\non: manual\nsteps: [{log: x}]\n")

    async def scenario(house):
        found = (await house.admin("/api/flows")).json()
        assert (found["refused"], found["newer_files"]) == (None, [])
        assert [(flow["name"], flow["triggers"], flow["enabled"]) for flow in found["flows"]] == [
            ("x", ["manual"], True)
        ]
        path.write_text("name: x\non: manuel\nsteps: [{log: x}]\n")
        await eventually(lambda: house.daemon.stats.reloads["refused"])
        found = (await house.admin("/api/flows")).json()
        assert found["refused"].startswith("flows/flow.yaml:2:")
        assert found["newer_files"] == ["flows/flow.yaml"]
        state = (await house.admin("/api/status")).json()
        assert state["reload"]["refused"] == found["refused"]
        assert [need["command"] for need in state["needs"]] == ["sinchflow validate"]

    play(scenario)


def test_refused_key_is_told_by_account_with_when_it_is_tried_again(play, house, eventually):
    house.flow("name: x\non: manual\nsteps: [{send_sms: {to: '+61491570156', message: Hi}}]\n")

    async def scenario(house):
        assert (await house.admin("/api/flows/x/start", "POST")).status_code == 202
        await eventually(lambda: "provider" in house.daemon.stats.troubles)
        found = (await house.admin("/api/status")).json()
        [account] = found["accounts"]
        assert (account["account"], account["queued"], account["calls"], account["limit"]) == ("default", 1, 1, None)
        assert "401" in account["trouble"]
        wait = datetime.fromisoformat(account["next_call_at"]) - datetime.fromisoformat(found["at"])
        assert timedelta(seconds=50) < wait <= timedelta(seconds=61)
        assert [need["subject"] for need in found["needs"]] == ["provider"]  # it leaves once the key is right
        assert (found["sends"]["queued"]["count"], found["sends"]["held"]["count"]) == (1, 0)

    play(scenario, credentials="{api_key: key, api_secret: wrong}")
