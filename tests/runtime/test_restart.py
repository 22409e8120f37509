"""What a restart takes up, and what a stop leaves: daemons one after the other on one journal."""

import asyncio
import time
from datetime import timedelta

import pytest

from sinchflow.errors import CannotStart
from sinchflow.simulate.faults import Fault

CONTACT = "+61491570156"
OTHER = "+61491570157"
REPLY = "name: hours\non: {inbound_sms: {keyword: HOURS}}\nsteps: [{reply: We are open.}]\n"
THEN_CALL = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
steps:
  - reply: We are open.
  - http: {method: POST, url: "URL", json: {number: "{{ contact.number }}"}}
"""
CALL = """\
name: call
on: inbound_sms
steps:
  - http: {method: METHOD, url: "URL"}
    timeout: TIMEOUT
    retry: {attempts: 3, delay: DELAY, backoff: constant, when: [WHEN]}
  - reply: "status {{ steps.x.status | default('none') }}"
"""


def flow_that_calls(
    url: str, *, method: str = "POST", delay: str = "1s", when: str = "5xx", timeout: str = "10s"
) -> str:
    text = CALL.replace("URL", url).replace("METHOD", method).replace("DELAY", delay).replace("WHEN", when)
    return text.replace("TIMEOUT", timeout).replace("  - http:", "  - id: x\n    http:")


async def idle(house, eventually) -> None:
    await eventually(lambda: house.daemon.worker.is_idle)


def test_stop_finishes_what_is_in_hand_and_the_next_start_goes_on(house, scene, eventually, answering):
    async def scenario():
        async with answering() as url:
            house.flow(THEN_CALL.replace("URL", url.url))
            house.sim.fail_next(Fault(kind="delay", delay_s=1.0))
            async with house.at_work():
                await house.text_in("HOURS")
                await eventually(lambda: house.sim.messages)
            assert url.requests == []
            async with house.at_work():
                assert (await house.states()) == {CONTACT: "sent"}
                await eventually(lambda: url.requests)
                await eventually(lambda: house.daemon.worker.open_runs == 0)
                assert house.daemon.stats.runs_ended == {"completed": 1}
            assert (len(house.sim.messages), len(url.requests)) == (1, 1)

    scene(scenario)


def test_stop_lets_a_url_call_under_way_end(house, scene, eventually, answering, respond):
    async def scenario():
        released = asyncio.Event()

        async def slowly(_request):
            await released.wait()
            return respond()

        async with answering(slowly) as url:
            house.flow(flow_that_calls(url.url))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: url.requests)
                asyncio.get_running_loop().call_later(0.5, released.set)
            async with house.at_work():
                await eventually(lambda: house.got() == [(CONTACT, "status 200")])
            assert len(url.requests) == 1

    scene(scenario)


def test_queued_messages_go_out_after_a_restart_once_each(house, scene, eventually):
    async def scenario():
        house.flow(REPLY)
        house.sim.fail_next(Fault(status=429, headers={"Retry-After": "30"}))
        async with house.at_work():
            for number in range(20):
                await house.text_in("HOURS", f"+614915701{number:02}")
            await eventually(lambda: house.sim.calls)
            await idle_of_ingress(house, 20, eventually)
        assert len(house.sim.messages) < 20  # a call that was under way beside the refused one may have taken some
        async with house.at_work():
            await eventually(lambda: len(house.sim.messages) >= 20)
            await idle(house, eventually)
        assert len(house.sim.messages) == len({to for to, _ in house.got()}) == 20

    scene(scenario)


async def idle_of_ingress(house, count, eventually):
    await eventually(lambda: house.daemon.stats.runs_started == count)


def test_held_messages_stay_held_and_are_not_repeated(house, scene, eventually):
    async def scenario():
        house.flow(REPLY.replace("We are open.", "{message: We are open., on_unknown: hold}"))
        house.sim.fail_next(Fault(kind="reset", takes=True))
        async with house.at_work():
            await house.text_in("HOURS")
            await eventually(lambda: house.sim.calls)

            async def is_held():
                return await house.states() == {CONTACT: "held"}

            await eventually(is_held)
            await house.text_in("HOURS", OTHER)
            await eventually(lambda: len(house.sim.messages) == 2)
        for _ in range(2):
            async with house.at_work():
                assert await house.states() == {CONTACT: "held", OTHER: "sent"}
                assert "outcome unknown" in (await house.sends("held"))[0]["reason"]
                assert house.daemon.worker.open_runs == 1
                assert house.daemon.worker.is_idle
        assert len(house.sim.messages) == 2

    scene(scenario)


def test_url_call_that_backs_off_is_made_when_due_and_not_before(house, scene, eventually, answering, respond):
    async def scenario():
        async with answering(respond(status=503), respond()) as url:
            house.flow(flow_that_calls(url.url, delay="2s"))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: house.daemon.stats.http_calls["status"])
                failed_at = time.monotonic()
                await idle(house, eventually)
            async with house.at_work():
                assert len(url.requests) == 1
                await eventually(lambda: len(url.requests) == 2)
                assert time.monotonic() - failed_at >= 1.4  # 2 s less the jitter of a quarter
                await eventually(lambda: house.got() == [(CONTACT, "status 200")])

    scene(scenario)


def test_due_time_that_passed_while_no_daemon_ran_is_made_up_for(house, scene, eventually, answering, respond):
    async def scenario():
        async with answering(respond(status=503), respond()) as url:
            house.flow(flow_that_calls(url.url, delay="100ms"))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: house.daemon.stats.http_calls["status"])
            async with house.at_work():
                await eventually(lambda: house.got() == [(CONTACT, "status 200")])
            assert len(url.requests) == 2

    scene(scenario)


@pytest.mark.parametrize(
    ("method", "when", "requests", "text"),
    [
        ("GET", "5xx", 2, "status 200"),
        ("PUT", "5xx", 2, "status 200"),
        ("POST", "connection", 2, "status 200"),
    ],
)
def test_url_call_that_was_cut_off_is_repeated_only_where_that_is_safe(
    house, scene, eventually, answering, respond, method, when, requests, text
):
    async def scenario():
        async with answering("hang", respond()) as url:
            house.flow(flow_that_calls(url.url, method=method, when=when))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: url.requests)
                house.daemon.worker._runs._calls._tasks.copy().pop().cancel()  # as the end of the process does
            async with house.at_work():
                await eventually(lambda: house.daemon.worker.open_runs == 0)
                ended = house.daemon.stats.runs_ended
            assert len(url.requests) == requests
            assert [text for _, text in house.got()] == [text]
            assert ended == {"completed": 1}

    scene(scenario)


def test_throttle_and_brake_still_count_after_a_restart(house, scene, eventually):
    async def scenario():
        house.flow(REPLY + "throttle: {max: 2, per: 1h}\n")
        house.flow("name: echo\non: {inbound_sms: {keyword: ECHO}}\nsteps: [{reply: Echo.}]\n", "echo.yaml")
        async with house.at_work():
            for content in ("HOURS", "ECHO"):
                await house.text_in(content)
            await eventually(lambda: len(house.sim.messages) == 2)
        async with house.at_work():
            for _ in range(3):
                await house.text_in("HOURS")
            await eventually(lambda: house.daemon.stats.throttled == 2)
            await house.text_in("ECHO")
            await house.text_in("ECHO", OTHER)
            await eventually(lambda: (OTHER, "Echo.") in house.got())
            await idle(house, eventually)
            skipped = await house.sends("skipped")
            assert [send["message"] for send in skipped] == ["Echo."]
            assert "max_sends_per_contact" in skipped[0]["reason"]
        assert [text for to, text in house.got() if to == CONTACT] == ["We are open.", "Echo.", "We are open."]

    scene(scenario, policy="{max_sends_per_contact: {max: 3, per: 1h}}")


def test_calls_of_the_former_process_count_in_the_window(house, scene, eventually):
    async def scenario():
        house.flow(REPLY)
        async with house.at_work():
            for number in range(2):
                await house.text_in("HOURS", f"+6149157010{number}")
                await eventually(lambda: house.daemon.stats.runs_ended["completed"] == number + 1)  # noqa: B023
        async with house.at_work():
            await house.text_in("HOURS", OTHER)
            await eventually(lambda: house.daemon.worker.open_runs == 1)

            async def is_queued():
                return (await house.states()).get(OTHER) == "queued"

            await eventually(is_queued)
            opens_at = house.daemon._accounts.outbox("default")._window.opens_at(
                house.daemon._accounts.outbox("default")._clock.now(), 1
            )
            assert opens_at - house.daemon._accounts.outbox("default")._clock.now() > timedelta(minutes=14)
        assert len(house.sim.calls) == 2

    scene(scenario, limits="{calls: 4, per: 1h}")


def test_events_that_were_not_routed_are_routed_at_the_next_start_in_order(house, scene, eventually, answering):
    async def scenario():
        async with answering("hang") as url:
            house.flow(
                "name: echo\non: inbound_sms\nsteps:\n"
                f"  - if: event.content == '0'\n    http: {{method: POST, url: '{url.url}'}}\n    timeout: 300ms\n"
                "    on_error: continue\n"
                "  - reply: '{{ event.content }}'\n"
            )
            async with house.at_work():
                for number in range(5):
                    await house.text_in(str(number))
                await eventually(lambda: url.requests)
                assert house.daemon.worker.waiting_events == 4
            async with house.at_work():
                await eventually(lambda: len(house.sim.messages) == 5)
                await idle(house, eventually)
            assert [text for _, text in house.got()] == ["0", "1", "2", "3", "4"]

    scene(scenario)


def test_run_goes_on_with_the_document_it_began_with(house, scene, eventually, answering, respond):
    async def scenario():
        async with answering(respond(status=503), respond()) as url:
            file = house.flow(flow_that_calls(url.url, delay="1s"))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: house.daemon.stats.http_calls["status"])
                file.write_text(file.read_text().replace('reply: "status', 'reply: "edited'))
                assert await house.daemon.reload() is None
            file.unlink()
            house.flow(REPLY, "other.yaml")
            async with house.at_work():
                await eventually(lambda: house.got() == [(CONTACT, "status 200")])

    scene(scenario)


def test_numbers_beyond_what_the_journal_holds_fail_the_run_and_nothing_else(house, scene, eventually):
    async def scenario():
        house.flow(
            "name: odd\non: {inbound_sms: {keyword: ODD}}\nsteps:\n"
            "  - set: {x: '{{ 99999999999 * 99999999999 * 99999999999 }}'}\n  - reply: 'x {{ vars.x }}'\n"
        )
        house.flow(REPLY, "reply.yaml")
        async with house.at_work():
            await house.text_in("ODD")
            await house.text_in("HOURS", OTHER)
            await eventually(lambda: (OTHER, "We are open.") in house.got())
            await idle(house, eventually)
            assert house.daemon.stats.troubles == {}

    scene(scenario)


@pytest.mark.parametrize("depth", [480, 5_000])
def test_deeply_nested_answer_ends_the_run_one_way_or_the_other(house, scene, eventually, answering, respond, depth):
    async def scenario():
        body = b"[" * depth + b"]" * depth
        async with answering(respond(body, content_type="application/json")) as url:
            house.flow(flow_that_calls(url.url))
            async with house.at_work():
                await house.text_in("x")
                await eventually(lambda: house.daemon.stats.runs_ended.total() == 1)
                assert house.daemon.stats.internal_errors == 0
                assert house.daemon.stats.troubles == {}

    scene(scenario)


def test_a_start_that_cannot_say_where_it_listens_is_refused(house, scene):
    async def scenario():
        (house.root / ".sinchflow/daemon.json").mkdir(parents=True)
        with pytest.raises(CannotStart, match=r"daemon\.json cannot be written \(Is a directory\)"):
            async with house.at_work():
                pass
        (house.root / ".sinchflow/daemon.json").rmdir()
        async with house.at_work():
            pass

    scene(scenario)
