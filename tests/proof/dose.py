"""How much of a proof is played, and what it says in the end. What all proofs share."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a proof's outcome.

    aim: what was to be reached, in words (`0`, `≤ 2 s`). is_met: None where the figure only informs.
    """

    name: str
    value: Any
    aim: str | None = None
    is_met: bool | None = None


def exactly(name: str, value: int, aim: int = 0) -> Figure:
    """A count that must be `aim`."""
    return Figure(name=name, value=value, aim=str(aim), is_met=value == aim)


def at_most(name: str, value: float, aim: float, unit: str = "") -> Figure:
    """A measure that must not be more than `aim`."""
    return Figure(name=name, value=round(value, 4), aim=f"≤ {aim:g}{unit and ' ' + unit}", is_met=value <= aim)


def at_least(name: str, value: float, aim: float, unit: str = "") -> Figure:
    """A measure that must not be less than `aim`."""
    return Figure(name=name, value=round(value, 4), aim=f"≥ {aim:g}{unit and ' ' + unit}", is_met=value >= aim)


class Dose:
    """One playing of a proof.

    seed: of all that is random in it. scale: 1.0 plays the numbers that issue 7 names, 0.01 a hundredth of them.
    folder: empty, the proof's own. say: progress, for people.
    """

    def __init__(self, *, seed: int, scale: float, folder: Path, say: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.scale = scale
        self.folder = folder
        self.random = random.Random(seed)
        self._say = say
        self._said_at = 0.0

    def times(self, full: int, least: int = 1) -> int:
        """How often something is done that is done `full` times in the full form."""
        return max(least, round(full * self.scale))

    def say(self, words: str) -> None:
        """Tell how far it is, at most once in five seconds."""
        if self._say is not None and time.monotonic() - self._said_at >= 5:
            self._said_at = time.monotonic()
            self._say(words)


def fresh_seed() -> int:
    """A seed that nobody has seen; it is printed, so that the same can be played again."""
    return int.from_bytes(os.urandom(4), "big")
