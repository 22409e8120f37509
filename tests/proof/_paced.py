"""One account's outbox and line to a provider in memory, while somebody sets the clock."""

import asyncio
import json
import random
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.command import SendMessage
from sinchflow.model.project import Limits, Sends
from sinchflow.model.send import Call, Send
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.counts import believed
from sinchflow.runtime.line import Line, Rank
from sinchflow.runtime.outbox import Outbox
from sinchflow.runtime.settle import Settling
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.switch import Switch
from sinchflow.runtime.window import CallWindow
from sinchflow.sinch.client import Answer, NotSent
from tests.proof._ticking import LEAPS
from tests.runtime.conftest import VirtualClock

#: The longest pause between tries, the longest that this provider asks for, and a window.
_PATIENCE = timedelta(minutes=10)


class Paced:
    """Sends and questions, a provider that refuses some, a clock that leaps, restarts. `wrong`: what should not be."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._limits = Limits(
            calls=self._draw.randint(1, 6), per=timedelta(seconds=self._draw.choice((10, 60, 300))),
            batch=self._draw.randint(1, 5),
        )  # fmt: skip
        self.clock = VirtualClock()
        self.story = [f"seed {seed}: {self._limits.calls} calls in {self._limits.per}"]
        self.wrong: list[str] = []
        self.calls: list[Any] = []  # when each began, by the steady time
        self._is_kind = False
        self._set_forward_at = self.clock.steady() - timedelta(days=1)

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent:
        """As the provider."""
        self.calls.append(self.clock.steady())
        await asyncio.sleep(0)
        luck = 1.0 if self._is_kind else self._draw.random()
        if luck < 0.1:
            return NotSent(reason="refused")
        if luck < 0.2:
            return Answer(status=429, headers={"retry-after": str(self._draw.randint(1, 30))}, body=b"{}")
        if method == "GET":
            return Answer(status=200, headers={}, body=b"{}")
        taken = [{"message_id": f"m{number}"} for number in range(len(json.loads(body)["messages"]))]
        return Answer(status=202, headers={}, body=json.dumps({"messages": taken}).encode())

    async def play(self, moves: int) -> None:
        """So many moves, then whatever waits must leave in good time."""
        self._loop = asyncio.get_running_loop()
        self._journal = MemoryJournal(self._loop.call_soon)
        ended: Any = SimpleNamespace(counts_as="flow", is_final=True, contact=None, started_at=self.clock.now())
        self._journal._runs[1] = ended  # all sends are its
        self._settled: dict[int, str] = {}
        self._asked: list[asyncio.Task[Any]] = []
        self._open(CallWindow(self._limits))
        sent = 0
        for _ in range(moves):
            move = self._draw.random()
            if move < 0.4:
                sent += self._send(self._draw.randint(1, 8))
            elif move < 0.55:
                ask = self._line.calls(self._draw.choice(list(Rank))).call("GET", "/v1/x")
                self._asked.append(self._loop.create_task(ask))
            elif move < 0.75:
                leap = self._draw.choice(LEAPS)
                self.story.append(f"set by {leap}")
                self.clock.set(self.clock.now() + leap)
                if leap > timedelta():
                    self._set_forward_at = self.clock.steady()
            elif move < 0.8 and self.clock.steady() - self._set_forward_at > self._limits.per:
                await self._restart()
            else:
                await self._pass(timedelta(seconds=self._draw.expovariate(1 / self._limits.per.total_seconds() * 4)))
            await _rest()
        await self._drain(sent)
        for task in self._asked:
            task.cancel()
        calls, most = sorted(self.calls), self._limits.calls or 0
        for first, over in zip(calls, calls[most:], strict=False):
            if over - first < self._limits.per:
                self.wrong.append(f"{most + 1} calls within {over - first}")

    async def _drain(self, sent: int) -> None:
        self._is_kind = True
        calls, waiting = self._limits.calls or 1, self._outbox.queued + len(self._asked)
        patience = _PATIENCE + self._limits.per * (waiting // calls + 2)
        end = self.clock.steady() + patience
        while self.clock.steady() < end and (len(self._settled) < sent or not all(map(_done, self._asked))):
            due = self.clock.next_due()
            await self._pass(timedelta(seconds=1) if due is None else max(due - self.clock.steady(), timedelta()))
        if len(self._settled) < sent or not all(map(_done, self._asked)):
            self.wrong.append(f"{sent - len(self._settled)} sends still wait after {patience}")

    def _send(self, count: int) -> int:
        for _ in range(count):
            to = f"+6149157{self._draw.randint(0, 9)}"
            send_id = self._journal.new_id()
            asked = SendMessage(id=f"1:{send_id}", account="default", to=to, body={"destination_number": to})
            send = Send(id=send_id, run=1, command=asked, state="queued", created_at=self.clock.now())
            self._commits.unit.new_sends.append(send)
            self._commits.unit.thens.append(lambda send=send: self._outbox.put(send))
        self._commits.flush_soon()
        return count

    def _open(self, window: CallWindow) -> None:
        clock, loop, stats = self.clock, self._loop, Stats()
        self._commits = Commits(self._journal, clock, stats, loop)
        settling = Settling(
            journal=self._journal, commits=self._commits, clock=clock, stats=stats, loop=loop,
            rules=lambda: Sends(on_unknown="hold"), settle=self._settle, work=lambda send: None,
            rest=lambda send: None, wanted_by=lambda send: "flow",
        )  # fmt: skip
        switch = Switch(journal=self._journal, commits=self._commits, stats=stats)
        client: Any = self
        self._outbox = Outbox(
            account="default", client=client, window=window, journal=self._journal, commits=self._commits, clock=clock,
            stats=stats, loop=loop, settle=self._settle, refusal=lambda send: None, settling=settling, switch=switch,
        )  # fmt: skip
        outbox = self._outbox
        self._line = Line(
            account="default", trouble="provider", client=client, window=window,
            has_sends=lambda: outbox.has_ready, answered=outbox.heard,
            journal=self._journal, commits=self._commits, clock=clock, stats=stats, loop=loop,
        )  # fmt: skip

    async def _restart(self) -> None:
        """As `Accounts` takes up what a former process left; who asks a question asks again."""
        self.story.append("restart")
        self._line.stop()
        await self._outbox.stop()
        await _rest()
        asked = sum(not _done(task) for task in self._asked)
        self._asked = [self._loop.create_task(asyncio.sleep(0)) for _ in range(asked)]
        now, steady = self.clock.now(), self.clock.steady()
        snapshot = self._journal.load(now - self._limits.per)
        calls: tuple[Call, ...] = snapshot.calls
        times = believed((call.started_at for call in calls), now)
        self._open(CallWindow(self._limits, [when + (steady - now) for when in times]))
        for send in snapshot.sends:
            self._outbox.put(send)

    async def _pass(self, span: timedelta) -> None:
        end = self.clock.steady() + span
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.steady(), timedelta()))
            await _rest()
        self.clock.advance(end - self.clock.steady())
        await _rest()

    def _settle(self, settled: Any) -> None:
        for send, outcome in settled:
            self._commits.unit.sends.append(send)
            if outcome is not None:
                self._settled[send.id] = type(outcome).__name__
        self._commits.flush_soon()


def _done(task: "asyncio.Task[Any]") -> bool:
    return task.done()


async def _rest() -> None:
    for _ in range(30):
        await asyncio.sleep(0)
