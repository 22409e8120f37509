"""The daemon: puts the parts together, listens, and takes them apart again in the right order.

`Daemon` can be embedded in a loop that somebody else runs (`dev`, tests); `serve` is the whole of `sinchflow run`.

Start: settings and flows, journal (lock), ports, then what a former process left is taken up, then the doors open.
Stop: the doors close, calls under way end and are stored, the journal closes. What is queued goes on at the next start.
"""

import asyncio
import contextlib
import gc
import os
import secrets as random_secrets
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import uvloop
from starlette.routing import BaseRoute

from sinchflow.errors import CannotStart
from sinchflow.journal.journal import Snapshot
from sinchflow.journal.sqlite import SqliteJournal
from sinchflow.runtime import logs
from sinchflow.runtime.admin import Admin
from sinchflow.runtime.allowances import longest_memory
from sinchflow.runtime.catalog import Catalog, Overrides
from sinchflow.runtime.chronicle import Chronicle
from sinchflow.runtime.clock import Clock, SystemClock
from sinchflow.runtime.contacts_api import ContactsApi
from sinchflow.runtime.core import Core
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.drift import CheckDrift
from sinchflow.runtime.events_api import EventsApi
from sinchflow.runtime.looks import Looks
from sinchflow.runtime.metrics import Gauges, Metrics
from sinchflow.runtime.notify import Notifier, status_of
from sinchflow.runtime.quarantine import Quarantine
from sinchflow.runtime.reload import Loader, Reloader
from sinchflow.runtime.resolve_api import ResolveApi
from sinchflow.runtime.restored_api import RestoredApi
from sinchflow.runtime.retention import Keeping
from sinchflow.runtime.runs_api import RunsApi
from sinchflow.runtime.secrets import Secrets, conceal
from sinchflow.runtime.servers import allow_many_files, listen, open_server
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.status_api import StatusApi
from sinchflow.runtime.timers import Timers
from sinchflow.runtime.tracing import begin_tracing
from sinchflow.runtime.why_api import WhyApi

if TYPE_CHECKING:
    import httpx

log = structlog.get_logger("sinchflow")

#: Calls under way may end within this time of SIGTERM; systemd's and Docker's own patience is 90 s and 10 s.
_GRACE = timedelta(seconds=8)
#: Threads take turns this often: the journal's writer must not wait for the loop's thread for long. Seconds.
_SWITCH_INTERVAL_S = 0.0002

#: Objects of the hot path die by reference count; looking for cycles every 700 allocations finds nothing.
_GC_THRESHOLDS = (20_000, 20, 50)

DISCOVERY_FILE = "daemon.json"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where the daemon works and listens. Port 0 takes any free one."""

    root: Path
    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    admin_host: str = "127.0.0.1"
    admin_port: int = 8081
    admin_names: tuple[str, ...] = ()  #: by which the admin port is asked, beside `localhost` and addresses
    admin_token: str | None = None  #: None: made up at each start


class Daemon:
    """One daemon on one journal. `start`, then `stop`; not to be started twice.

    overrides: in the place of the project's connection, token and number (`dev`).
    transport: wraps the transport of `http` steps; gets the one that checks addresses (`dev`).
    routes: more pages of the admin port.
    check_drift: compares webhooks at the provider with the project's (`deploy`, a floor above); None: nobody does.
    clock: time as everything in here sees it; None: the machine's.
    is_detailed: every step of the normal course is logged (level debug).
    """

    def __init__(
        self,
        options: Options,
        *,
        overrides: Overrides | None = None,
        transport: "Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None" = None,
        routes: Sequence[BaseRoute] = (),
        check_drift: CheckDrift | None = None,
        clock: Clock | None = None,
        is_detailed: bool = False,
    ) -> None:
        self._options = options
        self._overrides = overrides
        self._transport = transport
        self._routes = routes
        self._check_drift = check_drift
        self._clock = clock
        self._chronicle = Chronicle(is_detailed=is_detailed)
        self._is_ready = False
        self.stats = Stats()
        self.token = options.admin_token or random_secrets.token_urlsafe(24)
        self.port = options.port
        self.admin_port = options.admin_port

    @property
    def is_ready(self) -> bool:
        """Whether the start is done and the stop has not begun."""
        return self._is_ready

    async def start(self) -> None:
        """Start, or raise CannotStart and leave nothing behind."""
        async with contextlib.AsyncExitStack() as undo:
            await self._start(undo)
            self._undo = undo.pop_all()

    async def stop(self) -> None:
        """Close the doors, let what is in hand end, store it, and release everything."""
        self._is_ready = False
        await self._undo.aclose()

    async def _start(self, undo: contextlib.AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        options, stats = self._options, self.stats
        clock = self._clock or SystemClock(loop)
        self._started_at = clock.now()
        self.journal = journal = SqliteJournal(options.data, loop)
        undo.callback(journal.close)
        self._loader = Loader(options.root, journal.source, self._overrides)
        catalog = self._loader.load()
        listener = undo.enter_context(listen(options.host, options.port, "--port"))
        admin_listener = undo.enter_context(listen(options.admin_host, options.admin_port, "--admin-port"))
        self.port, self.admin_port = listener.getsockname()[1], admin_listener.getsockname()[1]

        self._dialler = dialler = Dialler(catalog.project.outbound_allow, self._transport)
        core = Core(journal=journal, clock=clock, stats=stats, loop=loop, catalog=catalog, dialler=dialler)
        commits, self.switch, self.worker, self._schedules = core.commits, core.switch, core.worker, core.schedules
        worker = self.worker
        undo.push_async_callback(_within, commits.drain, _GRACE)
        undo.push_async_callback(dialler.close)
        self._chronicle.follow(worker, commits, stats)
        tracing = begin_tracing(os.environ, identity=journal.identity, clock=clock, worker=worker, dialler=dialler)
        if tracing is not None:
            undo.push_async_callback(tracing.close)
        now = clock.now()
        snapshot = journal.load(now - _longest_memory(catalog))
        self._accounts = core.connect(snapshot)
        undo.push_async_callback(self._accounts.close)
        undo.push_async_callback(_within, self._accounts.stop, _GRACE)
        undo.push_async_callback(worker.stop, _GRACE)
        undo.callback(self._accounts.stop_questions)
        undo.push_async_callback(worker.settling.stop)
        self._reloader = Reloader(options.root, self._loader, stats, self._swap)
        looks = Looks(journal.path, clock)
        metrics = Metrics(
            stats, self._gauges(), accounts=lambda: self._accounts.overview(clock.now()), commits=journal.meter
        )

        async def render() -> bytes:
            return metrics.render(await looks.survey(is_brief=True), clock.now())

        runs_api = RunsApi(path=journal.path, journal=journal, commits=commits, clock=clock, worker=worker)
        quarantine = Quarantine(
            path=journal.path, journal=journal, commits=commits, clock=clock, stats=stats,
            project=lambda: worker.catalog.project, take=self._chronicle.taking(worker.take),
        )  # fmt: skip
        quarantine.note(journal.quarantined())
        admin = Admin(
            token=self.token, journal=journal, worker=worker, stats=stats, is_ready=lambda: self._is_ready,
            metrics=render, reload=self._reloader.reload, routes=self._routes,
            names=[name.lower() for name in (options.admin_host, *options.admin_names)],
            apis=[
                ContactsApi(journal=journal, commits=commits, clock=clock, worker=worker),
                RestoredApi(journal=journal, commits=commits, clock=clock, stats=stats, worker=worker),
                ResolveApi(
                    journal=journal, commits=commits, clock=clock, settling=worker.settling,
                    resolve_call=worker.resolve_call,
                ),
                runs_api,
                EventsApi(path=journal.path, worker=worker, quarantine=quarantine),
                WhyApi(path=journal.path, worker=worker, switch=self.switch, stats=stats, clock=clock),
                StatusApi(
                    root=options.root, looks=looks, commits=commits, clock=clock, stats=stats, worker=worker,
                    accounts=self._accounts, switch=self.switch, addresses=self._addresses,
                ),
            ],
        )  # fmt: skip
        ingress = core.ingress(self._chronicle.taking(worker.take))
        self._take_up(snapshot)
        await open_server(undo, ingress, listener, refused=self._refused, share=0.9)
        await open_server(undo, admin.app, admin_listener, refused=self._refused, share=0.1)
        undo.callback(runs_api.stop)
        watching = asyncio.create_task(self._reloader.watch())
        undo.callback(watching.cancel)
        self._timers = Timers(
            accounts=self._accounts, journal=journal, worker=worker, clock=clock, stats=stats,
            check_drift=self._check_drift,
        )  # fmt: skip
        undo.push_async_callback(self._timers.stop)
        self._timers.set(catalog, is_start=True)
        undo.callback(self._schedules.stop)
        clock.on_set_back.append(self._schedules.plan_anew)
        self._schedules.start(catalog)
        self._keeping = Keeping(
            journal=journal, clock=clock, stats=stats, latest=snapshot.latest, then=quarantine.count_again
        )
        undo.callback(self._keeping.stop)
        self._keeping.set(catalog.project.retention, _longest_memory(catalog))
        self._announce(undo)
        self._is_ready = True
        loop.run_in_executor(None, dialler.warm_up)
        log.info(
            "ready", flows=len(catalog.flows), host=options.host, port=self.port, admin_port=self.admin_port,
            open_runs=len(snapshot.runs), journal=str(journal.path),
        )  # fmt: skip
        if self.switch.paused is not None:
            log.warning("sends are paused: `sinchflow resume` lets them leave", since=str(self.switch.paused.since))

    async def reload(self) -> str | None:
        """Read the project again; None when done, else why what was live stays live."""
        return await self._reloader.reload()

    def _take_up(self, snapshot: Snapshot) -> None:
        in_doubt = sum(send.call is not None for send in snapshot.sends)
        if in_doubt:
            words = "messages of unknown outcome: see `sinchflow sends list --state unknown --state held`"
            log.warning(words, count=in_doubt)
        self.worker.resume(snapshot)

    def _swap(self, catalog: Catalog) -> None:
        """The new catalog is live from here on."""
        self.worker.catalog = catalog
        self._dialler.allow(catalog.project.outbound_allow)
        self._accounts.connect(catalog.connections, anew=True)
        self._timers.set(catalog)
        self._schedules.set(catalog)
        self._keeping.set(catalog.project.retention, _longest_memory(catalog))

    def _gauges(self) -> Gauges:
        return {
            "open_runs": ("Runs that have not ended.", lambda: self.worker.open_runs),
            "waiting_events": ("Events that wait for their contact's runs.", lambda: self.worker.waiting_events),
            "backlog": ("1 while accepted events wait in the journal for room.", lambda: self.worker.has_backlog),
            "queued_sends": ("Sends that wait for a call.", lambda: self._accounts.queued),
            "flows": ("Flows that are live.", lambda: len(self.worker.catalog.flows)),
            "paused": ("1 while the switch holds all sends back.", lambda: float(self.switch.paused is not None)),
            "reload_refused": (
                "1 while the project's files have errors and older flows are live.",
                lambda: float("reload" in self.stats.troubles),
            ),
            "loaded_timestamp_seconds": ("When the flows that are live were loaded.", self._loaded_at),
        }

    def _refused(self, status: int) -> None:
        self.stats.refused_requests[status] += 1

    def _loaded_at(self) -> float:
        return (self.stats.last_reload_at or self._started_at).timestamp()

    def _addresses(self) -> dict[str, str]:
        options = self._options
        return {"address": f"{options.host}:{self.port}", "admin_address": f"{options.admin_host}:{self.admin_port}"}

    def _announce(self, undo: contextlib.AsyncExitStack) -> None:
        """Write how commands reach us, for the owner's eyes only."""
        path = self._options.data / DISCOVERY_FILE
        content = msgspec.json.encode(
            {
                "pid": os.getpid(),
                "port": self.port,
                "admin_host": self._options.admin_host,
                "admin_port": self.admin_port,
                "token": self.token,
            }
        )
        fresh = path.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            fresh.replace(path)
        except OSError as error:
            raise CannotStart(
                f"{path} cannot be written ({error.strerror}): commands could not find the daemon"
            ) from error
        undo.callback(_forget, path)


def _longest_memory(catalog: Catalog) -> timedelta:
    """How far back throttle, brake and calls have to be known."""
    limits = [connection.limits.per for connection in catalog.connections.values()]
    spans = [*limits, *(flow.throttle.per for flow in catalog.flows.values() if flow.throttle)]
    return max(*spans, longest_memory(catalog.project.policy))


def _forget(path: Path) -> None:
    """Delete the file; on a disk that is read-only by now it stays, and commands find nobody at what it says."""
    with contextlib.suppress(OSError):
        path.unlink()


async def _within(work: Callable[[], Any], patience: timedelta) -> None:
    """Wait for `work`, but not for ever: at the end of a daemon a failing journal must not keep it alive."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience.total_seconds()):
            await work()


def serve(options: Options, settings: logs.LogSettings, check_drift: CheckDrift | None = None) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises CannotStart. check_drift: see `Daemon`."""
    Secrets.from_environment()  # none of them is logged, even before the project is read
    logs.configure(settings, conceal)
    allow_many_files()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Daemon(options, check_drift=check_drift, is_detailed=settings.is_detailed)))


async def _serve(daemon: Daemon) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(number: signal.Signals) -> None:
        if daemon.is_ready:
            stopping.set()
        else:  # it simply ends the process, as kill -9 would
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    gc.set_threshold(*_GC_THRESHOLDS)
    reloads: set[asyncio.Task[Any]] = set()
    notifier = Notifier(os.environ, loop, lambda: status_of(len(daemon.worker.catalog.flows), daemon.stats.troubles))
    is_asked_early = False

    def reload() -> None:
        nonlocal is_asked_early
        if not daemon.is_ready:
            is_asked_early = True
            return
        notifier.reloading()
        task = loop.create_task(daemon.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)
        task.add_done_callback(lambda _: notifier.reloaded())

    # before the start: without a handler this signal would end the process
    loop.add_signal_handler(signal.SIGHUP, reload)
    await daemon.start()
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked at again and again
    notifier.start()
    if is_asked_early:
        reload()
    await stopping.wait()
    log.info("stopping", open_runs=daemon.worker.open_runs)
    notifier.stopping()
    await daemon.stop()
    notifier.close()
    log.info("stopped")
