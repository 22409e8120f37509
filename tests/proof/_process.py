"""One life of a daemon in a simulation: the real parts, put together as `Daemon` does, without sockets or threads."""

from collections.abc import Callable
from typing import Any

import httpx

from sinchflow.engine.retrying import CannotRetry
from sinchflow.model.command import Outcome, Woken
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.connections import Connection
from sinchflow.runtime.core import Core
from sinchflow.runtime.daemon import _GRACE, _longest_memory
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.retries import _look
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.timers import Timers
from sinchflow.sinch.client import BasicKey, Client
from tests.proof._disk import Disk, DiskJournal
from tests.proof._outside import Outside, ProviderTransport, UrlTransport
from tests.proof._projects import TOKEN
from tests.proof._virtual import SkewedClock, TimeLine, VirtualLoop


class Process:
    """From a start to a crash or a stop. breaks: told of what must not be."""

    def __init__(
        self, *, disk: Disk, outside: Outside, catalog: Catalog, line: TimeLine, skew_s: Callable[[], float],
        breaks: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.loop = loop = VirtualLoop(line)
        self.clock = clock = SkewedClock(loop, line, skew_s)
        self.stats = stats = Stats()
        self.journal = journal = DiskJournal(disk, loop)
        self._breaks = breaks
        self.is_stopped = False
        self.dialler = Dialler(catalog.project.outbound_allow, lambda _: UrlTransport(outside, loop))
        core = Core(
            journal=journal, clock=clock, stats=stats, loop=loop, catalog=catalog, dialler=self.dialler,
            client_of=lambda connection: _client(connection, outside, loop),
        )  # fmt: skip
        self.commits, self.switch, self.worker = core.commits, core.switch, core.worker
        worker = self.worker
        snapshot = journal.load(clock.now() - _longest_memory(catalog))
        self.accounts = accounts = core.connect(snapshot)
        self.ingress = core.ingress(worker.take)
        commands = worker._runs._commands
        commands._tell = self._checked(commands._tell)
        self.timers = Timers(
            accounts=accounts, journal=journal, worker=worker, clock=clock, stats=stats, check_drift=None
        )
        worker.resume(snapshot)
        loop.call_soon(lambda: self.timers.set(catalog, is_start=True))

    def _checked(self, tell: Callable[[int, Outcome], None]) -> Callable[[int, Outcome], None]:
        """Whoever sleeps or waits is not woken before its time."""

        def told(run_id: int, outcome: Outcome) -> None:
            active = self.worker._runs._active.get(run_id)
            if isinstance(outcome, Woken) and active is not None:
                for cursor in active.run.cursors:
                    for command in cursor.commands:
                        until = getattr(command, "until", None)
                        if command.id == outcome.command and until is not None and until > self.clock.now():
                            self._breaks(f"run {run_id} was woken at {self.clock.now()}, not at {until}")
            tell(run_id, outcome)

        return told

    # --- what reaches it --------------------------------------------------------------------------------------------

    def post(self, kind: str, body: bytes, answered: Callable[[int], None]) -> None:
        """A webhook request; `answered` gets the status once it leaves."""
        scope = {
            "type": "http", "method": "POST", "path": f"/hooks/{TOKEN}/{kind}", "query_string": b"", "headers": [],
            "raw_path": b"",
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered(message["status"])

        self.loop.create_task(self.ingress(scope, receive, send))

    def swap(self, catalog: Catalog) -> None:
        """As `Daemon` does after a reload."""
        self.worker.catalog = catalog
        self.accounts.connect(catalog.connections, anew=True)
        self.loop.call_soon(self.timers.set, catalog)

    def retry(self, run_id: int) -> str:
        """`runs retry`; what came of it."""
        with_stories = self.journal.stories()
        run = with_stories.run(run_id)
        if run is None:
            return "gone"
        try:
            self.worker.retries.retry(_look(with_stories, run))
        except CannotRetry as refusal:
            return str(refusal)
        self.commits.flush_soon()
        return "retried"

    def stop(self) -> None:
        """As `Daemon` does at SIGTERM; `is_stopped` once it is done."""

        async def stop() -> None:
            await self.timers.stop()
            self.accounts.stop_questions()
            await self.worker.settling.stop()
            await self.worker.stop(_GRACE)
            await self.accounts.stop()
            await self.commits.drain()
            self.is_stopped = True

        self.loop.create_task(stop())

    # --- what is seen of it -----------------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is to be stored, so that memory and disk must agree."""
        is_stored = self.journal.is_quiet and not self.commits._is_scheduled and not self.commits._failed
        return is_stored and not self.loop.ready

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is open any more."""
        return self.is_quiet and not self.worker.open_runs and self.worker.is_idle and not len(self.worker.settling)

    def differences(self) -> list[str]:
        """Where a start would take up something else than what is in memory. Only while it is quiet."""
        stored = {run.id: run for run in self.journal.load(self.clock.now()).runs}
        memory = {run_id: active.run for run_id, active in self.worker._runs._active.items() if active.is_stored}
        differing = [run_id for run_id in stored.keys() | memory.keys() if stored.get(run_id) != memory.get(run_id)]
        return [f"run {run_id}: on disk {stored.get(run_id)}, in memory {memory.get(run_id)}" for run_id in differing]

    def crash(self) -> None:
        """Gone between two callbacks."""
        self.journal.crash()
        self.loop.kill()


def _client(connection: Connection, outside: Outside, loop: VirtualLoop) -> Client:
    key = BasicKey(api_key=connection.api_key, api_secret=connection.api_secret)
    transport: httpx.AsyncBaseTransport = ProviderTransport(outside, loop)
    return Client(connection.base_url, key, transport=transport)
