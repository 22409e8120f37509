"""Ten times what can be processed for a while: nothing acknowledged is lost, memory is bounded, and others get through.

Four parts: texts as fast as they are taken while the provider takes a tenth of the replies; a journal whose disk is too
slow for anybody's patience (503, and no timeouts); 10,000 texts of one contact; calls of slow hosts. In the last two,
other customers text meanwhile and are answered in time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.event import Event
from sinchflow.runtime.clock import SystemClock
from sinchflow.runtime.connections import Hooks
from sinchflow.runtime.guard import Guard
from sinchflow.runtime.ingress import Ingress
from sinchflow.runtime.stats import Stats
from tests.daemons import House
from tests.proof._house import REPLY, Customers, Replies, Texts, memory_mb, number_of, percentile, play, replied
from tests.proof.dose import Dose, Figure, at_least, at_most, exactly

_MEMORY_MB = 600
_SLOW_HOSTS = 5
_SLOW = """\
name: slow-{number}
on: {{inbound_sms: {{keyword: SLOW{number}}}}}
steps: [{{http: {{method: GET, url: "{url}"}}, timeout: 30s}}]
"""
_QUICK = """\
name: quick
on: {{inbound_sms: {{keyword: QUICK}}}}
steps:
  - http: {{method: GET, url: "{url}"}}
  - reply: We are open.
"""


def prove(dose: Dose) -> Iterable[Figure]:
    """See the module's text."""
    for part in (_flood, _slow_disk, _storm, _slow_hosts):
        folder = dose.folder / part.__name__.strip("_")
        folder.mkdir()
        yield from part(dose, folder)


# --- more than can be processed ---------------------------------------------------------------------------------------


def _flood(dose: Dose, folder: Path) -> list[Figure]:
    """A provider that takes 180 replies a second; customers that text as fast as they are heard."""
    count = dose.times(60_000, 300)

    async def scenario(house: House) -> list[Figure]:
        async with house.daemon() as running:
            texts, rate, peak = await _pour(house, running.pid, count)
            taken_s = await _until_answered(house, len(texts.accepted), dose)
            answers = await replied(house)
            return [
                Figure(name="flood: texts acknowledged a second", value=round(rate)),
                Figure(name="flood: answered 503", value=texts.statuses[503]),
                exactly("flood: texts that got no answer", texts.failures.total()),
                exactly("flood: acknowledged and never replied to", len(texts.accepted) - sum(answers.values())),
                exactly("flood: replied to twice", sum(each > 1 for each in answers.values())),
                Figure(name="flood: seconds to work off the rest", value=round(taken_s, 1)),
                at_most("flood: memory", max(peak, memory_mb(running.pid)), _MEMORY_MB, "MB"),
            ]

    limits = "{calls: 9, per: 1s, batch: 20}"
    found: list[Figure] = play(folder, REPLY, scenario, limits=limits, patience_s=900)
    return found


async def _pour(house: House, pid: int, count: int) -> tuple[Texts, float, float]:
    """As fast as they are taken, over 100 connections."""
    customers, texts = Customers(house.found["port"]), Texts()
    numbers = iter(range(count))
    began = time.monotonic()

    async def one_line() -> None:
        for number in numbers:
            sender, due = number_of(number, "+6149"), time.monotonic()
            await customers.one(texts, f"f{number}", sender, "HOURS", due, is_again=True)

    await asyncio.gather(*(one_line() for _ in range(100)))
    return texts, len(texts.accepted) / (time.monotonic() - began), memory_mb(pid)


async def _until_answered(house: House, accepted: int, dose: Dose) -> float:
    """Seconds until nothing waits any more."""
    began = time.monotonic()
    while time.monotonic() - began < 600:
        dose.say("working it off")
        if await house.is_quiet() and (await replied(house)).total() >= accepted:
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began


# --- a disk that is too slow ------------------------------------------------------------------------------------------


class _SlowDisk(MemoryJournal):
    """Stores each second what came in the second before, but no more than it can."""

    def __init__(self, loop: asyncio.AbstractEventLoop, capacity: float) -> None:
        super().__init__(loop.call_soon)
        self._loop = loop
        self._capacity = capacity
        self._free_at = 0.0

    def accept(self, event: Event, done: Any) -> None:
        """See `Journal.accept`."""
        self._free_at = max(self._free_at, self._loop.time()) + 1 / self._capacity
        self._loop.call_at(self._free_at, lambda: MemoryJournal.accept(self, event, done))


def _slow_disk(dose: Dose, _folder: Path) -> list[Figure]:
    """Ten times as much comes as the journal can store, and each customer waits for 10 s, as Sinch does."""
    capacity, seconds = 50, max(7.0, 30 * min(1.0, dose.scale))

    async def scenario() -> list[Figure]:
        loop, taken, statuses = asyncio.get_running_loop(), set[str](), Counter[int | str]()
        stats, waits = Stats(), list[float]()
        app = Ingress(
            journal=_SlowDisk(loop, capacity), clock=SystemClock(loop), stats=stats, loop=loop,
            guard=lambda: Guard(Hooks(token="token-of-the-test"), ["default"], {}),
            take=lambda event: taken.add(event.key),
        )  # fmt: skip
        acknowledged: set[str] = set()

        async def one(http: httpx.AsyncClient, number: int) -> None:
            body = {"reply_id": f"r{number}", "source_address": number_of(number),
                    "destination_address": "+61491593156", "content": "x"}  # fmt: skip
            began = loop.time()
            try:
                async with asyncio.timeout(10):
                    answer = await http.post("/hooks/token-of-the-test/inbound", json=body)
                statuses[answer.status_code] += 1
                if answer.status_code < 300:
                    acknowledged.add(body["reply_id"])
            except TimeoutError:
                statuses["timeout"] += 1
            waits.append(loop.time() - began)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as http:
            tasks = []
            for number in range(round(capacity * 10 * seconds)):
                tasks.append(asyncio.create_task(one(http, number)))
                await asyncio.sleep(0 if number % 50 else 5 / capacity)
            await asyncio.gather(*tasks)
        return [
            Figure(name="slow disk: answers by status", value={str(name): count for name, count in statuses.items()}),
            exactly("slow disk: customers that gave up", statuses["timeout"]),
            at_least("slow disk: answered 503", statuses[503], 1),
            at_least("slow disk: acknowledged", statuses[202], round(capacity * seconds * 0.5)),
            exactly("slow disk: acknowledged and not taken", len(acknowledged - taken)),
            at_most("slow disk: longest wait", max(waits), 10, "s"),
        ]

    return asyncio.run(scenario())


# --- one contact's storm, and slow hosts ------------------------------------------------------------------------------

_STORMER = "+61491999999"


def _storm(dose: Dose, folder: Path) -> list[Figure]:
    """10,000 texts of one number, and others who text 20 times a second."""
    count, seconds = dose.times(10_000, 200), max(2.0, 30 * min(1.0, dose.scale))

    async def scenario(house: House) -> list[Figure]:
        async with house.daemon() as running, Replies(house) as replies:
            port = house.found["port"]
            storm = Customers(port).text(count / seconds, seconds, lambda _: _STORMER)
            storming = asyncio.create_task(storm)
            texts = await Customers(port).text(20, seconds, number_of, prefix="o")
            stormed = await storming
            delays_s = await replies.delays_s(texts)
            waiting = await house.count("sinchflow_waiting_events")
            return [
                at_most("storm: p99 of others' acknowledgements", texts.p99_s, 1, "s"),
                at_most("storm: p99 of others' replies after that", percentile(delays_s, 0.99), 2, "s"),
                exactly("storm: texts that got no answer", texts.failures.total() + stormed.failures.total()),
                Figure(name="storm: texts a second of one number", value=round(count / seconds)),
                Figure(name="storm: of it still waiting when all others had their replies", value=waiting),
                at_most("storm: memory", memory_mb(running.pid), _MEMORY_MB, "MB"),
            ]

    found: list[Figure] = play(folder, REPLY, scenario, patience_s=seconds + 120)
    return found


def _slow_hosts(dose: Dose, folder: Path) -> list[Figure]:
    """Calls of five hosts that take for ever, 100 of each, and others whose host is quick."""
    each, seconds = dose.times(100, 25), max(2.0, 20 * min(1.0, dose.scale))

    async def scenario(house: House) -> list[Figure]:
        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()

        servers = [await asyncio.start_server(hang, "127.0.0.1", 0) for _ in range(_SLOW_HOSTS)]
        servers.append(await asyncio.start_server(answer, "127.0.0.1", 0))
        urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/" for server in servers]
        flows = [_SLOW.format(number=number, url=url) for number, url in enumerate(urls[:-1])]
        (house.folder / "flows/flow.yaml").write_text("---\n".join([*flows, _QUICK.format(url=urls[-1])]))
        async with house.daemon() as running, Replies(house) as replies:
            port = house.found["port"]
            for number in range(_SLOW_HOSTS):
                slow = Customers(port)
                prefix = f"+6149{number}1"
                await slow.text(
                    200, each / 200, lambda one, prefix=prefix: number_of(one, prefix), f"SLOW{number}", prefix=prefix
                )
            texts = await Customers(port).text(20, seconds, number_of, "QUICK", prefix="q")
            delays_s = await replies.delays_s(texts)
            return [
                Figure(name="slow hosts: calls that hang or wait", value=each * _SLOW_HOSTS),
                at_most("slow hosts: p99 of others' acknowledgements", texts.p99_s, 1, "s"),
                at_most("slow hosts: p99 of others' replies after that", percentile(delays_s, 0.99), 2, "s"),
                at_most("slow hosts: memory", memory_mb(running.pid), _MEMORY_MB, "MB"),
            ]

    found: list[Figure] = play(folder, REPLY, scenario, patience_s=seconds + 120)
    return found
