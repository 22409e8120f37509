"""What daemons are killed on: a project, the simulated Sinch and a URL in this process, and customers' connections.

Provider and URL outlive the daemons, so they remember what has arrived, and how often.
"""

import asyncio
import contextlib
import json
import random
import shutil
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import apsw
import uvicorn

from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.provider import SimulatedSinch
from tests.proof._zygote import ADMIN_TOKEN, Daemon, zygote

HOOK_TOKEN = "hook-token-of-the-proof"
SHOP_TOKEN = "shop-token-of-the-proof"
OUR_NUMBER = "+61491593156"
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: hook-token-of-the-proof}
source_number: "+61491593156"
outbound: {allow: [127.0.0.1]}
"""
#: Nobody waits this long, unless something is stuck.
PATIENCE_S = 30.0
_WAITING = (
    "SELECT (SELECT count(*) FROM unrouted), (SELECT count(*) FROM run WHERE status = 'running'), "
    "(SELECT count(*) FROM send WHERE is_open)"
)


class Lost(Exception):
    """The connection was refused, or broke before the answer was there."""


class Wire:
    """A connection to the daemon, made again when it broke. One exchange at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._turn = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def exchange(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Lost."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(content)}"]
        lines += [
            f"{name}: {value}" for name, value in ({"Content-Type": "application/json"} | dict(headers or {})).items()
        ]
        request = "\r\n".join([*lines, "", ""]).encode() + content
        try:
            async with self._turn, asyncio.timeout(PATIENCE_S):
                if self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
                assert self._reader is not None
                self._writer.write(request)
                head = await self._reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                return int(head.split(b" ", 2)[1]), await self._reader.readexactly(length)
        except (OSError, EOFError, ValueError, RuntimeError) as error:  # uvloop's word for a closed transport
            self.close()
            raise Lost from error

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Url:
    """The server that `http` steps call. requests: path, headers (lower case) and JSON body of each, in order.

    answer: the status for a request and how long it takes (seconds); it has been noted before.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.counts: Counter[tuple[str, str]] = Counter()  #: by path and the body's `id`
        self.answer: Callable[[str, Any], tuple[int, float]] = lambda path, body: (204, 0.0)
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or b"null")
                path = first.split(" ")[1]
                self.requests.append((path, headers, body))
                self.counts[path, body["id"]] += 1
                status, delay_s = self.answer(path, body)
                if delay_s:
                    await asyncio.sleep(delay_s)
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


class Ground:
    """See the module's text. `data` may be exchanged between two daemons: a new journal, the same provider."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.sim = SimulatedSinch(
            api_key="key", api_secret="s3cret", receipts=False, timeline=Timeline(enroute_s=None, submitted_s=None)
        )
        self.url = Url()
        self.base = ""
        self.daemon: Daemon | None = None
        self.texts: dict[str, list[str]] = {}  #: what each number was sent, in order
        self.port, self.admin_port = _free_ports(2)
        self._admin = Wire(self.admin_port)

    def wire(self) -> Wire:
        """A connection of its own to the webhook port."""
        return Wire(self.port)

    def project(self, settings: str, flows: str) -> None:
        """Write the project; BASE and URL stand for the provider and the URL."""
        (self.root / "flows").mkdir(parents=True, exist_ok=True)
        (self.root / "sinchflow.yaml").write_text((SETTINGS + settings).replace("BASE", self.base))
        (self.root / "flows/load.yaml").write_text(flows.replace("URL", self.url.url))

    def renew(self, name: str) -> None:
        """A new journal, and nothing remembered."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data = self.root / name
        self.sim.reset()
        self.texts.clear()
        self.url.requests.clear()
        self.url.counts.clear()

    def fork(self, **more: Any) -> Daemon:
        """Begin a daemon; it is not ready yet."""
        self.daemon = zygote().fork(
            root=self.root, data=self.data, port=self.port, admin_port=self.admin_port,
            log=self.root / "daemon.log", **more,
        )  # fmt: skip
        return self.daemon

    async def ready(self) -> None:
        """Until the daemon is ready, or over."""
        assert self.daemon is not None
        while not self.daemon.is_over.is_set():
            with contextlib.suppress(Lost):
                if (await self._admin.exchange("GET", "/ready"))[0] == 200:
                    return
            await asyncio.sleep(0.01)

    async def admin(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask the daemon as an operator would. Raises Lost."""
        status, content = await self._admin.exchange(method, path, body, {"Authorization": f"Bearer {ADMIN_TOKEN}"})
        return status, json.loads(content)

    # --- the journal ------------------------------------------------------------------------------------------------

    def ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the journal; none while it cannot be read: it is being made, or its maker has died."""
        try:
            connection = apsw.Connection(str(self.data / "journal.sqlite3"), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.CantOpenError:
            return []
        try:
            connection.set_busy_timeout(2000)
            return list(connection.execute(question, values))
        except (apsw.SQLError, apsw.ReadOnlyError):
            return []
        finally:
            connection.close()

    def waiting(self) -> tuple[int, int, int]:
        """Events not routed, runs that are open, sends that are open. While nobody can tell, there is an event."""
        rows = self.ask(_WAITING)
        return rows[0] if rows else (1, 0, 0)  # type: ignore[return-value]

    def damage(self) -> str | None:
        """What SQLite finds wrong with the journal as a crash left it. On a copy: to open it would mend it."""
        copy = self.root / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for suffix in ("", "-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(self.data / f"journal.sqlite3{suffix}", copy)
        if not (copy / "journal.sqlite3").exists():
            return None
        try:
            connection = apsw.Connection(str(copy / "journal.sqlite3"))
            found = connection.pragma("integrity_check")
            connection.close()
        except apsw.Error as error:
            return str(error)
        return None if found == "ok" else str(found)

    # --- the provider -----------------------------------------------------------------------------------------------

    def sent_ids(self) -> Counter[str]:
        """How often the provider took each message of ours."""
        return Counter((message.metadata or {}).get("sinchflow_id", "?") for message in self.sim.messages)

    def log(self) -> str:
        """What daemons have said."""
        file = self.root / "daemon.log"
        return file.read_text() if file.exists() else ""

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator["Ground"]:
        """With provider, URL and zygote."""
        self.sim.subscribe(
            lambda message: self.texts.setdefault(message.destination_number, []).append(message.content)
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(self.sim, log_level="critical", access_log=False, timeout_graceful_shutdown=1)  # type: ignore[arg-type]
        )
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
        serving = asyncio.create_task(server.serve([listener]))
        url = await asyncio.start_server(self.url.serve, "127.0.0.1", 0)
        self.url.url = f"http://127.0.0.1:{url.sockets[0].getsockname()[1]}"
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            zygote()
            yield self
        finally:
            if self.daemon is not None:
                await self.daemon.kill()
            self._admin.close()
            url.close()
            server.should_exit = True
            await serving


def _free_ports(count: int) -> list[int]:
    """Below those that the kernel gives to outgoing connections: nobody takes them between two daemons."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randint(15_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found
