"""People who text, programs that call, and what each of them has to see: exactly once, whatever happens in between.

Who sends an event sends it until it is acknowledged, as the provider does, and knows nothing of crashes. An operator
resolves what is held, by looking at what arrived.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tests.proof._ground import HOOK_TOKEN, OUR_NUMBER, SHOP_TOKEN, Ground, Lost, Wire
from tests.proof.dose import Figure, exactly

FLOWS = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
steps:
  - reply: "We are open, {{ match.rest }}."
---
name: table
on: {inbound_sms: {keyword: TABLE}}
steps:
  - reply: "At 18 or 20, {{ match.rest }}?"
  - id: hour
    wait_for_reply: {timeout: 30m, categories: {early: {keyword: "18"}, late: {keyword: "20"}}}
  - reply: "Booked: {{ steps.hour.category }}."
---
name: failed
on: {delivery_receipt: {status: failed}}
steps:
  - http: {method: POST, url: "URL/failed", json: {id: "{{ event.delivery_report_id }}"}}
---
name: later
on: {inbound_sms: {keyword: LATER}}
steps:
  - delay: DELAY
  - reply: "As you wished, {{ match.rest }}."
---
name: order
on: {inbound_sms: {keyword: ORDER}}
steps:
  - http:
      method: POST
      url: "URL/orders"
      json: {id: "{{ event.reply_id }}"}
      idempotency_key: "{{ event.reply_id }}"
    retry: {attempts: 9, delay: 100ms, max_delay: 500ms, when: [connection, 5xx]}
  - reply: "Ordered, {{ match.rest }}."
---
name: left
on: opt_out
steps:
  - log: "{{ contact.number }} has left"
---
name: booked
on: {webhook: {path: /booked, token: "{{ secrets.SHOP_TOKEN }}", dedupe: "{{ event.json.id }}"}}
inputs:
  number: {type: phone, value: "{{ event.json.number }}"}
contact: "{{ inputs.number }}"
steps:
  - reply: Your table is booked.
"""
#: What becomes of messages in doubt; the report lags less than `check` waits.
MODES = {
    "hold": "sends: {on_unknown: hold}\n",
    "check": "sends: {on_unknown: check, settling_time: 400ms}\n",
}
REPORT_LAG_S = 0.2
SETTINGS = "policy: {max_sends_per_contact: off, opt_out: {reply: You are out.}}\n"
_OUT = "You are out."


class Delivered(msgspec.Struct, frozen=True):
    """An event that was acknowledged. run: what the answer said, for calls of a flow's own webhook."""

    path: str
    body: Any
    run: int | None


class Faults(msgspec.Struct):
    """What must not have happened, in words."""

    lost: list[str] = []
    stuck: list[str] = []
    corrupt: list[str] = []
    doubled: list[str] = []
    blind: list[str] = []  #: `http` calls made twice that must not be
    unheeded: list[str] = []  #: opt-outs

    def add(self, other: "Faults") -> None:
        for name in self.__struct_fields__:
            getattr(self, name).extend(getattr(other, name))

    def mark(self, where: str) -> None:
        """Say of each where it was."""
        for name in self.__struct_fields__:
            setattr(self, name, [f"{where}: {words}" for words in getattr(self, name)])

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)


async def traffic(people: "People", is_over: asyncio.Event) -> None:
    """Later messages: what shows that the provider's report has got so far."""
    while not is_over.is_set():
        await people.hours()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), 0.3)


async def quiet(ground: Ground) -> None:
    """Until nothing waits, and nothing is under way."""
    await until(lambda: not any(ground.waiting()))


async def until(holds: Callable[[], bool]) -> None:
    """Until it is so."""
    while not holds():  # noqa: ASYNC110  # what other processes do tells no event
        await asyncio.sleep(0.02)


def figures(faults: Faults) -> list[Figure]:
    """What must be 0, each with the first cases where it is not."""
    names = {
        "lost": "acknowledged events lost", "stuck": "runs stuck", "corrupt": "corrupt journals",
        "doubled": "doubled sends", "blind": "calls repeated blindly", "unheeded": "opt-outs not heeded",
    }  # fmt: skip
    found: list[Figure] = []
    for field, name in names.items():
        cases = getattr(faults, field)
        found.append(exactly(name, len(cases)))
        if cases:
            found.append(Figure(name=f"{name}, for instance", value=cases[:5]))
    return found


class People:
    """Everybody on one journal. `done`: how many have seen all they had to see."""

    def __init__(self, ground: Ground, prefix: str = "+6149157") -> None:
        self.ground = ground
        self.delivered: list[Delivered] = []
        self.done = 0
        self._prefix = prefix
        self._count = 0
        self._texts: dict[str, list[str]] = {}  # expected
        self._runs: Counter[tuple[str, str]] = Counter()
        self._failures: set[str] = set()  # ids of receipts
        self._orders: set[str] = set()
        self._out: set[str] = set()

    # --- what they do -----------------------------------------------------------------------------------------------

    async def hours(self, copies: int = 1) -> None:
        """A question with an answer; copies: of the webhook, at once."""
        number, name = self._person()
        self._expect(number, [("hours", f"We are open, {name}.")])
        body = self._inbound(number, f"HOURS {name}")
        await asyncio.gather(*(self._deliver("/inbound", body) for _ in range(copies)))
        await self._has(number, 1)

    async def table(self, asleep: Callable[[], Awaitable[None]] | None = None) -> None:
        """A question back, and its answer; asleep: until when it waits to be answered."""
        number, name = self._person()
        self._expect(number, [("table", f"At 18 or 20, {name}?"), (None, "Booked: late.")])
        await self._deliver("/inbound", self._inbound(number, f"TABLE {name}"))
        await self._has(number, 1)
        if asleep is not None:
            await asleep()
        question = next(each for each in self.ground.sim.messages if each.destination_number == number)
        answer = {**self._inbound(number, "20"), "message_id": question.message_id, "metadata": question.metadata}
        await self._deliver("/inbound", answer)
        await self._has(number, 2)

    async def later(self) -> None:
        """An answer after a delay."""
        number, name = self._person()
        self._expect(number, [("later", f"As you wished, {name}.")])
        await self._deliver("/inbound", self._inbound(number, f"LATER {name}"))
        await self._has(number, 1)

    async def order(self) -> None:
        """A call that may be repeated, then an answer."""
        number, name = self._person()
        body = self._inbound(number, f"ORDER {name}")
        self._orders.add(body["reply_id"])
        self._expect(number, [("order", f"Ordered, {name}.")])
        await self._deliver("/inbound", body)
        await self._has(number, 1)

    async def failed(self) -> None:
        """A receipt that calls the URL, which must not be called twice."""
        number, name = self._person()
        receipt = {
            "delivery_report_id": f"report-{name}", "message_id": f"message-{name}", "status": "failed",
            "source_address": number, "destination_address": OUR_NUMBER,
        }  # fmt: skip
        self._failures.add(receipt["delivery_report_id"])
        self._runs["failed", number] += 1
        await self._deliver("/receipts", receipt)
        await until(lambda: self.ground.url.counts["/failed", f"report-{name}"] > 0)

    async def leave(self) -> None:
        """An opt-out, and a question after it, which gets no answer."""
        number, name = self._person()
        self._out.add(number)
        self._expect(number, [("policy: opt-out", _OUT)])
        self._runs["left", number] += 1
        self._runs["hours", number] += 1
        await self._deliver("/inbound", self._inbound(number, "Stop."))
        await self._deliver("/inbound", self._inbound(number, f"HOURS {name}"))
        await self._has(number, 1)
        await until(lambda: number in self.ground.sim.account().opted_out)

    async def book(self) -> None:
        """A program calls a flow."""
        number, name = self._person()
        self._expect(number, [("booked", "Your table is booked.")])
        await self._deliver("/flows/booked", {"id": name, "number": number})
        await self._has(number, 1)

    async def say(self, number: str, content: str) -> None:
        """Somebody in particular says something."""
        await self._deliver("/inbound", self._inbound(number, content))

    @property
    def kinds(self) -> list[Callable[[], Awaitable[None]]]:
        """All that people do."""
        return [self.hours, self.table, self.later, self.order, self.failed, self.leave, self.book]

    async def watch(self, doing: Awaitable[None]) -> None:
        """Somebody does it, and is counted."""
        await doing
        self.done += 1

    # --- the operator -----------------------------------------------------------------------------------------------

    async def operate(self, is_over: asyncio.Event) -> None:
        """Resolve what is held, as somebody would who can see what arrived."""
        while not is_over.is_set():
            with contextlib.suppress(Lost):
                await self._resolve()
            await asyncio.sleep(0.2)

    async def _resolve(self) -> None:
        ground = self.ground
        held = ground.ask("SELECT id FROM send WHERE state = 'held'")
        taken = (
            {int((each.metadata or {"sinchflow_id": ""})["sinchflow_id"][8:], 16) for each in ground.sim.messages}
            if held
            else set()
        )
        for (send_id,) in held:
            how = "sent" if send_id in taken else "resend"
            await ground.admin("POST", f"/api/sends/{send_id}/resolve", {"as": how})
        _, found = await ground.admin("GET", "/api/runs?status=held&limit=1000")
        calls = {run["id"] for run in found["runs"]} - {
            run for (run,) in ground.ask("SELECT run FROM send WHERE is_open")
        }
        for run_id in calls:
            rows = ground.ask(
                "SELECT event.data FROM run JOIN event ON event.id = run.data ->> 'event_id' WHERE run.id = ?", run_id
            )
            report = msgspec.json.decode(rows[0][0])["fields"].get("delivery_report_id")
            how = "skip" if ground.url.counts["/failed", report] else "resend"
            await ground.admin("POST", f"/api/runs/{run_id}/resolve", {"as": how})

    # --- what must be so in the end ---------------------------------------------------------------------------------

    async def repeat_all(self) -> Faults:
        """Deliver every acknowledged event once more: each is known."""
        faults, wires = Faults(), [self.ground.wire() for _ in range(8)]

        async def over(wire: Wire, some: list[Delivered]) -> None:
            for each in some:
                status, answer = await self._answer(wire, each.path, each.body)
                if each.run is not None:
                    if msgspec.json.decode(answer).get("run") != each.run:
                        faults.lost.append(f"another run for {each.body}: {answer!r}")
                elif status != 200:
                    faults.lost.append(f"forgotten ({status}): {each.body}")
            wire.close()

        await asyncio.gather(*(over(wire, self.delivered[start::8]) for start, wire in enumerate(wires)))
        return faults

    def faults(self) -> Faults:
        """What is not as it must be, once all is quiet."""
        faults, ground = Faults(), self.ground
        for number, texts in self._texts.items():
            got = Counter(ground.texts.get(number, []))
            expected = Counter(texts)
            kind = faults.unheeded if number in self._out and got - expected else faults.doubled
            kind += [f"{number}: {text}" for text in (got - expected).elements()]
            faults.lost += [f"{number} was not told: {text}" for text in (expected - got).elements()]
        faults.doubled += [f"message {name} {count} times" for name, count in ground.sent_ids().items() if count > 1]
        faults.doubled += [f"a message to {number}" for number in ground.texts.keys() - self._texts.keys()]
        found = Counter[tuple[str, str]]()
        for flow, contact, status, count in ground.ask(
            "SELECT flow, contact, status, count(*) FROM run GROUP BY 1, 2, 3"
        ):
            found[flow, contact] += count
            if status != "completed":
                faults.stuck.append(f"run of {flow} for {contact}: {status}")
        faults.lost += [f"no run of {flow} for {number}" for flow, number in (self._runs - found).elements()]
        faults.doubled += [f"one run more of {flow} for {number}" for flow, number in (found - self._runs).elements()]
        faults.stuck += [
            f"{what}: {count}"
            for what, count in zip(("events", "runs", "sends"), ground.waiting(), strict=True)
            if count
        ]
        calls = ground.url.counts
        for name in self._failures:
            if calls["/failed", name] != 1:
                (faults.blind if calls["/failed", name] else faults.lost).append(
                    f"{calls['/failed', name]} calls for {name}"
                )
        faults.lost += [f"no call for {name}" for name in self._orders if not calls["/orders", name]]
        for path, headers, body in ground.url.requests:
            if path == "/orders" and headers.get("idempotency-key") != body["id"]:
                faults.blind.append(f"order {body['id']} with the key {headers.get('idempotency-key')}")
        suppressed = {number for (number,) in ground.ask("SELECT number FROM suppression")}
        faults.unheeded += [f"{number} is not suppressed" for number in self._out - suppressed]
        return faults

    # --- how --------------------------------------------------------------------------------------------------------

    def _person(self) -> tuple[str, str]:
        self._count += 1
        return f"{self._prefix}{self._count:04}", f"p{self._count}"

    def _inbound(self, number: str, content: str) -> dict[str, Any]:
        reply_id = f"{number}-{content.partition(' ')[0]}"
        return {"reply_id": reply_id, "source_address": number, "destination_address": OUR_NUMBER, "content": content}

    def _expect(self, number: str, steps: list[tuple[str | None, str]]) -> None:
        self._texts[number] = [text for _, text in steps]
        self._runs.update((flow, number) for flow, _ in steps if flow is not None)

    async def _deliver(self, path: str, body: dict[str, Any]) -> None:
        wire = self.ground.wire()
        _, answer = await self._answer(wire, path, body)
        self.delivered.append(Delivered(path, body, msgspec.json.decode(answer).get("run")))
        wire.close()

    async def _answer(self, wire: Wire, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """The acknowledgement, however often it has to be asked for."""
        while True:
            with contextlib.suppress(Lost):
                status, answer = await wire.exchange("POST", _path(path), body, _headers(path))
                if status in {200, 202}:
                    return status, answer
            await asyncio.sleep(0.02)

    async def _has(self, number: str, count: int) -> None:
        await until(lambda: len(self.ground.texts.get(number, ())) >= count)


def _path(path: str) -> str:
    return path if path.startswith("/flows/") else f"/hooks/{HOOK_TOKEN}{path}"


def _headers(path: str) -> dict[str, str]:
    return {"X-Token": SHOP_TOKEN} if path.startswith("/flows/") else {}
