"""Who may push to the webhook port: token, account, secret header; and what a GET of a webhook's address tells.

Signatures are tested in test_signed.py."""

import pytest

from sinchflow.runtime.connections import Hooks
from sinchflow.runtime.guard import Door, Guard, Refusal

TOKEN = "hook-token-of-the-test"
GUARD = Guard(Hooks(token=TOKEN, secret="s3cret"), ["default", "nz"], {})
BODY = {"reply_id": "r1", "source_address": "+61491570156", "content": "hi"}


@pytest.mark.parametrize(
    ("path", "door"),
    [
        (f"/hooks/{TOKEN}/inbound", Door("default", "inbound")),
        (f"/hooks/{TOKEN}/receipts", Door("default", "receipts")),
        (f"/hooks/{TOKEN}/opt-outs", Door("default", "opt-outs")),
        (f"/hooks/{TOKEN}/callback", Door("default", "callback")),
        (f"/hooks/{TOKEN}/nz/inbound", Door("nz", "inbound")),
        (f"/hooks/{TOKEN}/nz/callback", Door("nz", "callback")),
    ],
)
def test_door_is_found(path, door):
    assert GUARD.door(path) == door


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/", "no such path"),
        (f"/hooks/{TOKEN}", "no such path"),
        (f"/hooks/{TOKEN}/replies", "no such path"),
        (f"/hooks/{TOKEN}/nz/x/inbound", "no such path"),
        (f"/hooks//{TOKEN}/inbound", "the token is not"),
        ("/hooks/other/inbound", "the token is not"),
        (f"/hooks/{TOKEN}x/inbound", "the token is not"),
        ("/hooks/\ud800/inbound", "the token is not"),
        (f"/hooks/{TOKEN}/uk/inbound", 'no account "uk"'),
        (f"/hooks/{TOKEN}/default/inbound", 'no account "default"'),
    ],
)
def test_other_paths_are_404(path, reason):
    with pytest.raises(Refusal) as refused:
        GUARD.door(path)
    assert refused.value.status == 404
    assert reason in refused.value.reason
    assert refused.value.alarm is None


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        ([(b"x-sinchflow-secret", b"s3cret")], "ok"),
        ([(b"x-sinchflow-secret", b"s3cre")], "wrong"),
        ([(b"x-sinchflow-secret", b"")], "wrong"),
        ([(b"x-sinchflow-secret", b"\xff")], "wrong"),
        ([(b"x-other", b"s3cret")], "missing"),
        ([], "missing"),
    ],
)
def test_secret_header_is_demanded_of_account_webhooks_only(headers, state):
    assert GUARD.secret_state(headers) == state
    GUARD.check_secret(Door("default", "callback"), headers)
    for kind in ("inbound", "receipts", "opt-outs"):
        if state == "ok":
            GUARD.check_secret(Door("default", kind), headers)
        else:
            with pytest.raises(Refusal, match=f"X-Sinchflow-Secret is {state}") as refused:
                GUARD.check_secret(Door("default", kind), headers)
            assert refused.value.status == 403
            assert refused.value.alarm is not None


def test_push_without_the_secret_is_refused_loudly_and_the_next_good_one_calms(house, play, eventually):
    async def scenario(house):
        refused = await house.post(BODY)
        assert refused.status_code == 403
        assert "X-Sinchflow-Secret is missing" in (await house.health())["troubles"]["webhooks"]
        taken = await house.post(BODY, headers={"X-Sinchflow-Secret": "s3cret"})
        assert taken.status_code == 202
        assert (await house.health())["status"] == "green"
        callback = await house.post({**BODY, "reply_id": "r2"}, path=f"/hooks/{TOKEN}/callback")
        assert callback.status_code == 202

    house.flow("on: inbound_sms\nsteps:\n  - log: hi\n")
    play(scenario, webhooks=f"{{token: {TOKEN}, secret: s3cret}}")


def test_get_shows_that_it_is_this_daemon(house, play):
    async def scenario(house):
        url = f"http://127.0.0.1:{house.daemon.port}/hooks/{TOKEN}/receipts?v=2"
        for headers, secret in (({}, "missing"), ({"X-Sinchflow-Secret": "s3cret"}, "ok")):
            answer = await house.http.get(url, headers=headers)
            assert answer.status_code == 200
            shown = answer.json()
            assert (shown["account"], shown["kind"], shown["secret"]) == ("default", "receipts", secret)
            assert shown["instance"] == house.daemon.journal.identity
            assert shown["sinchflow"]
        unknown = await house.http.get(f"http://127.0.0.1:{house.daemon.port}/hooks/other/receipts")
        assert unknown.status_code == 404

    house.flow("on: inbound_sms\nsteps:\n  - log: hi\n")
    play(scenario, webhooks=f"{{token: {TOKEN}, secret: s3cret}}")


def test_query_of_a_versioned_address_changes_nothing(house, play):
    async def scenario(house):
        assert (await house.post(BODY, path=f"/hooks/{TOKEN}/inbound?v=3")).status_code == 202

    house.flow("on: inbound_sms\nsteps:\n  - log: hi\n")
    play(scenario)
