"""Runs on the admin port: lists, the story of one, following them, retry and cancel."""

import asyncio
from datetime import UTC, datetime, timedelta

import apsw
import pytest

from sinchflow.journal.sqlite import FILE_NAME
from sinchflow.model.run import Run
from sinchflow.runtime.tails import Tails
from sinchflow.simulate.faults import Fault

CONTACT = "+61491570156"
CRM = """\
name: crm
on: {inbound_sms: {keyword: HI}}
vars: {n: 1}
steps:
  - reply: Thanks.
  - set: {n: "{{ vars.n + 1 }}"}
  - id: call
    http:
      method: POST
      url: "URL/{{ vars.n }}"
      headers: {Authorization: Bearer abc, X-Order: "7"}
      json: {text: "{{ event.content }}"}
  - reply: "It is {{ steps.call.status }}."
"""
WAITING = """\
name: waiting
on: {inbound_sms: {keyword: WAIT}}
steps:
  - id: answer
    wait_for_reply: {timeout: 2h}
  - reply: Too late.
"""


async def runs(house, query=""):
    answer = await house.admin(f"/api/runs{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["runs"]


async def story(house, run_id):
    return (await house.admin(f"/api/runs/{run_id}")).json()


async def ended(house, eventually, status="failed"):
    """The newest run, once it has ended like this."""

    async def newest():
        found = await runs(house, f"?status={status}")
        return found and found[0]

    return await eventually(newest)


def test_failed_run_goes_on_at_its_step(play, house, eventually, answering, respond):
    async def scenario(house):
        async with answering(respond(b"down", 500), respond(b"{}")) as url:
            house.flow(CRM.replace("URL", url.url))
            assert (await house.admin("/api/reload", "POST")).status_code == 200
            await house.text_in("HI there")
            run = await ended(house, eventually)
            assert run["place"] == "flows/flow.yaml:8:5"
            assert "answered 500: down" in run["reason"]
            answer = await house.admin(f"/api/runs/{run['id']}/retry", "POST", json={"by": "ann"})
            assert (answer.status_code, answer.json()) == (200, {"run": run["id"], "flow": "crm", "retries": 1})
            done = await ended(house, eventually, "completed")
            assert (done["id"], done["retries"], done["reason"]) == (run["id"], 1, None)
            assert house.got() == [(CONTACT, "Thanks."), (CONTACT, "It is 200.")]
            assert [request.split(b" ")[1] for request in url.requests] == [b"/2", b"/2"]
            again = await house.admin(f"/api/runs/{run['id']}/retry", "POST")
            assert again.status_code == 409
            assert again.json()["error"] == f"run {run['id']} completed: only a run that failed can be retried"
            [act] = house.daemon.journal._reader._rows("SELECT what, subject, detail FROM act")
            assert tuple(act) == ("retry", str(run["id"]), "ann")

    house.flow(WAITING)
    play(scenario)


def test_story_tells_what_each_step_asked_for_and_got(play, house, eventually, answering, respond):
    async def scenario(house):
        async with answering(respond(b"down", 503)) as url:
            retried = CRM.replace("URL", url.url).replace(
                '  - reply: "It is', '    retry: {attempts: 2, delay: 1ms, when: [5xx]}\n  - reply: "It is'
            )
            house.flow(retried)
            assert (await house.admin("/api/reload", "POST")).status_code == 200
            await house.text_in("HI there")
            found = await story(house, (await ended(house, eventually))["id"])
            told = [
                (each["step"], each["action"], each["what"], each["text"].split("\n")[0]) for each in found["trace"]
            ]
            [send] = found["sends"]
            asked = f"POST {url.url}/2"
            failed = f"{asked} answered 503: down"
            assert told == [
                ("reply", "reply", "command", f"to {CONTACT}: Thanks."),
                ("reply", "reply", "outcome", send["message_id"]),
                ("set", "set", "set", "n = 2"),
                ("call", "http", "command", asked),
                ("call", "http", "attempt", f"attempt 1 failed: {failed}"),
                ("call", "http", "outcome", f"{failed} (after 2 attempts)"),
                ("call", "http", "error", f"{failed} (after 2 attempts)"),
            ]
            call = found["trace"][3]
            assert call["place"] == "flows/flow.yaml:8:5"
            assert call["text"].split("\n")[1:] == [
                "Authorization: (not shown)", "X-Order: 7", "Content-Type: application/json", "", '{"text":"HI there"}'
            ]  # fmt: skip
            assert found["trace"][5]["took_s"] >= 0.001
            assert (send["state"], send["to"], send["message"], send["attempts"]) == ("sent", CONTACT, "Thanks.", 1)
            assert found["event"]["fields"]["content"] == "HI there"
            assert (found["vars"], found["cannot_retry"], found["file"]) == ({"n": 2}, None, "flows/flow.yaml:1:7")

    play(scenario)


def test_open_run_says_what_it_waits_for_and_can_be_cancelled(play, house, eventually):
    house.flow(WAITING)

    async def scenario(house):
        await house.text_in("WAIT")
        run = (await eventually(lambda: runs(house, "?status=waiting")))[0]
        [wait] = run["waits_for"]
        assert (wait["step"], wait["for"]) == ("answer", f"a reply of {CONTACT}")
        assert datetime.fromisoformat(wait["until"]) > datetime.now(UTC) + timedelta(minutes=119)
        assert await runs(house, "?status=held") == []
        one = f"/api/runs/{run['id']}"
        refused = await house.admin(f"{one}/retry", "POST")
        assert refused.json()["error"] == f"run {run['id']} has not ended: only a run that failed can be retried"
        counted = await house.admin("/api/runs/cancel", "POST", json={"flow": "waiting", "dry_run": True})
        assert counted.json() == {"count": 1, "cancelled": [], "refused": []}
        answer = await house.admin("/api/runs/cancel", "POST", json={"flow": "waiting", "by": "ann"})
        assert answer.json()["cancelled"] == [run["id"]]
        assert (await story(house, run["id"]))["reason"] == "cancelled by ann"
        late = await house.admin(f"{one}/cancel", "POST")
        assert (late.status_code, late.json()["error"]) == (409, f"run {run['id']} has ended already: cancelled")
        assert house.daemon.worker.open_runs == 0

    play(scenario)


FAMILY = """\
name: parent
on: {inbound_sms: {keyword: GO}}
steps:
  - id: child
    run_flow: {flow: child, wait: true}
  - reply: "Child {{ steps.child.status }}."
---
name: child
on: manual
steps:
  - send_sms: {to: "+61491570156", message: From the child.}
  - http: {url: "URL"}
"""


def test_retry_of_a_parent_retries_the_child_that_failed(play, house, eventually, answering, respond):
    async def scenario(house):
        async with answering(respond(b"down", 500), respond(b"{}")) as url:
            house.flow(FAMILY.replace("URL", url.url))
            assert (await house.admin("/api/reload", "POST")).status_code == 200
            await house.text_in("GO")
            await eventually(lambda: house.daemon.stats.runs_ended["failed"] == 2)
            [parent] = await runs(house, "?flow=parent&status=failed")
            [child] = await runs(house, "?flow=child&status=failed")
            told = await story(house, parent["id"])
            assert [each["id"] for each in told["children"]] == [child["id"]]
            assert (await story(house, child["id"]))["parent"]["id"] == parent["id"]
            answer = await house.admin("/api/runs/retry", "POST", json={"runs": [parent["id"], 999_999]})
            assert answer.json()["retried"] == [parent["id"]]
            assert answer.json()["refused"] == [{"run": 999_999, "reason": "there is no run 999999"}]
            await eventually(lambda: house.daemon.stats.runs_ended["completed"] == 2)
            assert house.got() == [(CONTACT, "From the child."), (CONTACT, "Child completed.")]
            assert {run["id"] for run in await runs(house)} == {parent["id"], child["id"]}

    play(scenario)


def test_two_who_retry_at_once_have_it_go_on_once(play, house, eventually, answering, respond):
    async def scenario(house):
        async with answering(respond(b"down", 500), "hang") as url:
            house.flow(CRM.replace("URL", url.url))
            assert (await house.admin("/api/reload", "POST")).status_code == 200
            await house.text_in("HI")
            run = await ended(house, eventually)
            answers = await asyncio.gather(*(house.admin(f"/api/runs/{run['id']}/retry", "POST") for _ in range(5)))
            assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
            await eventually(lambda: len(url.requests) == 2)

    play(scenario)


def test_retry_is_refused_while_another_run_has_its_key(play, house, eventually, answering, respond):
    async def scenario(house):
        async with answering(respond(b"down", 500), "hang") as url:
            house.flow(CRM.replace("URL", url.url) + "concurrency: {mode: single}\n")
            assert (await house.admin("/api/reload", "POST")).status_code == 200
            await house.text_in("HI")
            run = await ended(house, eventually)
            await house.text_in("HI again")
            other = (await eventually(lambda: runs(house, "?status=running")))[0]
            answer = await house.admin(f"/api/runs/{run['id']}/retry", "POST")
            assert answer.status_code == 409
            assert f"while run {other['id']} of the same `concurrency` key is open" in answer.json()["error"]
            assert await runs(house, "?status=failed")

    play(scenario)


def test_message_that_was_sent_is_not_sent_again(play, house, eventually, answering, respond):
    async def scenario(house):
        async with answering(respond(b"down", 500), respond(b"{}")) as url:
            house.flow(
                "name: both\non: {inbound_sms: {keyword: HI}}\nsteps:\n  - parallel:\n"
                "      - - reply: One.\n      - - wait_for_reply: {timeout: 1h}\n"
                f"        - http: {{url: '{url.url}'}}\n"
            )
            assert (await house.admin("/api/reload", "POST")).status_code == 200
            await house.text_in("HI")
            await eventually(lambda: house.got() == [(CONTACT, "One.")])
            await house.text_in("what?")
            run = await ended(house, eventually)
            [send] = (await story(house, run["id"]))["sends"]
            assert send["state"] == "sent"
            assert (await house.admin(f"/api/runs/{run['id']}/retry", "POST")).status_code == 200
            await ended(house, eventually, "completed")
            assert house.got() == [(CONTACT, "One.")]

    play(scenario)


def test_follower_is_told_each_step(play, house, eventually):
    house.flow(WAITING)

    async def scenario(house):
        last = (await house.admin("/api/runs/changes")).json()["last"]
        asked = asyncio.create_task(house.admin(f"/api/runs/changes?after={last}&wait=20"))
        await house.text_in("WAIT")
        [change] = (await asked).json()["changes"]
        assert (change["flow"], change["is_new"], change["doing"]) == ("waiting", True, "waiting")
        assert [record["what"] for record in change["trace"]] == ["command"]
        last += 1
        await house.text_in("here")
        said = []
        while not said or said[-1]["status"] == "running":
            found = (await house.admin(f"/api/runs/changes?after={last}&wait=20&run={change['id']}")).json()
            said, last = [*said, *found["changes"]], found["last"]
        texts = [(record["what"], record["text"]) for each in said for record in each["trace"]]
        assert texts[:2] == [("outcome", "here"), ("command", f"to {CONTACT}: Too late.")]
        assert len(texts) == 3
        house.daemon.worker.on_advanced.clear()

    play(scenario)


WRONG = [
    ("GET", "/api/runs?status=lost", None, 400, 'unknown status "lost"'),
    ("GET", "/api/runs?limit=0", None, 400, "limit is a number from 1 to"),
    ("GET", "/api/runs?since=yesterday", None, 400, "since is a time like"),
    ("GET", "/api/runs?colour=red", None, 400, "unknown parameter: colour"),
    ("GET", "/api/runs/77", None, 404, "there is no run 77"),
    ("GET", "/api/runs/changes?after=x", None, 400, "after and run are numbers"),
    ("POST", "/api/runs/77/retry", None, 404, "there is no run 77"),
    ("POST", "/api/runs/77/cancel", None, 404, "there is no run 77"),
    ("POST", "/api/runs/retry", "[]", 400, "the body is"),
    ("POST", "/api/runs/retry", "{}", 400, "name the runs"),
    ("POST", "/api/runs/retry", '{"runs": ["7"]}', 400, "runs is a list of at most"),
    ("POST", "/api/runs/cancel", '{"flow": 7}', 400, "name the runs"),
    ("POST", "/api/runs/retry", '{"runs": [9223372036854775808]}', 400, "runs is a list"),
    ("GET", "/api/runs/9223372036854775808", None, 404, "nothing has the id"),
    ("POST", "/api/runs/retry", '{"flow": "a", "since": "now"}', 400, "since is a time like"),
]


def test_wrong_questions_get_one_line(play, house):
    house.flow(WAITING)

    async def scenario(house):
        for method, path, body, status, words in WRONG:
            answer = await house.admin(path, method, content=body)
            assert (answer.status_code, path, words in answer.json()["error"]) == (status, path, True)

    play(scenario)


@pytest.mark.parametrize("gone", ["event", "flow_source"])
def test_retry_needs_event_and_document(scene, house, eventually, gone):
    house.flow("name: a\non: {inbound_sms: {keyword: HI}}\nsteps: [{fail: no}]\n")

    async def scenario():
        async with house.at_work():
            await house.text_in("HI")
            run = await ended(house, eventually)
        connection = apsw.Connection(str(house.root / ".sinchflow" / FILE_NAME))
        connection.execute(f"DELETE FROM {gone}")
        connection.close()
        house.flow(WAITING)
        async with house.at_work():
            answer = await house.admin(f"/api/runs/{run['id']}/retry", "POST")
            assert answer.status_code == 409
            assert answer.json()["error"].endswith("is kept no more")
            assert (await story(house, run["id"]))["status"] == "failed"

    scene(scenario)


def test_nothing_is_gathered_once_nobody_follows_any_more(clock):
    async def scenario():
        hooks = []
        tails = Tails(hooks, lambda: None, clock)
        assert await tails.changes(None, None, 0) == {"last": 0, "missed": False, "is_over": False, "changes": []}
        [advanced] = hooks
        run = Run(id=7, flow="a", digest="d", event_id=1, started_at=clock.now())
        clock.advance(timedelta(seconds=59))
        advanced(None, run)
        assert hooks == [advanced]
        clock.advance(timedelta(seconds=2))
        advanced(run, run)
        assert hooks == []

    asyncio.run(scenario())


DOUBTFUL = """\
name: doubtful
on: {inbound_sms: {keyword: HI}}
steps:
  - parallel:
      - - send_sms: {to: "+61491570110", message: One., on_unknown: hold}
      - - wait_for_reply: {timeout: 1h}
        - http: {url: "URL"}
"""


@pytest.mark.parametrize(("word", "got"), [("sent", []), ("fail", [("+61491570110", "One.")])])
def test_message_in_doubt_wants_a_persons_word_before_a_retry(
    play, house, eventually, answering, respond, word, got
):  # fmt: skip
    async def scenario(house):
        async with answering(respond(b"down", 500), respond(b"{}")) as url:
            house.flow(DOUBTFUL.replace("URL", url.url))
            assert (await house.admin("/api/reload", "POST")).status_code == 200
            house.sim.fail_next(Fault(kind="reset"))
            await house.text_in("HI")
            [send] = await eventually(lambda: house.sends("held"))
            await house.text_in("what?")
            run = await ended(house, eventually)
            one = f"/api/runs/{run['id']}/retry"
            refused = await house.admin(one, "POST")
            assert refused.status_code == 409
            assert f"nobody knows whether send {send['id']} to +61491570110 went out" in refused.json()["error"]
            answer = await house.admin(f"/api/sends/{send['id']}/resolve", "POST", json={"as": word})
            assert answer.status_code == 200, answer.text
            assert (await house.admin(one, "POST")).status_code == 200
            await ended(house, eventually, "completed")
            assert house.got() == got

    play(scenario)
