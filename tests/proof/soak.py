"""One hour at half of what the machine can do: memory, files and threads stay where they are.

A daemon as a process, the simulated Sinch with receipts as another, and here the customers and the URL that is called:
answers, questions with their replies, calls that work and that fail, messages that nobody wants, repeats.
"""

import asyncio
import itertools
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from sinchflow.journal.sqlite import FILE_NAME
from tests.benchmarks.bench import TOKEN, Bench, bench
from tests.proof.dose import Dose, Figure, at_least, at_most, exactly

_FLOWS = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
steps:
  - reply: "We are open, {{ event.source_address }}."
---
name: ask
on: {inbound_sms: {keyword: ASK}}
steps:
  - reply: Y or N?
  - wait_for_reply:
      timeout: TIMEOUTs
      categories: {yes: {keyword: [Y]}, no: {keyword: [N]}}
      otherwise: {reply: Sorry?}
  - reply: "Thank you."
---
name: call
on: {inbound_sms: {keyword: CALL}}
steps:
  - http: {url: "URL/good"}
    timeout: 5s
---
name: fail
on: {inbound_sms: {keyword: FAIL}}
steps:
  - http: {url: "URL/bad"}
    timeout: 5s
    retry: {attempts: 2, delay: 1s}
"""
_SETTINGS = "outbound: {allow: [127.0.0.1]}\nretention: {events: 1d, runs: 1d, max_size: 300MB, traces: 50}\n"
#: What a customer texts; "" repeats the last message.
_TEXTS = ("HOURS", "HOURS", "HOURS", "ASK", "Y", "CALL", "FAIL", "nothing of interest", "nothing", "")
_CUSTOMERS = 20_000
_CONNECTIONS = 8


class _Sample(msgspec.Struct, frozen=True):
    at_s: float
    memory_mb: float
    files: int
    threads: int
    journal_mb: float
    wal_mb: float


def prove(dose: Dose) -> Iterable[Figure]:
    """See the module's text."""
    with bench("--receipts") as made:
        return asyncio.run(_soak(dose, made, max(3_600 * dose.scale, 8)))


async def _soak(dose: Dose, made: Bench, seconds: float) -> list[Figure]:
    async with _url() as url:
        made.write(_FLOWS.replace("URL", url).replace("TIMEOUT", f"{max(5, seconds / 12):.0f}"), _SETTINGS)
        await asyncio.to_thread(made.start)
        customers = _Customers(made, dose.seed)
        began = time.monotonic()
        await customers.text(min(15, seconds / 4), None)
        await _drained(made)
        peak = customers.sent / (time.monotonic() - began)
        samples: list[_Sample] = []
        sampling = asyncio.create_task(_sample(made, seconds, samples, dose))
        before = customers.sent
        await customers.text(seconds, peak / 2)
        await sampling
        await _drained(made)
        return _figures(samples, peak, (customers.sent - before) / seconds, customers, made)


def _figures(samples: list[_Sample], peak: float, rate: float, customers: "_Customers", made: Bench) -> list[Figure]:
    def median(name: str, begin: float, end: float) -> float:
        chosen = samples[int(len(samples) * begin) : max(int(len(samples) * end), int(len(samples) * begin) + 1)]
        return statistics.median(getattr(each, name) for each in chosen)

    growth = 100 * (median("memory_mb", 0.9, 1) / median("memory_mb", 0.25, 0.35) - 1)
    return [
        Figure(name="peak, events a second", value=round(peak)), Figure(name="played at", value=round(rate)),
        at_least("events", customers.sent, 1), exactly("not acknowledged", customers.refused),
        at_most("memory after the first quarter grows by, %", growth, 5),
        *(
            Figure(name=f"{name} at 25 %, at the end", value=[round(median(name, *part), 1) for part in _PARTS])
            for name in ("memory_mb", "journal_mb", "wal_mb")
        ),
        at_most("open files more than at 25 %", median("files", 0.9, 1) - median("files", 0.25, 0.35), 10),
        at_most("threads more than at 25 %", median("threads", 0.9, 1) - median("threads", 0.25, 0.35), 4),
        exactly("internal errors", int(made.metric("sinchflow_internal_errors_total"))),
        Figure(name="memory in tenths, MB", value=[
            round(median("memory_mb", part / 10, (part + 1) / 10), 1) for part in range(10)
        ]),
    ]  # fmt: skip


_PARTS = ((0.25, 0.35), (0.9, 1.0))


class _Customers:
    """Keep-alive connections that text; `sent` is what was acknowledged or refused."""

    def __init__(self, made: Bench, seed: int) -> None:
        self._port = made.info["port"]
        self._random = random.Random(seed)
        self._ids = itertools.count()
        self.sent = 0
        self.refused = 0

    async def text(self, seconds: float, rate: float | None) -> None:
        """For so long, so many a second; None: as fast as they are answered."""
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._one(end, None if rate is None else _CONNECTIONS / rate) for _ in range(8)))

    async def _one(self, end: float, every_s: float | None) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        body, due = b"", time.monotonic()
        while time.monotonic() < end:
            text = self._random.choice(_TEXTS)
            if text or not body:
                sender = f"+614{self._random.randrange(_CUSTOMERS):08}"
                body = msgspec.json.encode(
                    {
                        "reply_id": f"s{next(self._ids)}", "source_address": sender,
                        "destination_address": "+61491593156", "content": text,
                    }
                )  # fmt: skip
            head = f"POST /hooks/{TOKEN}/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
            self.sent += 1
            self.refused += not answer.startswith(b"HTTP/1.1 2")
            if every_s is not None:
                due += every_s
                await asyncio.sleep(max(due - time.monotonic(), 0))
        writer.close()


async def _sample(made: Bench, seconds: float, samples: list[_Sample], dose: Dose) -> None:
    began = time.monotonic()
    while (at_s := time.monotonic() - began) < seconds:
        samples.append(_look(made, at_s))
        dose.say(f"{at_s:.0f} of {seconds:.0f} s: {samples[-1].memory_mb:.1f} MB")
        await asyncio.sleep(seconds / 200)


def _look(made: Bench, at_s: float) -> _Sample:
    assert made.process is not None
    place = Path(f"/proc/{made.process.pid}")
    threads = next(line for line in (place / "status").read_text().splitlines() if line.startswith("Threads"))
    journal = made.folder / ".sinchflow" / FILE_NAME
    size_mb, wal_mb = (Path(f"{journal}{tail}").stat().st_size / 1e6 for tail in ("", "-wal"))
    return _Sample(
        at_s, made.memory_mb, len(os.listdir(place / "fd")), int(threads.split()[1]), size_mb, wal_mb,
    )  # fmt: skip


async def _drained(made: Bench) -> None:
    """Until nothing is queued."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        queued = await asyncio.to_thread(made.metric, "sinchflow_queued_sends")
        if not queued and not await asyncio.to_thread(made.metric, "sinchflow_waiting_events"):
            return
        await asyncio.sleep(0.2)


@asynccontextmanager
async def _url() -> AsyncIterator[str]:
    """What flows call: /good answers, everything else fails."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                status = b"200 OK" if b" /good " in head else b"500 No"
                writer.write(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" % status)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    server: Any = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
