"""The provider's list of opt-outs, read now and then, against what we suppress by ourselves."""

import asyncio
from datetime import UTC, datetime

import pytest

from sinchflow.journal.memory import MemoryJournal
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.opt_out_watch import OptOutLists
from sinchflow.runtime.people import People
from sinchflow.runtime.stats import Stats

A, B, C = "+61491570156", "+61491570157", "+61491570158"
BOTH = frozenset({"default", "nz"})
ONE = frozenset({"default"})

CASES = {
    "listed": ([("default", {A}, ONE)], {}, {A}),
    "gone again": ([("default", {A}, ONE), ("default", set(), ONE)], {}, set()),
    "ours stay": ([("default", {A}, ONE), ("default", set(), ONE)], {B: "keyword", C: "step"}, {B, C}),
    "a person's own word": ([("default", {B}, ONE), ("default", set(), ONE)], {B: "keyword"}, {B}),
    "of two accounts one still lists it": (
        [("default", {A}, BOTH), ("nz", {A}, BOTH), ("default", set(), BOTH)],
        {},
        {A},
    ),
    "an account that was not read yet": ([("default", set(), BOTH)], {A: "provider"}, {A}),
}


@pytest.mark.parametrize("name", CASES)
def test_lists_and_our_own(name, clock):
    reads, before, after = CASES[name]

    async def scenario():
        journal = MemoryJournal(asyncio.get_running_loop().call_soon)
        people = People(journal, Commits(journal, clock, Stats(), asyncio.get_running_loop()))
        people.load()
        for number, source in before.items():
            people.suppress(number, source, datetime(2026, 1, 1, tzinfo=UTC))
        lists = OptOutLists(people, clock)
        for account, numbers, accounts in reads:
            lists.take(account, frozenset(numbers), accounts)
        assert {number for number in (A, B, C) if people.is_suppressed(number)} == after

    asyncio.run(scenario())


def test_daemon_takes_over_the_list(play, house, eventually):
    house.flow("name: hi\non: inbound_sms\nsteps: [{reply: hi}]\n")

    async def scenario(house):
        house.sim.account().opted_out.add(A)
        watch = house.daemon._timers.opt_out_watch("default")
        await watch.look()
        assert house.daemon.worker.people.is_suppressed(A)
        await house.text_in("hello", A)
        await eventually(lambda: house.daemon.stats.sends["skipped"])
        house.sim.account().opted_out.clear()
        await watch.look()
        assert not house.daemon.worker.people.is_suppressed(A)

    play(scenario)
