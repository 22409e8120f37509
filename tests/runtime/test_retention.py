"""When the journal is asked to let go of what is old, by which rules, and what is said when that is not enough."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from sinchflow.errors import JournalError
from sinchflow.journal.memory import MemoryJournal
from sinchflow.journal.retained import Retained
from sinchflow.model.project import Retention
from sinchflow.runtime.retention import TROUBLE, Keeping
from sinchflow.runtime.stats import Stats


class Asked(MemoryJournal):
    """A journal that notes what it is asked, and answers when told to."""

    def __init__(self) -> None:
        super().__init__(lambda *call: None)
        self.asked: list[tuple[Retention, datetime, timedelta]] = []

    def retain(self, rules: Retention, now: datetime, least: timedelta, done: Any) -> None:
        self.asked.append((rules, now, least))
        self.answer = done


@pytest.fixture
def at_work(clock):
    journal, stats = Asked(), Stats()
    return journal, stats, Keeping(journal=journal, clock=clock, stats=stats)


def test_it_is_asked_every_minute_after_it_has_answered_by_the_rules_that_hold_then(at_work, clock):
    journal, _, keeping = at_work
    keeping.set(Retention(), timedelta(0))
    clock.advance(timedelta(minutes=10))
    assert journal.asked == [(Retention(), journal.asked[0][1], timedelta(hours=1))]
    keeping.set(Retention(traces=5), timedelta(days=2))
    journal.answer(Retained())
    clock.advance(timedelta(minutes=1))
    assert [(rules.traces, least) for rules, _, least in journal.asked[1:]] == [(5, timedelta(days=2))]
    journal.answer(JournalError("the disk is full"))
    clock.advance(timedelta(minutes=1))
    assert len(journal.asked) == 3
    keeping.stop()
    journal.answer(Retained())
    clock.advance(timedelta(minutes=10))
    assert len(journal.asked) == 3


def test_runs_are_kept_as_long_as_a_throttle_counts_them(at_work, clock):
    journal, _, keeping = at_work
    keeping.set(Retention(runs=timedelta(days=1)), timedelta(days=30))
    clock.advance(timedelta(minutes=1))
    assert journal.asked[0][0].runs == timedelta(days=30)


def test_a_journal_that_cannot_be_made_small_enough_is_a_trouble_until_it_is(at_work, clock):
    journal, stats, keeping = at_work
    keeping.set(Retention(max_size_bytes=500_000_000), timedelta(0))
    clock.advance(timedelta(minutes=1))
    journal.answer(Retained(size_bytes=812_000_000, is_too_large=True))
    assert stats.troubles[TROUBLE].startswith("the journal holds 812 MB and may hold 500 MB (retention.max_size), and ")
    clock.advance(timedelta(minutes=1))
    journal.answer(Retained(size_bytes=400_000_000))
    assert TROUBLE not in stats.troubles


def test_others_are_told_after_each_time_that_something_may_be_gone(clock):
    told = []
    journal = Asked()
    keeping = Keeping(journal=journal, clock=clock, stats=Stats(), then=lambda: told.append(clock.now()))
    keeping.set(Retention(), timedelta(0))
    clock.advance(timedelta(minutes=1))
    assert told == []
    journal.answer(Retained())
    assert told == [clock.now()]
