"""The power goes, at any moment: what was acknowledged is there, and what was asked of the provider is known.

A daemon at work is recorded once (its journal's every write and sync, each 2xx that it gave, each message that left
it, each checkpoint, retention and forgetting of somebody), then the power is lost at many points of that record.
"""

import asyncio
import contextlib
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from sinchflow.errors import CannotStart
from sinchflow.journal import writer
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from tests.journal.test_released import RELEASED, lay
from tests.proof._recorder import Recorder
from tests.proof.dose import Dose, Figure, exactly
from tests.runtime.conftest import House, _serve

LOSSES = 500
PER_RECORD = 50
FLOW = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
steps:
  - reply: "Hi {{ contact.number }}"
  - remember: {visits: "{{ (contact.visits | default(0)) + 1 }}"}
---
name: ask
on: {inbound_sms: {keyword: ASK}}
steps:
  - reply: Y or N?
  - id: said
    wait_for_reply: {timeout: 1h, categories: {fine: {answer: "yes"}, bad: {answer: "no"}}}
  - reply: "{{ steps.said.category }}"
---
name: many
on: {inbound_sms: {keyword: MANY}}
steps:
  - for_each: {items: [1, 2, 3], as: n, steps: [{reply: "Number {{ n }}"}, {delay: 1h}]}
"""


class Record:
    """One daemon's work, and where its marks are."""

    def __init__(self, folder: Path, chance: random.Random, *, lies: bool = False) -> None:
        self.folder = folder
        self._chance = chance
        self._lies = lies
        folder.mkdir(parents=True)
        (folder / ".sinchflow").mkdir()
        self.recorder = Recorder(folder / ".sinchflow", lies=lies)

    async def make(self) -> None:
        """Have a daemon work."""
        house = House(self.folder)
        house.flow(FLOW)
        house.sim.subscribe(lambda message: self.recorder.mark("left", (message.metadata or {})["sinchflow_id"]))
        async with _serve(house.sim) as house.base:
            house.settings(sends="{on_unknown: hold}")
            with self.recorder:
                async with house.at_work():
                    for portion in range(4):
                        await asyncio.gather(*(self._text(house, f"{portion}-{each}") for each in range(12)))
                        if portion == 2:
                            await house.admin("/api/contacts/+61491570101/forget", "POST", json={})
                    await asyncio.sleep(0)

    async def _text(self, house: House, name: str) -> None:
        sender = f"+614915701{self._chance.randint(10, 40):02}"
        word = self._chance.choice(("HOURS", "ASK", "yes", "MANY", "unmatched"))
        body = {
            "reply_id": name, "source_address": sender, "destination_address": "+61491593156", "content": word,
        }  # fmt: skip
        if (await house.post(body)).status_code in (200, 202):
            self.recorder.mark("acknowledged", name)

    def lose(self, count: int, folder: Path) -> list[str]:
        """What is wrong when the power goes after so many entries."""
        folder.mkdir()
        self.recorder.after_power_loss(count, self._chance, folder)
        marks = self.recorder.entries[:count]
        acknowledged = {each.name for each in marks if each.what == "acknowledged"}
        left = {each.name for each in marks if each.what == "left"}
        try:
            return list(_wrong(folder, acknowledged, left))
        finally:
            shutil.rmtree(folder)


def _wrong(folder: Path, acknowledged: set[str], left: set[str]) -> Iterator[str]:
    if not (folder / FILE_NAME).exists():
        if acknowledged or left:
            yield "the journal is not there"
        return
    loop = asyncio.new_event_loop()
    try:
        journal = SqliteJournal(folder, loop)
    except CannotStart as error:
        yield f"no daemon starts: {error}"
        return
    finally:
        loop.close()
    journal.close()
    connection = apsw.Connection(str(folder / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        [(state,)] = connection.execute("PRAGMA integrity_check(1)")
        if state != "ok":
            yield f"the journal is damaged: {state}"
            return
        known = {json.loads(data)["key"] for (data,) in connection.execute("SELECT data FROM event")}
        if lost := acknowledged - known:
            yield f"{len(lost)} acknowledged events are lost"
        states = {
            journal.send_ids.write(send_id): state
            for send_id, state in connection.execute("SELECT id, state FROM send")
        }
        if lost := left - states.keys():
            yield f"{len(lost)} messages left, and nobody knows of them"
        if again := {each for each in left if states.get(each) == "queued"}:
            yield f"{len(again)} messages left, and would be sent again"
    except (apsw.Error, msgspec.MsgspecError) as error:
        yield f"the journal cannot be read: {error}"
    finally:
        connection.close()


def lose_power(dose: Dose, losses: int, *, lies: bool = False) -> tuple[int, list[str]]:
    """How often the power was lost, and what was wrong after it. lies: on a disk that lies about its syncs."""
    idle, writer._CHECKPOINT_IDLE = writer._CHECKPOINT_IDLE, 40  # so that the short work has some checkpoints, too
    wrong: list[str] = []
    done = 0
    try:
        while done < losses:
            record = Record(dose.folder / f"record-{done}", dose.random, lies=lies)
            asyncio.run(record.make())
            size = len(record.recorder.entries)
            for _ in range(min(PER_RECORD, losses - done)):
                at = dose.random.randint(1, size)
                wrong += [f"after {at} of {size}: {each}" for each in record.lose(at, dose.folder / "left")]
                done += 1
            shutil.rmtree(record.folder)
            dose.say(f"{done} of {losses} losses, {len(wrong)} wrong")
    finally:
        writer._CHECKPOINT_IDLE = idle
    return done, wrong


def lose_power_while_upgrading(dose: Dose, losses: int) -> tuple[int, list[str]]:
    """The same while a journal of a former release is brought up to date: it is as it was, or upgraded, and opens."""
    wrong: list[str] = []
    for number in range(losses):
        version = RELEASED[number % len(RELEASED)]
        folder, left = dose.folder / "former", dose.folder / "left"
        before = _keys(lay(folder, version))
        recorder = Recorder(folder)
        with recorder:
            _open_and_close(folder)
        left.mkdir()
        at = dose.random.randint(1, len(recorder.entries))
        recorder.after_power_loss(at, dose.random, left)
        try:
            _open_and_close(left)
            if _keys(left / FILE_NAME) != before:
                wrong.append(f"schema {version}, after {at}: events are lost")
        except (CannotStart, apsw.Error) as error:
            wrong.append(f"schema {version}, after {at}: {error}")
        shutil.rmtree(folder)
        shutil.rmtree(left)
    return losses, wrong


def _open_and_close(folder: Path) -> None:
    loop = asyncio.new_event_loop()
    try:
        SqliteJournal(folder, loop).close()
    finally:
        loop.close()


def _keys(path: Path) -> list[int]:
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        return [event_id for (event_id,) in connection.execute("SELECT id FROM event ORDER BY id")]


def prove(dose: Dose) -> Iterator[Figure]:
    """Losses of power during a daemon's work."""
    done, wrong = lose_power(dose, dose.times(LOSSES))
    for each in wrong[:5]:
        yield Figure(name="after a loss of power", value=each, is_met=False)
    yield Figure(name="losses of power", value=done)
    yield exactly("of them with something lost, damaged or to be doubled", len(wrong))
    upgrades, wrong = lose_power_while_upgrading(dose, dose.times(LOSSES // 2))
    for each in wrong[:5]:
        yield Figure(name="after a loss of power", value=each, is_met=False)
    yield Figure(name="losses of power during upgrades", value=upgrades)
    yield exactly("of them with something lost", len(wrong))
