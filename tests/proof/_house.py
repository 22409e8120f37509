"""A daemon and a simulated Sinch as processes, and customers who text at a given rate."""

import asyncio
import contextlib
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.daemons import HOOKS, OUR_NUMBER, SETTINGS, House, eventually, process

REPLY = "name: hours\non: {inbound_sms: {keyword: HOURS}}\nsteps: [{reply: We are open.}]\n"


class Texts(msgspec.Struct):
    """What became of texts."""

    latencies_s: list[float] = []
    statuses: Counter[int] = msgspec.field(default_factory=Counter)
    accepted: dict[str, str] = {}  #: sender by reply_id
    ended: dict[str, float] = {}  #: when each sender had its answer, by the monotonic clock
    failures: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def p99_s(self) -> float:
        """Of all that were asked, also those that failed."""
        return percentile(self.latencies_s, 0.99)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed; infinite where there is none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else math.inf


def play(
    folder: Path, flows: str, scenario: Callable[[House], Awaitable[Any]], *sinch: str, limits: str = "{calls: off}",
    patience_s: float = 60, settings: str = "",
) -> Any:  # fmt: skip
    """What a scenario gives, in a project with a provider. sinch: arguments of the simulated one."""

    async def whole() -> Any:
        async with asyncio.timeout(patience_s), httpx.AsyncClient(trust_env=False, timeout=20) as http:
            house = House(folder, http)
            (folder / "flows").mkdir()
            (folder / "flows/flow.yaml").write_text(flows)
            module = [sys.executable, "-m", "sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret"]
            with process([*module, *sinch], folder, "sinch") as running:

                async def says_where() -> str:
                    assert running.poll() is None
                    return (folder / "sinch.out").read_text().partition("\n")[0]

                house.sinch = await eventually(says_where)
                written = SETTINGS.format(base=house.sinch, limits=limits)
                (folder / "sinchflow.yaml").write_text(
                    written + 'source_number: "+61491593156"\n' + (settings or "policy: {max_sends_per_contact: off}\n")
                )
                return await scenario(house)

    return asyncio.run(whole())


class Customers:
    """Texts at a rate, each sent when it is due, however late the ones before it are."""

    def __init__(self, port: int, patience_s: float = 10.0) -> None:
        self._port = port
        self._patience_s = patience_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._count = 0

    async def text(
        self,
        rate: float,
        seconds: float,
        sender: Callable[[int], str],
        content: str = "HOURS",
        *,
        is_kept: bool = True,
        prefix: str = "r",
    ) -> Texts:
        """is_kept: whether half of the connections are used again. prefix: of the ids."""
        texts, began = Texts(), time.monotonic()
        tasks = []
        for number in range(round(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._count += 1
            is_again = is_kept and bool(number % 2)
            one = self.one(texts, f"{prefix}{self._count}", sender(number), content, due, is_again=is_again)
            tasks.append(asyncio.create_task(one))
        await asyncio.gather(*tasks)
        for _, writer in self._idle:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._idle.clear()
        return texts

    async def one(self, texts: Texts, reply_id: str, sender: str, content: str, due: float, *, is_again: bool) -> None:
        body = json.dumps(
            {"reply_id": reply_id, "source_address": sender, "destination_address": OUR_NUMBER, "content": content}
        ).encode()
        head = f"POST {HOOKS}/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        try:
            async with asyncio.timeout(self._patience_s):
                if is_again and self._idle:
                    reader, writer = self._idle.pop()
                else:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(head + body)
                status = int((await reader.readuntil(b"}")).split(b" ", 2)[1])
            texts.statuses[status] += 1
            if status == 202:
                texts.accepted[reply_id] = sender
            if is_again:
                self._idle.append((reader, writer))
            else:
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            texts.failures[type(error).__name__] += 1
        texts.ended[sender] = time.monotonic()
        texts.latencies_s.append(time.monotonic() - due)


class Replies:
    """When the provider took each reply; looks 20 times a second."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._task: asyncio.Task[None]
        self.at: dict[str, float] = {}  #: the first to each number, by the monotonic clock

    async def __aenter__(self) -> "Replies":
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        since = 0
        while True:
            found = (await self._house.http.get(f"{self._house.sinch}/_sim/messages?since={since}")).json()
            for message in found["messages"]:
                self.at.setdefault(message["destination_number"], time.monotonic())
            since = found["next"]
            await asyncio.sleep(0.05)

    async def delays_s(self, texts: Texts) -> list[float]:
        """From each acknowledgement to its reply; waits for all of them."""
        wanted = texts.accepted.values()

        async def are_here() -> bool:
            return self.at.keys() >= set(wanted)

        await eventually(are_here)
        return [self.at[number] - texts.ended[number] for number in wanted]


async def replied(house: House) -> Counter[str]:
    """How often the provider took a message to whom; it tells them in pages."""
    taken, since = Counter[str](), 0
    while True:
        found = (await house.http.get(f"{house.sinch}/_sim/messages?since={since}")).json()
        if not found["messages"]:
            return taken
        taken.update(message["destination_number"] for message in found["messages"])
        since = found["next"]


def number_of(number: int, prefix: str = "+614915") -> str:
    """A sender of one's own."""
    return f"{prefix}{number:05d}"


def memory_mb(pid: int, line: str = "VmHWM") -> float:
    """The most memory that a process has held (`VmRSS`: holds now)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) / 1024
