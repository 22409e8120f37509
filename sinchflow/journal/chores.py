"""Work for the writer that is in no hurry: one small portion at a time, between the groups that others wait for.

A portion is begun when nobody waits, or, when it is pressing or has waited for long, after the group that is at hand.
It works for a few milliseconds and is not flushed to the disk by itself: a crash may undo it, never a part of it, and
it is done again then. So an acknowledgement waits for one portion at most.
"""

import threading
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Protocol

import apsw
import msgspec

from sinchflow.errors import JournalError
from sinchflow.journal.explain import explain

#: A portion ends after this time, at the next row. Seconds.
PORTION_S = 0.002
#: A daemon that is never idle does a portion this often.
_LONGEST_WAIT_S = 1.0


class Portion(Protocol):
    """Rows to delete or to make smaller."""

    def work(self, connection: apsw.Connection, is_over: Callable[[], bool]) -> None:
        """Do as much as there is time for, within the caller's transaction. What is left is done by another call."""
        ...


class _Chore:
    def __init__(self, portion: Portion, *, is_pressing: bool) -> None:
        self.portion = portion
        self.is_pressing = is_pressing
        self.since = monotonic()
        self.took_s = 0.0
        self.error: Exception | None = None
        self.done = threading.Event()


class Chores:
    """One chore at most waits here. wake: makes the writer look."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._chore: _Chore | None = None
        self._is_stopped = False

    # --- on the thread of whoever has something to do ---------------------------------------------------------------

    def do(self, portion: Portion, *, is_pressing: bool) -> float:
        """Have a portion of it done; seconds that it took. Raises JournalError."""
        chore = _Chore(portion, is_pressing=is_pressing)
        self._chore = chore
        if self._is_stopped:
            return 0.0
        self._wake()
        chore.done.wait()
        if chore.error is not None:
            raise chore.error
        return chore.took_s

    def stop(self) -> None:
        """Whoever waits need not wait any longer; nothing more is done."""
        self._is_stopped = True
        chore = self._chore
        if chore is not None:
            chore.done.set()

    # --- on the writer's thread -------------------------------------------------------------------------------------

    def do_if_due(self, connection: apsw.Connection, *, is_idle: bool) -> None:
        """Do the portion that waits, if it is its turn."""
        chore = self._chore
        if chore is None or self._is_stopped:
            return
        if not (is_idle or chore.is_pressing or monotonic() - chore.since >= _LONGEST_WAIT_S):
            return
        self._chore = None
        began = perf_counter()
        try:
            _work(chore.portion, connection, lambda: perf_counter() - began >= PORTION_S)
        except apsw.Error as error:
            chore.error = explain(error, connection.filename)
        except msgspec.MsgspecError as error:
            chore.error = JournalError(f"a row of the journal cannot be read: {error}")
        chore.took_s = perf_counter() - began
        chore.done.set()


def _work(portion: Portion, connection: apsw.Connection, is_over: Callable[[], bool]) -> None:
    execute = connection.execute
    execute("PRAGMA synchronous = NORMAL")
    try:
        execute("BEGIN IMMEDIATE")
        portion.work(connection, is_over)
        execute("COMMIT")
    finally:
        try:
            if connection.in_transaction:
                execute("ROLLBACK")
        finally:  # else what is acknowledged next would not be flushed to the disk
            if not connection.in_transaction:
                execute("PRAGMA synchronous = FULL")
