"""Fuzzing: whatever bytes others hand over, what reads them gives what it declares, soon, and in bounded memory.

Each target (`_fuzzed`) is played in a process of its own, with a limit on memory and a clock on every input. An input
is made of seed, target and number alone, so one that fails can be made again; it is written to a file besides.

    python -m tests.proof fuzz --scale 0.1 --seed 7
    python -m tests.proof.fuzz payload 1234 --seed 7     # the one input that failed
"""

import argparse
import contextlib
import gc
import mmap
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec

from tests.proof._fuzzed import TARGETS, Play
from tests.proof._mutator import mutated
from tests.proof.dose import Dose, Figure, at_most, exactly

FULL = 200_000
#: One input's time in seconds of its own process, above what the largest of them take on a slow core.
LONGEST_S = 2.0
#: When even Python's signals are not heeded: a loop in C.
_LONGEST_IN_C_S = 20
#: What one process may take above what it has when it begins.
MOST_BYTES = 512 << 20


class Failed(msgspec.Struct):
    """An input and what it did."""

    target: str
    number: int
    words: str
    file: str


class Told(msgspec.Struct):
    """How the inputs of one process went."""

    played: int
    slowest_s: float
    slowest: int
    grown_bytes: int
    failed: Failed | None = None


class TooSlow(BaseException):
    """One input took longer than it may."""


def made(target: str, number: int, seed: int) -> bytes:
    """The input with this number."""
    of = TARGETS[target]
    return mutated(of.corpus, of.pieces, random.Random(f"{seed}:{target}:{number}"), of.longest)


def prove(dose: Dose) -> Iterable[Figure]:
    """Scale 1 plays 200,000 inputs of each target, of the slow ones a part of that."""
    yield from play_all(dose, list(TARGETS))


def play_all(dose: Dose, names: Iterable[str]) -> Iterator[Figure]:
    """The figures of these targets."""
    failed = []
    for name in names:
        count = dose.times(round(FULL * TARGETS[name].weight), 20)
        dose.say(f"{name}: {count} inputs")
        told = _apart(name, count, dose)
        yield Figure(name=f"{name}: inputs", value=told.played)
        yield at_most(f"{name}: slowest (number {told.slowest})", told.slowest_s, LONGEST_S, "s")
        yield at_most(f"{name}: memory grown", round(told.grown_bytes / 2**20, 1), MOST_BYTES / 2**20, "MiB")
        if told.failed is not None:
            failed.append(told.failed)
    yield exactly("inputs that failed", len(failed))
    for each in failed:
        yield Figure(name=f"{each.target} {each.number} --seed {dose.seed} ({each.file})", value=each.words[-1_500:])


def _apart(name: str, count: int, dose: Dose) -> Told:
    """Play in a process of its own; its death is the fault of the input that it was at."""
    shared = mmap.mmap(-1, 8)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _in_child(name, count, dose, shared, writer)
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    if said:
        return msgspec.json.decode(said, type=Told)
    number = struct.unpack("q", shared[:8])[0]
    words = f"the process ended ({os.waitstatus_to_exitcode(status)}): a crash, a loop in C, or out of memory"
    told = Told(played=number, slowest_s=0, slowest=number, grown_bytes=0)
    told.failed = _failed(name, number, dose.seed, words)
    return told


def _in_child(name: str, count: int, dose: Dose, shared: mmap.mmap, writer: int) -> NoReturn:
    with contextlib.suppress(BaseException):
        folder = dose.folder / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
            try:
                told = _played(name, count, dose.seed, folder, shared)
            except Exception:
                told = Told(played=0, slowest_s=0, slowest=0, grown_bytes=0)
                told.failed = _failed(name, 0, dose.seed, f"it cannot begin\n{traceback.format_exc()}")
        os.write(writer, msgspec.json.encode(told))
    os._exit(0)


def _played(name: str, count: int, seed: int, folder: Path, shared: mmap.mmap) -> Told:
    play = TARGETS[name].make(folder)
    told = Told(played=0, slowest_s=0.0, slowest=0, grown_bytes=0)
    with contextlib.suppress(Exception):
        play(TARGETS[name].corpus[0])  # what is imported late is no growth
    before = _resident()
    with _bounded():
        for number in range(count):
            shared[:8] = struct.pack("q", number)
            data = made(name, number, seed)
            began = time.process_time()
            words = tried(play, data)
            taken_s = time.process_time() - began
            told.played += 1
            if taken_s > told.slowest_s:
                told.slowest_s, told.slowest = taken_s, number
            if words is not None:
                told.failed = _failed(name, number, seed, words)
                break
    gc.collect()
    told.grown_bytes = max(0, _resident() - before)
    return told


def tried(play: Play, data: bytes) -> str | None:
    """What went wrong with this input, if anything did. Only on the main thread."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    old = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S)
    signal.alarm(_LONGEST_IN_C_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            play(data)
    except TooSlow:
        return f"took more than {LONGEST_S:g} s\n{traceback.format_exc()}"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.alarm(0)
        signal.signal(signal.SIGVTALRM, old)
    return None


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """No more address space than there is now and `MOST_BYTES`: what wants more meets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.path.exists("/proc/self/statm") else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _failed(name: str, number: int, seed: int, words: str) -> Failed:
    handle, file = tempfile.mkstemp(prefix=f"fuzz-{name.replace(' ', '-')}-{seed}-{number}-")
    with open(handle, "wb") as out:
        out.write(made(name, number, seed))
    return Failed(target=name, number=number, words=words, file=file)


def main() -> int:
    """Play one input again, with its traceback."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.fuzz", description="Play one input again.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("number", type=int)
    parser.add_argument("--seed", type=int, required=True)
    chosen = parser.parse_args()
    data = made(chosen.target, chosen.number, chosen.seed)
    print(repr(data[:2_000]))
    with tempfile.TemporaryDirectory() as folder, _bounded():
        words = tried(TARGETS[chosen.target].make(Path(folder)), data)
    print(words or "nothing went wrong")
    return int(words is not None)


if __name__ == "__main__":
    sys.exit(main())
