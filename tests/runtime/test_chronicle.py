"""Which lines a daemon's log has at which level, with which ids; and what costs nothing while it is off."""

import contextlib

import pytest
import structlog
from structlog.testing import capture_logs

from sinchflow.runtime.daemon import Daemon, Options

CONTACT = "+61491570156"
GREET = """\
name: greet
on: {inbound_sms: {keyword: HI}}
steps:
  - {id: hello, reply: Hello.}
  - {id: line, log: "{{ contact.number }} was greeted"}
  - {id: answer, wait_for_reply: {timeout: 1h}}
"""
BREAK = "name: break\non: {inbound_sms: {keyword: BREAK}}\nsteps: [{id: bad, fail: it cannot be}]\n"


@contextlib.asynccontextmanager
async def at_work(house, *, is_detailed):
    options = Options(root=house.root, data=house.root / ".sinchflow", port=0, admin_port=0)
    house.daemon = Daemon(options, is_detailed=is_detailed)
    await house.daemon.start()
    try:
        yield
    finally:
        await house.daemon.stop()


@pytest.fixture
def said(scene, house, eventually):
    """What the log says while somebody texts these words, one after the other."""

    def play(*texts, is_detailed, act=None, **settings):
        lines = []

        async def scenario():
            import httpx

            async with at_work(house, is_detailed=is_detailed), httpx.AsyncClient(trust_env=False) as house.http:
                with capture_logs() as caught:
                    for text in texts:
                        await house.text_in(text)
                        await eventually(lambda: house.daemon.worker.is_idle and not house.daemon.worker.waiting_events)
                        if act is not None:
                            await act(house)
                        await eventually(lambda: house.daemon.worker.is_idle)
                lines.extend(caught)

        scene(scenario, **settings)
        return lines

    yield play
    structlog.reset_defaults()


def test_normal_course_is_told_with_ids_where_every_step_is_wanted(said, house):
    house.flow(GREET)
    lines = said("HI", "thanks", is_detailed=True)
    told = [(line["log_level"], line["event"]) for line in lines]
    assert told == [
        ("debug", "event accepted"),
        ("debug", "event routed"),
        ("debug", "run started"),
        ("debug", "message sent"),
        ("info", f"{CONTACT} was greeted"),
        ("debug", "event accepted"),
        ("debug", "event taken by a wait"),
        ("debug", "run ended"),
    ]
    accepted, routed, started, sent, own, _, taken, ended = lines
    run, event_id = started["run"], accepted["event_id"]
    assert {each["event_id"] for each in (accepted, routed, started, own, ended)} == {event_id}
    assert {each["run"] for each in (started, sent, own, taken, ended)} == {run}
    assert {each["contact"] for each in (accepted, routed, started, sent, taken, ended)} == {CONTACT}
    assert (routed["matched"], routed["started"]) == (["greet"], ["greet"])
    assert (sent["step"], sent["account"], bool(sent["message_id"]), bool(sent["send"])) == ("0", "default", True, True)
    assert (own["flow"], own["step"]) == ("greet", "1")
    assert "Hello." not in str(lines)


def test_normal_course_is_silent_and_hooks_nothing_in_where_it_is_not_wanted(said, house):
    house.flow(GREET)
    assert [line["event"] for line in said("HI", "thanks", is_detailed=False)] == [f"{CONTACT} was greeted"]
    worker = house.daemon.worker
    assert (worker.on_advanced, worker.on_routed, worker.on_answered, worker.on_held_back) == ([], [], [], [])


def test_failed_run_is_a_warning_with_step_place_and_reason(said, house):
    house.flow(BREAK)
    (line,) = said("BREAK", is_detailed=False)
    assert (line["log_level"], line["event"], line["flow"]) == ("warning", "run failed", "break")
    assert (line["step"], line["reason"], line["contact"]) == ("bad", "it cannot be", CONTACT)
    assert line["place"].endswith("flow.yaml:3:19")
    assert line["event_id"] < line["run"]


def test_opt_out_and_what_an_operator_does_are_told(said, house):
    async def act(house):
        failed = (await house.admin("/api/runs?status=failed")).json()["runs"]
        if failed:
            answer = await house.admin(f"/api/runs/{failed[0]['id']}/retry", "POST")
            assert answer.status_code == 200

    house.flow(BREAK)
    lines = said("STOP", "BREAK", is_detailed=False, act=act)
    opted_out, failed, operator, again = lines
    assert (opted_out["log_level"], opted_out["event"], opted_out["source"]) == ("info", "opted out", "keyword")
    assert opted_out["contact"] == CONTACT
    assert (operator["log_level"], operator["event"]) == ("info", "operator: retry")
    assert operator["subject"] == str(failed["run"]) == str(again["run"])


def test_refused_key_is_a_trouble_told_once_and_held_messages_are_warnings(said, house, eventually):
    house.flow(GREET)

    async def act(house):
        await eventually(lambda: house.daemon.stats.sends["held"])

    lines = said("HI", is_detailed=False, act=act, credentials="{api_key: key, api_secret: wrong}")
    told = [(line["log_level"], line["event"]) for line in lines]
    assert sorted(told) == [
        ("warning", "message held: it needs a person"),
        ("warning", "trouble with the provider begins"),
    ]
    held = next(line for line in lines if "held" in line["event"])
    assert (held["contact"], held["step"]) == (CONTACT, "0")
    assert "the provider refused the API key" in held["reason"]
