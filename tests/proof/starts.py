"""How long a start takes on a journal with 10,000 open runs, and on one with 1,000,000 finished ones.

The journals are written by the journal's own code; the daemon is a process of its own, measured until `/ready` says
200. Beside it: a start on an empty journal on the same machine, the processor's time of each (which does not mind what
else the machine does), memory, and how long the first acknowledgements take.
"""

import asyncio
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.expression.template import Templates
from sinchflow.journal.journal import Changes, FlowSource
from sinchflow.journal.sqlite import SqliteJournal
from sinchflow.language.check import Checker
from sinchflow.model.command import Woken
from sinchflow.model.event import Event
from sinchflow.model.run import Facts, Run
from tests.benchmarks.bench import TOKEN, Bench, bench
from tests.proof.dose import Dose, Figure, at_most

_FLOW = """\
name: nap
on: {inbound_sms: {keyword: NAP}}
steps:
  - delay: 2d
"""
_PORTION = 2_000


def prove(dose: Dose) -> Iterable[Figure]:
    """See the module's text."""
    figures = _bare()
    for name, count, is_open, aim_s in (
        ("open runs", dose.times(10_000), True, 2.0), ("finished runs", dose.times(1_000_000), False, 20.0)
    ):  # fmt: skip
        with bench() as made:
            made.write(_FLOW)
            began = time.monotonic()
            asyncio.run(_fill(made.folder, count, is_open=is_open, dose=dose))
            figures.append(Figure(name=f"{count} {name} written, s", value=round(time.monotonic() - began, 1)))
            figures += [at_most(f"start to ready with {count} {name}", made.start(), aim_s, "s")]
            figures += [Figure(name="its processor's time, s", value=_processor_s(made)), *_first(made, name)]
            made.stop()
            figures.append(at_most(f"and once more with {count} {name}", made.start(), aim_s, "s"))
    return figures


async def _fill(root: Path, count: int, *, is_open: bool, dose: Dose) -> None:
    loop = asyncio.get_running_loop()
    journal = SqliteJournal(root / ".sinchflow", loop)
    checked = Checker().check(root)
    [flow] = checked.flows
    source = checked.sources[flow.digest]
    document = FlowSource(digest=flow.digest, name=flow.name, file=source.file, line=source.line, source=source.text)
    stored: asyncio.Future[Exception | None] = loop.create_future()
    journal.commit(Changes(sources=(document,)), stored.set_result)
    assert await stored is None
    templates, now = Templates(), datetime.now(UTC)
    # One run is played, the others are it under their own names: what is measured is reading them.
    pattern = _event(1, "+61491570000", now)
    begun = interpreter.start(flow, 1, pattern, {}, Facts(), now, templates)
    [asleep] = begun.commands
    woken = Woken(command=asleep.id)
    ended = interpreter.advance(flow, begun.run, pattern, woken, Facts(), now + timedelta(days=2), templates).run
    run = begun.run if is_open else replace(ended, ended_at=now)
    assert run.is_final is not is_open
    for first in range(0, count, _PORTION):
        runs: list[Run] = []
        for number in range(first, min(first + _PORTION, count)):
            when, contact = now - timedelta(seconds=(count - number) / 20), f"+614{number:08}"
            event = _event(journal.new_id(), contact, when)
            journal.accept(event, lambda _: None)
            runs.append(replace(run, id=journal.new_id(), event_id=event.id, contact=contact, started_at=when))
        stored = loop.create_future()
        journal.commit(Changes(runs=tuple(runs), routed=tuple(each.event_id for each in runs)), stored.set_result)
        assert await stored is None
        dose.say(f"{first + len(runs)} of {count} runs written")
    journal.close()


def _event(event_id: int, contact: str, when: datetime) -> Event:
    return Event(
        id=event_id, kind="inbound_sms", key=f"r{contact}", received_at=when, contact=contact,
        our_number="+61491593156", fields={"content": "NAP"},
    )  # fmt: skip


def _bare() -> list[Figure]:
    with bench() as made:
        made.write(_FLOW)
        made.start()
        made.stop()
        took = made.start()
        return [
            Figure(name="start to ready on an empty journal, s", value=round(took, 2)),
            Figure(name="its processor's time, s", value=_processor_s(made)),
        ]


def _processor_s(made: Bench) -> float:
    assert made.process is not None
    fields = Path(f"/proc/{made.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _first(made: Bench, name: str) -> list[Figure]:
    """The first acknowledgements, and the memory after them."""
    took_ms = []
    connection = HTTPConnection("127.0.0.1", made.info["port"], timeout=20)
    for number in range(50):
        body = b'{"reply_id":"f%d","source_address":"+61499999%03d","content":"HELLO"}' % (number, number)
        began = time.perf_counter()
        connection.request("POST", f"/hooks/{TOKEN}/inbound", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
        took_ms.append((time.perf_counter() - began) * 1_000)
    connection.close()
    return [
        Figure(name=f"first acknowledgement with {name}, ms", value=round(took_ms[0], 1)),
        Figure(name=f"slowest of the first 50 with {name}, ms", value=round(max(took_ms), 1)),
        Figure(name=f"memory with {name}, MB", value=round(made.memory_mb, 1)),
    ]
