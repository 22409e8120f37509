"""What becomes of each mutant of an example: refused by `validate`, caught by a transcript test, or survived."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sinchflow.errors import SinchflowError
from sinchflow.language.check import Checker
from sinchflow.language.document import compose, documents
from sinchflow.language.nodes import plain
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject
from tests.mutants.operators import Mutant, mutants
from tests.mutants.same import why_the_same

FLOWS = Path(__file__).parents[2] / "flows"
EXAMPLES = sorted(
    [path.stem for path in FLOWS.glob("*.yaml") if ".test" not in path.suffixes]
    + [path.parent.name for path in FLOWS.glob("*/sinchflow.yaml")]
)


class Fate(NamedTuple):
    """What became of a mutant. by: the test that has caught it, or why it means the same as the flow."""

    mutant: Mutant
    what: Literal["refused", "caught", "the same", "survived"]
    by: str = ""


class Example:
    """One example in a project of its own, which is written to `root`."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._root = root
        self._file = f"flows/{name}.yaml"
        if (FLOWS / name).is_dir():
            shutil.copytree(FLOWS / name, root, dirs_exist_ok=True)
        else:
            (root / "flows").mkdir()
            for ending in (".yaml", ".test.yaml"):
                shutil.copy(FLOWS / f"{name}{ending}", root / "flows")
        self._checker = Checker()
        [self._document] = documents((root / self._file).read_text(encoding="utf-8"), self._file)
        assert compose(self._document) == []
        self._scripts = [*TestProject(root).scripts()]

    def mutants(self) -> list[Mutant]:
        """All of them."""
        return [*mutants(self._document)]

    def no_mutant(self) -> Mutant:
        """The flow itself, written as mutants are."""
        return Mutant(self._document.origin(0), "nothing", json.dumps(plain(self._document.root)))

    def fates(self, chosen: Iterable[Mutant]) -> Iterator[Fate]:
        """What becomes of each of these."""
        for mutant in chosen:
            why = why_the_same(self.name, mutant)
            yield Fate(mutant, "the same", why) if why else self.played(mutant)

    def played(self, mutant: Mutant) -> Fate:
        """What the tests say of it."""
        checked = self._checker.check(self._root, instead={self._file: mutant.text.encode()})
        try:
            troupe = Troupe(TestProject(self._root, checked=checked))
        except SinchflowError as refusal:
            return Fate(mutant, "refused", str(refusal).splitlines()[1])
        try:
            for at, script in enumerate(self._scripts):
                if troupe.play_one(at, script).failure is not None:
                    self._scripts.insert(0, self._scripts.pop(at))  # it may well see the next mistake, too
                    return Fate(mutant, "caught", script.name)
        finally:
            troupe.close()
        return Fate(mutant, "survived")
