"""Events that come again: 10,000 of them, each one to six times, partly at once, over several connections, with kills.

Texts, receipts and calls of a flow's webhook. Whoever is not answered delivers again, as the provider does. In the end
each event has begun one run, was new at most once, and every call of the webhook was told of the same run.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import uvloop

from tests.proof._ground import HOOK_TOKEN, OUR_NUMBER, SHOP_TOKEN, Ground, Lost
from tests.proof._people import quiet
from tests.proof.dose import Dose, Figure, exactly

EVENTS = 10_000
_COPIES = 6
_WIRES = 16
#: A daemon lives so long, its start included.
_LIFE_S = (0.3, 2.5)
_PATIENCE_S = 200.0
FLOWS = """\
name: text
on: inbound_sms
steps: [{log: "{{ event.reply_id }}"}]
---
name: receipt
on: delivery_receipt
steps: [{log: "{{ event.delivery_report_id }}"}]
---
name: call
on: {webhook: {path: /call, token: "{{ secrets.SHOP_TOKEN }}", dedupe: "{{ event.json.id }}"}}
inputs:
  number: {type: phone, value: "{{ event.json.number }}"}
contact: "{{ inputs.number }}"
steps: [{log: "{{ event.json.id }}"}]
"""


class Event(msgspec.Struct):
    """One event; what its deliveries were answered. new: how often it was taken for a new one."""

    flow: str
    number: str
    acknowledged: int = 0
    new: int = 0
    runs: set[int] = msgspec.field(default_factory=set)

    def request(self) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Path, body and headers."""
        ends = {"source_address": self.number, "destination_address": OUR_NUMBER}
        match self.flow:
            case "text":
                return f"/hooks/{HOOK_TOKEN}/inbound", {"reply_id": self.number, "content": "Hi", **ends}, {}
            case "receipt":
                ids = {"delivery_report_id": self.number, "message_id": f"m{self.number}", "status": "delivered"}
                return f"/hooks/{HOOK_TOKEN}/receipts", {**ids, **ends}, {}
            case _:
                return "/flows/call", {"id": self.number, "number": self.number}, {"X-Token": SHOP_TOKEN}


def prove(dose: Dose) -> Iterable[Figure]:
    """10,000 events at scale 1."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield from runner.run(play(dose))


async def play(dose: Dose) -> list[Figure]:
    """The figures."""
    count = dose.times(EVENTS, 20)
    flows = dose.random.choices(["text", "receipt", "call"], [3, 1, 1], k=count)
    events = [Event(flow, f"+614{91_000_000 + index}") for index, flow in enumerate(flows)]
    async with Ground(dose.folder / "ground").at_work() as ground:
        ground.project("retention: {traces: off}\n", FLOWS)
        deliveries = _deliveries(dose, events)
        left = iter(deliveries)
        daemon = ground.fork()
        kills = 0
        senders = asyncio.gather(*(_deliver(ground, left) for _ in range(_WIRES)))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not senders.done():
                    await asyncio.wait([senders], timeout=dose.random.uniform(*_LIFE_S))
                    if not senders.done():
                        await daemon.kill()
                        kills += 1
                        daemon = ground.fork()
                        taken = sum(each.acknowledged for each in events)
                        dose.say(f"{taken} of {len(deliveries)} deliveries, {kills} kills")
                await senders
                await quiet(ground)
        except TimeoutError:
            senders.cancel()
        runs = Counter[tuple[str, str]]()
        for flow, contact, number in ground.ask("SELECT flow, contact, count(*) FROM run GROUP BY 1, 2"):
            runs[flow, contact] = number
        damage = ground.damage()
    return [
        Figure(name="events", value=len(events)),
        Figure(name="deliveries", value=len(deliveries)),
        Figure(name="kills", value=kills),
        exactly("deliveries that nobody took", len(deliveries) - sum(each.acknowledged for each in events)),
        exactly("events without a run", sum(not runs[each.flow, each.number] for each in events)),
        exactly("events with more than one run", sum(runs[each.flow, each.number] > 1 for each in events)),
        exactly("runs of no event", len(runs) - len(events)),
        exactly("events that were new twice", sum(each.new > 1 for each in events)),
        exactly("calls that were told of two runs", sum(len(each.runs) > 1 for each in events)),
        exactly("corrupt journals", int(damage is not None)),
    ]


def _deliveries(dose: Dose, events: list[Event]) -> list[Event]:
    """Each event one to six times; half of the repeats come right after, the others at any time."""
    placed: list[tuple[float, Event]] = []
    for event in events:
        first = dose.random.random()
        for _ in range(dose.random.randint(1, _COPIES)):
            placed.append((first if dose.random.random() < 0.5 else dose.random.random(), event))
    placed.sort(key=lambda each: each[0])
    return [event for _, event in placed]


async def _deliver(ground: Ground, left: Iterator[Event]) -> None:
    """Over one connection, one after the other; each until it is acknowledged."""
    wire = ground.wire()
    for event in left:
        path, body, headers = event.request()
        while True:
            try:
                status, answer = await wire.exchange("POST", path, body, headers)
            except Lost:
                await asyncio.sleep(0.02)
                continue
            if status in {200, 202}:
                break
            assert status == 503, (status, answer)
            await asyncio.sleep(0.02)
        event.acknowledged += 1
        if event.flow == "call":
            event.runs.add(msgspec.json.decode(answer)["run"])
        else:
            event.new += status == 202
    wire.close()
