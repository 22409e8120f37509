"""The daemon's standing tasks per account: catch-up, the look for drift and the list of opt-outs.

They are begun again when their settings change.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from sinchflow.journal.journal import Journal
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.accounts import Accounts
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.catch_up import CatchUp
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.drift import CheckDrift, DriftWatch
from sinchflow.runtime.opt_out_watch import OptOutLists, OptOutWatch
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.worker import Worker

log = structlog.get_logger("sinchflow")


class Timers:
    """See the module's text. `check_drift`: None where nobody can (`dev`)."""

    def __init__(
        self, *, accounts: Accounts, journal: Journal, worker: Worker, clock: Clock, stats: Stats,
        check_drift: CheckDrift | None,
    ) -> None:  # fmt: skip
        self._accounts = accounts
        self._journal = journal
        self._worker = worker
        self._clock = clock
        self._stats = stats
        self._check_drift = check_drift
        self._opt_out_lists = OptOutLists(worker.people, clock)
        stats.opt_out_lists = self._opt_out_lists.read_at
        self._tasks: dict[tuple[str, str], tuple[Any, asyncio.Task[None]]] = {}

    def set(self, catalog: Catalog, *, is_start: bool = False) -> None:
        """Run what this catalog asks for. What has not changed goes on undisturbed."""
        wanted: dict[tuple[str, str], tuple[Any, Coroutine[Any, Any, None]]] = {}
        # With two names, an account has one queue, one list of opt-outs and one set of webhooks.
        firsts: dict[tuple[str | None, ...], str] = {}
        for name, connection in catalog.connections.items():
            firsts.setdefault(connection.peer, name)
        own_lists = frozenset(firsts.values())
        for name, connection in catalog.connections.items():
            first = firsts[connection.peer]
            asked = connection.catch_up
            if asked is not None and (asked.every is not None or asked.on_start) and ("catch_up", first) not in wanted:
                work = self._catch_up(first).keep(asked.every, asked.max_age, at_once=is_start and asked.on_start)
                wanted["catch_up", first] = (asked, work)
            if first != name:
                continue
            wanted["opt_outs", name] = (own_lists, self.opt_out_watch(name, own_lists).keep())
            webhooks, hooks = catalog.project.webhooks, catalog.hooks
            if self._check_drift is not None and webhooks.drift_every is not None and hooks.public_url is not None:
                watch = DriftWatch(
                    self._check_drift, account=name, calls=self._accounts.polls(name), clock=self._clock,
                    stats=self._stats,
                )  # fmt: skip
                wanted["drift", name] = ((hooks, webhooks), watch.keep(hooks, webhooks, webhooks.drift_every))
        for key, (settings, task) in list(self._tasks.items()):
            if key not in wanted or wanted[key][0] != settings:
                task.cancel()
                del self._tasks[key]
                self._forget(*key)
        for key, (settings, work) in wanted.items():
            if key in self._tasks:
                work.close()
            else:
                self._tasks[key] = (settings, self._begin(key, work))

    async def stop(self) -> None:
        """End all of them, in the middle of what they do: what they fetched is stored or will be fetched again."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def opt_out_watch(self, account: str, accounts: frozenset[str] | None = None) -> OptOutWatch:
        """What reads an account's list. accounts: all that have a list of their own; None: this one."""
        return OptOutWatch(
            account=account, accounts=accounts or frozenset({account}), calls=self._accounts.polls(account),
            clock=self._clock, lists=self._opt_out_lists,
        )  # fmt: skip

    def _catch_up(self, account: str) -> CatchUp:
        return CatchUp(
            account=account, calls=self._accounts.polls(account), journal=self._journal, clock=self._clock,
            stats=self._stats, take=self._worker.take,
        )  # fmt: skip

    def _begin(self, key: tuple[str, str], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda ended: self._ended(key, ended))
        return task

    def _ended(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:  # our bug: the others go on
            self._stats.internal_errors += 1
            log.error("internal error in a timer; it runs again after a reload", timer=key, exc_info=error)
            self._tasks.pop(key, None)

    def _forget(self, kind: str, account: str) -> None:
        """What a timer that has ended said is no longer known to be so."""
        if kind == "drift":
            self._stats.drift.pop(account, None)
        self._stats.troubles.pop(kind if account == DEFAULT_ACCOUNT else f"{kind}:{account}", None)
