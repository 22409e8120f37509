"""Random flows against random faults in random time: a model of the world in memory, seed by seed.

    python -m tests.proof simulation --seed 7          # 100,000 seeds that follow from 7
    python -m tests.proof.simulation 1234567           # one seed again, told step by step

A seed decides about a project (50 seeds share one: checking it costs as much as playing them), what customers text,
what the provider, the disk and the clock do, when the daemon is killed, and what an operator does. What must hold is
`_judge`'s to say.
"""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import structlog

from sinchflow.errors import CannotStart
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.reload import Loader
from tests.proof import _projects
from tests.proof._world import World
from tests.proof.dose import Dose, Figure, exactly

#: Seeds that the full form plays.
_SEEDS = 100_000
#: Seeds that share a project.
_OF_A_PROJECT = 50
#: Failed seeds that are told of.
_MOST_TOLD = 20


class Outcome(msgspec.Struct):
    """What some seeds came to."""

    seeds: int = 0
    failed: dict[int, list[str]] = {}
    crashes: int = 0
    steps: int = 0
    acknowledged: int = 0
    sends: int = 0
    runs: int = 0
    seconds: float = 0.0  #: of processor


def prove(dose: Dose) -> Iterable[Figure]:
    """All seeds in a process of its own, whose sets are in an order that can be had again."""
    first, count = dose.seed * 1_000_000, dose.times(_SEEDS, 50)
    outcome = _apart(first, count, dose.say)
    for seed, words in list(outcome.failed.items())[:_MOST_TOLD]:
        dose.say(f"seed {seed}: {words[0][:300]}")
        print(f"seed {seed}: {words[0][:300]}\n  again: python -m tests.proof.simulation {seed}", file=sys.stderr)
    yield Figure(name="seeds", value=outcome.seeds)
    yield exactly("seeds in which a promise broke", len(outcome.failed))
    # No promise of the program's, and others at work on the machine make it less: it misses nothing.
    rate = round(outcome.seeds / max(outcome.seconds, 0.001) * 60)
    yield Figure(name="seeds a minute of one core", value=rate, aim="≥ 1000")
    yield Figure(name="crashes and stops", value=outcome.crashes)
    yield Figure(name="events acknowledged", value=outcome.acknowledged)
    yield Figure(name="runs", value=outcome.runs)
    yield Figure(name="sends", value=outcome.sends)
    yield Figure(name="callbacks", value=outcome.steps)


def _apart(first: int, count: int, say: Callable[[str], None]) -> Outcome:
    command = [sys.executable, "-m", "tests.proof.simulation", str(first), "--count", str(count)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONHASHSEED": "0"}, text=True
    ) as child:
        assert child.stdout is not None
        outcome = Outcome()
        for line in child.stdout:
            outcome = msgspec.json.decode(line, type=Outcome)
            say(f"{outcome.seeds} seeds, {len(outcome.failed)} failed, {outcome.seconds:.0f} s")
    if child.returncode:
        raise AssertionError(f"the simulation itself failed after {outcome.seeds} seeds")
    return outcome


def play(seeds: Iterable[int], say: Callable[[str], None] | None = None) -> Iterator[Outcome]:
    """Play these seeds; what all so far came to, each time that some more are done."""
    outcome, began = Outcome(), time.process_time()
    folder = Path(tempfile.mkdtemp(prefix="simulation-"))
    sources: dict[str, Any] = {}
    project: int | None = None
    catalogs: list[Catalog] = []
    gc.disable()
    try:
        for seed in seeds:
            if project != seed // _OF_A_PROJECT:
                project = seed // _OF_A_PROJECT
                catalogs = _catalogs(project, folder, sources)
                gc.collect()
            errors = _listen(say)
            world = World(seed, catalogs, sources, say)
            try:
                broken = world.play()
            except AssertionError as error:
                broken = [f"{world.line.now_s:.3f} {error}"]
            if broken:
                outcome.failed[seed] = [*broken, *errors]
            _count(outcome, world)
            outcome.seconds = time.process_time() - began
            if outcome.seeds % 100 == 0:
                yield outcome
    finally:
        gc.enable()
        shutil.rmtree(folder, ignore_errors=True)
    yield outcome


def _count(outcome: Outcome, world: World) -> None:
    execute = world.disk.connection.execute
    outcome.seeds += 1
    outcome.crashes += world.counts["crashes"]
    outcome.steps += world.steps
    outcome.acknowledged += len(world.watch.acknowledged)
    outcome.runs += execute("SELECT count(*) FROM run").fetchone()[0]
    outcome.sends += execute("SELECT count(*) FROM send").fetchone()[0]


def _catalogs(project: int, folder: Path, sources: dict[str, Any]) -> list[Catalog]:
    """The versions of a project."""
    random = Random(project)
    shutil.rmtree(folder)
    _projects.write(random, folder)

    def source(digest: str) -> Any:
        return sources["journal"].source(digest)  # of the process that lives then

    loader = Loader(folder, source)
    catalogs = [loader.load()]
    _projects.write_flows(random, folder)
    with suppress(CannotStart):  # a flow calls one that is gone now: what is live stays live
        catalogs.append(loader.load())
    return catalogs


def _listen(say: Callable[[str], None] | None) -> list[str]:
    """What is logged as an error, from now on; all is told where somebody listens."""
    errors: list[str] = []

    def keep(_logger: Any, level: str, event: dict[str, Any]) -> Any:
        error = event.pop("exc_info", None)
        words = f"{level}: {event}" + (f" {sys.exc_info()[1] if error is True else error!r}" if error else "")
        if level == "error" and "internal error" in words:
            errors.append(words)
            if say is not None:
                import traceback

                traceback.print_exception(error if isinstance(error, BaseException) else sys.exc_info()[1])
        if say is not None:
            say(f"              log {words}")
        raise structlog.DropEvent

    level = 0 if say is not None else 40
    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(level))
    return errors


def main() -> int:
    """One seed as a story, or `--count N` from it on, silently."""
    seed = int(sys.argv[1])
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets of texts have another order each time
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.proof.simulation", *sys.argv[1:]])
    if "--count" in sys.argv:
        count = int(sys.argv[sys.argv.index("--count") + 1])
        for outcome in play(range(seed, seed + count)):
            print(msgspec.json.encode(outcome).decode(), flush=True)
        return 0
    *_, outcome = play([seed], print)
    for words in outcome.failed.get(seed, ()):
        print(f"BROKEN: {words}")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
