"""Several accounts in one project: each with its own provider, webhooks, numbers and throttle."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.provider import SimulatedSinch

TOKEN = "hook-token-of-the-test"
REPLY = "on: inbound_sms\nsteps:\n  - reply: Hello\n"
ACCOUNTS = (
    '{nz: {base_url: "NZ", credentials: {api_key: nz, api_secret: s}, '
    'source_number: "+6421555000", limits: {calls: off}}}'
)


@pytest.fixture
def two(house, serve):
    """`async with two(flow, …) as (house, nz)`: a daemon with an account `nz` at a provider of its own."""

    @asynccontextmanager
    async def opened(*flows: str, accounts: str = ACCOUNTS):
        nz = SimulatedSinch(
            api_key="nz", api_secret="s", receipts=False, timeline=Timeline(enroute_s=None, submitted_s=None)
        )
        async with asyncio.timeout(60), serve(house.sim) as house.base, serve(nz) as nz_base:
            house.nz_base = nz_base
            house.settings(accounts=accounts.replace("NZ", nz_base))
            for number, flow in enumerate(flows):
                house.flow(flow, f"flow{number}.yaml")
            async with house.at_work():
                yield house, nz

    return opened


def got(sim: SimulatedSinch) -> list[tuple[str | None, str, str]]:
    return [(message.source_number, message.destination_number, message.content) for message in sim.messages]


def inbound(number: int, **fields: str) -> dict[str, str]:
    return {"reply_id": f"r{number}", "source_address": "+61491570156", "content": "hi", **fields}


def test_reply_goes_out_through_the_account_where_the_text_came_in(two, eventually):
    async def scenario():
        async with two(REPLY) as (house, nz):
            await house.post(inbound(1, destination_address="+6421555111"), path=f"/hooks/{TOKEN}/nz/inbound")
            await eventually(lambda: nz.messages)
            await house.post(inbound(2))
            await eventually(lambda: house.sim.messages)
            assert got(nz) == [("+6421555111", "+61491570156", "Hello")]
            assert got(house.sim) == [("+61491593156", "+61491570156", "Hello")]

    asyncio.run(scenario())


def test_the_same_id_on_two_accounts_is_two_events(two, eventually):
    async def scenario():
        async with two(REPLY) as (house, nz):
            for path in (f"/hooks/{TOKEN}/inbound", f"/hooks/{TOKEN}/nz/inbound"):
                assert (await house.post(inbound(1), path=path)).status_code == 202
                assert (await house.post(inbound(1), path=path)).status_code == 200
            await eventually(lambda: nz.messages and house.sim.messages)
            assert (len(got(nz)), len(got(house.sim))) == (1, 1)

    asyncio.run(scenario())


def test_send_chooses_its_account_and_takes_its_number(two, eventually):
    flow = "on: inbound_sms\nsteps:\n  - send_sms: {to: +6421555222, message: Alert, account: nz}\n  - reply: Done\n"

    async def scenario():
        async with two(flow) as (house, nz):
            await house.text_in("hi")
            await eventually(lambda: house.sim.messages)
            assert got(nz) == [("+6421555000", "+6421555222", "Alert")]
            assert got(house.sim) == [("+61491593156", "+61491570156", "Done")]

    asyncio.run(scenario())


def test_flow_with_an_account_takes_that_accounts_events_only(two, eventually):
    nz_only = "name: nz-only\naccount: nz\non: inbound_sms\npriority: 1\nsteps:\n  - reply: Kia ora\n"

    async def scenario():
        async with two(nz_only, REPLY) as (house, nz):
            await house.text_in("hi")
            await house.post(inbound(7), path=f"/hooks/{TOKEN}/nz/inbound")
            await eventually(lambda: nz.messages and house.sim.messages)
            assert [text for _, _, text in got(nz)] == ["Kia ora"]
            assert [text for _, _, text in got(house.sim)] == ["Hello"]

    asyncio.run(scenario())


def test_unknown_account_in_a_path_is_404(two):
    async def scenario():
        async with two(REPLY) as (house, _):
            answer = await house.post(inbound(1), path=f"/hooks/{TOKEN}/uk/inbound")
            assert answer.status_code == 404
            assert 'no account "uk"' in answer.json()["error"]

    asyncio.run(scenario())


def test_messages_of_an_account_that_is_taken_away_wait_until_it_is_back(two, eventually):
    """Its flow may be gone too: the run goes on with the document it began with."""
    flow = "account: nz\non: inbound_sms\nsteps:\n  - reply: one\n"

    async def scenario():
        async with two(flow, accounts=ACCOUNTS.replace("NZ", "http://127.0.0.1:1")) as (house, nz):
            await house.post(inbound(1), path=f"/hooks/{TOKEN}/nz/inbound")
            await eventually(lambda: "provider:nz" in house.daemon.stats.troubles)
            (house.root / "flows" / "flow0.yaml").unlink()
            house.settings()
            assert await house.daemon.reload() is None
            await eventually(lambda: "not in sinchflow.yaml" in house.daemon.stats.troubles["provider:nz"])
            await eventually(lambda: house.sends("queued"))
            house.settings(accounts=ACCOUNTS.replace("NZ", house.nz_base))
            assert await house.daemon.reload() is None
            await eventually(lambda: nz.messages)
            await eventually(lambda: not house.daemon.stats.troubles)
            assert got(house.sim) == []

    asyncio.run(scenario())


def test_one_accounts_trouble_leaves_the_other_alone(two, eventually):
    flow = "on: inbound_sms\nsteps:\n  - send_sms: {to: +6421555222, message: Alert, account: nz}\n    timeout: 1h\n"

    async def scenario():
        async with two(flow, REPLY.replace("inbound_sms", "{inbound_sms: {keyword: HI}}"),
                       accounts=ACCOUNTS.replace("api_key: nz", "api_key: wrong")) as (house, nz):  # fmt: skip
            await house.text_in("something")
            await eventually(lambda: "provider:nz" in house.daemon.stats.troubles)
            assert (await house.admin("/health")).status_code == 503
            await house.text_in("HI", sender="+61491570157")
            await eventually(lambda: house.sim.messages)
            assert "provider" not in house.daemon.stats.troubles
            assert nz.messages == []

    asyncio.run(scenario())


def test_queue_of_an_account_with_two_names_is_emptied_for_the_first(house, serve, eventually):
    async def scenario():
        async with asyncio.timeout(60), serve(house.sim) as house.base:
            same = 'base_url: "BASE", credentials: {api_key: key, api_secret: s3cret}'.replace("BASE", house.base)
            house.settings(accounts=f"{{again: {{{same}, catch_up: {{on_start: true}}}}}}")
            house.flow(REPLY)
            async with house.at_work():
                pass
            await house.sim.text_in("+61491570156", "hi")
            async with house.at_work():
                await eventually(lambda: house.sim.messages)
                assert got(house.sim) == [("+61491593156", "+61491570156", "Hello")]

    asyncio.run(scenario())
