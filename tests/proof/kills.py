"""`kill -9` at random instants, while more than a hundred runs are in flight.

Questions wait for answers, delays are pending, calls are under way, replies are queued behind the throttle; people go
on texting through all of it. Half of the kills are under `on_unknown: hold`, with an operator who resolves what is held
by what has arrived; half under `check`, with a report that lags less than the settling time. Each round has a journal
of its own, so that it can be checked after each kill; at its end everybody must have seen all there was to see, once.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import uvloop

from sinchflow.simulate.faults import Fault
from tests.proof._ground import Ground
from tests.proof._people import FLOWS, MODES, REPORT_LAG_S, SETTINGS, Faults, People, figures, quiet, traffic, until
from tests.proof.dose import Dose, Figure, at_least

#: Kills at scale 1, and of one journal at most.
KILLS = 2_000
_OF_A_ROUND = 50
_ASLEEP, _AWAKE = 110, 40
#: Rounds at once, each on a ground of its own.
_AT_ONCE = 2
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


async def play(
    dose: Dose, modes: Sequence[str], kills: int, *, asleep: int = _ASLEEP, awake: int = _AWAKE
) -> list[Figure]:
    """The figures. asleep, awake: people who let a question wait while the kills last, and who keep coming."""
    tally = Tally()
    for mode in modes:
        sizes = _rounds(kills // len(modes))
        left = iter(enumerate(sizes))

        async def some(name: str, mode: str = mode, left: Iterator[tuple[int, int]] = left) -> None:
            async with Ground(dose.folder / name).at_work() as ground:
                ground.project(SETTINGS + MODES[mode] + _LIMITS, FLOWS.replace("DELAY", "1s"))
                for number, size in left:
                    await _Round(dose, ground, mode, f"{mode}-{number}").play(size, asleep, awake, tally)

        await asyncio.gather(*(some(f"{mode}-{index}") for index in range(min(_AT_ONCE, len(sizes)))))
    return [
        Figure(name="kills", value=len(tally.in_flight)),
        at_least("fewest runs in flight at a kill", min(tally.in_flight), min(asleep, 100)),
        Figure(name="runs in flight, median", value=sorted(tally.in_flight)[len(tally.in_flight) // 2]),
        Figure(name="events acknowledged", value=tally.events),
        Figure(name="messages that the provider took", value=tally.messages),
        Figure(name="calls that the URL got", value=tally.calls),
        *figures(tally.faults),
    ]


def _rounds(kills: int) -> list[int]:
    """How many kills each journal gets."""
    return [min(_OF_A_ROUND, kills - begun) for begun in range(0, kills, _OF_A_ROUND)]


class _Round:
    """One journal."""

    def __init__(self, dose: Dose, ground: Ground, mode: str, name: str) -> None:
        self._dose = dose
        self._ground = ground
        self._mode = mode
        self._name = name
        self._people = People(ground)
        self._faults = Faults()
        self._morning, self._evening, self._is_over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def play(self, kills: int, asleep: int, awake: int, tally: Tally) -> None:
        ground, people, random = self._ground, self._people, self._dose.random
        ground.renew(self._name)
        ground.sim.report_lag_s = REPORT_LAG_S
        ground.sim.fail_next(Fault(kind="delay", delay_s=0.03, times=1_000_000))
        ground.url.answer = lambda path, body: (
            503 if path == "/orders" and random.random() < 0.3 else 200, random.uniform(0, 0.3)
        )  # fmt: skip
        ground.fork()
        tasks = [asyncio.create_task(people.table(self._sleep)) for _ in range(asleep)]
        operator = asyncio.create_task(people.operate(self._is_over))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await until(lambda: ground.waiting()[1] >= asleep and len(ground.texts) >= asleep)
            tasks += [asyncio.create_task(self._keep_coming()) for _ in range(awake)]
            await self._kill(kills, tally)
            async with asyncio.timeout(_PATIENCE_S):
                await self._end(tasks)
        except TimeoutError:
            self._faults.stuck.append(f"not over in time: {ground.waiting()}")
        finally:
            self._is_over.set()
            for each in tasks:
                each.cancel()
            await operator
        await self._look(tally)

    async def _sleep(self) -> None:
        await self._morning.wait()

    async def _keep_coming(self) -> None:
        while not self._evening.is_set():
            await self._people.watch(self._dose.random.choice(self._people.kinds)())

    async def _kill(self, kills: int, tally: Tally) -> None:
        ground, random = self._ground, self._dose.random
        for number in range(kills):
            is_long = number == 0 or (self._mode == "check" and random.random() < 0.25)
            await asyncio.sleep(random.uniform(*(_LONG_S if is_long else _SHORT_S)))
            assert ground.daemon is not None
            if ground.daemon.is_over.is_set():
                self._faults.stuck.append(f"a daemon ended by itself: {ground.log()[-500:]}")
            await ground.daemon.kill()
            tally.in_flight.append(ground.waiting()[1])
            await self._check_journal()
            done = f"{number + 1} of {kills}, {self._people.done} people done, {tally.in_flight[-1]} in flight"
            self._dose.say(f"{self._name}: {done}")
            ground.fork()

    async def _end(self, tasks: list["asyncio.Task[None]"]) -> None:
        """Everybody sees all there is to see, and nothing is left."""
        self._evening.set()
        self._morning.set()
        later = asyncio.create_task(traffic(self._people, self._is_over)) if self._mode == "check" else None
        try:
            await asyncio.gather(*tasks)
            await quiet(self._ground)
            self._is_over.set()
            if later is not None:
                await later
            await quiet(self._ground)
            self._faults.add(await self._people.repeat_all())
        finally:
            if later is not None:
                later.cancel()

    async def _check_journal(self) -> None:
        if (damage := await asyncio.to_thread(self._ground.damage)) is not None:
            self._faults.corrupt.append(damage)

    async def _look(self, tally: Tally) -> None:
        ground = self._ground
        self._faults.add(self._people.faults())
        assert ground.daemon is not None
        await ground.daemon.kill()
        await self._check_journal()
        tally.events += len(self._people.delivered)
        tally.messages += len(ground.sim.messages)
        tally.calls += len(ground.url.requests)
        self._faults.mark(self._name)
        if self._faults:
            self._dose.say(f"{self._name}: {self._faults}")
        tally.faults.add(self._faults)
