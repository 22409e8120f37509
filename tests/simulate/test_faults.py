"""Trouble on demand, seen through our own client: what it takes each fault for, and whether messages were taken."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sinchflow.simulate.faults import Fault, FaultPlan
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.client import BasicKey, Client, Timeouts, Unknown
from sinchflow.sinch.messages import Accepted, Limited, Rejected, SendResult, Unauthorised, send

TWO = [{"content": "Hello", "destination_number": number} for number in ("+61491570156", "+61491570157")]


CASES: list[tuple[Fault, SendResult | type, int]] = [
    (Fault(status=401, body='{"message": "no"}'), Unauthorised(message="no"), 0),
    (Fault(status=429, headers={"Retry-After": "3"}), Limited(retry_after=timedelta(seconds=3)), 0),
    (Fault(status=403, body='{"message": "no"}'), Rejected(message="no", status=403), 0),
    (Fault(status=502, body="<h1>Bad</h1>", headers={"Content-Type": "text/html"}), Unknown(reason="HTTP 502: Bad"), 0),
    (Fault(status=500, takes=True), Unknown, 2),
    (Fault(status=202), Unknown, 0),
    (Fault(kind="reset"), Unknown, 0),
    (Fault(kind="reset", takes=True), Unknown, 2),
    (Fault(kind="cut"), Unknown, 2),
    (Fault(kind="hang"), Unknown, 0),
    (Fault(kind="hang", takes=True), Unknown, 2),
    (Fault(kind="delay", delay_s=0.4), Unknown, 2),
    (Fault(kind="delay", delay_s=0.01), Accepted, 2),
    (Fault(kind="short"), Unknown, 2),
]


def test_each_fault_is_what_it_says(serve: Callable[..., Any]) -> None:
    async def main() -> list[tuple[Fault, SendResult, SendResult, int]]:
        sim = SimulatedSinch()
        found = []
        key = BasicKey(api_key="k", api_secret="s")
        async with serve(sim) as url, Client(url, key, timeouts=Timeouts(read_s=0.2)) as client:
            for fault, _, _ in CASES:
                sim.reset()
                sim.fail_next(fault)
                first, second = await send(client, TWO), await send(client, TWO[:1])
                found.append((fault, first, second, len(sim.messages) - 1))
        return found

    for (fault, expected, taken), (_, first, second, found) in zip(CASES, asyncio.run(main()), strict=True):
        is_expected = isinstance(first, expected) if isinstance(expected, type) else first == expected
        assert (fault, is_expected, found) == (fault, True, taken), first
        assert isinstance(second, Accepted)


def test_faults_come_in_order_and_are_used_up() -> None:
    plan = FaultPlan()
    one, two, none = Fault(status=500, times=2), Fault(status=429), Fault(times=0)
    for fault in (none, one, none, two):
        plan.add(fault)
    assert [plan.next() for _ in range(5)] == [one, one, two, None, None]
    plan.add(one)
    plan.clear()
    assert plan.next() is None
