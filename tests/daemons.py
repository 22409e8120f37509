"""A daemon as users run it: the installed command as a process, and the project that it works in."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

SCRIPT = Path(sys.executable).parent / "sinchflow"
COMMAND = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "sinchflow"]
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")},
    "PYTHONPATH": str(Path(__file__).parents[1]),
    "SINCHFLOW_SECRET_API_SECRET": "s3cret",
    "SINCHFLOW_SECRET_HOOK_TOKEN": "hook-token-of-the-test",
    "SINCHFLOW_SECRET_CRM_TOKEN": "crm-token-of-the-test",
}
HOOKS = "/hooks/hook-token-of-the-test"
SETTINGS = """\
base_url: "{base}"
credentials: {{api_key: key, api_secret: "{{{{ secrets.API_SECRET }}}}"}}
webhooks: {{token: "{{{{ secrets.HOOK_TOKEN }}}}"}}
outbound: {{allow: [127.0.0.1]}}
limits: {limits}
sends: {{settling_time: 500ms, unknown_after: 15s}}
"""
OUR_NUMBER = "+61491593156"
PATIENCE_S = 60.0


@contextlib.contextmanager
def process(command: list[str], folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive the test; its output is in files, because nobody reads pipes."""
    with (folder / f"{name}.out").open("ab") as out, (folder / f"{name}.err").open("ab") as err:
        running = subprocess.Popen(command, env=ENVIRON, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder)
    try:
        yield running
    finally:
        running.kill()
        running.wait(timeout=PATIENCE_S)


async def eventually(holds: Callable[[], Awaitable[Any]]) -> Any:
    """What `holds` gives once it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (result := await holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
    return result


class House:
    """A project, its provider, and the daemon that works on it."""

    def __init__(self, folder: Path, http: httpx.AsyncClient) -> None:
        self.folder = folder
        self.http = http
        self.sinch = ""
        self.found: dict[str, Any] = {}

    @contextlib.asynccontextmanager
    async def daemon(self, *prefix: str) -> AsyncIterator[subprocess.Popen[bytes]]:
        """A daemon that is ready. prefix: a command that becomes it."""
        command = [*prefix, *COMMAND, "-C", str(self.folder), "run", "--port", "0", "--admin-port", "0"]
        with process(command, self.folder, "daemon") as running:

            async def is_ready() -> bool:
                assert running.poll() is None, (self.folder / "daemon.err").read_text()
                with contextlib.suppress(OSError, json.JSONDecodeError, httpx.TransportError):
                    self.found = json.loads((self.folder / ".sinchflow/daemon.json").read_text())
                    return self.found["pid"] == running.pid and (await self.admin("/ready")).status_code == 200
                return False

            await eventually(is_ready)
            yield running

    async def admin(self, path: str) -> httpx.Response:
        return await self.http.get(f"http://127.0.0.1:{self.found['admin_port']}{path}")

    async def count(self, *names: str) -> float:
        """What these metrics say, together."""
        metrics = dict(
            line.rsplit(" ", 1)
            for line in (await self.admin("/metrics")).text.splitlines()
            if line[:1] not in {"", "#"}
        )
        return sum(float(metrics[name]) for name in names)

    async def is_quiet(self) -> bool:
        """Whether nothing waits: no event to be routed, no message to be sent."""
        return not await self.count("sinchflow_waiting_events", "sinchflow_backlog", "sinchflow_queued_sends")

    async def post(self, kind: str, body: dict[str, str]) -> int:
        return (await self.http.post(f"http://127.0.0.1:{self.found['port']}{HOOKS}/{kind}", json=body)).status_code

    async def answered(self) -> Counter[str]:
        """How often the provider took a message to whom."""
        taken = (await self.http.get(f"{self.sinch}/_sim/messages")).json()["messages"]
        return Counter(message["destination_number"] for message in taken)

    def sends(self) -> list[dict[str, Any]]:
        """What `sends list` says."""
        listed = subprocess.run(
            [*COMMAND, "-C", str(self.folder), "sends", "list", "--format", "json", "--limit", "1000"],
            env=ENVIRON, capture_output=True, timeout=PATIENCE_S, check=True,
        )  # fmt: skip
        sends: list[dict[str, Any]] = json.loads(listed.stdout)["sends"]
        return sends
