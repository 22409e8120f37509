"""Many scripts played, on as many processes as there are processors when that is worth it."""

import gc
import os
import signal
import time
from collections.abc import Iterator, Sequence

import msgspec
import structlog

from sinchflow.language.script import Script
from sinchflow.simulate.play.coverage import Walked
from sinchflow.simulate.play.outcome import Failure, Line, Played
from sinchflow.simulate.play.player import play
from sinchflow.simulate.play.project import TestProject
from sinchflow.simulate.play.virtual_time import PATIENCE_S, VirtualLoop

#: Scripts below which one process is done before others would have begun.
_WORTHWHILE = 200
#: Scripts that a process takes at a time.
_AT_A_TIME = 25
_MOST_PROCESSES = 8
#: A fifth of the work less than with Python's own; a process lives for seconds.
_GC_THRESHOLDS = (100_000, 50, 50)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one script. place: among those that were asked for. chat: of one that failed."""

    place: int
    seconds: float
    failure: Failure | None = None
    chat: tuple[Line, ...] = ()


class _Portion(msgspec.Struct):
    results: list[Result]
    met: set[tuple[str, str]]


class Troupe:
    """Plays the scripts of one project. met: the points that were walked so far, where that is wanted.

    patience_s: of work, after which a script is given up.
    """

    def __init__(self, project: TestProject, *, walks: bool = False, patience_s: float = PATIENCE_S) -> None:
        self._project = project
        self._patience_s = patience_s
        self._walked = Walked() if walks else None
        self._loop: VirtualLoop | None = None

    @property
    def met(self) -> set[tuple[str, str]]:
        """The points of flows that runs have met."""
        return self._walked.met if self._walked is not None else set()

    def play_all(self, scripts: Sequence[Script]) -> Iterator[Result]:
        """Each script's result, in their order."""
        processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
        if processes == 1 or len(scripts) < _WORTHWHILE or not hasattr(os, "fork"):
            for place, script in enumerate(scripts):
                yield self.play_one(place, script)
            return
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        if any(step.verb == "http" for script in scripts for step in script.steps):
            import sinchflow.runtime.outbound  # half a second, which each process would need by itself
            import sinchflow.runtime.perform  # noqa: F401

        slices = [range(at, min(at + _AT_A_TIME, len(scripts))) for at in range(0, len(scripts), _AT_A_TIME)]
        context = multiprocessing.get_context("fork")  # project and scripts are there at once
        with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(self, scripts)) as pool:
            for encoded in pool.map(_play, slices):
                portion = msgspec.msgpack.decode(encoded, type=_Portion)
                if self._walked is not None:
                    self._walked.met |= portion.met
                yield from portion.results

    def play_one(self, place: int, script: Script) -> Result:
        """One script, here and now."""
        return self.played(script, place)[0]

    def played(self, script: Script, place: int = 0, *, goes_on: bool = False) -> tuple[Result, Played]:
        """As `play_one`, with all that happened. goes_on: see `play`."""
        if self._loop is None:
            self._loop = VirtualLoop(self._patience_s)
        structlog.configure(processors=[_drop])
        began = time.perf_counter()
        played = play(script, self._project.catalog(script), self._loop, self._walked, goes_on=goes_on)
        seconds = time.perf_counter() - began
        chat = () if played.failure is None else played.chat
        return Result(place=place, seconds=seconds, failure=played.failure, chat=chat), played

    def portion(self, scripts: Sequence[Script], places: range) -> bytes:
        """Some of the scripts, for another process."""
        if self._walked is not None:
            self._walked.met.clear()
        results = [self.play_one(place, scripts[place]) for place in places]
        return msgspec.msgpack.encode(_Portion(results, self.met))

    def close(self) -> None:
        """Give the loop back."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        structlog.reset_defaults()


_own: list[tuple[Troupe, Sequence[Script]]] = []


def _begin(troupe: Troupe, scripts: Sequence[Script]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked for it hears of it, and ends us
    gc.freeze()  # project and scripts need not be looked at again and again
    gc.set_threshold(*_GC_THRESHOLDS)
    _own[:] = [(troupe, scripts)]


def _play(places: range) -> bytes:
    troupe, scripts = _own[0]
    return troupe.portion(scripts, places)


def _drop(_logger: object, _name: str, _entry: structlog.typing.EventDict) -> str:
    """What the daemon would log is not shown: the chat has what matters of it."""
    raise structlog.DropEvent
