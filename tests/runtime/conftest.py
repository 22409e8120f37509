"""What the runtime's tests stand on: a clock that only moves when told to, a daemon with real parts at its edges,
and a URL that answers as each test wants."""

import asyncio
import heapq
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.command import SendMessage
from sinchflow.model.project import Limits, Sends
from sinchflow.model.send import Send
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.daemon import Daemon, Options
from sinchflow.runtime.line import Line, Rank
from sinchflow.runtime.outbox import Outbox
from sinchflow.runtime.settle import Settling
from sinchflow.runtime.settled import Settled
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.switch import Switch
from sinchflow.runtime.window import CallWindow
from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.client import BasicKey, Client, Timeouts

TOKEN = "hook-token-of-the-test"
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: hook-token-of-the-test}
source_number: "+61491593156"
outbound: {allow: [127.0.0.1]}
policy: {max_sends_per_contact: off}
limits: {calls: off}
"""
#: Generous, because the machine may be busy; a test that passes never waits this long.
PATIENCE_S = 60.0


class VirtualClock:
    """A `Clock` that stands still until `advance`; `set` is what an operator, or NTP, does to the wall clock."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)) -> None:
        self._steady = now
        self._ahead = timedelta()
        self._by_wall: list[tuple[datetime, int, Callable[[], None]]] = []
        self._by_steady: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.on_set_back: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return self._steady + self._ahead

    def steady(self) -> datetime:
        return self._steady

    def call_at(self, when: datetime, call: Callable[[], None]) -> None:
        heapq.heappush(self._by_wall, (when, next(self._order), call))

    def call_after(self, span: timedelta, call: Callable[[], None]) -> None:
        heapq.heappush(self._by_steady, (self._steady + span, next(self._order), call))

    def next_due(self) -> datetime | None:
        """When the next call is due, by the steady time; None: nothing is."""
        walls = [self._by_wall[0][0] - self._ahead] if self._by_wall else []
        return min([*walls, *(due for due, _, _ in self._by_steady[:1])], default=None)

    def advance(self, duration: timedelta) -> None:
        """Let time pass; what is due on the way is called at its time."""
        end = self._steady + duration
        while (when := self.next_due()) is not None and when <= end:
            is_wall = bool(self._by_wall) and self._by_wall[0][0] - self._ahead == when
            self._steady = max(self._steady, when)
            heapq.heappop(self._by_wall if is_wall else self._by_steady)[2]()
        self._steady = end

    def set(self, to: datetime) -> None:
        """Set the wall clock; what it passes over is called with the next `advance`."""
        is_back = to < self.now()
        self._ahead = to - self._steady
        for tell in self.on_set_back if is_back else ():
            tell()


async def _eventually(holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """What `holds` gives once it is true; fails when it stays false."""
    deadline = time.monotonic() + patience_s
    while True:
        result = holds()
        if isinstance(result, Awaitable):
            result = await result
        if result:
            return result
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


class Url:
    """A loopback server that keeps each request and gives the next of `answers` as raw bytes, the last one for ever.

    An answer may be a function of the request, also an async one; None closes the connection, "hang" never answers.
    """

    def __init__(self, *answers: Any) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self.port = 0
        self._answers = list(answers) or [response()]
        self._over = asyncio.Event()

    def bodies(self) -> list[Any]:
        return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line]
            request = head + await reader.readexactly(lengths[0] if lengths else 0)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            self.requests.append(request)
            if callable(answer):
                answer = answer(request)
            if isinstance(answer, Awaitable):
                answer = await answer
            if answer == "hang":
                await self._over.wait()
            elif answer is None:
                writer.transport.abort()
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Url"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        try:
            yield self
        finally:
            self._over.set()
            server.close()
            await server.wait_closed()


def response(body: bytes = b"", status: int = 200, content_type: str = "text/plain", **headers: str) -> bytes:
    """A whole HTTP answer that ends its connection."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def _serve(sim: SimulatedSinch, port: int = 0) -> AsyncIterator[str]:
    import socket

    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(sim, log_level="critical", access_log=False, timeout_graceful_shutdown=1)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


class House:
    """A project on disk, the simulated Sinch that it talks to, and daemons on its journal."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sim = SimulatedSinch(
            api_key="key", api_secret="s3cret", receipts=False, timeline=Timeline(enroute_s=None, submitted_s=None)
        )
        self.base = "http://127.0.0.1:9"
        self.daemon: Daemon
        self._count = 0
        (root / "flows").mkdir(exist_ok=True)

    def settings(self, text: str = SETTINGS, **changes: str) -> None:
        """Write sinchflow.yaml; a change replaces the line that begins with its name, or is added."""
        lines = {line.partition(":")[0]: line for line in text.splitlines()}
        lines.update((name, f"{name}: {value}") for name, value in changes.items())
        (self.root / "sinchflow.yaml").write_text("\n".join(lines.values()).replace("BASE", self.base) + "\n")

    def flow(self, text: str, file: str = "flow.yaml") -> Path:
        path = self.root / "flows" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["House"]:
        """A daemon, started and stopped."""
        options = Options(root=self.root, data=self.root / ".sinchflow", port=0, admin_port=0)
        daemon = Daemon(options)
        await daemon.start()
        self.daemon = daemon
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as self.http:
                yield self
        finally:
            await daemon.stop()

    async def post(self, body: Any, *, path: str = f"/hooks/{TOKEN}/inbound", **how: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(f"http://127.0.0.1:{self.daemon.port}{path}", content=content, **how)

    async def text_in(self, content: str, sender: str = "+61491570156", **fields: Any) -> httpx.Response:
        """A customer texts us; must be acknowledged."""
        self._count += 1
        body = {
            "reply_id": f"r{os.getpid()}-{time.time_ns()}-{self._count}",
            "source_address": sender,
            "destination_address": "+61491593156",
            "content": content,
            **fields,
        }
        answer = await self.post(body)
        assert answer.status_code == 202
        return answer

    async def admin(self, path: str, method: str = "GET", token: str | None = None, **how: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.daemon.token}"}
        url = f"http://127.0.0.1:{self.daemon.admin_port}{path}"
        return await self.http.request(method, url, headers=headers, **how)

    async def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.admin("/health")).json()
        return answer

    async def sends(self, *states: str) -> list[dict[str, Any]]:
        """The daemon's own list, oldest first."""
        query = "&".join(["limit=1000", *(f"state={state}" for state in states)])
        return list(reversed((await self.admin(f"/api/sends?{query}")).json()["sends"]))

    async def states(self) -> dict[str, str]:
        """State by recipient."""
        return {send["to"]: send["state"] for send in await self.sends()}

    def got(self) -> list[tuple[str, str]]:
        """Recipient and text of each message that the provider took."""
        return [(message.destination_number, message.content) for message in self.sim.messages]


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that only moves when told to."""
    return VirtualClock()


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """`await eventually(lambda: condition)`: bounded, polls."""
    return _eventually


@pytest.fixture
def answering() -> Callable[..., AbstractAsyncContextManager[Url]]:
    """`async with answering(raw bytes, …) as url`."""
    return lambda *answers: Url(*answers).running()


@pytest.fixture
def respond() -> Callable[..., bytes]:
    """Make a whole HTTP answer."""
    return response


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[str]]:
    """Serve a simulated Sinch on loopback, on a port of choice."""
    return _serve


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A project folder with its simulated Sinch, not yet served."""
    return House(tmp_path)


@pytest.fixture
def play(house: House) -> Callable[[Callable[[House], Awaitable[None]]], None]:
    """Run a scenario against a daemon at work with a simulated Sinch on loopback."""

    def run(scenario: Callable[[House], Awaitable[None]], **settings: str) -> None:
        async def whole() -> None:
            async with asyncio.timeout(60), _serve(house.sim) as house.base:
                house.settings(**settings)
                async with house.at_work():
                    await scenario(house)

        asyncio.run(whole())

    return run


@pytest.fixture
def scene(house, serve):
    """Run a scenario with a simulated Sinch, but no daemon yet."""

    def run(scenario, **settings):
        async def whole():
            async with asyncio.timeout(60), serve(house.sim) as house.base:
                house.settings(**settings)
                await scenario()

        asyncio.run(whole())

    return run


RIGHT_KEY = BasicKey(api_key="key", api_secret="s3cret")
NO_LIMIT = Limits(calls=None)
HOLDING = Sends(on_unknown="hold")
SOON = Timeouts(connect_s=2, read_s=0.2, write_s=2, pool_s=2, call_s=3)


class Desk:
    """An outbox and its journal; keeps what became of each send. Those of unknown outcome are held, unless `rules` say
    otherwise."""

    def __init__(self, clock, base_url: str, limits: Limits, key: BasicKey = RIGHT_KEY, rules: Sends = HOLDING) -> None:
        loop = asyncio.get_running_loop()
        self.clock = clock
        self.stats = Stats()
        self.base_url = base_url
        self.limits = limits
        self.journal = MemoryJournal(loop.call_soon)
        self.commits = Commits(self.journal, clock, self.stats, loop)
        self.outcomes: dict[str, list] = {}
        self.clients = [Client(base_url, key, timeouts=SOON)]
        self.settling = Settling(
            journal=self.journal, commits=self.commits, clock=clock, stats=self.stats, loop=loop, rules=lambda: rules,
            settle=self._settle, work=lambda send: None, rest=lambda send: None, wanted_by=lambda send: "flow",
        )  # fmt: skip
        self.switch = Switch(journal=self.journal, commits=self.commits, stats=self.stats)
        self.outbox = Outbox(
            account="default", client=self.clients[0], window=CallWindow(limits), journal=self.journal,
            commits=self.commits, clock=clock, stats=self.stats, loop=loop, settle=self._settle,
            refusal=lambda send: None, settling=self.settling, switch=self.switch,
        )  # fmt: skip
        self.switch.on_resume.append(self.outbox.look_again)
        self.line = Line(
            account="default", trouble="provider", client=self.clients[0], window=CallWindow(limits),
            has_sends=lambda: self.outbox.has_ready, answered=self.outbox.heard, journal=self.journal,
            commits=self.commits, clock=clock, stats=self.stats, loop=loop,
        )  # fmt: skip
        self.settling.connect(lambda account: self.line.calls(Rank.LOOK_UP), self.outbox.put_back)

    def _settle(self, settled: Sequence[Settled]) -> None:
        for send, outcome in settled:
            self.commits.unit.sends.append(send)
            if outcome is not None:
                self.outcomes.setdefault(send.command.to, []).append(outcome)
        self.commits.flush_soon()

    def send(self, *recipients: str, text: str = "Hello", age: timedelta = timedelta(), **command) -> None:
        """Store intents and hand them over."""
        for to in recipients:
            send_id = self.journal.new_id()
            body = {"content": text, "destination_number": to}
            asked = SendMessage(id=f"1:{send_id}", account="default", to=to, body=body, **command)
            send = Send(id=send_id, run=1, command=asked, state="queued", created_at=self.clock.now() - age)
            self.commits.unit.new_sends.append(send)
            self.commits.unit.thens.append(lambda send=send: self.outbox.put(send))
            self.commits.flush_soon()

    def states(self) -> dict[str, str]:
        return {each.to: each.state for each in self.journal.sends((), 1_000)}

    def reasons(self) -> str:
        return " | ".join(sorted({each.reason or "" for each in self.journal.sends((), 1_000)}))

    def reconnect(self, key: BasicKey = RIGHT_KEY) -> None:
        self.clients.append(Client(self.base_url, key, timeouts=SOON))
        self.outbox.reconnect(self.clients[-1], self.limits)

    async def settle_down(self) -> None:
        """Wait until no call is under way and all is stored."""
        async with asyncio.timeout(10):
            while True:
                for _ in range(20):
                    await asyncio.sleep(0)
                await self.commits.drain()
                looks = {each._task for each in self.settling._look_ups.values() if each._task is not None}
                calls = self.outbox._calls | looks
                if calls:
                    await asyncio.wait(calls)
                elif not self.outbox._starting:
                    return

    async def advance(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        await self.settle_down()

    async def close(self) -> None:
        await self.settling.stop()
        for client in self.clients:
            await client.close()


@pytest.fixture
def desk(clock, serve):
    """`async with desk() as (desk, sim)`."""

    @asynccontextmanager
    async def opened(limits: Limits = NO_LIMIT, key: BasicKey = RIGHT_KEY, **how):
        sim = SimulatedSinch(api_key="key", api_secret="s3cret", receipts=False, now=lambda: clock.now().timestamp())
        async with asyncio.timeout(30), serve(sim) as url:
            desk = Desk(clock, url, limits, key, **how)
            try:
                yield desk, sim
            finally:
                await desk.close()

    return opened


@pytest.fixture
def new_desk() -> type[Desk]:
    """Makes a desk whose provider is at another address."""
    return Desk
