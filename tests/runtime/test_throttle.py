"""Thousands of queued replies under the account's throttle, with a restart in the middle."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

from sinchflow.engine import interpreter
from sinchflow.expression.template import Templates
from sinchflow.journal.journal import Changes, FlowSource
from sinchflow.journal.sqlite import SqliteJournal
from sinchflow.language.check import Checker
from sinchflow.model.event import Event
from sinchflow.model.run import Facts
from sinchflow.model.send import Send

REPLIES = 5_000
BATCH = 100
LIMIT, PER_S = 30, 2.0


async def queue_replies(house) -> None:
    """A journal as a daemon leaves it whose provider was away: 5,000 open runs, each with a queued reply."""
    loop = asyncio.get_running_loop()
    journal = SqliteJournal(house.root / ".sinchflow", loop)
    checked = Checker().check(house.root)
    [flow] = checked.flows
    source = checked.sources[flow.digest]
    changes = Changes(
        sources=(
            FlowSource(digest=flow.digest, name=flow.name, file=source.file, line=source.line, source=source.text),
        )
    )
    templates, now = Templates(), datetime.now(UTC)
    runs, sends = [], []
    for number in range(REPLIES):
        event = Event(
            id=journal.new_id(), kind="inbound_sms", key=f"r{number}", received_at=now,
            contact=f"+61491{570000 + number}", our_number="+61491593156", fields={"content": "hi"},
        )  # fmt: skip
        transition = interpreter.start(flow, journal.new_id(), event, {}, Facts(), now, templates)
        [command] = transition.commands
        runs.append(transition.run)
        sends.append(Send(id=journal.new_id(), run=transition.run.id, command=command, state="queued", created_at=now))
        journal.accept(event, lambda _: None)
    events = tuple(run.event_id for run in runs)
    changes = Changes(sources=changes.sources, routed=events, runs=tuple(runs), new_sends=tuple(sends))
    stored = loop.create_future()
    journal.commit(changes, stored.set_result)
    assert await stored is None
    journal.close()


def test_queued_replies_leave_in_full_batches_within_the_limit_also_across_a_restart(house, serve, eventually):
    async def scenario():
        async with asyncio.timeout(60), serve(house.sim) as house.base:
            house.settings(limits=f"{{calls: {LIMIT}, per: {PER_S:g}s}}")
            house.flow("on: inbound_sms\nsteps:\n  - reply: Hello\n")
            await queue_replies(house)
            async with house.at_work():
                await eventually(lambda: len(house.sim.calls) >= LIMIT // 2)
            before = len(house.sim.calls)
            async with house.at_work():
                await eventually(lambda: len(house.sim.messages) >= REPLIES)
                await eventually(lambda: house.daemon.worker.open_runs == 0)
            calls = house.sim.calls
            assert LIMIT // 2 <= before < REPLIES // BATCH
            assert [call.messages for call in calls] == [BATCH] * (REPLIES // BATCH)
            assert {call.status for call in calls} == {202}
            assert len({message.destination_number for message in house.sim.messages}) == REPLIES
            times = [call.at for call in calls]
            assert all(later - earlier > PER_S for earlier, later in zip(times, times[LIMIT:], strict=False))
            assert all(earlier <= later for earlier, later in pairwise(times))

    asyncio.run(scenario())
