"""Questions to the provider, receipts and catch-up through the whole house: daemon, journal and the simulated Sinch."""

import asyncio
import json

import pytest

from sinchflow.simulate.faults import Fault

TOKEN = "hook-token-of-the-test"
CUSTOMER = "+61491570156"
HOURS = "on: inbound_sms\nsteps:\n  - reply: '{{ event.content }}!'\n"


def receipt(message, status: str = "failed") -> bytes:
    """As our template renders it, for a message as the simulated Sinch took it."""
    return json.dumps(
        {
            "event": "delivery_report", "message_id": message.message_id or "", "status": status, "status_code": "330",
            "delivery_report_id": f"d-{message.content}-{status}", "source_address": message.destination_number,
            "metadata": [{"metadata_key": key, "metadata_value": value} for key, value in message.metadata.items()],
        }
    ).encode()  # fmt: skip


def logged(house) -> list[str]:
    """What became of the runs that have ended, by flow."""
    return sorted(f"{run.flow}: {run.status} {run.reason or ''}".strip() for run in house.ended)


@pytest.fixture
def ended(house):
    """Runs that end are kept in `house.ended`."""
    house.ended = []
    return house.ended


def test_questions_of_a_flow_are_answered(house, play, eventually, ended):
    house.flow("""\
on: {inbound_sms: {keyword: GO}}
steps:
  - id: later
    send_sms: {to: "+61491570158", message: Later, scheduled: "{{ '2099-01-01T00:00Z' }}"}
  - id: found
    get_message_status: "{{ steps.later.message_id }}"
  - id: gone
    cancel_message: "{{ steps.later.message_id }}"
  - id: out
    opt_out: "0491 570 158"
  - id: in
    opt_in: "+61491570158"
  - id: ids
    get_sender_ids:
  - id: none
    get_message_status: 00000000-0000-0000-0000-000000000000
    on_error:
      - stop: >-
          {{ steps.found.status }} {{ steps.found.content }} {{ steps.gone.status }} {{ steps.out.opted_out }}
          {{ steps.in.opted_out }} {{ steps.ids.pagination.page_count }} {{ error.status }} {{ error.message }}
""")

    async def scenario(house):
        house.daemon.worker.on_end.append(ended.append)
        await house.text_in("GO")
        await eventually(lambda: ended)
        [run] = ended
        assert run.reason.startswith("scheduled Later cancelled true false 1 404")
        assert "Resource not found" in run.reason
        calls = [(call.method, call.path) for call in house.sim.requests]
        assert calls[:3] == [
            ("POST", "/v1/messages"),
            ("GET", f"/v1/messages/{house.sim.messages[0].message_id}"),
            ("PUT", f"/v1/messages/{house.sim.messages[0].message_id}"),
        ]
        assert house.daemon.stats.troubles == {}

    play(scenario, country="AU")


def test_question_is_put_again_after_trouble_and_after_a_restart(house, serve, eventually, ended):
    house.flow(
        "on: inbound_sms\nsteps:\n  - get_sender_ids:\n    retry: {attempts: 9, delay: 100ms, backoff: constant}\n"
        "  - stop: done\n"
    )

    async def scenario():
        async with asyncio.timeout(60), serve(house.sim) as house.base:
            house.settings()
            house.sim.fail_next(Fault(status=503, method="GET", path="/v1/messaging"))
            house.sim.fail_next(Fault(kind="hang", method="GET", path="/v1/messaging"))
            async with house.at_work():
                await house.text_in("hi")
                await eventually(lambda: len(house.sim.requests) == 2)
            async with house.at_work():
                house.daemon.worker.on_end.append(ended.append)
                await eventually(lambda: ended or house.daemon.worker.open_runs == 0)
            assert len(house.sim.requests) >= 4

    asyncio.run(scenario())


def test_receipt_finds_the_step_that_sent_also_before_the_providers_answer(house, play, eventually, ended):
    house.flow("name: asks\non: inbound_sms\nsteps:\n  - {id: tell, reply: '{{ event.content }}'}\n", "asks.yaml")
    house.flow(
        "name: hears\non: {delivery_receipt: {flow: asks, status: failed}}\n"
        "steps:\n  - stop: '{{ match.flow }} {{ match.step }} {{ match.run > 0 }} {{ event.attachments | length }}'\n",
        "hears.yaml",
    )
    house.flow("name: other\non: {delivery_receipt: {flow: hears}}\nsteps:\n  - stop: never\n", "other.yaml")
    pushes = []

    async def scenario(house):
        def early(message) -> None:
            push = house.post(receipt(message), path=f"/hooks/{TOKEN}/receipts")
            pushes.append(asyncio.get_running_loop().create_task(push))

        house.daemon.worker.on_end.append(ended.append)
        house.sim.subscribe(early)
        house.sim.fail_next(Fault(kind="delay", delay_s=0.3))
        await house.text_in("one")
        await eventually(lambda: len(ended) == 2)  # the receipt waits in the contact's lane until `asks` is at rest
        assert logged(house) == ["asks: completed", "hears: stopped asks tell true 0"]
        foreign = house.sim.messages[0].__class__(
            content="x", destination_number=CUSTOMER, metadata={"sinchflow_id": "ffffffff000000000001"}
        )
        for message in (foreign, house.sim.messages[0]):
            await house.post(receipt(message, "delivered"), path=f"/hooks/{TOKEN}/receipts")
        await asyncio.gather(*pushes)
        assert len(ended) == 2

    play(scenario)


def test_inbound_messages_of_a_downtime_are_answered_once_when_catch_up_is_on(house, serve, eventually):
    """Half of them were pushed before the daemon went down, and are still in the provider's queue."""
    house.flow(HOURS)

    async def scenario():
        async with asyncio.timeout(60), serve(house.sim) as house.base:
            house.settings(catch_up="{on_start: true}")
            async with house.at_work():
                base = f"http://127.0.0.1:{house.daemon.port}"
                house.sim.hooks = house.sim.hooks.__class__(inbound_url=f"{base}/hooks/{TOKEN}/inbound")
                for number in range(20):
                    await house.sim.text_in(f"+6149157{number:04}", f"up{number}")
                await eventually(lambda: len(house.sim.messages) == 20)
            house.sim.hooks = house.sim.hooks.__class__()
            for number in range(130):
                await house.sim.text_in(f"+6149158{number:04}", f"down{number}")
            async with house.at_work():
                await eventually(lambda: len(house.sim.messages) == 150)
                await eventually(lambda: not house.daemon.worker.open_runs)
                assert house.daemon.stats.fetched == {"inbound_sms": 130}
            async with house.at_work():
                calls = len(house.sim.requests)
                await eventually(lambda: len(house.sim.requests) >= calls + 2)
            expected = {*(f"up{number}!" for number in range(20)), *(f"down{number}!" for number in range(130))}
            assert {text for _, text in house.got()} == expected
            assert len(house.got()) == 150

    asyncio.run(scenario())


def test_nothing_is_polled_when_catch_up_is_off(house, play, eventually):
    house.flow(HOURS)

    async def scenario(house):
        await house.sim.text_in(CUSTOMER, "lost")
        await house.text_in("kept")
        await eventually(lambda: house.got() == [(CUSTOMER, "kept!")])
        assert {call.path for call in house.sim.requests} == {"/v1/messages"}

    play(scenario)
