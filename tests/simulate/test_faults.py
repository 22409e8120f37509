"""Trouble on demand, seen through our own client: what it takes each fault for, and whether messages were taken."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

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


def test_fault_waits_for_the_call_that_it_fits() -> None:
    plan = FaultPlan()
    one = Fault(status=429, method="GET", path="/v1/replies")
    two = Fault(status=500, method="", path="/v1/webhooks", times=2)
    plan.add(one)
    plan.add(two)
    asked = [
        ("POST", "/v1/messages"),
        ("POST", "/v1/replies/confirmed"),
        ("PATCH", "/v1/webhooks/messages/x"),
        ("GET", "/v1/replies"),
        ("GET", "/v1/replies"),
        ("GET", "/v1/webhooks/messages"),
        ("GET", "/v1/webhooks/messages"),
    ]
    assert [plan.next(*call) for call in asked] == [None, None, two, one, None, two, None]


ENDPOINTS = [
    ("POST", "/v1/messages"),
    ("GET", "/v1/messages/x"),
    ("GET", "/v1/replies"),
    ("POST", "/v1/delivery_reports/confirmed"),
    ("DELETE", "/v1/webhooks/messages/x"),
    ("GET", "/v1/number_authorisation/mt/blacklist"),
    ("PATCH", "/v1/iam/signature_keys/enabled"),
    ("GET", "/v1/messaging/numbers/sender_address/addresses"),
    ("POST", "/v2-preview/reporting/messages/detail"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_can_meet_a_documented_error(talk: Any, method: str, path: str) -> None:
    async def main(http: httpx.AsyncClient) -> None:
        for status in (400, 401, 402, 403, 404, 409, 413, 415, 429, 503):
            headers = {"Retry-After": "3"} if status == 429 else {}
            fault = {"status": status, "body": None, "method": method, "path": path, "headers": headers}
            assert (await http.post("/_sim/faults", json=fault)).status_code == 204
            answer = await http.request(method, path)
            assert (answer.status_code, answer.headers.get("retry-after")) == (status, headers.get("Retry-After"))
            if status == 503:
                assert answer.content == b""
            else:
                assert {"message", "title"} & set(answer.json())

    sim = SimulatedSinch()
    talk(sim, main)
    assert {(call.method, call.path) for call in sim.requests} == {(method, path)}
    assert [call.status for call in sim.requests] == [400, 401, 402, 403, 404, 409, 413, 415, 429, 503]


@pytest.mark.parametrize("kind", ["reset", "cut", "hang"])
def test_connection_breaks_on_any_endpoint(serve: Callable[..., Any], kind: str) -> None:
    async def main() -> None:
        sim = SimulatedSinch()
        sim.webhooks.register("https://a.example/", ["RECEIVED_SMS"])
        key = BasicKey(api_key="k", api_secret="s")
        async with serve(sim) as url, Client(url, key, timeouts=Timeouts(read_s=0.2)) as client:
            sim.fail_next(Fault(kind=kind, method="GET", path="/v1/webhooks"))  # type: ignore[arg-type]
            assert isinstance(await client.call("GET", "/v1/webhooks/messages"), Unknown)
            assert not isinstance(await client.call("GET", "/v1/webhooks/messages"), Unknown)
        assert [call.status for call in sim.requests] == [0, 200]

    asyncio.run(main())
