"""The main job as users run it, and what `kill -9` leaves of it.

The installed command as a process, the simulated Sinch as another, a URL on loopback. Whatever was acknowledged must
be answered exactly once, or be listed as held; held are no more messages than were in calls when the process died.
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
import pytest

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
MESSAGES = 500
CONNECTIONS = 20
BATCH = 10
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


def request(sender: str) -> bytes:
    """A whole request with a customer's text."""
    body = json.dumps(inbound(sender, "HOURS")).encode()
    return b"POST %b/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (HOOKS.encode(), len(body), body)


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


def play(folder: Path, limits: str, scenario: Callable[[House], Awaitable[None]]) -> None:
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
                (folder / "sinchflow.yaml").write_text(SETTINGS.format(base=house.sinch, limits=limits))
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

    play(tmp_path, "{calls: off}", scenario)


@pytest.mark.parametrize(
    ("limits", "kill_after"),
    [
        (f"{{calls: off, batch: {BATCH}}}", 50),
        (f"{{calls: off, batch: {BATCH}}}", 200),
        (f"{{calls: off, batch: {BATCH}}}", 400),
        ("{}", 300),  # the default throttle, and its batches
    ],
)
def test_killed_daemon_answers_every_acknowledged_message_once(tmp_path, limits, kill_after):
    async def scenario(house: House) -> None:
        # Late answers: the calls under way when the process dies were taken, and nobody knows.
        fault = {"kind": "delay", "delay_s": 0.03, "times": 1_000_000}
        await house.http.post(f"{house.sinch}/_sim/faults", json=fault)
        acknowledged: set[str] = set()
        async with house.daemon() as running:

            async def customers(senders: list[str]) -> None:
                """They text one after the other, over a connection of their own; httpx is too slow for so many."""
                reader, writer = await asyncio.open_connection("127.0.0.1", house.found["port"])
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    for sender in senders:
                        writer.write(request(sender))
                        answer = await reader.readuntil(b"\r\n\r\n")
                        await reader.readexactly(len(b'{"status":"accepted"}'))
                        assert answer.startswith(b"HTTP/1.1 202 ")
                        acknowledged.add(sender)
                        if len(acknowledged) == kill_after:
                            running.kill()
                writer.close()

            senders = [f"+6149157{number:04}" for number in range(MESSAGES)]
            await asyncio.gather(*(customers(senders[start::CONNECTIONS]) for start in range(CONNECTIONS)))
        assert kill_after <= len(acknowledged) < MESSAGES
        async with house.daemon():
            await eventually(house.is_quiet)

            async def is_settled() -> bool:
                return {send["state"] for send in (await sends_of(house))} == {"sent"}

            # What the provider's report lacks is believed once it shows something later.
            assert await house.post("inbound", inbound("+61491580000", "Hours, Zoe")) == 202
            await eventually(is_settled)
            answered = await house.answered()
            listed = {send["to"]: send["state"] for send in await asyncio.to_thread(house.sends)}
        assert {to: count for to, count in answered.items() if count > 1} == {}
        assert {to for to in acknowledged if answered[to] != 1} == set()
        assert listed == dict.fromkeys(answered, "sent")

    async def sends_of(house: House) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {house.found['token']}"}
        url = f"http://127.0.0.1:{house.found['admin_port']}/api/sends?limit=1000"
        sends: list[dict[str, Any]] = (await house.http.get(url, headers=headers)).json()["sends"]
        return sends

    play(tmp_path, limits, scenario)


BOOKED = """\
name: booked
on: {webhook: {path: /booked, token: "{{ secrets.CRM_TOKEN }}", dedupe: "{{ event.json.id }}"}}
inputs:
  number: {type: phone, value: "{{ event.json.number }}"}
contact: "{{ inputs.number }}"
steps:
  - reply: Your table is booked.
---
name: tried
on: manual
inputs: {number: {type: phone}}
contact: "{{ inputs.number }}"
steps:
  - reply: Your table is booked.
"""


def test_killed_daemon_begins_one_run_for_a_call_that_comes_again(tmp_path):
    async def scenario(house: House) -> None:
        (tmp_path / "flows/booked.yaml").write_text(BOOKED)
        numbers = [f"+6149157{number:04}" for number in range(200)]
        runs: dict[str, int] = {}

        async def book(number: str) -> None:
            url = f"http://127.0.0.1:{house.found['port']}/flows/booked"
            body, headers = {"id": number, "number": number}, {"X-Token": "crm-token-of-the-test"}
            answer = await house.http.post(url, json=body, headers=headers)
            assert answer.status_code == 202
            run = answer.json()["run"]
            assert runs.setdefault(number, run) == run  # as it was answered before the crash

        async with house.daemon() as running:
            tried = await asyncio.to_thread(
                subprocess.run,
                [*COMMAND, "-C", str(tmp_path), "start", "tried", "--input", "number=+61491570156", "--dry-run"],
                env=ENVIRON, capture_output=True, text=True, timeout=PATIENCE_S, check=True,
            )  # fmt: skip
            assert tried.stdout == (
                "tried would send 1 message (1 part) to 1 recipient; nothing was sent\n"
                "  to +61491570156 (1 part): Your table is booked.\n"
            )

            async def caller(start: int) -> None:
                for number in numbers[start::10]:
                    with contextlib.suppress(httpx.TransportError):
                        await book(number)
                    if len(runs) >= 100:
                        running.kill()
                        return

            await asyncio.gather(*(caller(start) for start in range(10)))
        assert 100 <= len(runs) < 200
        async with house.daemon():
            await eventually(house.is_quiet)
            for _ in range(2):
                await asyncio.gather(*(book(number) for number in numbers))
            assert len(set(runs.values())) == len(numbers)

            async def is_settled() -> bool:
                listed = await asyncio.to_thread(house.sends)
                return len(listed) == len(numbers) and {send["state"] for send in listed} <= {"sent", "held"}

            await eventually(is_settled)
            answered = await house.answered()
        assert max(answered.values()) == 1

    play(tmp_path, "{calls: off}", scenario)


LEFT = """\
name: left
on: opt_out
steps:
  - log: "{{ contact.number }} has left"
"""


def test_killed_daemon_heeds_every_acknowledged_opt_out_once(tmp_path):
    async def scenario(house: House) -> None:
        (tmp_path / "flows/left.yaml").write_text(LEFT)
        with (tmp_path / "sinchflow.yaml").open("a") as settings:
            settings.write("policy: {opt_out: {reply: You are out.}}\n")
        numbers = [f"+6149157{number:04}" for number in range(200)]
        acknowledged: set[str] = set()

        async def person(start: int, running: subprocess.Popen[bytes]) -> None:
            for number in numbers[start::10]:
                with contextlib.suppress(httpx.TransportError):
                    assert await house.post("inbound", inbound(number, "Stop.")) == 202
                    acknowledged.add(number)
                if len(acknowledged) >= 100:
                    running.kill()
                    return

        async with house.daemon() as running:
            await asyncio.gather(*(person(start, running) for start in range(10)))
        assert 100 <= len(acknowledged) < 200
        headers: dict[str, str] = {}

        async def known(number: str) -> tuple[bool, Counter[str]]:
            url = f"http://127.0.0.1:{house.found['admin_port']}/api/contacts/{number}"
            found = (await house.http.get(url, headers=headers)).json()
            return found["suppressed"] is not None, Counter(run["flow"] for run in found["runs"])

        async with house.daemon():
            headers["Authorization"] = f"Bearer {house.found['token']}"
            for number in acknowledged:
                assert await house.post("inbound", inbound(number, "Stop.")) == 200
            await eventually(house.is_quiet)

            async def is_settled() -> bool:
                return {send["state"] for send in await asyncio.to_thread(house.sends)} == {"sent"}

            assert await house.post("inbound", inbound("+61491580000", "Hours, Zoe")) == 202
            await eventually(is_settled)
            answered = await house.answered()
            for number in acknowledged:
                assert await known(number) == (True, {"policy: opt-out": 1, "left": 1})
        assert max(answered.values()) == 1
        assert {number for number in acknowledged if not answered[number]} == set()

    play(tmp_path, "{calls: off}", scenario)
