"""What is decided is stored in order, and performed only once it is stored, however long the journal refuses."""

import asyncio
from datetime import timedelta

from sinchflow.errors import JournalError
from sinchflow.journal.memory import MemoryJournal
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.stats import Stats

SECOND = timedelta(seconds=1)


class Moody(MemoryJournal):
    """Refuses as many commits as `refusals` says; keeps what it stored."""

    refusals = 0
    stored: tuple[int, ...] | list[int] = ()

    def commit(self, changes, done):
        if self.refusals:
            self.refusals -= 1
            self._call_soon(self._call_soon, done, JournalError("the disk is full"))
            return
        self.stored = [*self.stored, *changes.routed]
        super().commit(changes, done)


class Bench:
    """Commits over such a journal; `performed` is what was done after storing."""

    def __init__(self, clock, refusals: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self.clock = clock
        self.stats = Stats()
        self.journal = Moody(loop.call_soon)
        self.journal.refusals = refusals
        self.commits = Commits(self.journal, clock, self.stats, loop)
        self.performed: list[int] = []

    def decide(self, number: int, then=lambda: None) -> None:
        self.commits.unit.routed.append(number)
        self.commits.unit.thens.append(lambda: (self.performed.append(number), then()))
        self.commits.flush_soon()

    async def turn(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


def test_decisions_of_one_turn_are_one_unit(clock):
    async def scenario():
        bench = Bench(clock)
        units = []
        commit = bench.journal.commit
        bench.journal.commit = lambda changes, done: (units.append(changes.routed), commit(changes, done))
        for number in range(3):
            bench.decide(number)
        assert bench.performed == []
        await bench.commits.drain()
        bench.decide(3)
        await bench.commits.drain()
        assert (units, bench.performed) == ([(0, 1, 2), (3,)], [0, 1, 2, 3])

    asyncio.run(scenario())


def test_refused_unit_is_handed_in_every_second_and_later_ones_wait_behind_it(clock):
    async def scenario():
        bench = Bench(clock, refusals=3)
        bench.decide(1)
        await bench.turn()
        bench.decide(2)
        await bench.turn()
        assert bench.stats.troubles == {"journal": "the disk is full"}
        for _ in range(2):
            clock.advance(SECOND)
            await bench.turn()
            assert bench.performed == []
        clock.advance(SECOND)
        await bench.turn()
        assert (bench.journal.stored, bench.performed, bench.stats.troubles) == ([1, 2], [1, 2], {})

    asyncio.run(scenario())


def test_a_unit_is_handed_in_again_although_telling_of_the_trouble_fails(clock):
    async def scenario():
        bench = Bench(clock, refusals=1)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        bench.stats.troubles.on_change.append(lambda subject, reason: 1 / 0)
        bench.decide(1)
        await bench.turn()
        bench.stats.troubles.on_change.clear()
        clock.advance(SECOND)
        await bench.turn()
        assert (bench.journal.stored, bench.performed) == ([1], [1])

    asyncio.run(scenario())


def test_units_refused_together_keep_their_order(clock):
    async def scenario():
        bench = Bench(clock, refusals=2)
        bench.decide(1)
        await asyncio.sleep(0)  # handed in, not yet refused
        bench.decide(2)
        await bench.turn()
        bench.decide(3)
        await bench.turn()
        clock.advance(SECOND)
        await bench.turn()
        assert (bench.journal.stored, bench.performed) == ([1, 2, 3], [1, 2, 3])

    asyncio.run(scenario())


def test_drain_waits_for_what_follows_from_what_was_stored(clock):
    async def scenario():
        bench = Bench(clock)
        bench.decide(1, lambda: bench.decide(2, lambda: bench.decide(3)))
        await bench.commits.drain()
        assert bench.journal.stored == [1, 2, 3]

    asyncio.run(scenario())


def test_drain_waits_while_the_journal_refuses(clock):
    async def scenario():
        bench = Bench(clock, refusals=1)
        bench.decide(1)
        draining = asyncio.create_task(bench.commits.drain())
        await bench.turn()
        assert not draining.done()
        clock.advance(SECOND)
        await asyncio.wait_for(draining, 5)
        assert bench.journal.stored == [1]

    asyncio.run(scenario())
