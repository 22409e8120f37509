"""One lane per contact."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from sinchflow.errors import JournalError
from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.event import Event
from sinchflow.runtime.lanes import MOST_IN_MEMORY, Lanes

START = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)


def event(event_id: int, contact: str | None = "+61491570156") -> Event:
    return Event(id=event_id, kind="inbound_sms", key=str(event_id), received_at=START, contact=contact)


class Traffic:
    """Lanes whose events start as many runs as `runs` says, which end when told to."""

    def __init__(self, clock, runs: int = 1) -> None:
        self.routed: list[int] = []
        self.runs = runs
        self.journal = MemoryJournal(lambda done, *result: done(*result))
        self.lanes = Lanes(clock, self.journal, self._route)

    def _route(self, routed: Event) -> None:
        self.routed.append(routed.id)
        for _ in range(self.runs if routed.contact else 0):
            self.lanes.begin(routed.contact)

    def enter(self, *events: Event) -> None:
        for each in events:
            self.journal.accept(each, lambda _: None)
            self.lanes.enter(each)


def test_next_event_of_a_contact_waits_until_all_its_runs_are_at_rest(clock):
    traffic = Traffic(clock, runs=2)
    traffic.enter(event(1), event(2), event(3))
    assert (traffic.routed, traffic.lanes.waiting) == ([1], 2)
    traffic.lanes.rest("+61491570156")
    assert traffic.routed == [1]
    traffic.lanes.rest("+61491570156")
    assert (traffic.routed, traffic.lanes.waiting) == ([1, 2], 1)


def test_contacts_do_not_wait_for_each_other(clock):
    traffic = Traffic(clock)
    traffic.enter(event(1), event(2, "+61491570157"), event(3, None), event(4, None))
    assert traffic.routed == [1, 2, 3, 4]


def test_events_that_start_nothing_all_pass_at_once_and_in_order(clock):
    traffic = Traffic(clock)
    traffic.enter(event(1), event(2), event(3), event(4))
    traffic.runs = 0
    traffic.lanes.rest("+61491570156")
    assert (traffic.routed, traffic.lanes.waiting) == ([1, 2, 3, 4], 0)


def test_event_waits_no_longer_than_30_seconds(clock):
    traffic = Traffic(clock)
    traffic.enter(event(1), event(2), event(3))
    clock.advance(timedelta(seconds=29))
    assert traffic.routed == [1]
    clock.advance(timedelta(seconds=2))
    assert traffic.routed == [1, 2]
    clock.advance(timedelta(seconds=31))
    assert traffic.routed == [1, 2, 3]


def test_runs_that_were_overtaken_still_count(clock):
    traffic = Traffic(clock)
    traffic.enter(event(1), event(2), event(3))
    clock.advance(timedelta(seconds=31))
    traffic.lanes.rest("+61491570156")
    assert traffic.routed == [1, 2]
    traffic.lanes.rest("+61491570156")
    assert traffic.routed == [1, 2, 3]


def test_waiting_time_begins_anew_when_a_lane_was_empty(clock):
    traffic = Traffic(clock)
    traffic.enter(event(1), event(2))
    clock.advance(timedelta(seconds=20))
    traffic.runs = 0
    traffic.lanes.rest("+61491570156")
    traffic.runs = 1
    traffic.enter(event(3), event(4))
    clock.advance(timedelta(seconds=20))
    assert traffic.routed == [1, 2, 3]


def test_storm_of_one_contact_and_large_events_wait_in_the_journal_in_order(clock):
    traffic = Traffic(clock)
    storm = [event(number) for number in range(1, 1_001)]
    storm[10] = replace(storm[10], fields={"attachments": [{"attachment_content": "x" * 100_000}]})
    traffic.enter(*storm, event(1_001, "+61491570157"))
    assert traffic.routed == [1, 1_001]
    assert (traffic.lanes.waiting, traffic.lanes.load) == (999, MOST_IN_MEMORY - 1 + (1_000 - MOST_IN_MEMORY) // 50)
    for _ in range(999):
        traffic.lanes.rest("+61491570156")
    assert traffic.routed == [1, 1_001, *range(2, 1_001)]
    assert (traffic.lanes.waiting, traffic.lanes.load) == (0, 0)


def test_event_that_was_forgotten_meanwhile_is_passed_over(clock):
    traffic = Traffic(clock)
    traffic.enter(*(event(number) for number in range(1, 101)))
    del traffic.journal._events[60]
    for _ in range(98):
        traffic.lanes.rest("+61491570156")
    assert traffic.routed == [number for number in range(1, 101) if number != 60]


def test_event_that_cannot_be_read_keeps_its_turn(clock, monkeypatch):
    traffic = Traffic(clock)
    storm = [event(number) for number in range(1, MOST_IN_MEMORY + 4)]
    traffic.enter(*storm)
    traffic.runs = 0

    def fails(_: int) -> Event:
        raise JournalError("the disk reports an error")

    with monkeypatch.context() as broken:
        broken.setattr(traffic.journal, "event", fails)
        traffic.lanes.rest("+61491570156")
        clock.advance(timedelta(seconds=3))
        assert len(traffic.routed) == MOST_IN_MEMORY + 1
        traffic.enter(event(99))
        assert 99 not in traffic.routed
    clock.advance(timedelta(seconds=1))
    assert (traffic.routed, traffic.lanes.waiting) == ([*(each.id for each in storm), 99], 0)
