"""Looks at the journal for status and metrics: in a worker thread, on a connection of their own, not too often.

A look that is still fresh serves whoever asks; those who ask while one is made share it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from sinchflow.errors import SinchflowError
from sinchflow.journal.survey import Survey, flows_lately, survey
from sinchflow.runtime.clock import Clock

T = TypeVar("T")

#: A look serves for this many times as long as it took to make: who asks without end keeps a thread half busy at most.
_REST = 1


class _Kept(Generic[T]):
    """What one kind of look found last."""

    def __init__(self, path: Path, clock: Clock, look: Callable[[Path, datetime], T]) -> None:
        self._path = path
        self._clock = clock
        self._look = look
        self._turn = asyncio.Lock()
        self._found: T | None = None
        self._good_until = 0.0

    async def now(self) -> T:
        """A look that is fresh. Raises SinchflowError when the journal cannot be read."""
        async with self._turn:
            time = asyncio.get_running_loop().time
            if self._found is None or time() >= self._good_until:
                began = time()
                self._found = await asyncio.to_thread(self._look, self._path, self._clock.now())
                self._good_until = time() + _REST * (time() - began)
            return self._found


class Looks:
    """Looks at the journal at `path`."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._survey = _Kept(path, clock, survey)
        self._brief = _Kept(path, clock, partial(survey, is_brief=True))
        self._flows = _Kept(path, clock, flows_lately)

    async def survey(self, *, is_brief: bool = False) -> Survey | str:
        """What is open in the journal; a text says why it cannot be read. is_brief: see `journal.survey.survey`."""
        try:
            return await (self._brief if is_brief else self._survey).now()
        except SinchflowError as error:
            return str(error)

    async def flows(self) -> dict[str, dict[str, Any]] | str:
        """What flows did lately, by name; a text says why it cannot be read."""
        try:
            return await self._flows.now()
        except SinchflowError as error:
            return str(error)
