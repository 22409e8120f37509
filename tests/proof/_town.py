"""A daemon on a machine whose power goes while a hundred people text it. Sinch and the people remember.

Everybody asks for the hours, gets an answer, and is asked something in it: so their runs wait. After the daemon has
started again, whoever was answered 202 must have got that one answer, and says YES; then the run ends.
"""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from sinchflow.runtime import daemon
from sinchflow.runtime.daemon import Daemon, Options
from tests.proof import _machine
from tests.proof._ledger import Ledger
from tests.proof._scenes import SCENES, Scene

#: Their runs wait already when the others text.
EARLY = [f"+6149156{number:04}" for number in range(100)]
PEOPLE = [f"+6149157{number:04}" for number in range(120)]
LINES = 20
TOKEN = "hook-token-of-the-test"
SETTINGS = """\
base_url: "{base}"
credentials: {{api_key: key, api_secret: s3cret}}
webhooks: {{token: hook-token-of-the-test}}
limits: {{calls: off, batch: 10}}
policy: {{max_sends_per_contact: off}}
sends: {rule}
"""
RULES = {
    "hold": "{on_unknown: hold}",
    "check": "{on_unknown: check, settling_time: 300ms, unknown_after: 15s}",
}
FLOW = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
steps:
  - reply: "We are open. Shall we keep a table?"
  - wait_for_reply: {timeout: 1h, categories: {yes: {answer: yes}}}
  - reply: "Thank you."
"""
FIRST, SECOND = "We are open. Shall we keep a table?", "Thank you."
#: In which nothing moves any more.
_SURE = {"sent", "held"}


@contextlib.contextmanager
def sinch() -> Iterator[str]:
    """The simulated Sinch in a process of its own; its address."""
    command = [sys.executable, "-m", "sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stdout is not None
            base = running.stdout.readline().strip()
            _ask(f"{base}/_sim/faults", {"kind": "delay", "delay_s": 0.02, "times": 1_000_000})
            yield base
        finally:
            running.kill()


def scene(base: str, rule: str) -> Scene:
    """What is played against the Sinch at this address. rule: of `RULES`."""

    def prepare(root: Path, _chance: random.Random) -> None:
        (root / "flows").mkdir()
        (root / "flows/hours.yaml").write_text(FLOW)
        (root / "sinchflow.yaml").write_text(SETTINGS.format(base=base, rule=RULES[rule]))
        (root / "data").mkdir()
        code = _machine.play(lambda: asyncio.run(_at_work(root, _early)), root / "said")
        assert code == _machine.WHOLE, (root / "said").read_text()

    def play(root: Path, ledger: Ledger, _chance: random.Random) -> None:
        _ask(f"{base}/_sim/reset", {})
        asyncio.run(_at_work(root, lambda daemon: _hours(daemon, ledger)))

    def look(root: Path, ledger: Ledger) -> list[str]:
        return _look(root, base, ledger.notes.get("acknowledged", []))

    return Scene(prepare=prepare, play=play, look=look)


def start() -> Scene:
    """A daemon starts on a journal with open runs, and stops; there is nobody to talk to."""

    def prepare(root: Path, _chance: random.Random) -> None:
        (root / "flows").mkdir()
        (root / "flows/hours.yaml").write_text(FLOW)
        (root / "sinchflow.yaml").write_text(SETTINGS.format(base="http://127.0.0.1:9", rule=RULES["hold"]))
        SCENES["traffic"].prepare(root, _chance)

    async def nothing(_daemon: Daemon) -> None:
        pass

    def play(root: Path, _ledger: Ledger, _chance: random.Random) -> None:
        daemon._GRACE = timedelta(
            seconds=0.2
        )  # of this process alone: a disk that stays ill is waited for at each stop
        asyncio.run(_at_work(root, nothing))

    def look(root: Path, ledger: Ledger) -> list[str]:
        """The daemon has routed what was accepted; no flow is for it."""
        return [each for each in SCENES["traffic"].look(root, ledger) if "is half: (True, False, None" not in each]

    return Scene(prepare=prepare, play=play, look=look)


def _ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data=data), timeout=20) as answer:
        return json.loads(answer.read() or b"null")


async def _at_work(root: Path, work: Callable[[Daemon], Awaitable[None]]) -> None:
    daemon = Daemon(Options(root=root, data=root / "data", port=0, admin_port=0))
    await daemon.start()
    try:
        await work(daemon)
    finally:
        await daemon.stop()


async def _say(daemon: Daemon, texts: list[tuple[str, str]], answered: Callable[[str], None]) -> None:
    """People text over some lines; answered: told whose text was answered 2xx."""

    async def line(part: list[tuple[str, str]]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
        for number, content in part:
            body = json.dumps({
                "reply_id": f"{content}-{number}", "source_address": number, "destination_address": "+61491593156",
                "content": content,
            }).encode()  # fmt: skip
            head = f"POST /hooks/{TOKEN}/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            if answer[9:10] == b"2":
                answered(number)
        writer.close()

    await asyncio.gather(*(line(texts[start::LINES]) for start in range(LINES)))


async def _early(daemon: Daemon) -> None:
    await _say(daemon, [(number, "HOURS") for number in EARLY], lambda number: None)
    assert set((await _settled(daemon)).values()) == {"sent"}


async def _hours(daemon: Daemon, ledger: Ledger) -> None:
    acknowledged = ledger.notes["acknowledged"] = []
    await _say(daemon, [(number, "HOURS") for number in PEOPLE], acknowledged.append)
    await asyncio.sleep(0.15)  # some calls end, some are under way


def _look(root: Path, base: str, acknowledged: list[str]) -> list[str]:
    """Start again; everybody says YES; what is wrong then."""
    noted, said = root / "found.json", root / "said"

    async def again(daemon: Daemon) -> None:
        stranger = "+61491580000"
        await _say(daemon, [(stranger, "HOURS")], lambda number: None)
        states = await _settled(daemon)
        people = [number for number in acknowledged if states.get(number) == "sent"]
        await _say(daemon, [(number, "YES") for number in [*EARLY, *people]], lambda number: None)
        await _settled(daemon)
        found = [f"{number} is {states.get(number)}" for number in acknowledged if states.get(number) not in _SURE]
        noted.write_bytes(msgspec.json.encode({"states": states, "people": people, "found": found}))

    code = _machine.play(lambda: asyncio.run(_at_work(root, again)), said, patience_s=50)
    if code != _machine.WHOLE:
        return [f"the daemon after it ended with {code}: {said.read_text()[-300:]}"]
    known = json.loads(noted.read_bytes())
    got: Counter[tuple[str, str]] = Counter(
        (message["destination_number"], message["content"]) for message in _ask(f"{base}/_sim/messages")["messages"]
    )
    twice = [f"{to} got {content!r} {count} times" for (to, content), count in got.items() if count > 1]
    silent = [f"{to} got no answer" for to in known["people"] if not got[to, FIRST]]
    stuck = [f"the run of {to} is stuck" for to in [*EARLY, *known["people"]] if got[to, SECOND] != 1]
    return [*known["found"], *twice, *silent, *stuck]


async def _settled(daemon: Daemon) -> dict[str, str]:
    """Of everybody the state of the last message, once nothing moves any more."""
    async with asyncio.timeout(40):
        while True:
            await asyncio.sleep(0.05)
            sends = daemon.journal.sends((), 10_000)
            is_quiet = not daemon.worker.waiting_events and not daemon.worker.has_backlog
            if is_quiet and {each.state for each in sends} <= _SURE:
                return {each.to: each.state for each in reversed(sends)}
