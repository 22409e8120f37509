"""What every driver of the runtime is made of: a worker with its accounts, over one journal, clock and catalog.

The daemon adds its ports and timers, transcript tests a stage. First the parts are made, so that others may follow what
they do; then `connect` takes up what the journal holds; then events may come in.
"""

import asyncio
from collections.abc import Callable

from sinchflow.journal.journal import Journal, Snapshot
from sinchflow.model.event import Event
from sinchflow.runtime.accounts import Accounts
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.connections import Connection, open_client
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.flow_calls import FlowCalls
from sinchflow.runtime.ingress import Ingress
from sinchflow.runtime.schedules import Schedules
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.switch import Switch
from sinchflow.runtime.worker import Worker
from sinchflow.sinch.client import Client


class Core:
    """See the module's text. On the loop's thread only. client_of: how an account is reached."""

    def __init__(
        self, *, journal: Journal, clock: Clock, stats: Stats, loop: asyncio.AbstractEventLoop, catalog: Catalog,
        dialler: Dialler, client_of: Callable[[Connection], Client] = open_client,
    ) -> None:  # fmt: skip
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._client_of = client_of
        self.commits = Commits(journal, clock, stats, loop)
        self.switch = Switch(journal=journal, commits=self.commits, stats=stats)
        self.worker = Worker(
            journal=journal, commits=self.commits, clock=clock, stats=stats, loop=loop, catalog=catalog, dialler=dialler
        )
        self.schedules = Schedules(
            journal=journal, commits=self.commits, clock=clock, stats=stats, take=self.worker.take
        )

    def connect(self, snapshot: Snapshot) -> Accounts:
        """Connect the accounts; nothing leaves before `worker.resume`. snapshot: what the journal held at the start."""
        worker, catalog = self.worker, self.worker.catalog
        accounts = Accounts(
            journal=self._journal, commits=self.commits, clock=self._clock, stats=self._stats, loop=self._loop,
            settle=worker.settle, refusal=worker.refusal, settling=worker.settling, switch=self.switch,
            calls=snapshot.calls, unanswered=snapshot.unanswered_calls, client_of=self._client_of,
        )  # fmt: skip
        accounts.connect(catalog.connections)
        worker.connect(accounts)
        return accounts

    def ingress(self, take: Callable[[Event], None]) -> Ingress:
        """The door for webhooks. take: what becomes of an event that is stored."""
        worker = self.worker
        flow_calls = FlowCalls(
            journal=self._journal, clock=self._clock, stats=self._stats, starts=worker.starts,
            catalog=lambda: worker.catalog,
        )  # fmt: skip
        return Ingress(
            journal=self._journal, clock=self._clock, stats=self._stats, loop=self._loop,
            guard=lambda: worker.catalog.guard, take=take, flow_calls=flow_calls,
        )  # fmt: skip
