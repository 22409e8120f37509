"""Disks that refuse: at every operation of every scene, once or from then on, and journals that are none.

Each scene of `_scenes` is played in a process of its own with one fault. What it may do: go on, or give up with an
error of ours. What it may not: hang, die, print a traceback, or lose, repeat or halve what it acknowledged, which is
looked at over a disk that is well again.
"""

import errno
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import apsw
import msgspec

from sinchflow.errors import SinchflowError
from tests.proof import _machine
from tests.proof._ledger import Ledger
from tests.proof._scenes import SCENES, Scene
from tests.proof._sick import GONE, ILLNESSES, nurse
from tests.proof._town import start
from tests.proof._vfs import Disk, What, as_raised
from tests.proof.dose import Dose, Figure, exactly

#: What an operation may meet: SQLite's extended codes (sqlite.org/rescode.html), and the system's for the others.
_FAULTS: dict[str, tuple[int, ...]] = {
    "open": (apsw.SQLITE_CANTOPEN,),
    "read": (apsw.SQLITE_IOERR_READ,),
    "write": (apsw.SQLITE_FULL, apsw.SQLITE_IOERR_WRITE),
    "sync": (apsw.SQLITE_IOERR_FSYNC,),
    "truncate": (apsw.SQLITE_IOERR_TRUNCATE,),
    "delete": (apsw.SQLITE_IOERR_DELETE,),
    "lock": (apsw.SQLITE_IOERR_LOCK,),
    "fsync": (errno.EIO,),
    "name": (errno.ENOSPC, errno.EROFS),
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: at which operation, and whether all of the same kind fail from then on."""

    at: int
    is_lasting: bool


def prove(dose: Dose) -> Iterable[Figure]:
    """At scale 1 every operation of every scene, once and lasting; then a daemon at work through each illness."""
    count, faults = sweep(dose)
    yield Figure(name="operations of the disk that were refused", value=count)
    yield exactly("of them with something hung, died, lost or half", len(faults))
    for case, words in list(faults.items())[:10]:
        yield Figure(name=case, value=words)

    wrong = {illness: _nursed(dose.folder, illness) for illness in [*ILLNESSES, GONE]}
    yield Figure(name="illnesses of a disk under a daemon at work", value=len(wrong))
    yield exactly("of them with a wrong answer, or a message lost or repeated", sum(map(bool, wrong.values())))
    for illness, words in wrong.items():
        if words:
            yield Figure(name=illness, value=words)


def _nursed(folder: Path, illness: str) -> str:
    root = folder / illness.replace(" ", "-")
    root.mkdir()
    try:
        return "; ".join(nurse(root, illness))
    except Exception as error:  # a proof goes on, and says what it met
        return f"{type(error).__name__}: {error}"


def sweep(dose: Dose) -> tuple[int, dict[str, str]]:
    """How many cases were played, and what was wrong in which."""
    count, faults = 0, {}
    for name, scene in {**SCENES, "start": start()}.items():
        ground = _Ground(scene, dose.folder / f"disk-{name}", dose.seed)
        whole = ground.operations()
        step = max(1, round(1 / dose.scale))
        for at in range(dose.random.randrange(step) + 1, whole + 1, step):
            for is_lasting in (False, True):
                count += 1
                if wrong := ground.refuse(Case(at=at, is_lasting=is_lasting)):
                    faults[f"{name} at {at}{' and on' * is_lasting}"] = wrong
                dose.say(f"{name}: {at} of {whole}, {len(faults)} faults")
    return count, faults


class _Ground:
    """Where one scene is played again and again."""

    def __init__(self, scene: Scene, folder: Path, seed: int) -> None:
        self._scene = scene
        self._folder = folder
        self._seed = seed
        self._before = folder / "before"
        self._before.mkdir(parents=True)
        scene.prepare(self._before, random.Random(f"{seed}"))

    def operations(self) -> int:
        """How many the scene makes when nothing is refused."""
        fault, _, operations = self._play(None)
        assert fault is None, fault
        shutil.rmtree(self._folder / "live")
        return operations

    def refuse(self, case: Case) -> str | None:
        """What is wrong after this."""
        fault, ledger, _ = self._play(case)
        try:
            return fault or "; ".join(self._scene.look(self._folder / "live", ledger)[:3]) or None
        except Exception as error:  # a proof goes on, and says what it met
            return f"afterwards: {type(error).__name__}: {error}"
        finally:
            shutil.rmtree(self._folder / "live")

    def _play(self, case: Case | None) -> tuple[str | None, Ledger, int]:
        live, noted, said = (self._folder / name for name in ("live", "noted", "said"))
        shutil.copytree(self._before, live)
        noted.unlink(missing_ok=True)
        code = _machine.play(lambda: _meet(live, noted, self._scene.play, case, self._seed), said, patience_s=45)
        words = said.read_text().strip()
        if not noted.exists():
            return f"it ended with {code}: {words[-600:]}", Ledger(), 0
        record = msgspec.json.decode(noted.read_bytes())
        ledger = msgspec.convert(record["ledger"], Ledger)
        if code != _machine.WHOLE or "Traceback" in words or "\n" in (record["error"] or ""):
            return f"it ended with {code}: {record['error']} {words[-600:]}", ledger, 0
        return None, ledger, record["operations"]


def _meet(
    live: Path, noted: Path, play: Callable[[Path, Ledger, random.Random], None], case: Case | None, seed: int
) -> None:
    ledger, operations, refused = Ledger(), 0, ""
    chance = random.Random(f"{seed}")

    def before(what: What, path: str) -> None:
        nonlocal operations, refused
        operations += 1
        if case is None or not (operations == case.at or (case.is_lasting and what == refused)):
            return
        refused = what
        if codes := _FAULTS.get(what):
            raise as_raised(what, codes[case.at % len(codes)], path)

    error: str | None = None
    try:
        with Disk(live, before).in_place():
            play(live, ledger, chance)
    except SinchflowError as refusal:
        error = str(refusal)
    finally:
        record = {"ledger": msgspec.to_builtins(ledger), "operations": operations, "error": error}
        noted.write_bytes(msgspec.json.encode(record))
