"""Open runs of flows with `concurrency`, by what counts as the same, and what that means for one more.

A run counts from when it is stored to its end, also while it is held: then it waits for its turn, in the order in which
it came.
"""

from collections.abc import Iterable
from typing import Literal

from sinchflow.model.flow import Concurrency
from sinchflow.model.run import Run

#: Flow, account and key.
_Key = tuple[str, str, str]

Verdict = Literal["begin", "queue", "refuse", "restart"]


class OpenRuns:
    """See the module's text."""

    def __init__(self) -> None:
        self._at_work: dict[_Key, dict[int, None]] = {}
        self._held: dict[_Key, dict[int, None]] = {}

    def verdict(self, concurrency: Concurrency, run: Run) -> Verdict:
        """What becomes of a new run. `restart`: it begins, and those `open_beside` it are cancelled."""
        key = _key_of(run)
        if key is None:
            return "begin"
        at_work, held = len(self._at_work.get(key, ())), len(self._held.get(key, ()))
        match concurrency.mode:
            case "single":
                return "refuse" if at_work else "begin"
            case "restart":
                return "restart" if at_work else "begin"
            case "parallel":
                return "refuse" if at_work >= concurrency.max else "begin"
            case "queued":
                if not at_work and not held:  # a held one's turn may have come just now
                    return "begin"
                return "refuse" if at_work + held >= concurrency.max else "queue"

    def open_beside(self, run: Run) -> Iterable[int]:
        """The runs with the same key that are not this one."""
        key = _key_of(run)
        runs = () if key is None else (*self._held.get(key, ()), *self._at_work.get(key, ()))
        return [each for each in runs if each != run.id]

    def note(self, run: Run) -> None:
        """A run is open, at work or held."""
        key = _key_of(run)
        if key is None:
            return
        self._remove(self._held, key, run.id)
        (self._held if run.is_held else self._at_work).setdefault(key, {})[run.id] = None

    def count(self, run: Run) -> int | None:
        """A run's new state. When it has ended: the id of the one whose turn it is now."""
        if not run.is_final:
            self.note(run)
            return None
        key = _key_of(run)
        if key is None:
            return None
        self._remove(self._at_work, key, run.id)
        self._remove(self._held, key, run.id)
        return None if key in self._at_work else next(iter(self._held.get(key, ())), None)

    def to_release(self) -> list[int]:
        """Held runs whose turn it is: after a crash between an end and the next one's beginning."""
        return [next(iter(held)) for key, held in self._held.items() if key not in self._at_work]

    def _remove(self, runs: dict[_Key, dict[int, None]], key: _Key, run_id: int) -> None:
        if key in runs:
            runs[key].pop(run_id, None)
            if not runs[key]:
                del runs[key]


def _key_of(run: Run) -> _Key | None:
    return None if run.key is None else (run.flow, run.account, run.key)
