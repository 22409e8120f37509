"""Replies and reports by polling: the oldest 100 nobody has confirmed, per account, pushed or not."""

import asyncio
from typing import Any

import httpx
import pytest

from sinchflow.simulate.account import Queue
from sinchflow.simulate.bodies import Attachment
from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import SimulatedSinch

HANDSET = "+61491570156"
FINAL = Timeline(enroute_s=None, submitted_s=None, final_s=0)
SENT = {"content": "Y or N?", "destination_number": HANDSET, "delivery_report": True, "metadata": {"a": "b"}}


async def polled(http: httpx.AsyncClient, name: str, **how: Any) -> list[dict[str, Any]]:
    answer = await http.get(f"/v1/{name}", **how)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()[name]
    return found


def test_same_hundred_come_until_they_are_confirmed(talk: Any, fits: Any) -> None:
    sim = SimulatedSinch()

    async def main(http: httpx.AsyncClient) -> None:
        ids = [await sim.text_in(HANDSET, str(number)) for number in range(130)]
        first = await polled(http, "replies")
        assert [reply["reply_id"] for reply in first] == ids[:100]
        fits("Checkrepliesresponse", {"replies": first})
        assert await polled(http, "replies") == first
        answer = await http.post("/v1/replies/confirmed", json={"reply_ids": ids[:100]})
        assert (answer.status_code, answer.headers["content-type"]) == (202, "text/plain")
        assert [reply["content"] for reply in await polled(http, "replies")] == [str(n) for n in range(100, 130)]
        await http.post("/v1/replies/confirmed", json={"reply_ids": [ids[110], ids[0]]})
        assert len(await polled(http, "replies")) == 29

    talk(sim, main)


def test_reply_tells_of_the_message_that_it_answers(talk: Any) -> None:
    sim = SimulatedSinch(receipts=False)

    async def main(http: httpx.AsyncClient) -> None:
        sent = {**SENT, "source_number": "+61491593999", "callback_url": "https://a.example/x"}
        taken = (await http.post("/v1/messages", json={"messages": [SENT, sent]})).json()["messages"]
        await sim.text_in(HANDSET, "Y")
        await sim.text_in(HANDSET, "N", to="+61491593999")
        await sim.text_in("+61491570999", "", attachments=[Attachment("image/png", "aGk=", "a.png")])
        default, chosen, alone = await polled(http, "replies")
        assert (default["message_id"], chosen["message_id"]) == (taken[0]["message_id"], taken[1]["message_id"])
        assert chosen["callback_url"] == "https://a.example/x"
        assert (default["metadata"], "metadata" in alone) == ({"a": "b"}, False)
        numbers = [reply.get("destination_number") for reply in (default, chosen, alone)]
        assert numbers == [None, "+61491593999", sim.number]
        assert "attachments" not in alone
        assert "content" not in alone

    talk(sim, main)


def test_reports_are_polled_without_a_code(talk: Any, fits: Any) -> None:
    sim = SimulatedSinch(timeline=FINAL, features=Features(billing_units=True))
    seen: list[str] = []
    sim.watch_reports(lambda report: seen.append(report.delivery_report_id))

    async def main(http: httpx.AsyncClient) -> None:
        silent = {**SENT, "delivery_report": False}
        await http.post("/v1/messages", json={"messages": [SENT, silent]})
        while not seen:  # noqa: ASYNC110
            await asyncio.sleep(0)  # the in-process transport never lets timers run
        [report] = await polled(http, "delivery_reports")
        fits("Checkdeliveryreportsresponse", {"delivery_reports": [report]})
        assert (report["status"], report["original_text"], report["source_number"]) == ("delivered", "Y or N?", HANDSET)
        assert (report["metadata"], report["billing_units"]) == ({"a": "b"}, 1)
        assert not {"error_code", "status_code"} & set(report)
        body = {"delivery_report_ids": [report["delivery_report_id"]]}
        assert (await http.post("/v1/delivery_reports/confirmed", json=body)).status_code == 202
        assert await polled(http, "delivery_reports") == []

    talk(sim, main)


def test_sub_accounts_have_queues_and_messages_of_their_own(talk: Any) -> None:
    sim = SimulatedSinch(receipts=False)

    async def main(http: httpx.AsyncClient) -> None:
        nz = {"headers": {"Account": "nz"}}
        await http.post("/v1/messages", json={"messages": [SENT]}, **nz)  # type: ignore[arg-type]
        await sim.text_in(HANDSET, "Y", sub_account="nz")
        [reply] = await polled(http, "replies", **nz)
        assert reply["message_id"] == sim.account("nz").messages[0].message_id
        assert reply["vendor_account_id"]["account_id"] == "nz"
        assert (await polled(http, "replies"), sim.messages) == ([], [])
        assert (await http.get(f"/v1/messages/{reply['message_id']}")).status_code == 404
        assert (await http.get(f"/v1/messages/{reply['message_id']}", **nz)).status_code == 200  # type: ignore[arg-type]

    talk(sim, main)
    assert {(call.method, call.path, call.account, call.status) for call in sim.requests} >= {
        ("POST", "/v1/messages", "nz", 202),
        ("GET", "/v1/replies", "nz", 200),
        ("GET", "/v1/replies", None, 200),
    }
    assert [call.messages for call in sim.calls] == [1]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "/reply_ids: must be an array of up to 100 ids"),
        (
            {"reply_ids": ["7ca628a8-08b0-4e42-aeb8-960b37049c31"] * 101},
            "/reply_ids: must be an array of up to 100 ids",
        ),
        ({"reply_ids": ["x"]}, "/reply_ids/0: must be a UUID"),
        ([], "/reply_ids: must be an array of up to 100 ids"),
    ],
)
def test_bad_confirmation_is_refused(talk: Any, fits: Any, body: Any, detail: str) -> None:
    answer = talk(SimulatedSinch(), lambda http: http.post("/v1/replies/confirmed", json=body))
    fits("400response", answer.json())
    assert (answer.status_code, answer.json()["details"]) == (400, [detail])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/replies", 405),
        ("/v1/delivery_reports/confirmed", 405),
        ("/v1/replies/x", 404),
        ("/v1/delivery_reports/x", 404),
        ("/v1/repliesx", 404),
    ],
)
def test_other_calls_are_refused(talk: Any, path: str, status: int) -> None:
    assert talk(SimulatedSinch(), lambda http: http.delete(path)).status_code == status


def test_full_queue_forgets_the_oldest() -> None:
    queue: Queue[int] = Queue(2)
    for number in range(4):
        queue.add(str(number), number)
    assert (queue.oldest(100), queue.oldest(1), len(queue)) == ([2, 3], [2], 2)
