"""`kill -9` at random instants, while more than a hundred runs are in flight.

Questions wait for answers, delays are pending, calls are under way, replies are queued behind the throttle; people go
on texting through all of it. Half of the kills are under `on_unknown: hold`, with an operator who resolves what is held
by what has arrived; half under `check`, with a report that lags less than the settling time. Each round has a journal
of its own, so that it can be checked after each kill; at its end everybody must have seen all there was to see, once.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec
import uvloop

from sinchflow.simulate.faults import Fault
from tests.proof._ground import Ground
from tests.proof._people import FLOWS, MODES, REPORT_LAG_S, SETTINGS, Faults, People, figures, quiet, traffic
from tests.proof.dose import Dose, Figure, at_least

#: Kills at scale 1, and of one journal at most.
KILLS = 2_000
_OF_A_ROUND = 50
#: People who let a question wait while the kills last, and people who keep coming.
_ASLEEP, _AWAKE = 110, 40
#: A daemon lives so long, its start included (0.15 s); under `check` every fourth one long enough to look something up.
_SHORT_S, _LONG_S = (0.0, 0.6), (0.8, 1.5)
_LIMITS = "limits: {calls: 60, per: 1s, batch: 10}\n"
_PATIENCE_S = 90.0


class Tally(msgspec.Struct):
    """What was done. in_flight: the runs that were open at each kill."""

    faults: Faults = msgspec.field(default_factory=Faults)
    in_flight: list[int] = []
    events: int = 0
    messages: int = 0
    calls: int = 0


def prove(dose: Dose) -> Iterable[Figure]:
    """2,000 kills at scale 1."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield from runner.run(play(dose, list(MODES), dose.times(KILLS, 2)))


async def play(dose: Dose, modes: Sequence[str], kills: int) -> list[Figure]:
    """The figures."""
    tally = Tally()
    async with Ground(dose.folder / "ground").at_work() as ground:
        for mode in modes:
            ground.project(SETTINGS + MODES[mode] + _LIMITS, FLOWS.replace("DELAY", "1s"))
            left = kills // len(modes)
            while left:
                count = min(left, _OF_A_ROUND)
                left -= count
                await _round(dose, ground, mode, f"{mode}-{left}", count, tally)
    return [
        Figure(name="kills", value=len(tally.in_flight)),
        at_least("fewest runs in flight at a kill", min(tally.in_flight), 100),
        Figure(name="runs in flight, median", value=sorted(tally.in_flight)[len(tally.in_flight) // 2]),
        Figure(name="events acknowledged", value=tally.events),
        Figure(name="messages that the provider took", value=tally.messages),
        Figure(name="calls that the URL got", value=tally.calls),
        *figures(tally.faults),
    ]


async def _round(dose: Dose, ground: Ground, mode: str, name: str, kills: int, tally: Tally) -> None:
    ground.renew(name)
    ground.sim.report_lag_s = REPORT_LAG_S
    ground.sim.fail_next(Fault(kind="delay", delay_s=0.03, times=1_000_000))
    ground.url.answer = lambda path, body: (
        503 if path == "/orders" and dose.random.random() < 0.3 else 200, dose.random.uniform(0, 0.3)
    )  # fmt: skip
    people, morning, evening, is_over = People(ground), asyncio.Event(), asyncio.Event(), asyncio.Event()
    faults = Faults()

    async def sleep() -> None:
        await morning.wait()

    async def keep_coming() -> None:
        while not evening.is_set():
            await people.watch(dose.random.choice(people.kinds)())

    await ground.fork()
    asleep = [asyncio.create_task(people.table(sleep)) for _ in range(_ASLEEP)]
    helping = [asyncio.create_task(people.operate(is_over))]
    awake: list[asyncio.Task[None]] = []
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while ground.waiting()[1] < _ASLEEP or len(ground.texts) < _ASLEEP:
                await asyncio.sleep(0.02)
        awake = [asyncio.create_task(keep_coming()) for _ in range(_AWAKE)]
        for number in range(kills):
            is_long = number == 0 or (mode == "check" and dose.random.random() < 0.25)
            await asyncio.sleep(dose.random.uniform(*(_LONG_S if is_long else _SHORT_S)))
            assert ground.daemon is not None
            is_dead = ground.daemon.is_over.is_set()
            await ground.daemon.kill()
            if is_dead:
                faults.stuck.append(f"a daemon ended by itself: {ground.log()[-500:]}")
            tally.in_flight.append(ground.waiting()[1])
            if (damage := await asyncio.to_thread(ground.damage)) is not None:
                faults.corrupt.append(damage)
            dose.say(f"{name}: {number + 1} of {kills}, {people.done} people done, {tally.in_flight[-1]} in flight")
            await ground.fork()
        evening.set()
        morning.set()
        if mode == "check":
            helping.append(asyncio.create_task(traffic(people, is_over)))
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*asleep, *awake)
            await quiet(ground)
            is_over.set()
            await asyncio.gather(*helping)
            await quiet(ground)
            faults.add(await people.repeat_all())
    except TimeoutError:
        faults.stuck.append(f"not over in time: {ground.waiting()}")
    finally:
        for each in (*asleep, *awake, *helping):
            each.cancel()
    faults.add(people.faults())
    assert ground.daemon is not None
    await ground.daemon.kill()
    if (damage := ground.damage()) is not None:
        faults.corrupt.append(damage)
    tally.events += len(people.delivered)
    tally.messages += len(ground.sim.messages)
    tally.calls += len(ground.url.requests)
    faults.mark(name)
    if faults:
        dose.say(f"{name}: {faults}")
    tally.faults.add(faults)
