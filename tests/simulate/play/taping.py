"""What scripts do, as a journal on disk: for commands that look at real runs."""

import asyncio
from pathlib import Path

from sinchflow.journal.memory import MemoryJournal
from sinchflow.journal.sqlite import SqliteJournal


class Taped(MemoryJournal):
    """A journal in memory that can be written down on disk afterwards."""

    def __init__(self, call_soon):
        super().__init__(call_soon)
        self.tape = []

    def accept(self, event, done):
        self.tape.append(("accept", event))
        super().accept(event, done)

    def commit(self, changes, done):
        self.tape.append(("commit", changes))
        super().commit(changes, done)


def write(tape, folder: Path) -> Path:
    """The journal on disk, in this folder. Returns its path."""

    async def play():
        loop = asyncio.get_running_loop()
        journal = SqliteJournal(folder, loop)
        done = [loop.create_future() for _ in tape]
        for (what, thing), future in zip(tape, done, strict=True):
            getattr(journal, what)(thing, future.set_result)
        assert not any(isinstance(each, Exception) for each in await asyncio.gather(*done))
        journal.close()
        return journal.path

    return asyncio.run(play())
