"""`http` calls of which nobody knows whether they were done: by method, key and policy, after faults and crashes."""

import pytest

CONTACT = "+61491570156"
FLOW = """\
name: crm
on: inbound_sms
steps:
  - id: crm
    http: {method: METHOD, url: "URL", MORE}
  - reply: "status {{ steps.crm.status | default('none') }}"
"""
HANDLED = FLOW.replace("MORE}\n", "MORE}\n    on_error: continue\n")
HELD = "whether it was done is not known"


def flow(url, method="POST", more="", text=FLOW):
    return text.replace("METHOD", method).replace("URL", url).replace(", MORE", f", {more}" if more else "")


async def held(house):
    """Why calls of open runs wait for a person."""
    runs = [active.run for active in house.daemon.worker._runs._active.values()]
    return [attempt.held for run in runs for cursor in run.cursors for attempt in cursor.attempts.values()]


@pytest.mark.parametrize(
    ("method", "more", "requests", "text"),
    [
        ("POST", "", 1, None),
        ("PATCH", "", 1, None),
        ("POST", "on_unknown: skip", 1, "status none"),
        ("POST", "on_unknown: resend", 2, "status 200"),
        ("POST", 'idempotency_key: "{{ event.reply_id }}"', 2, "status 200"),
        ("POST", 'headers: {idempotency-key: "{{ event.reply_id }}"}', 2, "status 200"),
        ("GET", "", 2, "status 200"),
        ("PUT", "", 2, "status 200"),
        ("DELETE", "", 2, "status 200"),
        ("PUT", "on_unknown: hold", 1, None),
        ("POST", 'idempotency_key: k, on_unknown: hold', 1, None),
    ],
)  # fmt: skip
def test_call_that_a_crash_cut_off(house, scene, eventually, answering, respond, method, more, requests, text):
    async def scenario():
        async with answering("hang", respond()) as url:
            house.flow(flow(url.url, method, more))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: url.requests)
                house.daemon.worker._runs._calls._tasks.copy().pop().cancel()  # as the end of the process does
            for _ in range(2):  # a second restart changes nothing
                async with house.at_work():
                    if text is None:
                        [words] = await eventually(lambda: held(house))
                        assert HELD in words
                        assert house.daemon.worker.is_idle
                    else:
                        await eventually(lambda: house.daemon.worker.open_runs == 0)
            assert len(url.requests) == requests
            if "idempotency" in more and requests == 2:
                keys = [line for each in url.requests for line in each.split(b"\r\n") if b"idempotency" in line.lower()]
                assert len(keys) == 2
                assert len(set(keys)) == 1
            assert [said for _, said in house.got()] == ([text] if text else [])

    scene(scenario)


@pytest.mark.parametrize("fault", ["hang", None])
@pytest.mark.parametrize(
    ("method", "more", "text", "expected"),
    [
        ("POST", "", FLOW, "held"),
        ("POST", "", HANDLED, "status none"),  # the flow says what is to happen then
        ("POST", "on_unknown: hold", HANDLED, "held"),
        ("POST", "on_unknown: skip", FLOW, "status none"),
        ("POST", "idempotency_key: k", FLOW, "failed"),  # it may be retried: by `retry`, or by a person
        ("GET", "", FLOW, "failed"),
    ],
)
def test_call_that_a_fault_cut_off(house, scene, eventually, answering, fault, method, more, text, expected):
    async def scenario():
        async with answering(fault) as url:
            house.flow(flow(url.url, method, more, text).replace("    http", "    timeout: 300ms\n    http"))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: url.requests)
                if expected == "held":
                    [words] = await eventually(lambda: held(house))
                    assert HELD in words
                elif expected == "failed":
                    await eventually(lambda: house.daemon.stats.runs_ended["failed"])
                else:
                    await eventually(lambda: house.got() == [(CONTACT, expected)])
            # aiohttp makes an idempotent call once more by itself when a connection breaks.
            assert len(url.requests) == (2 if method == "GET" and fault is None else 1)

    scene(scenario)


def test_call_that_cannot_have_arrived_is_not_in_doubt(house, scene, eventually):
    async def scenario():
        house.flow(flow("http://127.0.0.1:9"))
        async with house.at_work():
            await house.text_in("x")
            await eventually(lambda: house.daemon.stats.runs_ended["failed"])

    scene(scenario)


def test_call_is_made_again_after_a_fault_where_the_step_says_so(house, scene, eventually, answering, respond):
    async def scenario():
        async with answering(None, respond()) as url:
            text = flow(url.url, more="on_unknown: resend").replace(
                "    http", "    retry: {attempts: 3, delay: 10ms, when: [5xx]}\n    http"
            )
            house.flow(text)
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: house.got() == [(CONTACT, "status 200")])
            assert len(url.requests) == 2

    scene(scenario)


@pytest.mark.parametrize(
    ("how", "requests", "text", "ended"),
    [("resend", 2, "status 200", "completed"), ("skip", 1, "status none", "completed"), ("fail", 1, None, "failed")],
)
def test_person_says_what_becomes_of_a_call(house, scene, eventually, answering, respond, how, requests, text, ended):
    async def scenario():
        async with answering(None, respond()) as url:
            house.flow(flow(url.url))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: held(house))
                [run_id] = house.daemon.worker._runs._active
                where, word = f"/api/runs/{run_id}/resolve", {"as": how, "by": "ann"}
                answer = await house.admin(where, "POST", json=word)
                assert (answer.status_code, answer.json()) == (200, {"run": run_id, "resolved": how})
                again = await house.admin(where, "POST", json=word)
                assert again.status_code == 409
                assert again.json()["error"].startswith(f"run {run_id}: it ")
                await eventually(lambda: house.daemon.stats.runs_ended[ended])
            assert len(url.requests) == requests
            assert [said for _, said in house.got()] == ([text] if text else [])

    scene(scenario)
