"""What runs may not lose, repeat or let slip between two units of the journal."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from sinchflow.model.command import Woken
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.model.flow import Concurrency
from sinchflow.model.run import Cursor, Run
from sinchflow.runtime.concurrency import OpenRuns
from sinchflow.simulate.faults import Fault

CONTACT = "+61491570156"
OTHER = "+61491570157"
THIRD = "+61491570158"
NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
WAIT = "wait_for_reply: {timeout: 1h, categories: {go: {answer: go}}}"


async def idle(house, eventually) -> None:
    await eventually(lambda: house.daemon.worker.is_idle)


async def says(house, eventually, *texts, sender=CONTACT):
    for text in texts:
        await house.text_in(text, sender)
        await idle(house, eventually)


def said(house, sender=CONTACT):
    return [text for to, text in house.got() if to == sender]


async def started(house, eventually, name, **inputs):
    """Start a flow by hand; the run's id."""
    answers = []
    house.daemon.worker.start(house.daemon.worker.catalog.flows[name], inputs, answers.append)
    await eventually(lambda: answers)
    return answers[0]


def test_long_loop_goes_on_when_policy_refuses_its_first_item(play, house, eventually):
    """What follows from a refusal is decided before the loop's items are on disk."""
    numbers = json.dumps([f"+6149157{n:04}" for n in range(100)])
    loop = '{items: "{{ vars.numbers }}", as: to, steps: [{send_sms: {to: "{{ to }}", message: hi}}]}'
    house.flow(f"name: all\non: manual\nvars: {{numbers: {numbers}}}\nsteps: [{{for_each: {loop}}}]\n")

    async def scenario(house):
        worker = house.daemon.worker
        worker.people.suppress("+61491570000", "operator", worker._clock.now())
        await started(house, eventually, "all")
        await eventually(lambda: worker.open_runs == 0)
        assert house.daemon.stats.internal_errors == 0
        assert len(house.got()) == 99

    play(scenario, policy="{max_sends_per_run: 1000, max_sends_per_contact: off}")


BOTH = f"""\
name: both
on: manual
steps:
  - parallel:
      - - wait_for_reply: {{from: "{CONTACT}", timeout: 1h}}
      - - wait_for_reply: {{from: "{OTHER}", timeout: 1h}}
"""


def test_answer_counts_as_routed_only_with_the_run_that_heard_it(play, house, eventually):
    house.flow(BOTH)

    async def scenario(house):
        await started(house, eventually, "both")
        await idle(house, eventually)
        journal, units = house.daemon.journal, []
        store = journal.commit
        journal.commit = lambda changes, done: (units.append(changes), store(changes, done))
        await asyncio.gather(house.text_in("here", CONTACT), house.text_in("me too", OTHER))
        await eventually(lambda: house.daemon.worker.open_runs == 0)
        for unit in units:
            heard = [run.trace for run in unit.runs]
            assert len(unit.routed) <= len(heard), "an answer is routed, and no run knows it"

    play(scenario)


def test_budget_of_a_run_holds_over_a_restart(house, scene, eventually):
    house.flow(f"name: two\non: inbound_sms\nsteps: [{{reply: one}}, {{{WAIT}}}, {{reply: two}}]\n")

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "hello")
        async with house.at_work():
            await says(house, eventually, "go")
            assert said(house) == ["one"]
            [send] = await house.sends("skipped")
            assert "policy.max_sends_per_run" in send["reason"]

    scene(scenario, policy="{max_sends_per_run: 1}")


def test_timeout_of_a_flow_comes_once_also_over_a_restart(house, scene, eventually):
    house.flow(
        f"name: late\non: {{inbound_sms: {{keyword: LATE}}}}\ntimeout: 200ms\nsteps: [{{delay: 1h}}]\n"
        f"on_error: [{{reply: too late}}, {{{WAIT}}}, {{reply: sorry}}]\n"
    )

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "LATE")
            await eventually(lambda: said(house) == ["too late"])
            await idle(house, eventually)
        async with house.at_work():
            await says(house, eventually, "go")
            await eventually(lambda: said(house) == ["too late", "sorry"])

    scene(scenario)


def test_message_whose_run_ended_before_the_daemon_died_is_shown_as_withdrawn(house, scene, eventually):
    house.flow(f'name: news\non: manual\ncontact: "{CONTACT}"\nsteps: [{{reply: News}}]\n')

    async def scenario():
        async with house.at_work():
            worker = house.daemon.worker
            await started(house, eventually, "news")
            await idle(house, eventually)
            [run_id] = worker._runs._active
            worker._runs._intents._deferred.clear()  # as if it died before this was stored
            worker._runs.cancel(run_id, "test")
            await idle(house, eventually)
            assert [send["state"] for send in await house.sends()] == ["deferred"]
        async with house.at_work():
            await idle(house, eventually)
            assert [send["state"] for send in await house.sends()] == ["skipped"]

    scene(scenario, policy="{quiet_hours: {from: 00:00, to: 23:59}, max_sends_per_contact: off}")


@pytest.mark.parametrize("step", ['reply: "hi"', 'http: {method: POST, url: "URL"}'])
def test_branch_beside_one_that_failed_comes_to_nothing(step, play, house, eventually, answering):
    async def scenario(house):
        async with answering() as url:
            house.flow(
                f"name: x\non: inbound_sms\nsteps: [{{parallel: [[{{{step}}}], [{{fail: no}}]]}}]\n".replace(
                    "URL", url.url
                )
            )
            assert await house.daemon.reload() is None
            await says(house, eventually, "hello")
            await eventually(lambda: house.daemon.stats.runs_ended["failed"] == 1)
            await asyncio.sleep(0.1)
            assert (house.got(), url.requests) == ([], [])

    play(scenario)


def test_call_that_nobody_waits_for_any_more_is_not_tried_again(play, house, eventually, answering, respond):
    async def scenario(house):
        async with answering(respond(b"", 500)) as url:
            house.flow(
                "name: x\non: inbound_sms\nsteps:\n  - choose:\n      - else:\n          - http: {method: POST, url: "
                f'"{url.url}"}}\n            retry: {{attempts: 9, delay: 400ms, backoff: constant, when: [5xx]}}\n'
                f"    timeout: 200ms\n    on_error: continue\n  - {WAIT}\n"
            )
            assert await house.daemon.reload() is None
            await house.text_in("hello")
            await eventually(lambda: len(house.daemon.worker._runs.waits))
            await asyncio.sleep(1)
            assert len(url.requests) == 1

    play(scenario)


QUEUED = f"""\
name: ticket
on: {{inbound_sms: {{keyword: TICKET}}}}
concurrency: {{mode: queued, key: all, max: 1000}}
steps:
  - if: match.rest == "first"
    {WAIT}
"""


def test_long_queue_of_runs_that_end_at_once(play, house, eventually):
    house.flow(QUEUED)

    async def scenario(house):
        await says(house, eventually, "TICKET first")
        await asyncio.gather(*(house.text_in(f"TICKET {n}", f"+614915{n:05}") for n in range(600)))
        await eventually(lambda: house.daemon.worker.open_runs == 601)
        await says(house, eventually, "go")
        await eventually(lambda: house.daemon.worker.open_runs == 0)
        assert house.daemon.stats.internal_errors == 0

    play(scenario)


CHILD = """\
name: name
on: {inbound_sms: {keyword: NAME}}
steps: [{remember: {first_name: "{{ match.rest }}"}}]
---
name: parent
on: {inbound_sms: {keyword: TELL}}
steps: [{run_flow: {flow: child, inputs: {to: "OTHER"}}}]
---
name: child
on: manual
inputs: {to: {type: phone}}
contact: "{{ inputs.to }}"
steps: [{reply: "Hello {{ contact.first_name | default('nobody') }}"}]
"""


def test_child_knows_what_is_remembered_of_its_own_contact(play, house, eventually):
    house.flow(CHILD.replace("OTHER", OTHER))

    async def scenario(house):
        await says(house, eventually, "NAME Bo", sender=OTHER)
        await says(house, eventually, "TELL")
        assert said(house, OTHER) == ["Hello Bo"]

    play(scenario)


def test_nobody_overtakes_the_run_whose_turn_it_is():
    runs = OpenRuns()
    first, second, third = (Run(id=n, flow="f", digest="d", event_id=1, started_at=NOW, key="k") for n in (1, 2, 3))
    held = replace(second, cursors=(Cursor(address="0", is_pause=True),))
    queued = Concurrency(mode="queued")
    runs.note(first)
    assert runs.verdict(queued, held) == "queue"
    runs.note(held)
    assert runs.count(replace(first, status="completed")) == 2
    assert runs.verdict(queued, third) == "queue"
    runs.note(second)
    assert runs.count(replace(second, status="completed")) is None
    assert runs.verdict(queued, third) == "begin"


TWICE = """\
name: notice
on: {inbound_sms: {keyword: GO}}
steps:
  - {id: sms, send_sms: {to: "OTHER", message: News}}
  - run_flow: {flow: watch, inputs: {sms: "{{ steps.sms.message_id }}"}, wait: false}
  - {id: seen, wait_for_receipt: {message_id: "{{ steps.sms.message_id }}", status: delivered, timeout: 1h}}
---
name: watch
on: manual
inputs: {sms: {type: string}}
steps: [{wait_for_receipt: {message_id: "{{ inputs.sms }}", status: delivered, timeout: 1h}}]
---
name: any
on: {delivery_receipt: {status: delivered}}
steps: [{log: it arrived}]
"""


def test_receipt_is_routed_in_the_unit_of_all_that_hear_of_it(play, house, eventually):
    house.flow(TWICE.replace("OTHER", OTHER))

    async def scenario(house):
        await says(house, eventually, "GO")
        runs, journal, units = house.daemon.worker._runs, house.daemon.journal, []
        assert len(runs.waits) == 2
        store = journal.commit
        journal.commit = lambda changes, done: (units.append(changes), store(changes, done))
        [message] = house.sim.messages
        for run_id in sorted(runs._active):
            runs.called(run_id, Woken(command="nothing"))  # it is being stored while the receipt comes
        body = {"delivery_report_id": "d1", "message_id": message.message_id, "status": "delivered"}
        body |= {"source_address": OTHER, "destination_address": "+61491593156", "metadata": message.metadata}
        event = Event(
            id=journal.new_id(), kind="delivery_receipt", key="d1", received_at=NOW, contact=OTHER,
            fields=dict.fromkeys(EVENT_FIELDS["delivery_receipt"]) | body,
        )  # fmt: skip
        journal.accept(event, lambda _: None)
        house.daemon.worker.take(event)
        await eventually(lambda: house.daemon.worker.open_runs == 0)
        assert house.daemon.stats.runs_ended["completed"] == 3
        [unit] = [unit for unit in units if event.id in unit.routed]
        assert sorted(run.flow for run in unit.runs if run.is_final) == ["any", "notice", "watch"]

    play(scenario)


def test_older_booking_ends_though_the_daemon_died_before_that_was_stored(house, scene, eventually):
    text = f"name: book\non: {{inbound_sms: {{keyword: BOOK}}}}\nsteps: [{{{WAIT}}}, {{reply: done}}]\n"
    path = house.flow(text + "concurrency: {mode: restart}\n")

    async def scenario():
        async with house.at_work():
            await says(house, eventually, "BOOK")
            house.daemon.worker._runs._admission.open_runs._at_work.clear()  # the older one's end is not stored
            await says(house, eventually, "BOOK")
            assert house.daemon.worker.open_runs == 2
        async with house.at_work():
            await idle(house, eventually)
            assert house.daemon.worker.open_runs == 1
            await says(house, eventually, "go", "go")
            assert said(house) == ["done"]

    assert path.exists()
    scene(scenario)


def test_cancelled_run_asks_for_nothing_more(play, house, eventually):
    house.flow(f"name: book\non: {{inbound_sms: {{keyword: BOOK}}}}\nsteps: [{{{WAIT}}}, {{reply: done}}]\n")

    async def scenario(house):
        await says(house, eventually, "BOOK")
        runs = house.daemon.worker._runs
        [(run_id, active)] = runs._active.items()
        [wait] = active.run.cursors[0].commands
        runs.called(run_id, Woken(command="nothing"))  # what comes now waits until that is stored
        runs.called(run_id, Woken(command=wait.id))
        assert runs.cancel(run_id, "test")
        await eventually(lambda: house.daemon.worker.open_runs == 0)
        await asyncio.sleep(0.1)
        assert said(house) == []

    play(scenario)


def test_message_in_a_call_of_a_run_that_ended_is_looked_up_after_a_restart(house, scene, eventually):
    house.flow(f'name: news\non: manual\ncontact: "{CONTACT}"\nsteps: [{{reply: News}}]\n')

    async def scenario():
        house.sim.fail_next(Fault(kind="delay", delay_s=30))
        async with house.at_work():
            worker = house.daemon.worker
            await started(house, eventually, "news")
            outbox = worker._runs._accounts.outbox("default")
            await eventually(lambda: outbox._calls)
            [run_id] = worker._runs._active
            worker._runs.cancel(run_id, "test")
            await eventually(lambda: worker.open_runs == 0)
            [call] = outbox._calls
            call.cancel()  # the daemon died
        async with house.at_work():

            async def is_looked_up():
                return [send["state"] for send in await house.sends()] == ["unknown"]

            await eventually(is_looked_up)

    scene(scenario)
