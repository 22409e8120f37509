"""The provider's list of opt-outs, read now and then, against what we suppress by ourselves."""

import asyncio
from datetime import UTC, datetime, timedelta

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
    "an account that was not read yet": ([("default", set(), BOTH)], {A: "list"}, {A}),
    "the provider's notification": ([("default", {A}, ONE), ("default", set(), ONE)], {A: "provider"}, {A}),
    "an account that cannot be read any more": (
        [("default", {A}, BOTH), ("nz", set(), BOTH), ("nz", None, BOTH), ("default", set(), BOTH)],
        {},
        {A},
    ),
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
            if numbers is None:
                lists.lose(account)
            else:
                lists.take(account, frozenset(numbers), accounts, clock.now())
        assert {number for number in (A, B, C) if people.is_suppressed(number)} == after

    asyncio.run(scenario())


def test_who_opted_in_while_the_list_was_read_is_not_suppressed_again(clock):
    with_people(clock, lambda people, lists: _opted_in_meanwhile(people, lists, clock))


def _opted_in_meanwhile(people, lists, clock):
    people.suppress(A, "keyword", clock.now())
    asked_at = clock.now()
    clock.advance(timedelta(seconds=1))
    people.allow(A, clock.now())
    clock.advance(timedelta(seconds=1))
    assert lists.take("default", frozenset({A}), ONE, asked_at) == (0, 0)
    assert not people.is_suppressed(A)
    assert lists.take("default", frozenset({A}), ONE, clock.now()) == (1, 0)


def test_a_persons_own_word_stays_when_the_list_had_the_number_before(clock):
    with_people(clock, lambda people, lists: _own_word(people, lists, clock))


def _own_word(people, lists, clock):
    lists.take("default", frozenset({A}), ONE, clock.now())
    people.suppress(A, "keyword", clock.now())
    assert lists.take("default", frozenset(), ONE, clock.now()) == (0, 0)
    assert people.is_suppressed(A)


def test_somebody_forgotten_stays_suppressed_while_the_list_has_the_number(clock):
    with_people(clock, lambda people, lists: _forgotten(people, lists, clock))


def _forgotten(people, lists, clock):
    lists.take("default", frozenset({A}), ONE, clock.now())
    people.forget(A)
    assert lists.take("default", frozenset({A}), ONE, clock.now()) == (0, 0)
    assert people.is_suppressed(A)
    assert lists.take("default", frozenset(), ONE, clock.now()) == (0, 1)
    assert not people.is_suppressed(A)


def with_people(clock, scenario):
    async def whole():
        journal = MemoryJournal(asyncio.get_running_loop().call_soon)
        people = People(journal, Commits(journal, clock, Stats(), asyncio.get_running_loop()))
        people.load()
        scenario(people, OptOutLists(people, clock))

    asyncio.run(whole())


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
