"""Makes `schema-N.sql`: what a daemon of this very release leaves behind that is killed in the middle of everything.

Once for each schema, before the release that writes another: `PYTHONPATH=. python tests/journal/data/leave.py`. Flows,
people and what is under way are below; tests/runtime/test_upgrade.py takes the dump up with later releases.
"""

import asyncio
import contextlib
import importlib.util
import io
import os
import tempfile
from pathlib import Path

import apsw
import apsw.shell

from sinchflow.journal import sqlite
from sinchflow.simulate.faults import Fault

HERE = Path(__file__).parent
VERSION = sqlite.SCHEMA_VERSION
ANNA, BEN, CLEO, DORA, EVE, FINN = (f"+6149157010{number}" for number in range(1, 7))
FLOWS = {
    "hello": "on: {inbound_sms: {keyword: HI}}\nsteps:\n  - reply: Hello.\n",
    "crm": """\
on: {inbound_sms: {keyword: CALL}}
steps:
  - http: {method: POST, url: "{{ secrets.CRM_URL }}", json: {number: "{{ contact.number }}"}}
    retry: {attempts: 5, delay: 1h, max_delay: 1h, backoff: constant, when: [5xx]}
  - reply: We call you back.
""",
}
CONVERSATIONS = {
    "booking": """\
on: {inbound_sms: {keyword: BOOK}}
steps:
  - remember: {first_name: Anna, language: de}
  - reply: Reply Y to confirm.
  - id: answer
    wait_for_reply: {timeout: 20h, categories: {confirmed: {answer: yes}}}
  - if: steps.answer.category == "confirmed"
    reply: "Confirmed, {{ contact.first_name }}."
""",
    "later": """\
on: {inbound_sms: {keyword: LATER}}
steps:
  - delay: 1h
  - reply: It is later now.
""",
}


def house_of(root: Path):
    """The project folder of this release's own tests, with its simulated Sinch; and what serves that."""
    spec = importlib.util.spec_from_file_location("stage", Path.cwd() / "tests/runtime/conftest.py")
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    return stage.House(root), stage._serve


async def leave(root: Path) -> None:
    house, serve = house_of(root)
    async with serve(house.sim) as house.base, serve_crm() as os.environ["SINCHFLOW_SECRET_CRM_URL"]:
        house.settings()
        has_waits = VERSION >= 2
        for name, text in (FLOWS | CONVERSATIONS if has_waits else FLOWS).items():
            house.flow(f"name: {name}\n{text}", f"{name}.yaml")
        async with house.at_work():
            count = Counter(root)
            await house.text_in("HI", BEN, reply_id="hi-of-ben")
            await count("send WHERE state = 'sent'", 1)
            await house.text_in("CALL", FINN)
            await count("run WHERE flow = 'crm' AND data LIKE '%due%'", 1)
            if has_waits:
                await house.text_in("BOOK", ANNA)
                await count("send WHERE state = 'sent'", 2)
                await house.text_in("LATER", BEN)
                await count("run WHERE flow = 'later'", 1)
                await house.text_in("STOP", EVE)
                await count("suppression", 1)
                await count("run WHERE status = 'running'", 3)
            await house.post(b"[what is this?")
            await count("quarantine", 1)
            house.sim.fail_next(Fault(kind="hang"))
            await house.text_in("HI", CLEO)
            await count("send WHERE state = 'sending' OR call IS NOT NULL AND is_open", 1)
            await house.text_in("HI again", CLEO)
            house.sim.fail_next(Fault(status=429, headers={"Retry-After": "3600"}))
            await house.text_in("HI", DORA)
            await count("send WHERE is_open AND call IS NULL", 1)
            await count("unrouted", 1)
            (HERE / f"schema-{VERSION}.sql").write_text(dump(root))
            os._exit(0)  # as if it were killed


class Counter:
    """Waits until the journal has so many rows."""

    def __init__(self, root: Path) -> None:
        self._path = root / ".sinchflow" / sqlite.FILE_NAME

    async def __call__(self, rows: str, wanted: int) -> None:
        for _ in range(1000):
            with contextlib.closing(apsw.Connection(str(self._path))) as journal:
                found = journal.execute(f"SELECT count(*) FROM {rows}").get
            if found == wanted:
                return
            await asyncio.sleep(0.01)
        raise SystemExit(f"{rows}: {found}, not {wanted}")


@contextlib.asynccontextmanager
async def serve_crm():
    """A URL that is out of order."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def dump(root: Path) -> str:
    text = io.StringIO()
    with contextlib.closing(apsw.Connection(str(root / ".sinchflow" / sqlite.FILE_NAME))) as journal:
        apsw.shell.Shell(stdout=text, db=journal).process_command(".dump")
    made = [line for line in text.getvalue().splitlines() if not line.startswith("--")]  # where and by whom
    return "\n".join([f"-- Made by leave.py with the release of schema {VERSION}.", *made, ""])


if __name__ == "__main__":
    asyncio.run(leave(Path(tempfile.mkdtemp())))
