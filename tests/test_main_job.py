"""The main job as users run it: the installed command as a process, the simulated Sinch as another, a URL on loopback.

What `kill -9` leaves of it is in `proof`.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from tests.daemons import OUR_NUMBER, PATIENCE_S, SETTINGS, House, eventually, process

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


def inbound(sender: str, content: str) -> dict[str, str]:
    """The webhook's body for a customer's text."""
    return {
        "reply_id": f"reply-{sender}",
        "source_address": sender,
        "destination_address": OUR_NUMBER,
        "content": content,
    }


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
                (folder / "sinchflow.yaml").write_text(SETTINGS.format(base=house.sinch, limits="{calls: off}"))
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
