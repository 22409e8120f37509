"""Loads the project, and swaps it whole when its files change. A broken file keeps what is live, loudly.

Everything is read, checked and built off the loop; documents that did not change are not built again. The swap is one
assignment on the loop: an event is routed over the old catalog or the new one, never over a mixture.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog
from watchfiles import Change, awatch

from sinchflow.errors import CannotStart
from sinchflow.journal.journal import FlowSource
from sinchflow.language.check import Checked, Checker
from sinchflow.language.diagnostic import present_text
from sinchflow.language.files import Stamp, flow_files, stamp_of
from sinchflow.runtime.catalog import Catalog, Overrides
from sinchflow.runtime.keyring import KEYS_FILE, read_keys
from sinchflow.runtime.secrets import Secrets
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")

_SUFFIXES = frozenset({".yaml", ".yml"})
#: Editors write a file in several steps; changes this close together are one. Milliseconds.
_SETTLE_MS = 100
#: How often a project folder that is gone is looked for.
_GONE_S = 2.0


class Loader:
    """Makes catalogs of the project at `root`. Thread-safe as long as one load runs at a time."""

    def __init__(
        self, root: Path, source_of: Callable[[str], FlowSource | None], overrides: Overrides | None = None
    ) -> None:
        self._root = root
        self._source_of = source_of
        self._overrides = overrides
        self._checker = Checker()
        self._seen: tuple[object, ...] = ()
        self._data: dict[Path, Stamp] = {}
        self.data_files: frozenset[Path] = frozenset()  #: that the project names, and what they are links to; absolute

    def has_news(self) -> bool:
        """Whether a file has changed, come or gone since the last load began."""
        return _state_of(self._root) != self._seen or any(stamp_of(path) != was for path, was in self._data.items())

    def load(self) -> Catalog:
        """The catalog of the files as they are. Raises CannotStart with all findings, or what else is missing."""
        # A time that a flow names may have gone by since: that must not keep a daemon from starting again.
        now = datetime.now(UTC) if self._seen else None
        self._seen = _state_of(self._root)
        if not self._root.is_dir():
            raise CannotStart(f"there is no project folder {self._root}: name one with -C, or make one with `init`")
        self._data = {path: stamp_of(path) for path in self._data}
        checked = self._checker.check(self._root, now=now)
        if checked.data_files or not checked.has_errors:  # a broken project file names none: those of before count on
            self._data = checked.data_files
        given = [os.path.abspath(path) for path in self._data]
        self.data_files = frozenset(map(Path, (*given, *map(os.path.realpath, given))))
        if checked.has_errors:
            raise CannotStart(_findings(checked))
        keys = () if self._overrides is not None else read_keys(self._root)
        return Catalog(
            checked, Secrets.of_project(self._root, checked.project), self._source_of, self._overrides, keys=keys
        )


def _state_of(root: Path) -> tuple[object, ...]:
    """What tells one state of the project's files from another."""
    paths = (root / "sinchflow.yaml", root / KEYS_FILE, *flow_files(root / "flows"))
    return tuple((path, stamp_of(path) if isinstance(path, Path) else None) for path in paths)


def _findings(checked: Checked) -> str:
    errors = [each for each in checked.diagnostics if each.severity == "error"]
    return f"the project has errors:\n{present_text(errors, checked.texts)}".rstrip()


class Reloader:
    """Keeps the live catalog in step with the files. `swap` is called on the loop with each new catalog."""

    def __init__(self, root: Path, loader: Loader, stats: Stats, swap: Callable[[Catalog], None]) -> None:
        self._root = root
        self._loader = loader
        self._stats = stats
        self._swap = swap
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._blind_because = ""

    async def reload(self) -> str | None:
        """Load and swap. None when done; otherwise why what was live stays live."""
        async with self._lock:
            try:
                catalog = await asyncio.to_thread(self._loader.load)
            except CannotStart as refusal:
                return self._refuse(str(refusal))
            except Exception as error:  # our bug: what is live stays live, and later changes are still looked at
                self._stats.internal_errors += 1
                log.exception("internal error while reloading")
                return self._refuse(f"internal error while reloading: {error!r}")
            self._swap(catalog)
            self._stats.reloads["done"] += 1
            self._stats.last_reload_at = datetime.now(UTC)
            self._stats.troubles.pop("reload", None)
            log.info("reloaded", flows=len(catalog.flows))
            return None

    def _refuse(self, reason: str) -> str:
        self._stats.reloads["refused"] += 1
        self._stats.reload_refused_at = datetime.now(UTC)
        self._stats.troubles["reload"] = reason
        log.error("reload refused: the flows that were live stay live", reason=reason)
        return reason

    async def watch(self) -> None:
        """Reload whenever a file of the project changes, until cancelled.

        A watch sees nothing that happened before it began, so the files are compared once each has.
        """
        watching: dict[Path, asyncio.Task[None]] = {}
        try:
            while True:
                for folder in await asyncio.to_thread(self._folders):
                    if folder not in watching or watching[folder].done():
                        is_flows = folder == self._root / "flows"
                        watching[folder] = asyncio.create_task(self._watch(folder, recursive=is_flows))
                await asyncio.sleep(0)  # watches begin in their first step
                if await asyncio.to_thread(self._loader.has_news):
                    await self.reload()  # one save is often several events, of both watches: they are news once
                else:
                    await self._wait()
                self._changed.clear()
        finally:
            for task in watching.values():
                task.cancel()

    async def _wait(self) -> None:
        """For the next change. Nobody tells of a project folder that is gone when it comes back: it is looked for."""
        patience_s = None if await asyncio.to_thread(self._root.is_dir) else _GONE_S
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._changed.wait()

    def _folders(self) -> list[Path]:
        """What is to be watched: the project's own folders, and those of data files that lie elsewhere.

        Of a folder that is not there yet, the nearest one around it that is.
        """
        known = [self._root, self._root / "flows"]
        seen = {Path(os.path.abspath(self._root))}
        for file in sorted(self._loader.data_files):
            folder = next(each for each in file.parents if each.is_dir())
            if folder not in seen:
                seen.add(folder)
                known.append(folder)
        return [folder for folder in known if folder.is_dir()]

    def _concerns_us(self, change: Change, name: str) -> bool:
        """The project's files, and data files with the folders on the way to them, which may come and go."""
        place = Path(os.path.abspath(name))
        return _is_ours(change, name) or any(place == file or place in file.parents for file in self._loader.data_files)

    async def _watch(self, folder: Path, *, recursive: bool) -> None:
        """Note changes in a folder, also while a reload is under way; ends when the folder is gone."""
        changes = awatch(
            folder, watch_filter=self._concerns_us, recursive=recursive, debounce=_SETTLE_MS, step=_SETTLE_MS // 2
        )
        try:
            async for _ in changes:
                self._changed.set()
                if not await asyncio.to_thread(folder.is_dir):
                    return
        except (OSError, RuntimeError) as error:  # gone already, or the system's limit of watches
            reason = str(error).replace(str(folder), "folder")
            if reason != self._blind_because:  # the system's limit concerns all folders alike
                self._blind_because = reason
                log.error("folder cannot be watched: reload with SIGHUP", folder=str(folder), reason=reason)


def _is_ours(_change: Change, name: str) -> bool:
    """The project's files, and folders, which come and go without a change event for each file in them."""
    path = Path(name)
    return path.suffix in _SUFFIXES or path.name in {KEYS_FILE, "flows"} or (not path.suffix and "flows" in path.parts)
