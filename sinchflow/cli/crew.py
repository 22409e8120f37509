"""Many files judged at once by several processes: what thousands of flows need to be checked in seconds."""

import gc
import os
import signal
from collections.abc import Iterator, Sequence

import msgspec

from sinchflow.language.judge import FileResult, Judge
from sinchflow.language.rules.rule import Settings

#: Bytes of flows below which one process is done before others would have begun.
_WORTHWHILE = 300_000
#: Files that a process takes at a time.
_AT_A_TIME = 20
_MOST_PROCESSES = 8
#: Objects made between two collections of garbage: flows are all but free of it, and looking for it takes a tenth.
_GARBAGE = 100_000

_Given = Sequence[tuple[str, bytes]]


class _Answer(msgspec.Struct, array_like=True):
    results: list[FileResult]
    forms: list[bytes]


_encode = msgspec.msgpack.encode
#: Of a process of the crew: its judge, and what it judges by.
_own: list[tuple[Judge, Settings]] = []


def judge_files(judge: Judge, given: _Given, settings: Settings) -> Iterator[FileResult]:
    """What each of the files (name and bytes) gives, in their order; `judge` does it alone when they are few."""
    processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
    is_little = len(given) <= _AT_A_TIME or sum(len(data) for _, data in given) < _WORTHWHILE
    if processes == 1 or not hasattr(os, "fork") or is_little:
        for name, data in given:
            yield judge.file(name, data, settings)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    done = 0
    slices = [given[at : at + _AT_A_TIME] for at in range(0, len(given), _AT_A_TIME)]
    context = multiprocessing.get_context("fork")  # the judge, and all that is imported, is there at once
    try:
        with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(judge, settings)) as pool:
            for encoded in pool.map(_judge, slices):
                answer = msgspec.msgpack.decode(encoded, type=_Answer)
                judge.shapes.learn(answer.forms)
                done += len(answer.results)
                yield from answer.results
    except (BrokenProcessPool, OSError):  # where memory is short, none can be had, or one is ended by the system
        for name, data in given[done:]:
            yield judge.file(name, data, settings)


def _begin(judge: Judge, settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first of them ends the others
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    _own.append((judge, settings))


def _judge(given: _Given) -> bytes:
    judge, settings = _own[0]
    results = [judge.file(name, data, settings) for name, data in given]
    return _encode(_Answer(results, judge.shapes.take_new_forms()))
