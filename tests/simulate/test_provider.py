"""The simulated Sinch as an API: what it takes, what it refuses and in which words, and what it remembers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from sinchflow.simulate.message import Message
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.client import BasicKey, Client
from sinchflow.sinch.messages import Accepted, Rejected, Unauthorised, send

SCHEMAS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "sinch" / "data" / "openapi-messages.json").read_text(encoding="utf-8")
)
GOOD = {"content": "Hello", "destination_number": "+61491570156"}
FULL = {
    **GOOD,
    "callback_url": "http://127.0.0.1:9/x",
    "delivery_report": True,
    "format": "MMS",
    "message_expiry_timestamp": "2126-11-03T11:49:02.807Z",
    "metadata": {"key": "value"},
    "scheduled": "2126-11-03T11:49:02.807Z",
    "source_number": "+61491570157",
    "source_number_type": "INTERNATIONAL",
    "media": ["https://a.example/a.png"],
    "subject": "x" * 64,
}


def talk(sim: SimulatedSinch, main: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(app=sim)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://sinch", auth=("k", "s")) as http:
            return await main(http)

    return asyncio.run(run())


def fits(schema: str, data: Any) -> None:
    Draft202012Validator({**SCHEMAS, "$ref": f"#/components/schemas/{schema}"}).validate(data)


@pytest.mark.parametrize("message", [GOOD, FULL, {**GOOD, "destination_number": "6149157015", "metadata": None}])
def test_message_is_taken_and_echoed_with_its_id(message: dict[str, Any]) -> None:
    sim = SimulatedSinch()
    answer = talk(sim, lambda http: http.post("/v1/messages", json={"messages": [message]}))
    assert answer.status_code == 202
    fits("Sendmessagesresponse", answer.json())
    [echo] = answer.json()["messages"]
    assert len(echo.pop("message_id")) == 36
    assert echo.pop("status") == ("scheduled" if "scheduled" in message else "queued")
    assert echo == {name: value for name, value in message.items() if value is not None}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"content": ""}, "/content: must be a string of 1 to 5000 characters"),
        ({"content": "x" * 5001}, "/content: must be a string of 1 to 5000 characters"),
        ({"content": None}, "/content: is required"),
        ({"destination_number": 61491570156}, "/destination_number: must be a string"),
        (
            {"destination_number": "+6149x"},
            "/destination_number: International address must be between 8 and 15 characters excluding the first '+', "
            "International address contains invalid characters.",
        ),
        (
            {"destination_number": "+6149157015612345"},
            "/destination_number: International address must be between 8 and 15 characters excluding the first '+'",
        ),
        ({"format": "FAX"}, "/format: must be one of SMS, MMS, TTS"),
        ({"delivery_report": "yes"}, "/delivery_report: must be a boolean"),
        ({"metadata": {str(n): "" for n in range(11)}}, "/metadata: must not hold more than 10 pairs"),
        ({"metadata": {"k" * 101: ""}}, "/metadata: a key must not be longer than 100 characters"),
        ({"metadata": {"k": "v" * 257}}, "/metadata: a value must be a string of up to 256 characters"),
        ({"metadata": {"k": 1}}, "/metadata: a value must be a string of up to 256 characters"),
        ({"metadata": []}, "/metadata: must be an object"),
        ({"media": ["https://a.example/a.png"]}, "/media: format must be MMS"),
        ({"media": "a.png", "format": "MMS"}, "/media: must be an array of strings"),
        ({"subject": "x" * 65, "format": "MMS"}, "/subject: must be a string of up to 64 characters"),
        ({"subject": "x"}, "/subject: format must be MMS"),
        ({"scheduled": "tomorrow"}, "/scheduled: must be an ISO 8601 date-time with a zone"),
        (
            {"message_expiry_timestamp": "2026-01-01T00:00:00"},
            "/message_expiry_timestamp: must be an ISO 8601 date-time with a zone",
        ),
        ({"source_number": ""}, "/source_number: must not be empty"),
        ({"source_number_type": "SHORTCODE"}, "/source_number_type: is only valid together with source_number"),
        (
            {"source_number": "1", "source_number_type": "SHORT_CODE"},
            "/source_number_type: must be one of INTERNATIONAL, ALPHANUMERIC, SHORTCODE",
        ),
        ({"callback_url": "nowhere"}, "/callback_url: must be a URL"),
        ({"message_id": "x"}, "/message_id: is set by the provider"),
        ({"status": "queued"}, "/status: is set by the provider"),
        ({"mesage": "x"}, "/mesage: is not a known member"),
    ],
)
def test_bad_message_refuses_the_whole_call_and_is_pointed_at(change: dict[str, Any], detail: str) -> None:
    sim = SimulatedSinch()
    answer = talk(sim, lambda http: http.post("/v1/messages", json={"messages": [GOOD, {**GOOD, **change}]}))
    assert answer.status_code == 400
    fits("400response", answer.json())
    assert answer.json()["details"] == [f"/messages/1{detail}"]
    assert sim.messages == []


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "Failed to parse message body."),
        (b'{"messages": [', "Failed to parse message body."),
        (b"[" * 100_000, "Failed to parse message body."),
        (b"[]", "/messages: must be an array of messages"),
        (b'{"messages": {}}', "/messages: must be an array of messages"),
        (b'{"messages": []}', "/messages: must hold between 1 and 100 messages"),
        (b'{"messages": [3]}', "/messages/0: must be an object"),
        (json.dumps({"messages": [GOOD] * 101}).encode(), "/messages: must hold between 1 and 100 messages"),
    ],
)
def test_bad_request_is_refused(body: bytes, detail: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = talk(SimulatedSinch(), lambda http: http.post("/v1/messages", content=body, headers=headers))
    assert (answer.status_code, answer.json()["details"]) == (400, [detail])


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/x", "/v1/other"])
@pytest.mark.parametrize("authorization", ["", "Basic aWs6cw==", "Bearer x"])
def test_wrong_or_missing_key_is_refused_everywhere(path: str, authorization: str) -> None:
    headers = {"Authorization": authorization}
    answer = talk(
        SimulatedSinch(api_key="key", api_secret="secret"),
        lambda http: http.post(path, json={"messages": [GOOD]}, headers=headers, auth=None),
    )
    assert answer.status_code == 401
    fits("403response", answer.json())
    assert answer.json() == {"message": "Invalid authentication credentials"}


def test_other_requests_get_the_documented_refusals() -> None:
    async def main(http: httpx.AsyncClient) -> list[int]:
        await http.post("/v1/messages", json={"messages": [GOOD]})
        answers = [
            await http.get("/v1/messages/877c19ef-fa2e-4cec-827a-e1df9b5509f7"),
            await http.get("/v2/anything"),
            await http.post("/v1/messages", content="x", headers={"Content-Type": "text/plain"}),
            await http.post("/v1/messages", content=b" " * (11 << 20), headers={"Content-Type": "application/json"}),
        ]
        assert all(answer.json() for answer in answers)
        return [answer.status_code for answer in answers]

    assert talk(SimulatedSinch(), main) == [404, 404, 415, 413]


def test_status_can_be_asked_and_a_scheduled_message_cancelled_once() -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    async def main(http: httpx.AsyncClient) -> None:
        sent = await http.post("/v1/messages", json={"messages": [GOOD, {**FULL, "scheduled": soon}]})
        queued, scheduled = (f"/v1/messages/{one['message_id']}" for one in sent.json()["messages"])
        answer = await http.get(scheduled)
        fits("Getmessagestatusresponse", answer.json())
        assert "subject" not in answer.json()
        assert (await http.put(scheduled, json={"status": "sent"})).status_code == 400
        assert (await http.put(scheduled, content=b"{")).status_code == 400
        assert (await http.put(scheduled, json={"status": "cancelled"})).status_code == 200
        assert (await http.get(scheduled)).json()["status"] == "cancelled"
        assert (await http.put(scheduled, json={"status": "cancelled"})).status_code == 400
        assert (await http.put(queued, json={"status": "cancelled"})).status_code == 400
        assert (await http.delete(queued)).status_code == 405

    talk(SimulatedSinch(), main)


def test_memory_can_be_bounded() -> None:
    sim = SimulatedSinch(keep=3)

    async def main(http: httpx.AsyncClient) -> Any:
        for index in range(5):
            message = {**GOOD, "content": str(index)}
            await http.post("/v1/messages", json={"messages": [message]})
        return (await http.get("/_sim/messages", params={"since": 0})).json()

    found = talk(sim, main)
    assert [message["content"] for message in found["messages"]] == ["2", "3", "4"]
    assert found["next"] == 5
    assert len(sim.calls) == 3


def test_subscribers_see_each_message_until_they_leave() -> None:
    sim = SimulatedSinch()
    seen: list[Message] = []
    leave = sim.subscribe(seen.append)

    async def main(http: httpx.AsyncClient) -> None:
        await http.post("/v1/messages", json={"messages": [GOOD, GOOD]})
        leave()
        await http.post("/v1/messages", json={"messages": [GOOD]})

    talk(sim, main)
    assert seen == sim.messages[:2]
    assert [(call.messages, call.status) for call in sim.calls] == [(2, 202), (1, 202)]


def test_control_endpoints_serve_other_processes() -> None:
    sim = SimulatedSinch()

    async def main(http: httpx.AsyncClient) -> None:
        assert (await http.post("/_sim/faults", json={"status": 503, "times": 2})).status_code == 204
        statuses = [(await http.post("/v1/messages", json={"messages": [GOOD]})).status_code for _ in range(3)]
        assert statuses == [503, 503, 202]
        stats = (await http.get("/_sim/stats")).json()
        assert (stats["calls"], stats["messages"], stats["pushes"]["waiting"]) == (3, 1, 0)
        assert len(stats["call_times"]) == 3
        found = (await http.get("/_sim/messages")).json()
        assert [one["content"] for one in found["messages"]] == ["Hello"]
        assert (await http.get("/_sim/messages", params={"since": found["next"]})).json() == {"messages": [], "next": 1}
        reply = await http.post("/_sim/inbound", json={"from": "+61491570156", "content": "Y"})
        assert (reply.status_code, len(reply.json()["reply_id"])) == (202, 36)
        assert (await http.post("/_sim/outcomes", json=[{"text": "Hello", "status": "failed"}])).status_code == 204
        assert (await http.post("/_sim/hooks", json={"inbound_url": "http://127.0.0.1:9/"})).status_code == 204
        assert (await http.post("/_sim/reset")).status_code == 204
        assert (await http.get("/_sim/messages")).json() == {"messages": [], "next": 0}
        bad = [
            await http.post("/_sim/faults", json={"status": "no"}),
            await http.post("/_sim/inbound", content=b"{"),
            await http.get("/_sim/messages", params={"since": "x"}),
        ]
        assert [answer.status_code for answer in bad] == [400, 400, 400]
        assert (await http.post("/_sim/nothing")).status_code == 404

    talk(sim, main)
    assert sim.hooks.inbound_url == "http://127.0.0.1:9/"


def test_whole_account_can_be_driven_from_another_process() -> None:
    sim = SimulatedSinch()

    async def main(http: httpx.AsyncClient) -> None:
        async def control(name: str, body: Any) -> httpx.Response:
            return await http.post(f"/_sim/{name}", content=json.dumps(body))

        webhook = {"url": "http://127.0.0.1:9/", "events": ["RECEIVED_SMS"], "retries": 2, "account": "nz"}
        assert (await control("webhooks", webhook)).json()["retries"] == 2
        assert (await control("webhooks", webhook)).json()["message"].startswith("A webhook with the given url")
        key = (await control("signing", {"digest": "SHA512"})).json()
        assert (key["digest"], key["enabled"], bool(key["public_key"])) == ("SHA512", True, True)
        assert (await control("signing", None)).status_code == 204
        assert (await control("features", {"signature_keys": False})).status_code == 204
        assert (await http.get("/v1/iam/signature_keys/enabled")).status_code == 403
        assert (await control("senders", [{"sender_address": "Acme", "usage_type": "ALPHANUMERIC"}])).status_code == 204
        assert (await control("dedicated", [{"phone_number": "+61491593156"}])).status_code == 204
        assert (await control("inbound", {"from": "+61491570156", "content": "Y", "account": "nz"})).status_code == 202
        await http.post("/v1/messages", json={"messages": [GOOD]}, headers={"Account": "nz"})
        found = (await http.get("/_sim/messages", params={"account": "nz"})).json()["messages"]
        assert [message["content"] for message in found] == ["Hello"]
        calls = (await http.get("/_sim/calls")).json()
        assert [(call["method"], call["status"], call["account"]) for call in calls["calls"]] == [
            ("GET", 403, None),
            ("POST", 202, "nz"),
        ]
        assert (await http.get("/_sim/calls", params={"since": calls["next"]})).json() == {"calls": [], "next": 2}
        assert (await http.get("/_sim/stats")).json()["requests"] == 2
        bad = [
            await control("features", {"x": True}),
            await control("senders", [{}]),
            await control("signing", {"d": 1}),
        ]
        assert [answer.status_code for answer in bad] == [400, 400, 400]

    talk(sim, main)
    assert [sender.sender_address for sender in sim.senders] == ["Acme"]
    assert len(sim.account("nz").webhooks) == 1
    assert len(sim.account("nz").unconfirmed_replies) == 1


def test_calls_are_forgotten_with_messages_and_still_counted() -> None:
    sim = SimulatedSinch(keep=2)

    async def main(http: httpx.AsyncClient) -> Any:
        for _ in range(5):
            await http.get("/v1/replies")
        return (await http.get("/_sim/calls", params={"since": 1})).json()

    found = talk(sim, main)
    assert (len(found["calls"]), found["next"]) == (2, 5)


def test_our_client_and_the_simulated_sinch_understand_each_other(serve: Callable[..., Any]) -> None:
    async def main() -> None:
        sim = SimulatedSinch(api_key="k", api_secret="s")
        async with serve(sim) as url:
            async with Client(url, BasicKey(api_key="k", api_secret="s")) as client:
                hundred = [{**GOOD, "content": str(index)} for index in range(100)]
                taken = await send(client, hundred)
                assert isinstance(taken, Accepted)
                assert [one["content"] for one in taken.messages] == [str(index) for index in range(100)]
                assert len({one["message_id"] for one in taken.messages}) == 100
                refused = await send(client, [GOOD, {**GOOD, "content": ""}, GOOD, {**GOOD, "destination_number": "1"}])
                assert isinstance(refused, Rejected)
                assert set(refused.faults) == {1, 3}
            async with Client(url, BasicKey(api_key="k", api_secret="other")) as client:
                assert isinstance(await send(client, [GOOD]), Unauthorised)
        assert len(sim.messages) == 100

    asyncio.run(main())
