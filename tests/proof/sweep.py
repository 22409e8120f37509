"""A crash sweep: the daemon stops at the nth write, fsync, commit, request and response, for every n.

A small load that has some of everything (`_people`) is played once to count the points (`_points`), then once for each
n with a daemon that dies there, and another one that goes on. Under `hold` an operator resolves what is held by what
has arrived; under `check` the provider's report does, which lags less than the settling time.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import uvloop

from tests.proof._ground import Ground
from tests.proof._people import FLOWS, MODES, REPORT_LAG_S, SETTINGS, Faults, People, figures, quiet, traffic, until
from tests.proof._points import KINDS
from tests.proof.dose import Dose, Figure

UNLIMITED = "limits: {calls: off}\n"
#: Trials at once, each on a ground of its own: most of a trial is waiting.
_AT_ONCE = 3
#: A trial takes about one second.
_PATIENCE_S = 25.0


def prove(dose: Dose) -> Iterable[Figure]:
    """Every n at scale 1; below, each so manyth, beginning with one that the seed chooses."""
    step = max(1, round(1 / dose.scale))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield from runner.run(play(dose, dict.fromkeys(MODES), step))


async def play(dose: Dose, chosen: Mapping[str, Sequence[int] | None], step: int = 1) -> list[Figure]:
    """The figures. chosen: the points for each mode; None: each `step`th of all that the load meets."""
    faults, stopped, points = Faults(), Counter[str](), dict[str, int]()
    for mode, numbers in chosen.items():
        if numbers is None:
            async with _at_work(dose, mode, "count") as ground:
                kinds, found = await trial(ground, None, mode)
            faults.add(found)
            points[mode] = len(kinds)
            # Another order of events has a few more or less; a trial that meets no nth point is killed at its end.
            numbers = range(1 + dose.seed % step, points[mode] + 1, step)
        left = iter(numbers)

        async def some(name: str, mode: str = mode, left: Iterator[int] = left) -> None:
            async with _at_work(dose, mode, name) as ground:
                for number in left:
                    kinds, found = await trial(ground, number, mode)
                    stopped[KINDS[kinds[-1]] if len(kinds) == number else "killed at the end"] += 1
                    faults.add(found)
                    dose.say(f"{mode}: {number} of {points.get(mode)}{'; ' + str(found) if found else ''}")

        await asyncio.gather(*(some(f"{mode}-{index}") for index in range(min(_AT_ONCE, len(numbers)))))
    return [
        Figure(name="points in the load", value=points),
        Figure(name="crashes", value=sum(stopped.values())),
        Figure(name="crashes by point", value=dict(sorted(stopped.items()))),
        *figures(faults),
    ]


@contextlib.asynccontextmanager
async def _at_work(dose: Dose, mode: str, name: str) -> AsyncIterator[Ground]:
    async with Ground(dose.folder / name).at_work() as ground:
        ground.sim.report_lag_s = REPORT_LAG_S
        ground.project(SETTINGS + MODES[mode] + UNLIMITED, FLOWS.replace("DELAY", "150ms"))
        yield ground


async def trial(ground: Ground, number: int | None, mode: str) -> tuple[str, Faults]:
    """The load on a new journal, with a crash at this point (None: without). The points that were met, and faults."""
    ground.renew(f"{mode}-{number or 0}")
    ground.url.answer = lambda path, body: (503 if _is_first(ground, path, body) else 200, 0.0)
    people, faults, points = People(ground), Faults(), ground.root / "points"
    daemon = ground.fork(points=points, stop_at=number)
    doings = [
        people.hours(copies=2), people.table(), people.failed(), people.later(), people.order(), people.leave(),
        people.book(),
    ]  # fmt: skip
    load = asyncio.gather(*map(people.watch, doings))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            crash = asyncio.create_task(daemon.is_over.wait())
            await asyncio.wait([crash, load], return_when=asyncio.FIRST_COMPLETED)
            await until(lambda: crash.done() or not any(ground.waiting()))
            await asyncio.wait([crash], timeout=0.02 if number else 0.2)  # the last points come after the last effect
            crash.cancel()
            if number is not None:
                await daemon.kill()
                await _recover(ground, people, load, mode, faults)
            faults.add(await people.repeat_all())
    except TimeoutError:
        load.cancel()
        faults.stuck.append(f"not over in time; {ground.log()[-300:]}")
    faults.add(people.faults())
    assert ground.daemon is not None
    await ground.daemon.kill()
    faults.mark(f"{mode}, point {number}")
    return points.read_text(), faults


async def _recover(ground: Ground, people: People, load: "asyncio.Future[Any]", mode: str, faults: Faults) -> None:
    """After the crash: another daemon, and everybody who helps it."""
    if (damage := ground.damage()) is not None:
        faults.corrupt.append(damage)
    ground.fork()
    is_over = asyncio.Event()
    helping = [asyncio.create_task(people.operate(is_over))]
    if mode == "check":
        helping.append(asyncio.create_task(traffic(people, is_over)))
    try:
        await load
        await quiet(ground)
        is_over.set()
        await asyncio.gather(*helping)
        await quiet(ground)
    finally:
        for each in helping:
            each.cancel()


def _is_first(ground: Ground, path: str, body: Any) -> bool:
    return path == "/orders" and ground.url.counts[path, body["id"]] == 1
