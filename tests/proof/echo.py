"""Two auto-responders that face each other stop: neither sends more than 10 messages in any 10 minutes.

Two daemons, each with its number and a flow that answers whatever comes; what one sends, the simulated Sinch brings to
the other, at once or some time later, in virtual time. Played with answers that are always the same, that quote what
was said, and that are never the same.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from sinchflow.runtime.daemon import Daemon, Options
from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.provider import SimulatedSinch
from tests.proof.dose import Dose, Figure, at_least, at_most
from tests.runtime.conftest import TOKEN, VirtualClock, _eventually, _serve

_NUMBERS = ("+61491570156", "+61491570157")
_WINDOW = timedelta(minutes=10)
_MOST = 10
_SETTINGS = """\
base_url: "{base}"
credentials: {{api_key: key, api_secret: s3cret}}
webhooks: {{token: hook-token-of-the-test}}
source_number: "{number}"
country: AU
"""
_ANSWERS = {
    "the same": "Thank you, we will get back to you.",
    "quoting": "You wrote: {{ event.content | truncate(60) }}",
    "never the same": "Your number is {{ event.reply_id }}.",
}


def prove(dose: Dose) -> Iterable[Figure]:
    """See the module's text."""
    minutes = dose.times(180, 20)
    for name, answer in _ANSWERS.items():
        for longest_s in (0, 90):
            folder = dose.folder / f"{name.replace(' ', '-')}-{longest_s}"
            sent = asyncio.run(_Duel(folder, answer, dose, longest_s).play(minutes))
            most = max(_most_within(times) for times in sent.values())
            how = f"{name}, answers after up to {longest_s} s"
            yield at_most(f"messages of one side in 10 minutes: {how}", most, _MOST)
            yield at_least(f"messages of both in {minutes} minutes: {how}", sum(map(len, sent.values())), 2)


def _most_within(times: list[datetime]) -> int:
    return max((sum(at <= other < at + _WINDOW for other in times) for at in times), default=0)


class _Duel:
    """longest_s: how long Sinch takes to bring a message to the other."""

    def __init__(self, folder: Path, answer: str, dose: Dose, longest_s: int) -> None:
        self._folder = folder
        self._answer = answer
        self._random = dose.random
        self._longest_s = longest_s
        self._clock = VirtualClock()
        self._sim = SimulatedSinch(
            api_key="key", api_secret="s3cret", receipts=False, now=lambda: self._clock.now().timestamp(),
            timeline=Timeline(enroute_s=None, submitted_s=None),
        )  # fmt: skip
        self._sent: dict[str, list[datetime]] = {number: [] for number in _NUMBERS}
        self._seen = 0
        self._count = 0
        self._under_way: list[asyncio.Task[None]] = []

    async def play(self, minutes: int) -> dict[str, list[datetime]]:
        """When each side sent a message."""
        async with contextlib.AsyncExitStack() as undo:
            base = await undo.enter_async_context(_serve(self._sim))
            self._http = await undo.enter_async_context(httpx.AsyncClient(trust_env=False))
            self._daemons = {number: await undo.enter_async_context(self._daemon(base, number)) for number in _NUMBERS}
            await self._bring(_NUMBERS[1], _NUMBERS[0], "Hello?")
            for _ in range(minutes * 60):
                await self._settle()
                self._clock.advance(timedelta(seconds=1))
        return self._sent

    @contextlib.asynccontextmanager
    async def _daemon(self, base: str, number: str) -> AsyncIterator[Daemon]:
        root = self._folder / number
        (root / "flows").mkdir(parents=True)
        (root / "flows/auto.yaml").write_text(f'on: inbound_sms\nsteps:\n  - reply: "{self._answer}"\n')
        (root / "sinchflow.yaml").write_text(_SETTINGS.format(base=base, number=number))
        options = Options(root=root, data=root / ".sinchflow", port=0, admin_port=0)
        daemon = Daemon(options, clock=self._clock)
        await daemon.start()
        try:
            yield daemon
        finally:
            await daemon.stop()

    async def _settle(self) -> None:
        """Until nothing is under way; what was sent is brought to the other."""
        while True:
            await asyncio.gather(*self._under_way)
            self._under_way.clear()
            await _eventually(lambda: all(daemon.worker.is_idle for daemon in self._daemons.values()))
            fresh = self._sim.messages[self._seen :]
            if not fresh:
                return
            for message in fresh:
                self._seen += 1
                sender, to = message.source_number or "", message.destination_number
                self._sent[sender].append(self._clock.now())
                if self._longest_s:
                    due = self._clock.now() + timedelta(seconds=self._random.uniform(0, self._longest_s))
                    self._clock.call_at(due, lambda one=(sender, to, message.content): self._later(*one))
                else:
                    await self._bring(sender, to, message.content)

    def _later(self, sender: str, to: str, content: str) -> None:
        self._under_way.append(asyncio.get_running_loop().create_task(self._bring(sender, to, content)))

    async def _bring(self, sender: str, to: str, content: str) -> None:
        self._count += 1
        body = {"reply_id": f"r{self._count}", "source_address": sender, "destination_address": to, "content": content}
        url = f"http://127.0.0.1:{self._daemons[to].port}/hooks/{TOKEN}/inbound"
        assert (await self._http.post(url, json=body)).status_code == 202
