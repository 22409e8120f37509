"""Power losses: what was acknowledged is in the journal after each, and nothing in it is half.

Most are of a journal under one kind of load (`_scenes`), others of a whole daemon (`_town`).
Each loss is played in a process of its own, over a disk that forgets what was not synced (`_vfs`). The power goes at
one operation of the disk, chosen at random among all that the same scene makes without a loss; sometimes it goes once
more while the program starts again. Then the journal is opened as always, and compared with what was promised.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from tests.proof import _machine, _town
from tests.proof._ledger import Ledger
from tests.proof._scenes import SCENES, Scene
from tests.proof._vfs import Disk
from tests.proof.dose import Dose, Figure, at_least, exactly

#: How a process ends whose power went.
_CUT = 77
LOSSES, DAEMONS = 1_000, 500


def prove(dose: Dose) -> Iterable[Figure]:
    """Losses over all scenes in turn, then the same over a disk that only says that it syncs."""
    losses, faults = play(dose, dose.times(LOSSES, len(SCENES)))
    with _town.sinch() as base:
        scenes = {f"daemon, {rule}": _town.scene(base, rule) for rule in _town.RULES}
        more, wrong = play(dose, dose.times(DAEMONS, 2), scenes=scenes)
    losses, faults = losses + more, {**faults, **wrong}
    yield at_least("power losses", sum(losses.values()), dose.times(LOSSES + DAEMONS, len(SCENES) + 2))
    for scene, count in sorted(losses.items()):
        yield Figure(name=f"power losses, {scene}", value=count)
    yield exactly("of them with something lost, half or damaged", len(faults))
    for loss, words in list(faults.items())[:10]:
        yield Figure(name=loss, value=words)
    deaf, found = play(dose, dose.times(100, 2 * len(SCENES)), is_deaf=True)
    yield at_least(
        "part of the losses on a disk that does not sync that is found out", len(found) / sum(deaf.values()), 0.2
    )


def play(
    dose: Dose, count: int, *, is_deaf: bool = False, scenes: Mapping[str, Scene] = SCENES
) -> tuple[Counter[str], dict[str, str]]:
    """So many losses, by scene; and what was wrong after which."""
    chance = random.Random(f"{dose.seed}-{is_deaf}")
    grounds = {
        name: _Ground(scene, dose.folder / f"{name}{'-deaf' * is_deaf}", dose.seed, is_deaf)
        for name, scene in scenes.items()
    }
    losses: Counter[str] = Counter()
    faults: dict[str, str] = {}
    for number in range(count):
        name = list(scenes)[number % len(scenes)]
        if wrong := grounds[name].lose(number, chance):
            faults[f"{name} {number}"] = "; ".join(wrong[:3])
        losses[name] += 1
        dose.say(f"{number + 1} of {count} losses, {len(faults)} faults")
    return losses, faults


class _Ground:
    """Where one scene is played again and again."""

    def __init__(self, scene: Scene, folder: Path, seed: int, is_deaf: bool) -> None:
        self._scene = scene
        self._folder = folder
        self._seed = seed
        self._is_deaf = is_deaf
        self._before = folder / "before"
        self._before.mkdir(parents=True)
        scene.prepare(self._before, random.Random(f"{seed}"))
        self._operations = 0

    def lose(self, number: int, chance: random.Random) -> list[str]:
        """Play the scene until the power goes; what is wrong then."""
        if not self._operations:
            self._play("whole", self._before, self._scene.play, None, 0)
        at = chance.randint(1, self._operations) if chance.random() < 0.97 else None
        is_cut_again, second = chance.random() < 0.25, chance.randint(1, 60)
        after, ledger = self._play(f"{number}", self._before, self._scene.play, at, number)
        try:
            if is_cut_again:  # while it starts
                former = after
                after, _ = self._play(f"{number}-again", former, _start, second, number)
                shutil.rmtree(former)
            return self._scene.look(after, ledger)
        except Exception as error:  # a proof goes on, and says what it met
            return [f"{type(error).__name__}: {error}"]
        finally:
            shutil.rmtree(after)

    def _play(
        self, name: str, before: Path, play: Callable[[Path, Ledger, random.Random], None], at: int | None, number: int
    ) -> tuple[Path, Ledger]:
        live, after, noted = (self._folder / f"{name}-{part}" for part in ("live", "after", "ledger"))
        shutil.copytree(before, live)
        after.mkdir()
        seed = f"{self._seed}-{number}"
        said = noted.with_suffix(".err")
        code = _machine.play(lambda: _lose(live, after, noted, play, at, seed, is_deaf=self._is_deaf), said)
        shutil.rmtree(live)
        if code not in (_CUT, _machine.WHOLE):
            raise AssertionError(f"the machine of {name} ended with {code}: {said.read_text()[-300:]}")
        record = msgspec.json.decode(noted.read_bytes())
        noted.unlink()
        if at is None and not self._operations:
            self._operations = record["operations"]
        return after, msgspec.convert(record["ledger"], Ledger)


def _start(folder: Path, ledger: Ledger, chance: random.Random) -> None:
    """The program starts again, and stops."""
    from tests.proof._scenes import open_and_close

    open_and_close(folder)


def _lose(
    live: Path,
    after: Path,
    noted: Path,
    play: Callable[[Path, Ledger, random.Random], None],
    at: int | None,
    seed: str,
    *,
    is_deaf: bool,
) -> None:
    """Play until the power goes, which ends the process, or to the end; leave what is on the disk then."""
    ledger, chance, operations = Ledger(), random.Random(seed), 0

    def lose_power() -> None:
        """Other threads go on for the moment that this takes: what was acknowledged is looked at first."""
        sure, notes = {talk.event: talk.sure for talk in ledger.talks}, dict(ledger.notes)
        disk.platter.after_cut(chance, after)
        talks = [msgspec.structs.replace(talk, sure=sure.get(talk.event, 0)) for talk in ledger.talks]
        record = {"ledger": msgspec.to_builtins(Ledger(talks=talks, notes=notes)), "operations": operations}
        noted.write_bytes(msgspec.json.encode(record))

    def before(what: str, _path: str) -> None:
        nonlocal operations
        if what in ("read", "lock", "open"):
            return
        operations += 1
        if operations == at:
            lose_power()
            os._exit(_CUT)

    disk = Disk(live, before, is_deaf=is_deaf)
    with disk.in_place():
        play(live, ledger, chance)
    lose_power()
