"""A thousand waits with kills in between: none ends early, none is missed, none ends twice.

Delays, delays until a time, questions without an answer, receipts that do not come: seconds each, all at once. Each is
looked at from both sides: in the run's trace (when it began to wait, when it went on) and at the provider (when the
message after it came). Schedules tick all the while; each tick that fell into a daemon's life must have its run.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import uvloop

from sinchflow.model.run import Record
from tests.proof._ground import Ground
from tests.proof._people import People, quiet
from tests.proof.dose import Dose, Figure, at_most, exactly

WAITS = 1_000
#: Seconds that waits last, and of the ticks.
_LASTING_S = (1, 2, 3, 5, 8)
_EVERY_S = (1, 2, 3)
#: A daemon lives so long after its start.
_LIFE_S = (0.1, 1.6)
#: Around the ends of a daemon's life a tick may be the next one's.
_MARGIN_S = 0.4
_PATIENCE_S = 100.0
SETTINGS = """\
policy: {max_sends_per_contact: off}
limits: {calls: off}
sends: {on_unknown: hold}
retention: {traces: off}
"""
_KINDS = {
    "delay": "  - delay: {n}s\n",
    "ask": "  - reply: Well?\n  - wait_for_reply: {{timeout: {n}s}}\n",
    "receipt": "  - {{id: it, reply: Well?}}\n"
    '  - wait_for_receipt: {{message_id: "{{{{ steps.it.message_id }}}}", timeout: {n}s}}\n',
    "until": '  - delay: {{until: "{{{{ match.rest }}}}"}}\n',
}


def flows() -> str:
    """One flow for each kind of wait and how long it lasts, and the schedules."""
    head = "name: {kind}-{n}\non: {{inbound_sms: {{keyword: {kind}{n}}}}}\nsteps:\n"
    documents = [
        (head + wait + "  - reply: Over.\n").format(kind=kind, n=n) for kind, wait in _KINDS.items() for n in _LASTING_S
    ]
    documents += [f"name: every-{n}\non: {{schedule: {{every: {n}s}}}}\nsteps: [{{log: tick}}]\n" for n in _EVERY_S]
    return "---\n".join(documents)


class Wait(msgspec.Struct):
    """One wait. begun: when its event was first delivered (seconds since the epoch); due: not before this."""

    number: str
    kind: str
    lasts_s: int
    begun: float = 0.0


def prove(dose: Dose) -> Iterable[Figure]:
    """1,000 waits at scale 1."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield from runner.run(play(dose))


async def play(dose: Dose, lasting: tuple[int, ...] = _LASTING_S) -> list[Figure]:
    """The figures."""
    waits = [
        Wait(f"+614{92_000_000 + index}", dose.random.choice(list(_KINDS)), dose.random.choice(lasting))
        for index in range(dose.times(WAITS, 4))
    ]
    lives: list[tuple[float, float]] = []
    arrived: dict[str, list[float]] = {}
    is_over = asyncio.Event()
    async with Ground(dose.folder / "ground").at_work() as ground:
        ground.project(SETTINGS, flows())
        ground.sim.subscribe(
            lambda message: arrived.setdefault(message.destination_number, []).append(time.time())
            if message.content == "Over." else None
        )  # fmt: skip
        people = People(ground)
        killing = asyncio.create_task(_kill(dose, ground, lives, is_over))
        operating = asyncio.create_task(people.operate(is_over))
        missed = 0
        try:
            async with asyncio.timeout(_PATIENCE_S):
                portions = [waits[start::40] for start in range(40)]
                await asyncio.gather(*(_begin(people, portion) for portion in portions))
                while len(arrived) < len(waits):
                    dose.say(f"{len(arrived)} of {len(waits)} waits are over, {len(lives)} kills")
                    await asyncio.sleep(0.05)
                await asyncio.sleep(2 * _MARGIN_S)
        except TimeoutError:
            missed = len(waits) - len(arrived)
        is_over.set()
        await asyncio.gather(killing, operating)
        await asyncio.wait_for(quiet(ground), _PATIENCE_S)
        [(last,)] = ground.ask("SELECT max(id) FROM event")  # ticks go on meanwhile: the next ones are not waited for
        await asyncio.wait_for(quiet(ground), _PATIENCE_S)
        early, late, ended = _in_traces(ground, waits, lives)
        ticks = ground.ask(
            "SELECT json_extract(event.data, '$.fields.flow'), json_extract(event.data, '$.fields.scheduled_at'), "
            "(SELECT count(*) FROM run WHERE run.data ->> 'event_id' = event.id), event.received_at FROM event "
            "WHERE json_extract(event.data, '$.kind') = 'schedule' AND event.id <= ?",
            last,
        )
    came_early = [
        each for each in waits for at in arrived.get(each.number, ()) if at < each.begun + _least_s(each) - 0.001
    ]
    return [
        Figure(name="waits", value=dict(Counter(each.kind for each in waits))),
        Figure(name="kills", value=len(lives) - 1),
        exactly("waits that were missed", missed),
        exactly("waits that ended early, by their traces", early),
        exactly("waits that ended early, by what came of them", len(came_early)),
        exactly("waits that ended twice", sum(len(each) > 1 for each in arrived.values())),
        exactly("waits without an end in their trace", len(waits) - ended),
        at_most("latest end of a wait after it was due and a daemon was there", late, 2.0, "s"),
        *_of_ticks(ticks, lives),
    ]


def _least_s(wait: Wait) -> float:
    return 0.0 if wait.kind == "until" else wait.lasts_s


async def _begin(people: People, waits: list[Wait]) -> None:
    for wait in waits:
        wait.begun = time.time()
        due = datetime.now(UTC) + timedelta(seconds=wait.lasts_s)
        if wait.kind == "until":
            wait.begun = due.timestamp()
        await people.say(wait.number, f"{wait.kind}{wait.lasts_s} {due.isoformat()}")


async def _kill(dose: Dose, ground: Ground, lives: list[tuple[float, float]], is_over: asyncio.Event) -> None:
    """One daemon after the other; `lives` says from when until when each was ready. The last one stays."""
    while not is_over.is_set():
        daemon = ground.fork()
        await ground.ready()
        ready = time.time()
        try:
            await asyncio.wait_for(is_over.wait(), dose.random.uniform(*_LIFE_S))
        except TimeoutError:
            await daemon.kill()
        lives.append((ready, time.time()))


def _in_traces(ground: Ground, waits: list[Wait], lives: list[tuple[float, float]]) -> tuple[int, float, int]:
    """How many waits ended early; how late the latest was, in seconds; how many ended."""
    known = {each.number: each for each in waits}
    early, latest, ended = 0, 0.0, 0
    for contact, data in ground.ask("SELECT contact, data FROM run WHERE contact IS NOT NULL"):
        wait = known[contact]
        trace = msgspec.convert(msgspec.json.decode(data)["trace"], list[Record])
        address = "0" if wait.kind in {"delay", "until"} else "1"
        at = {record.what: record.at.timestamp() for record in trace if record.address == address}
        ended += "outcome" in at or "command" not in at  # a time that had come before its run began is not waited for
        if "outcome" not in at:
            continue
        due = wait.begun if wait.kind == "until" else at["command"] + wait.lasts_s
        early += at["outcome"] < due - 0.001  # traces have microseconds, the journal's due times too
        there = min((max(due, ready) for ready, end in lives if end > max(due, ready) + _MARGIN_S), default=due)
        latest = max(latest, at["outcome"] - there)
    return early, latest, ended


def _of_ticks(rows: list[tuple[Any, ...]], lives: list[tuple[float, float]]) -> list[Figure]:
    seen: dict[str, set[float]] = {}
    early = doubled = 0
    for flow, scheduled_at, runs, received_at in rows:
        at = datetime.fromisoformat(scheduled_at).timestamp()
        early += received_at / 1000 < at - 0.001
        doubled += runs != 1 or at in seen.setdefault(flow, set())
        seen.setdefault(flow, set()).add(at)
    missed = 0
    for every in _EVERY_S:
        for ready, end in lives:
            first = (int((ready + _MARGIN_S) // every) + 1) * every
            ticks = range(first, int(end - _MARGIN_S) + 1, every)
            missed += sum(float(tick) not in seen.get(f"every-{every}", set()) for tick in ticks)
    return [
        Figure(name="ticks", value=len(rows)),
        exactly("ticks that were early", early),
        exactly("ticks without exactly one run", doubled),
        exactly("ticks missed while a daemon was there", missed),
    ]
