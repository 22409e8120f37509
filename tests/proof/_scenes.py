"""What goes on while the power goes: traffic, first start, upgrade, sweep, forgetting, backup, restoring."""

import asyncio
import random
import shutil
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from sinchflow.errors import SinchflowError
from sinchflow.journal import copying
from sinchflow.journal.reader import open_reader
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.model.project import Retention
from tests.journal.test_upgrade import ANNA, EVENT, RUN, journal_of_version_1
from tests.proof._ledger import NOW, Conversations, Ledger, done, found_wrong

Play = Callable[[Path, Ledger, random.Random], None]
#: The daemon's data folder, below the disk's root.
DATA = "data"
DAY = timedelta(days=1)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """prepare: what is there before. play: during this the power goes. look: what is wrong afterwards."""

    prepare: Callable[[Path, random.Random], None]
    play: Play
    look: Callable[[Path, Ledger], list[str]]


def opened(folder: Path, work: Callable[[SqliteJournal], Coroutine[Any, Any, Any]]) -> Any:
    """What `work` gives of a journal at work."""

    async def at_work() -> Any:
        journal = SqliteJournal(folder, asyncio.get_running_loop())
        try:
            return await work(journal)
        finally:
            journal.close()

    return asyncio.run(at_work())


def open_and_close(root: Path) -> None:
    """A start and a stop."""

    async def nothing(_journal: SqliteJournal) -> None:
        pass

    opened(root / DATA, nothing)


def _talk(folder: Path, ledger: Ledger, chance: random.Random, count: int, **how: Any) -> None:
    talks = Conversations(ledger, chance, **how)
    opened(folder, lambda journal: talks.hold(journal, count))


def _kept(root: Path) -> Ledger:
    """What was promised before the scene."""
    return msgspec.json.decode((root / "ledger.json").read_bytes(), type=Ledger)


def _prepare(root: Path, chance: random.Random, count: int = 30, **how: Any) -> None:
    """A journal at rest, and what it promises."""
    ledger = Ledger()
    (root / DATA).mkdir()
    _talk(root / DATA, ledger, chance, count, **how)
    (root / "ledger.json").write_bytes(msgspec.json.encode(ledger))


def _both(root: Path, ledger: Ledger) -> Ledger:
    return Ledger(talks=[*_kept(root).talks, *ledger.talks], notes=ledger.notes)


# --- traffic: the load alone, on a journal that has some --------------------------------------------------------------


def _traffic(root: Path, ledger: Ledger, chance: random.Random) -> None:
    _talk(root / DATA, ledger, chance, 40)


def _look(root: Path, ledger: Ledger) -> list[str]:
    return found_wrong(root / DATA, _both(root, ledger))


# --- birth: the first start, in a folder that it makes ----------------------------------------------------------------


def _nothing(root: Path, _chance: random.Random) -> None:
    pass


def _birth(root: Path, ledger: Ledger, chance: random.Random) -> None:
    _talk(root / "new" / DATA, ledger, chance, 12)


def _look_at_birth(root: Path, ledger: Ledger) -> list[str]:
    return found_wrong(root / "new" / DATA, ledger)


# --- upgrade: from the first schema -----------------------------------------------------------------------------------


def _old(root: Path, _chance: random.Random) -> None:
    (root / DATA).mkdir()
    journal_of_version_1(root / DATA)


def _upgrade(root: Path, ledger: Ledger, chance: random.Random) -> None:
    _talk(root / DATA, ledger, chance, 3)


def _look_at_upgrade(root: Path, ledger: Ledger) -> list[str]:
    async def look(journal: SqliteJournal) -> list[str]:
        found = [] if journal.event(EVENT.id) == EVENT else ["the event of before is gone"]
        found += [] if journal.run(RUN.id) == RUN else ["the run of before is gone"]
        return found + ([] if journal.identity == "0badcafe" else ["it has another identity"])

    return [*opened(root / DATA, look), *found_wrong(root / DATA, ledger)]


# --- sweep: retention lets go of most ---------------------------------------------------------------------------------


def _long_ago(root: Path, chance: random.Random) -> None:
    _prepare(root, chance, age=timedelta(days=60))


_RULES = Retention(events=DAY, runs=DAY, max_size_bytes=None, traces=3)


def _sweep(root: Path, ledger: Ledger, chance: random.Random) -> None:
    async def sweep(journal: SqliteJournal) -> None:
        await asyncio.gather(
            Conversations(ledger, chance).hold(journal, 10, 2),
            done(journal.retain, _RULES, NOW, timedelta(hours=1)),
        )

    opened(root / DATA, sweep)


def _look_at_sweep(root: Path, ledger: Ledger) -> list[str]:
    """What is young or open is there; another sweep takes what is old."""
    kept = [talk for talk in _kept(root).talks if talk.sure < 4]

    async def again(journal: SqliteJournal) -> list[str]:
        await done(journal.retain, _RULES, NOW, timedelta(hours=1))
        old = [talk for talk in _kept(root).talks if talk.sure == 4][:-3]
        return [f"run {talk.run} is still there" for talk in old if journal.run(talk.run)]

    still = opened(root / DATA, again)
    return still + found_wrong(root / DATA, Ledger(talks=[*kept, *ledger.talks]))


# --- forget: one person, in a journal that also has to be vacuumed ----------------------------------------------------


def _with_remnants(root: Path, chance: random.Random) -> None:
    (root / DATA).mkdir()
    journal_of_version_1(root / DATA)
    ledger = Ledger()
    _talk(root / DATA, ledger, chance, 20)
    (root / "ledger.json").write_bytes(msgspec.json.encode(ledger))


def _forget(root: Path, ledger: Ledger, chance: random.Random) -> None:
    async def forget(journal: SqliteJournal) -> None:
        result = await done(
            journal.forget,
            ANNA,
        )
        ledger.notes["forgotten"] = not isinstance(result, Exception)
        await Conversations(ledger, chance).hold(journal, 2)

    opened(root / DATA, forget)


def _look_at_forget(root: Path, ledger: Ledger) -> list[str]:
    found = []
    if ledger.notes.get("forgotten"):
        for path in (root / DATA).glob("journal*"):
            if b"lilac" in path.read_bytes() or b"purple" in path.read_bytes():
                found.append(f"what was forgotten is in {path.name}")

    async def look(journal: SqliteJournal) -> list[str]:
        event, run = journal.event(EVENT.id), journal.run(RUN.id)
        if event is None or run is None:
            return ["the event or the run is gone"]
        if (event == EVENT) is not (run == RUN):
            return ["half of the person is forgotten"]
        return []

    return [*found, *opened(root / DATA, look), *found_wrong(root / DATA, _both(root, ledger))]


# --- backup: over an older one, beside traffic ------------------------------------------------------------------------


def _with_backup(root: Path, chance: random.Random) -> None:
    _prepare(root, chance)
    copying.back_up(root / DATA / FILE_NAME, root / "backup", NOW, is_forced=False, told=lambda part: None)


def _backup(root: Path, ledger: Ledger, chance: random.Random) -> None:
    def copy(path: Path) -> None:
        try:
            copying.back_up(path, root / "backup", NOW + DAY, is_forced=True, told=lambda part: None)
            ledger.notes["backup"] = True
        except SinchflowError as error:
            ledger.notes["refused"] = str(error)

    async def both(journal: SqliteJournal) -> None:
        await asyncio.gather(asyncio.to_thread(copy, journal.path), Conversations(ledger, chance).hold(journal, 6, 2))

    opened(root / DATA, both)


def _look_at_backup(root: Path, ledger: Ledger) -> list[str]:
    """What has the name is a whole backup, the one or the other; and the next one leaves nothing else behind."""
    try:
        taken_at = copying.look_at(root / "backup").taken_at
        (root / "elsewhere").mkdir()
        copying.put_back(root / "backup", root / "elsewhere" / FILE_NAME, NOW, is_forced=False, told=lambda part: None)
    except SinchflowError as error:
        return [f"the backup is none: {error}"]
    found = found_wrong(root / "elsewhere", _kept(root)) if taken_at == NOW else []
    found = [each for each in found if "is half" not in each]  # the messages of what was open are held
    if ledger.notes.get("backup") and taken_at == NOW:
        found.append("the backup was said to be taken, and is the one of before")
    copying.back_up(root / DATA / FILE_NAME, root / "backup", NOW, is_forced=True, told=lambda part: None)
    return [*found, *(f"left behind: {path.name}" for path in root.glob(".*")), *_look(root, ledger)]


# --- restore: over a journal ------------------------------------------------------------------------------------------


def _with_log(root: Path, chance: random.Random) -> None:
    """As a killed daemon leaves it: the newest is only in the log."""
    _with_backup(root, chance)
    ledger = _kept(root)

    async def talk(journal: SqliteJournal) -> None:
        await Conversations(ledger, chance).hold(journal, 10)
        shutil.copytree(root / DATA, root / "killed", ignore=shutil.ignore_patterns("*-shm"))

    opened(root / DATA, talk)
    shutil.rmtree(root / DATA)
    (root / "killed").rename(root / DATA)
    (root / "ledger.json").write_bytes(msgspec.json.encode(ledger))


def _restore(root: Path, ledger: Ledger, _chance: random.Random) -> None:
    backup, journal = root / "backup", root / DATA / FILE_NAME
    copying.put_back(backup, journal, NOW, is_forced=True, told=lambda part: None)
    ledger.notes["restored"] = True
    open_and_close(root)


def _look_at_restore(root: Path, ledger: Ledger) -> list[str]:
    """In its place is the former journal, whole, or the backup; the former one is never lost."""
    folder = root / DATA
    kept = list(folder.glob("*.before-restore-*[0-9]"))
    if not (folder / FILE_NAME).exists():
        return ["no journal is in its place: the next start would begin an empty one"]
    open_and_close(root)
    reader = open_reader(folder / FILE_NAME)
    is_restored = reader.meta("former") is not None
    reader.close()
    if not is_restored:
        return ["it was said to be restored"] if ledger.notes.get("restored") else found_wrong(folder, _kept(root))
    if not kept:
        return ["the former journal is gone"]
    (root / "former").mkdir()
    for path in folder.glob("*.before-restore-*"):
        end = path.name.rpartition("-")[2]
        path.rename(root / "former" / (FILE_NAME + (f"-{end}" if end in ("wal", "shm") else "")))
    return found_wrong(root / "former", _kept(root))


SCENES = {
    "traffic": Scene(prepare=_prepare, play=_traffic, look=_look),
    "birth": Scene(prepare=_nothing, play=_birth, look=_look_at_birth),
    "upgrade": Scene(prepare=_old, play=_upgrade, look=_look_at_upgrade),
    "sweep": Scene(prepare=_long_ago, play=_sweep, look=_look_at_sweep),
    "forget": Scene(prepare=_with_remnants, play=_forget, look=_look_at_forget),
    "backup": Scene(prepare=_with_backup, play=_backup, look=_look_at_backup),
    "restore": Scene(prepare=_with_log, play=_restore, look=_look_at_restore),
}
