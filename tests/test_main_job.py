"""The main job as users run it: the installed command as a process, the simulated Sinch as another, a URL on loopback.

What `kill -9` leaves of it is in `proof`.
"""

import asyncio
import contextlib
import json
import os
import signal
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
"""
REPLY = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
steps:
  - reply: "Hi {{ match.rest }}, we are open."
"""
CRM = """\
name: crm
on: {delivery_receipt: {status: failed}}
steps:
  - http:
      method: POST
      url: URL/failures
      headers: {Authorization: "Bearer {{ secrets.CRM_TOKEN }}"}
      json: {message_id: "{{ event.message_id }}", number: "{{ contact.number }}"}
"""
OUR_NUMBER = "+61491593156"
PATIENCE_S = 20.0


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


def inbound(sender: str, content: str) -> dict[str, str]:
    """The webhook's body for a customer's text."""
    return {
        "reply_id": f"reply-{sender}",
        "source_address": sender,
        "destination_address": OUR_NUMBER,
        "content": content,
    }


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
    async def daemon(self) -> AsyncIterator[subprocess.Popen[bytes]]:
        """A daemon that is ready."""
        command = [*COMMAND, "-C", str(self.folder), "run", "--port", "0", "--admin-port", "0"]
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

    async def is_quiet(self) -> bool:
        """Whether nothing waits: no event to be routed, no message to be sent."""
        metrics = dict(
            line.rsplit(" ", 1)
            for line in (await self.admin("/metrics")).text.splitlines()
            if line[:1] not in {"", "#"}
        )
        waits = ("sinchflow_waiting_events", "sinchflow_backlog", "sinchflow_queued_sends")
        return not any(float(metrics[name]) for name in waits)

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


def play(folder: Path, scenario: Callable[[House], Awaitable[None]]) -> None:
    """Run a scenario in a project with a provider."""

    async def whole() -> None:
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
            house = House(folder, http)
            (folder / "flows").mkdir()
            (folder / "flows/hours.yaml").write_text(REPLY)
            module = [sys.executable, "-m", "sinchflow.simulate.provider"]
            with process([*module, "--api-key", "key", "--api-secret", "s3cret"], folder, "sinch") as running:

                async def says_where() -> str:
                    assert running.poll() is None
                    return (folder / "sinch.out").read_text().partition("\n")[0]

                house.sinch = await eventually(says_where)
                (folder / "sinchflow.yaml").write_text(SETTINGS.format(base=house.sinch))
                await scenario(house)

    asyncio.run(whole())


def test_inbound_message_is_answered_and_failed_receipt_calls_the_url(tmp_path):
    async def scenario(house: House) -> None:
        called: list[bytes] = []

        async def crm(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            called.append(head + await reader.readexactly(length))
            writer.write(b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(crm, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        (tmp_path / "flows/crm.yaml").write_text(CRM.replace("URL", url))
        async with house.daemon() as running:
            assert await house.post("inbound", inbound("+61491570156", "Hours, Ann")) == 202
            assert await house.post("inbound", inbound("+61491570156", "Hours, Ann")) == 200
            receipt = {
                "delivery_report_id": "report-1",
                "message_id": "message-1",
                "status": "failed",
                "source_address": "+61491570157",
                "destination_address": OUR_NUMBER,
            }
            assert await house.post("receipts", receipt) == 202
            await eventually(house.answered)

            async def is_called() -> bool:
                return bool(called)

            await eventually(is_called)
            await eventually(house.is_quiet)
            running.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(running.wait, PATIENCE_S) == 0
        server.close()
        [request] = called
        assert request.startswith(b"POST /failures HTTP/1.1\r\n")
        assert b"Bearer crm-token-of-the-test" in request
        assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"message_id": "message-1", "number": "+61491570157"}
        [send] = house.sends()
        assert (send["to"], send["state"], send["message"]) == ("+61491570156", "sent", "Hi Ann, we are open.")
        for stored in (tmp_path / ".sinchflow").iterdir():
            assert b"token-of-the-test" not in stored.read_bytes()

    play(tmp_path, scenario)
