"""What cannot be read from the journal is read again until it can."""

import asyncio
from datetime import UTC, datetime, timedelta

from sinchflow.errors import JournalError
from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.event import Event
from sinchflow.runtime.backlog import Backlog
from sinchflow.runtime.reading import Reading
from sinchflow.runtime.stats import Stats

SECOND = timedelta(seconds=1)


class Blind(MemoryJournal):
    """Cannot be read so many times."""

    refusals = 2

    def unrouted(self, after, limit):
        if self.refusals:
            self.refusals -= 1
            raise JournalError("the disk reports an error")
        return super().unrouted(after, limit)


def test_what_a_former_process_left_is_read_again_every_second_until_it_can_be(clock):
    async def scenario():
        loop, stats, entered = asyncio.get_running_loop(), Stats(), []
        journal = Blind(loop.call_soon)
        event = Event(id=journal.new_id(), kind="inbound_sms", key="k", received_at=datetime.now(UTC), fields={})
        journal.accept(event, lambda stored: None)
        backlog = Backlog(journal, loop, enter=entered.append, load=lambda: 0, reading=Reading(clock, stats))
        backlog.read_soon()
        for _ in range(2):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert (entered, stats.troubles) == ([], {"journal: reading": "the disk reports an error"})
            clock.advance(SECOND)
        for _ in range(5):
            await asyncio.sleep(0)
        assert (entered, stats.troubles, backlog.is_empty) == ([event], {}, True)

    asyncio.run(scenario())
