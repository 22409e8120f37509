"""The daemon's look at the provider's webhooks: found, counted, said once, and forgotten when mended."""

import asyncio
from datetime import timedelta

import pytest

from sinchflow.deploy.apply import apply
from sinchflow.deploy.desired import wanted_webhooks
from sinchflow.deploy.drift import drifted
from sinchflow.deploy.mask import Mask
from sinchflow.deploy.plan import make_plan
from sinchflow.model.project import Webhooks
from sinchflow.runtime.connections import Hooks
from sinchflow.runtime.daemon import Daemon, Options
from sinchflow.runtime.drift import DriftWatch
from sinchflow.runtime.metrics import Metrics
from sinchflow.runtime.stats import Stats
from sinchflow.simulate.faults import Fault
from sinchflow.sinch.client import BasicKey, Client
from sinchflow.sinch.webhooks import list_webhooks, update_webhook

HOOKS = Hooks(token="hook-token-of-the-test", public_url="https://sms.example.com")
SETTINGS = Webhooks()


@pytest.fixture
def watching(serve, house, clock):
    """Run a scenario with a watch on the simulated Sinch's webhooks, which are as wanted."""

    def run(scenario) -> None:
        async def whole() -> None:
            async with (
                asyncio.timeout(30),
                serve(house.sim) as base,
                Client(base, BasicKey(api_key="key", api_secret="s3cret")) as client,
            ):
                wanted = wanted_webhooks(HOOKS, SETTINGS, "default")
                await apply(client, make_plan("default", "sinchflow", wanted, ()), "sinchflow", Mask(HOOKS))
                stats = Stats()
                watch = DriftWatch(drifted, account="default", calls=client, clock=clock, stats=stats)
                await scenario(client, watch, stats)

        asyncio.run(whole())

    return run


def test_change_by_hand_is_trouble_until_it_is_mended(watching):
    async def scenario(client, watch, stats):
        await watch.look(HOOKS, SETTINGS)
        assert (stats.drift, stats.troubles) == ({"default": 0}, {})
        [inbound] = [each for each in await list_webhooks(client) if each.url.endswith("/inbound")]
        await update_webhook(client, inbound.id, {"template": "{}"})
        await watch.look(HOOKS, SETTINGS)
        assert stats.drift == {"default": 1}
        assert "inbound: template" in stats.troubles["drift"]
        assert "sinchflow drift" in stats.troubles["drift"]
        assert HOOKS.token not in stats.troubles["drift"]
        await update_webhook(client, inbound.id, {"template": inbound.template})
        await watch.look(HOOKS, SETTINGS)
        assert (stats.drift, stats.troubles) == ({"default": 0}, {})

    watching(scenario)


def test_what_was_found_stands_while_the_provider_cannot_be_asked(watching, house):
    async def scenario(client, watch, stats):
        [inbound] = [each for each in await list_webhooks(client) if each.url.endswith("/inbound")]
        await update_webhook(client, inbound.id, {"template": "{}"})
        await watch.look(HOOKS, SETTINGS)
        before = dict(stats.troubles)
        house.sim.fail_next(Fault(status=500, method="GET", path="/v1/webhooks"))
        await watch.look(HOOKS, SETTINGS)
        assert (stats.drift, stats.troubles) == ({"default": 1}, before)

    watching(scenario)


def test_it_looks_soon_after_the_start_and_then_every_so_often(clock):
    async def scenario():
        looks = []

        async def check(*_):
            looks.append(clock.now())
            return ["inbound: not registered"]

        stats = Stats()
        watch = DriftWatch(check, account="nz", calls=None, clock=clock, stats=stats)
        keeping = asyncio.create_task(watch.keep(HOOKS, SETTINGS, timedelta(hours=1)))
        for seconds, count in ((29, 0), (2, 1), (3_500, 1), (200, 2), (3_600, 3)):
            await asyncio.sleep(0)
            clock.advance(timedelta(seconds=seconds))
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(looks) == count
        keeping.cancel()
        metrics = Metrics(stats, {}).render("no journal here", clock.now()).decode()
        assert 'sinchflow_webhook_drift{account="nz"} 1.0' in metrics
        assert 'sinchflow_trouble{subject="drift:nz"} 1.0' in metrics

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("webhooks", "tasks"),
    [
        ("{token: T, public_url: 'https://a.example'}", [("drift", "default"), ("drift", "nz")]),
        ("{token: T, public_url: 'https://a.example', drift_every: off}", []),
        ("{token: T}", []),
    ],
)
def test_reload_begins_and_ends_timers(house, webhooks, tasks):
    async def check(*_):
        return []

    accounts = "{nz: {service: etxt, credentials: {api_key: a, api_secret: b}}}"

    async def scenario():
        house.flow("on: inbound_sms\nsteps:\n  - log: hi\n")
        house.settings()
        daemon = Daemon(Options(root=house.root, data=house.root / "d", port=0, admin_port=0), check_drift=check)
        await daemon.start()
        try:
            house.settings(webhooks=webhooks.replace("T", HOOKS.token), accounts=accounts, catch_up="{every: 1h}")
            assert await daemon.reload() is None
            begun = daemon._timers._tasks
            assert sorted(key for key in begun if key[0] != "opt_outs") == [("catch_up", "default"), *tasks]
            before = {key: task for key, (_, task) in begun.items()}
            assert await daemon.reload() is None
            assert {key: task for key, (_, task) in begun.items()} == before
            house.settings()
            assert await daemon.reload() is None
            assert list(begun) == [("opt_outs", "default")]
        finally:
            await daemon.stop()

    asyncio.run(scenario())
