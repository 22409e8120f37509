"""Short forms of `python -m tests.proof attack overload`, in one process."""

import asyncio

from tests.daemons import HOOKS
from tests.proof._attackers import Attackers
from tests.proof._house import REPLY, Customers, number_of
from tests.runtime.conftest import TOKEN, House, _eventually, _serve

assert HOOKS.endswith(TOKEN)


def _play(folder, scenario):
    async def whole():
        house = House(folder)
        async with asyncio.timeout(30), _serve(house.sim) as house.base:
            house.settings()
            house.flow(REPLY)
            async with house.at_work():
                await scenario(house)

    asyncio.run(whole())


def test_good_requests_do_not_notice_an_attack(tmp_path):
    async def scenario(house):
        attackers = Attackers(house.daemon.port, f"{HOOKS}/inbound")
        counts = {"slow": 40, "idle": 100, "large": 2}
        attacks = [
            asyncio.create_task(attackers.for_ever(kind, number)) for kind in counts for number in range(counts[kind])
        ]
        await _eventually(lambda: house.daemon.stats.refused_requests[413])
        texts = await Customers(house.daemon.port).text(50, 1, number_of)
        for each in attacks:
            each.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
        assert (texts.statuses, texts.failures) == ({202: 50}, {})
        assert texts.p99_s <= 1
        await _eventually(lambda: len(house.got()) == 50)
        assert house.daemon.stats.internal_errors == 0

    _play(tmp_path, scenario)


def test_storm_of_one_contact_does_not_delay_others(tmp_path):
    async def scenario(house):
        storm = Customers(house.daemon.port).text(400, 0.75, lambda _: "+61491999999", prefix="s")
        storming = asyncio.create_task(storm)
        texts = await Customers(house.daemon.port).text(20, 1, number_of)
        await _eventually(lambda: {number for number, _ in house.got()} >= set(texts.accepted.values()))
        stormed = await storming
        assert texts.p99_s <= 1
        assert (texts.statuses, stormed.statuses) == ({202: 20}, {202: 300})

    _play(tmp_path, scenario)
