"""Budgets of flows and days, with a restart in the middle."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.runtime.allowances import since_midnight

FLOWS = """\
name: hi
on: {inbound_sms: {keyword: HI}}
steps: [{reply: hi}]
---
name: ho
on: {inbound_sms: {keyword: HO}}
steps: [{reply: ho}]
"""
CASES = {
    "flow": ("{max_sends_per_contact: off, max_sends_per_flow: {max: 2, per: 1h}}", ["hi", "hi", "ho"]),
    "day": ("{max_sends_per_contact: off, max_sends_per_day: 2}", ["hi", "hi"]),
}


@pytest.mark.parametrize("name", CASES)
def test_budget_holds_over_a_restart(name, house, serve, eventually):
    policy, expected = CASES[name]

    async def scenario():
        async with asyncio.timeout(60), serve(house.sim) as house.base:
            house.settings(policy=policy)
            house.flow(FLOWS)
            for texts in (["HI", "HI"], ["HI", "HO"]):
                async with house.at_work():
                    for text in texts:
                        await house.text_in(text)
                        await eventually(lambda: house.daemon.worker.is_idle)
                    skipped = [each["reason"] for each in await house.sends("skipped")]
            assert [text for _, text in house.got()] == expected
            assert len(skipped) == 4 - len(expected)
            assert f"policy.max_sends_per_{name}" in skipped[0]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 2, 22, 30, tzinfo=UTC), 9.5),  # 09:30 in Melbourne
        (datetime(2026, 4, 5, 13, 0, tzinfo=UTC), 24),  # the clock was put back at 3: it is 23:00
        (datetime(2026, 10, 4, 12, 0, tzinfo=UTC), 22),  # the clock was put forward at 2: it is 23:00
    ],
)
def test_day_begins_at_midnight_in_its_time_zone(now, hours):
    assert since_midnight(now, "Australia/Melbourne") == timedelta(hours=hours)
