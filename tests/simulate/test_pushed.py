"""What the simulated Sinch pushes to our webhooks, read by our own parser; and its patience when we refuse."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sinchflow.model.event import Event
from sinchflow.simulate.bodies import Attachment
from sinchflow.simulate.fate import OUTCOMES, Outcome, Timeline
from sinchflow.simulate.provider import Hooks, SimulatedSinch
from sinchflow.simulate.pushes import Pusher
from sinchflow.sinch.payload import parse

HANDSET = "+61491570156"
AT_ONCE = Timeline(enroute_s=0, submitted_s=0, final_s=0)
SENT = {
    "content": "Y or N?",
    "destination_number": HANDSET,
    "delivery_report": True,
    "metadata": {"order": "77", 'say "hi"': "a\\b\n"},
}


def read(body: bytes) -> Event:
    return parse(body, id=1, received_at=datetime(2026, 12, 1, tzinfo=UTC))


@asynccontextmanager
async def working(sim: SimulatedSinch) -> AsyncIterator[httpx.AsyncClient]:
    """Its API while it pushes."""
    await sim.start()
    transport = httpx.ASGITransport(app=sim)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://sinch", auth=("k", "s")) as http:
        yield http
    await sim.stop()


async def hand_over(http: httpx.AsyncClient, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await http.post("/v1/messages", json={"messages": messages})
    found: list[dict[str, Any]] = answer.json()["messages"]
    return found


def simulated(hook_url: str, **how: Any) -> SimulatedSinch:
    hooks = Hooks(inbound_url=f"{hook_url}/inbound", receipts_url=f"{hook_url}/receipts")
    return SimulatedSinch(hooks=hooks, **{"timeline": AT_ONCE, "pusher": Pusher(retries=2, retry_delay_s=0.01), **how})


def receipts_of(webhooks: Callable[..., Any], count: int, *sent: Any, **how: Any) -> list[Any]:
    async def main() -> list[Any]:
        async with webhooks() as hook, working(sim := simulated(hook.url, **how)) as http:
            await hand_over(http, *sent)
            pushed: list[tuple[str, bytes]] = await hook.arrived(count)
            await sim.pusher.quiet()
        assert len(pushed) == count
        return [(path, read(body), json.loads(body)) for path, body in pushed]

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("change", "how", "expected"),
    [
        ({}, {}, ["enroute 101", "submitted 200", "delivered 220"]),
        ({"destination_number": "+61491570009"}, {}, ["enroute 101", "submitted 200", "failed 330"]),
        ({"destination_number": "+61491570008"}, {}, ["enroute 101", "submitted 200", "expired 401"]),
        ({"destination_number": "+61491570007"}, {}, ["enroute 101", "rejected 302"]),
        (
            {"content": "please fail", "destination_number": "+61491570009"},
            {"outcomes": (Outcome(text="fail", status="rejected", status_code="304"), *OUTCOMES)},
            ["enroute 101", "rejected 304"],
        ),
        (
            {"message_expiry_timestamp": "2016-11-03T11:49:02.807Z"},
            {"timeline": Timeline(enroute_s=None, submitted_s=None, final_s=0)},
            ["expired 320"],
        ),
        ({"scheduled": "2016-11-03T11:49:02.807Z"}, {"timeline": Timeline(enroute_s=0, submitted_s=None, final_s=None)},
         ["enroute 101"]),
    ],
)  # fmt: skip
def test_receipts_tell_the_messages_way(
    serve: Callable[..., Any],
    webhooks: Callable[..., Any],
    change: dict[str, Any],
    how: dict[str, Any],
    expected: list[str],
) -> None:
    silent = {**SENT, "delivery_report": False}
    pushed = receipts_of(webhooks, len(expected), silent, {**SENT, **change}, **how)
    events = [event for _, event, _ in pushed]
    assert {path for path, _, _ in pushed} == {"/receipts"}
    assert sorted(f"{event.fields['status']} {event.fields['status_code']}" for event in events) == sorted(expected)
    assert len({event.key for event in events}) == len(expected)
    for event in events:
        assert event.kind == "delivery_receipt"
        assert event.contact == {**SENT, **change}["destination_number"]
        assert event.fields["metadata"] == SENT["metadata"]
        assert event.fields["content"] == {**SENT, **change}["content"]


def test_receipts_can_be_off_and_statuses_still_change(webhooks: Callable[..., Any]) -> None:
    async def main() -> None:
        async with webhooks() as hook, working(sim := simulated(hook.url, receipts=False)) as http:
            [message] = await hand_over(http, SENT)
            async with asyncio.timeout(5):
                while (await http.get(f"/v1/messages/{message['message_id']}")).json()["status"] != "delivered":  # noqa: ASYNC110
                    await asyncio.sleep(0)  # the in-process transport never lets timers run
            await sim.pusher.quiet()
            assert hook.got == []

    asyncio.run(main())


def test_bodies_have_the_keys_of_our_templates(webhooks: Callable[..., Any]) -> None:
    templates = json.loads((Path(__file__).parents[1] / "sinch" / "data" / "webhook-templates.json").read_text())

    async def main() -> list[bytes]:
        async with webhooks() as hook, working(sim := simulated(hook.url)) as http:
            await sim.text_in(HANDSET, "hi", attachments=[Attachment("image/png", "aGk=", "a.png")])
            await hook.arrived(1)
            await hand_over(http, SENT)
            pushed = await hook.arrived(4)
            return [body for _, body in pushed[:2]]

    inbound, receipt = (list(json.loads(body)) for body in asyncio.run(main()))
    for keys, template in ((inbound, templates["mo"]), (receipt, templates["dr"])):
        named = re.findall(r'[{,]"(\w+)":', re.sub(r"\[#foreach.*?\](?=[,}])", "[]", template))
        assert keys == named


def test_reply_carries_the_message_that_it_answers(webhooks: Callable[..., Any]) -> None:
    async def main() -> None:
        async with webhooks() as hook, working(sim := simulated(hook.url, receipts=False)) as http:
            other = {**SENT, "source_number": "+61491593999", "metadata": {"order": "78"}}
            first, second = await hand_over(http, SENT, other)
            sender = base64.b64encode(b"hi").decode()
            replies = [
                await sim.text_in(HANDSET, "Y"),
                await sim.text_in(HANDSET, "N “no”\u0000", to="+61491593999"),
                await sim.text_in("+61491570999", "", attachments=[Attachment("image/png", sender, "a.png")]),
            ]
            await hook.arrived(3)
            events = {event.key: event for event in (read(body) for _, body in hook.got)}
            yes, no, picture = (events[reply] for reply in replies)
        assert (yes.kind, yes.contact, yes.our_number) == ("inbound_sms", HANDSET, sim.number)
        assert (yes.fields["message_id"], yes.fields["metadata"]) == (first["message_id"], SENT["metadata"])
        assert (no.fields["message_id"], no.fields["metadata"]) == (second["message_id"], {"order": "78"})
        assert (no.our_number, no.fields["content"]) == ("+61491593999", "N “no”\u0000")
        assert (picture.fields["message_id"], picture.fields["type"], picture.fields["content"]) == (None, "MMS", None)
        assert picture.fields["attachments"][0]["attachment_name"] == "a.png"

    asyncio.run(main())


def test_callback_url_gets_the_callback_shape_besides_the_webhooks(webhooks: Callable[..., Any]) -> None:
    async def main() -> None:
        final = Timeline(enroute_s=None, submitted_s=None, final_s=0)
        async with webhooks() as hook, working(sim := simulated(hook.url, timeline=final)) as http:
            here = {**SENT, "callback_url": f"{hook.url}/callback"}
            away = {**SENT, "callback_url": "https://crm.example.com/sms", "destination_number": "+61491570157"}
            await hand_over(http, here, away)
            await hook.arrived(3)
            await sim.text_in(HANDSET, "Y", attachments=[Attachment("image/png", "aGk=", "a.png")])
            await hook.arrived(5)
            await sim.pusher.quiet()
        assert sorted(path for path, _ in hook.got) == ["/callback", "/callback", "/inbound", "/receipts", "/receipts"]
        told = {(path, read(body).kind): read(body) for path, body in hook.got if read(body).contact == HANDSET}
        receipt, again = told["/receipts", "delivery_receipt"], told["/callback", "delivery_receipt"]
        assert receipt.key == again.key
        assert receipt.fields == again.fields
        reply, again = told["/inbound", "inbound_sms"], told["/callback", "inbound_sms"]
        assert reply.key == again.key
        assert again.fields["attachments"] == reply.fields["attachments"]
        assert again.our_number is None

    asyncio.run(main())


@pytest.mark.parametrize(
    ("statuses", "attempts", "expected"),
    [
        ((), 1, {"acknowledged": 1, "refused": 0, "lost": 0}),
        ((500, 404), 3, {"acknowledged": 1, "refused": 2, "lost": 0}),
        ((301, 500, 503), 3, {"acknowledged": 0, "refused": 3, "lost": 1}),
    ],
)
def test_push_is_repeated_until_acknowledged_or_lost(
    webhooks: Callable[..., Any], statuses: tuple[int, ...], attempts: int, expected: Any
) -> None:
    async def main() -> None:
        async with webhooks(*statuses) as hook, working(sim := simulated(hook.url)):
            await sim.text_in(HANDSET, "hi")
            await hook.arrived(attempts)
            await sim.pusher.quiet()
        stats = sim.pusher.stats
        assert {name: getattr(stats, name) for name in expected} == expected
        assert len({body for _, body in hook.got}) == 1
        assert "\r\nContent-Type: application/json\r\n" in hook.heads[0]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "unreachable"),
        (b"nonsense\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "acknowledged"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "acknowledged"),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "refused"),
    ],
)
def test_push_understands_odd_servers(answer: bytes, expected: str) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(100)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def main() -> Pusher:
        pusher = Pusher(workers=1, retries=0)
        async with await asyncio.start_server(odd, "127.0.0.1", 0) as server:
            await pusher.start()
            pusher.push(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?y=1", b"{}")
            await pusher.quiet()
            await pusher.stop()
        return pusher

    assert getattr(asyncio.run(main()).stats, expected) == 1


def test_pushes_wait_for_the_start_and_stopping_ends_them() -> None:
    async def main() -> None:
        pusher = Pusher(workers=2, retries=3, retry_delay_s=3600)
        pusher.push("http://127.0.0.1:1/", b"{}")
        pusher.push("gopher://x/", b"{}")
        assert pusher.stats.waiting == 2
        await pusher.start()
        async with asyncio.timeout(5):
            while pusher.stats.unreachable < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await pusher.stop()
        await pusher.quiet()
        assert (pusher.stats.lost, pusher.stats.waiting) == (2, 0)

    asyncio.run(main())
