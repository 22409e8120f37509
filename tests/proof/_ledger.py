"""What was promised before the power went, and what a journal must hold after it.

`Conversations` is a load: each is an event, a run, a message and its call, in the four units that the runtime makes of
them. `Ledger` notes how far each was handed in, and how far it was acknowledged. `faults` compares a journal with that.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sinchflow.errors import SinchflowError
from sinchflow.journal.journal import Changes
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.command import SendMessage
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
#: How far a conversation is: its event is stored, its run and intent are, its call is, its outcome is.
ACCEPTED, INTENDED, CALLED, TOLD = 1, 2, 3, 4


class Talk(msgspec.Struct):
    """One conversation. handed, sure: the last stage that was handed in, and that was acknowledged.

    is_old: the record of its call may be gone, because it counts for no throttle any more.
    """

    event: int
    run: int
    send: int
    key: str
    contact: str
    is_old: bool = False
    handed: int = 0
    sure: int = 0


class Ledger(msgspec.Struct):
    """notes: what else was acknowledged, by name."""

    talks: list[Talk] = []
    notes: dict[str, Any] = {}


async def done(call: Callable[..., None], *arguments: Any) -> Any:
    """What the journal answers."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call(*arguments, answer.set_result)
    return await answer


class Conversations:
    """So many conversations, some at a time. age: of the first; they are spread over that time."""

    def __init__(self, ledger: Ledger, chance: random.Random, *, age: timedelta = timedelta()) -> None:
        self._ledger = ledger
        self._chance = chance
        self._age = age

    async def hold(self, journal: SqliteJournal, count: int, at_once: int = 6) -> None:
        """All of them; each up to some stage, most to the end."""
        turns = iter(range(count))

        async def one_after_the_other() -> None:
            for number in turns:
                await self._talk(
                    journal, self._chance.choice((ACCEPTED, INTENDED, CALLED, TOLD, TOLD, TOLD)), number / count
                )

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))

    async def _talk(self, journal: SqliteJournal, upto: int, part: float) -> None:
        ids = [journal.new_id() for _ in range(4)]
        at = NOW - self._age * (1 - part)
        contact = f"+6149157{self._chance.randrange(5):04}"
        talk = Talk(event=ids[0], run=ids[1], send=ids[2], key=f"k{ids[0]}", contact=contact, is_old=bool(self._age))
        self._ledger.talks.append(talk)
        padding = "x" * self._chance.choice((0, 0, 100, 3_000, 9_000, 120_000))
        talk.handed = ACCEPTED
        fields = {"content": f"HOURS {contact}", "padding": padding}
        event = Event(id=talk.event, kind="inbound_sms", key=talk.key, received_at=at, contact=contact, fields=fields)
        if await done(journal.accept, event) is not True:
            return
        talk.sure = ACCEPTED
        run = Run(
            id=talk.run, flow="hours", digest="d", event_id=talk.event, started_at=at, contact=contact,
            vars={"padding": padding[: 64 * 1024]},
        )  # fmt: skip
        command = SendMessage(id=f"{talk.run}:0", account="default", to=contact, body={"content": "Hi"})
        send = Send(id=talk.send, run=talk.run, command=command, state="queued", created_at=at)
        replace = msgspec.structs.replace
        call = Call(id=ids[3], account="default", started_at=at)
        ended = replace(run, status="completed", ended_at=at, vars={})
        units = (
            Changes(routed=(talk.event,), runs=(run,), new_sends=(send,)),
            Changes(sends=(replace(send, state="sending", call=call.id),), calls=(call,)),
            Changes(sends=(replace(send, state="sent", call=call.id, message_id="m"),), runs=(ended,)),
        )
        for stage, unit in enumerate(units[: upto - 1], INTENDED):
            talk.handed = stage
            if await done(journal.commit, unit) is not None:
                return
            talk.sure = stage


def found_wrong(folder: Path, ledger: Ledger, *, gone: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with the journal in `folder`, opened as always. gone: contacts that were forgotten, or may be."""
    found: list[str] = []

    async def look() -> None:
        journal = SqliteJournal(folder, asyncio.get_running_loop())
        try:
            found.extend(_wrong(folder / FILE_NAME, ledger, gone))
            for talk in ledger.talks:
                event = Event(id=journal.new_id(), kind="inbound_sms", key=talk.key, received_at=NOW, fields={})
                if talk.sure and talk.contact not in gone and await done(journal.accept, event) is not False:
                    found.append(f"event {talk.event} is not known any more")
        finally:
            journal.close()

    try:
        asyncio.run(look())
    except SinchflowError as error:
        found.append(f"it does not open: {error}")
    return found


def _wrong(path: Path, ledger: Ledger, gone: frozenset[str]) -> list[str]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
        found = [] if said == ["ok"] else [f"damaged: {' '.join(said)}"]
        for talk in ledger.talks:
            stage = _stage(connection, talk)
            if isinstance(stage, str):
                found.append(f"conversation of event {talk.event} is half: {stage}")
            elif stage < talk.sure and talk.contact not in gone:
                found.append(f"conversation of event {talk.event}: {talk.sure} was acknowledged, {stage} is there")
            elif stage > talk.handed:
                found.append(f"conversation of event {talk.event}: {stage} is there, {talk.handed} was handed in")
        return found
    finally:
        connection.close()


def _stage(connection: apsw.Connection, talk: Talk) -> int | str:
    """How far the journal says that it is; a text when no unit leaves it like that."""
    ask = connection.execute
    event = ask("SELECT data FROM event WHERE id = ?", (talk.event,)).fetchone()
    unrouted = ask("SELECT 1 FROM unrouted WHERE event = ?", (talk.event,)).fetchone()
    run = ask("SELECT status FROM run WHERE id = ?", (talk.run,)).fetchone()
    send = ask("SELECT state, call FROM send WHERE id = ?", (talk.send,)).fetchone()
    call = send and ask("SELECT 1 FROM call WHERE id = ?", (send[1],)).fetchone()
    has_call = call is not None or (talk.is_old and send is not None and send[1] is not None)
    match event is not None, unrouted is not None, run and run[0], send and send[0], has_call:
        case False, False, None, None, False:
            return 0
        case True, True, None, None, False:
            return ACCEPTED
        case True, False, "running", "queued", False:
            return INTENDED
        case True, False, "running", "sending", True:
            return CALLED
        case True, False, "completed", "sent", _:
            return TOLD
        case True, False, "cancelled", "skipped" | "sent", _:
            return TOLD  # forgotten
        case found:
            return repr(found)
