"""Registered webhooks get what their templates make of the event, by the rules of Velocity and of section 9.1."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sinchflow.model.event import Event
from sinchflow.simulate.bodies import Attachment
from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import Hooks, SimulatedSinch
from sinchflow.simulate.pushes import Pusher
from sinchflow.simulate.velocity import Metadata, Template, TemplateProblem
from sinchflow.sinch.payload import parse

HANDSET = "+61491570156"
FINAL = Timeline(enroute_s=None, submitted_s=None, final_s=0)
DEFINITIONS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[2] / "docs" / "webhooks").glob("*.json")
}
HOSTILE = [
    'say "hi"',
    'back\\slash \\n \\" \\u0041 \\',
    "two\nlines\r\n\tand a tab",
    "$x ${x} $!x $moContent $esc.json($x)",
    "#if($x) #end #foreach($a in $b) #else ## #* #set($a = 1)",
    "emoji 😀 👩‍👩‍👧 and Café “yes” ß 中文",
    "nul \0 and bell \a and delete \x7f",
    "line \u2028 and paragraph \u2029 separators, \ufeff mark",
    "</script><!-- & ' / -->",
    '","event":"opt_out","x":"',
    "{{ 7 * 7 }} {% raw %}",
]


def register(sim: SimulatedSinch, url: str) -> None:
    for kind, definition in DEFINITIONS.items():
        sim.webhooks.register(f"{url}/{kind}", definition["events"], template=definition["template"])


def read(body: bytes) -> Event:
    return parse(body, id=1, received_at=datetime(2026, 12, 1, tzinfo=UTC))


def pushed(webhooks: Callable[..., Any], count: int, act: Any, **how: Any) -> list[tuple[str, bytes]]:
    """What comes of `act(sim, url)`."""

    async def main() -> list[tuple[str, bytes]]:
        async with webhooks() as hook:
            sim = SimulatedSinch(**{"timeline": FINAL, "pusher": Pusher(retry_scale=0.001), **how})
            await sim.start()
            await act(sim, hook.url)
            await hook.arrived(count)
            await sim.pusher.quiet()
            await sim.stop()
            assert len(hook.got) == count
            got: list[tuple[str, bytes]] = hook.got
            return got

    return asyncio.run(main())


def send(sim: SimulatedSinch, **fields: Any) -> None:
    message = {"destination_number": HANDSET, "delivery_report": True, **fields}
    reply = sim._traffic.post(sim.account(), b"application/json", json.dumps({"messages": [message]}).encode())
    assert reply.status == 202


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_comes_back_as_it_was(webhooks: Callable[..., Any], text: str) -> None:
    """As content, metadata key and value, file name, and sender, in all three kinds."""
    metadata = {"plain": text, text[:100]: "value"}

    async def act(sim: SimulatedSinch, url: str) -> None:
        register(sim, url)
        send(sim, content=text, metadata=metadata)
        await sim.text_in(HANDSET, text, attachments=[Attachment("image/png", "aGk=", text)])

    events = {event.kind: event for event in (read(body) for _, body in pushed(webhooks, 2, act))}
    inbound, receipt = events["inbound_sms"], events["delivery_receipt"]
    assert (inbound.fields["content"], inbound.fields["metadata"]) == (text, metadata)
    assert inbound.fields["attachments"][0]["attachment_name"] == text
    assert (receipt.fields["content"], receipt.fields["metadata"]) == (text, metadata)


@pytest.mark.parametrize(
    "words", ["STOP", " stop. ", "Unsubscribe", "stop  all", "OPT-OUT!", "optout"], ids=lambda words: words.strip()
)
def test_opt_out_word_raises_both_events(webhooks: Callable[..., Any], words: str) -> None:
    async def act(sim: SimulatedSinch, url: str) -> None:
        register(sim, url)
        send(sim, content="Hi", metadata={"a": 'b"'}, delivery_report=False)
        await sim.text_in(HANDSET, words)
        assert HANDSET in sim.account().opted_out

    got = dict(pushed(webhooks, 2, act))
    notice, inbound = read(got["/opt-outs"]), read(got["/inbound"])
    assert (notice.kind, notice.contact, notice.our_number) == ("opt_out", HANDSET, "+61491593156")
    assert notice.key != inbound.key
    assert (notice.fields["content"], inbound.fields["content"]) == (words, words)
    raw = json.loads(got["/opt-outs"])
    assert (raw["type"], raw["metadata"]) == ("", [{"metadata_key": "a", "metadata_value": 'b"'}])


@pytest.mark.parametrize(
    ("words", "features"),
    [("STOP it", Features()), ("Please stop", Features()), ("STOP", Features(opt_out_words=False))],
)
def test_other_texts_opt_nobody_out(webhooks: Callable[..., Any], words: str, features: Features) -> None:
    async def act(sim: SimulatedSinch, url: str) -> None:
        register(sim, url)
        await sim.text_in(HANDSET, words)
        assert len(sim.account().opted_out) == 0

    assert [path for path, _ in pushed(webhooks, 1, act, features=features)] == ["/inbound"]


@pytest.mark.parametrize("units", [True, False])
def test_bodies_made_without_the_engine_equal_the_rendered_ones(webhooks: Callable[..., Any], units: bool) -> None:
    """The `Hooks` of benchmarks and the registered webhooks tell of one event in the same words."""
    texts = ["plain", HOSTILE[0] + HOSTILE[1] + HOSTILE[5]]

    async def act(sim: SimulatedSinch, url: str) -> None:
        register(sim, url)
        sim.hooks = Hooks(inbound_url=f"{url}/fast/inbound", receipts_url=f"{url}/fast/receipts")
        send(sim, content=texts[1], metadata={"a": texts[1], "b": "2"})
        send(sim, content=texts[0], format="MMS", media=["https://a.example/a.png"])
        await sim.text_in(HANDSET, texts[1])
        await sim.text_in("+61491570999", "new here")
        attachments = [Attachment("image/png", "aGk=", "a.png"), Attachment("image/gif", "aGk=", '"b".gif')]
        await sim.text_in("+61491570999", "", attachments=attachments)

    got = pushed(webhooks, 10, act, features=Features(billing_units=units))
    found: dict[str, dict[str, Any]] = {"inbound": {}, "receipts": {}, "fast/inbound": {}, "fast/receipts": {}}
    for path, body in got:
        data = json.loads(body)
        found[path[1:]][data.get("reply_id") or data["delivery_report_id"]] = data
    assert (len(found["inbound"]), len(found["receipts"])) == (3, 2)
    assert found["fast/inbound"] == found["inbound"]
    assert found["fast/receipts"] == found["receipts"]


OF_ALL = {"messageId", "mtId", "accountId", "receivedTimestamp", "metadata", "sourceAddress"}
#: On replies and reports, but not on opt-outs.
OF_TWO = OF_ALL | {"format", "type", "submittedTimestamp", "mtContent", "messageContent", "retryCount"}
OF_DR = OF_TWO | {"drId", "reportId", "vendorId", "status", "statusCode"}
OF_MO = OF_TWO | {"moId", "replyId", "destinationAddress", "moContent", "replyContent"}
OF_OPT_OUT = OF_ALL | {"notificationId", "destinationAddress", "moContent"}
ALL = sorted(OF_DR | OF_MO | OF_OPT_OUT | {"billingUnits", "attachments"})


@pytest.mark.parametrize(
    ("event", "how", "expected"),
    [
        ("DELIVERED_DR", {}, OF_DR),
        ("DELIVERED_DR", {"features": Features(billing_units=True)}, OF_DR | {"billingUnits"}),
        ("RECEIVED_SMS", {}, OF_MO),
        ("RECEIVED_MMS", {}, OF_MO | {"attachments"}),
        ("OPT_OUT_SMS", {}, OF_OPT_OUT),
    ],
)
def test_each_kind_has_its_own_variables(
    webhooks: Callable[..., Any], event: str, how: dict[str, Any], expected: set[str]
) -> None:
    template = ";".join(f"{name}=#if(${name})yes#{{else}}no#end" for name in ALL)

    async def act(sim: SimulatedSinch, url: str) -> None:
        sim.webhooks.register(url, [event], template=template)
        send(sim, content="Hi", metadata={"a": "b"})
        attachments = [Attachment("image/png", "aGk=", "a.png")] if event == "RECEIVED_MMS" else []
        await sim.text_in(HANDSET, "STOP", attachments=attachments)

    [(_, body)] = pushed(webhooks, 1, act, **how)
    assert {line.partition("=")[0] for line in body.decode().split(";") if line.endswith("=yes")} == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$replyId $!replyId|${nope} $!{nope}|", "$replyId |${nope} |"),
        ("$esc.json($!x) $!esc.json($x)|$esc.json($text)", '$esc.json($!x) |a\\"\\/\\u00e9'),
        ("$metadata.get('a') $metadata.get('zz') $!metadata.get('zz')|", "1 $metadata.get('zz') |"),
        ("#foreach($k in $metadata.keySet())$k#if($foreach.hasNext),#end#end", "a,b"),
        ("#foreach($e in $metadata.entrySet())$e.key=$e.value;#end", "a=1;b=2;"),
        ("#foreach($e in $nothing.entrySet())x#end#foreach($e in $nothing)y#end|", "|"),
        ("#if($text)yes#{else}no#end #if($x)yes#{else}no#end", "yes no"),
        ("$metadata", "{a=1, b=2}"),
        ("$esc.xml($text) $esc.url($text)", "a&quot;/é a%22%2F%C3%A9"),
        ("costs $5 or #1, \\$x", "costs $5 or #1, $x"),
        ("#foreach($i in $metadata.get(1, 2))#end", ""),
    ],
)
def test_engine_is_velocity(template: str, expected: str) -> None:
    variables = {"metadata": Metadata({"a": "1", "b": "2"}), "text": 'a"/é'}
    assert Template(template).render(variables) == expected


@pytest.mark.parametrize(
    "template", ["#if($x", "#foreach($a)", "#end", "$x.__class__", "$x.get('a')._x", "#evaluate($x)", "#parse('x')"]
)
def test_template_that_cannot_be_read_is_a_problem(template: str) -> None:
    with pytest.raises(TemplateProblem):
        Template(template)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [("JSON", "application/json"), ("FORM_ENCODED", "application/x-www-form-urlencoded"), ("XML", "application/xml")],
)
def test_method_encoding_headers_and_url_are_as_registered(
    webhooks: Callable[..., Any], method: str, encoding: str, content_type: str
) -> None:
    async def main() -> None:
        async with webhooks() as hook:
            sim = SimulatedSinch()
            await sim.start()
            url = f"{hook.url}/x?text=$moContent&to=$nothing"
            how = {"template": "t=$moContent", "method": method, "encoding": encoding}
            sim.webhooks.register(url, ["RECEIVED_SMS"], headers={"X-Secret": "é 1"}, **how)
            sim.webhooks.register(f"{hook.url}/none", ["RECEIVED_SMS"], method=method)
            await sim.text_in(HANDSET, "a b")
            await hook.arrived(2)
            await sim.stop()
            heads = {head.split(" ")[1]: (head, body) for head, (_, body) in zip(hook.heads, hook.got, strict=True)}
            head, body = heads["/x?text=a%20b&to=$nothing"]
            assert head.startswith(f"{method} ")
            assert f"\r\nContent-Type: {content_type}\r\n" in head
            assert "\r\nX-Secret: é 1\r\n" in head
            assert body == (b"" if method == "GET" else b"t=a b")
            assert heads["/none"][1] == b""

    asyncio.run(main())


@pytest.mark.parametrize(
    ("statuses", "retries", "bodies", "lost"),
    [
        ((500,), 0, [b"0"], 1),
        ((500, 503), 2, [b"0", b"1", b"2"], 0),
        ((500, 404, 500), 2, [b"0", b"1", b"2"], 1),
    ],
)
def test_push_is_retried_as_registered(
    webhooks: Callable[..., Any], statuses: tuple[int, ...], retries: int, bodies: list[bytes], lost: int
) -> None:
    async def main() -> None:
        async with webhooks(*statuses) as hook:
            sim = SimulatedSinch(pusher=Pusher(retry_scale=0.001))
            await sim.start()
            sim.webhooks.register(hook.url, ["RECEIVED_SMS"], template="$retryCount", retries=retries, retry_delay=5)
            await sim.text_in(HANDSET, "hi")
            await sim.pusher.quiet()
            await sim.stop()
            assert [body for _, body in hook.got] == bodies
            assert sim.pusher.stats.lost == lost

    asyncio.run(main())


def test_late_answer_counts_as_none() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            sim = SimulatedSinch()
            await sim.start()
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            sim.webhooks.register(url, ["RECEIVED_SMS"], template="x", read_timeout=20)
            await sim.text_in(HANDSET, "hi")
            await sim.pusher.quiet()
            await sim.stop()
            assert (sim.pusher.stats.unreachable, sim.pusher.stats.lost) == (1, 1)

    asyncio.run(main())


def test_sub_accounts_push_to_their_own_webhooks(webhooks: Callable[..., Any]) -> None:
    async def act(sim: SimulatedSinch, url: str) -> None:
        register(sim, url)
        sim.hooks = Hooks(inbound_url=f"{url}/fast")
        sim.account("nz").webhooks.register(f"{url}/nz", ["RECEIVED_SMS"], template="$accountId")
        await sim.text_in(HANDSET, "hi", sub_account="nz")

    assert pushed(webhooks, 1, act) == [("/nz", b"nz")]
