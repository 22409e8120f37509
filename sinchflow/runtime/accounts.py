"""The project's accounts at work: for each its client, its throttle, its outbox and its line for questions.

An account that is gone from the project file keeps its outbox, closed: what is queued there waits, visibly, until the
account is back.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from sinchflow.journal.journal import Journal
from sinchflow.model.project import Limits
from sinchflow.model.send import Call, Send
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.connections import Connection, open_client
from sinchflow.runtime.counts import believed
from sinchflow.runtime.line import Line, Rank, RankedCalls
from sinchflow.runtime.outbox import Outbox
from sinchflow.runtime.settle import Settling
from sinchflow.runtime.settled import Settled
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.switch import Switch
from sinchflow.runtime.window import CallWindow
from sinchflow.sinch.client import Client

log = structlog.get_logger("sinchflow")

#: A client that is no longer used is closed after this: longer than any call takes.
_LAST_CALLS = timedelta(minutes=2)
#: Of calls of a former process that were answered it is not known when: not much later than this after their start.
_ANSWERED_WITHIN = timedelta(seconds=1)


class _Account:
    __slots__ = ("client", "line", "outbox", "peer", "window")

    def __init__(
        self, peer: tuple[str | None, ...] | None, client: Client | None, window: CallWindow, outbox: Outbox, line: Line
    ) -> None:
        self.peer = peer
        self.window = window
        self.client = client
        self.outbox = outbox
        self.line = line

    def next_call_at(self, steady: datetime) -> datetime:
        """When the next call may start, by the steady time; in the past or now: at once."""
        return max(self.window.opens_at(steady, 1), self.outbox.waits_until or steady)


class Accounts:
    """See the module's text. On the loop's thread only."""

    def __init__(
        self,
        *,
        journal: Journal,
        commits: Commits,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        settle: Callable[[Sequence[Settled]], None],
        refusal: Callable[[Send], Settled | None],
        settling: Settling,
        switch: Switch,
        calls: Iterable[Call],
        unanswered: Collection[int],
        client_of: Callable[[Connection], Client] = open_client,
    ) -> None:
        """calls: those that the throttles still count, of all accounts. unanswered: which of them had no answer yet.

        client_of: how an account is reached.
        """
        self._client_of = client_of
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._settle = settle
        self._refusal = refusal
        self._settling = settling
        self._switch = switch
        self._accounts: dict[str, _Account] = {}
        self._past: dict[str, list[datetime]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._old_clients: set[Client] = set()
        past, now = list(calls), clock.now()
        for call, when in zip(past, believed((call.started_at for call in past), now), strict=True):
            ended = now if call.id in unanswered else min(when + _ANSWERED_WITHIN, now)
            self._past.setdefault(call.account, []).append(ended + (clock.steady() - now))
        settling.connect(self._look_ups, lambda send: self.outbox(send.command.account).put_back(send))
        switch.on_resume.append(self._resume)

    @property
    def queued(self) -> int:
        """Sends that wait for a call, over all accounts."""
        return sum(each.outbox.queued for each in self._accounts.values())

    def overview(self, now: datetime) -> list[dict[str, Any]]:
        """For each account, what an operator wants to know: trouble, throttle, queue; for JSON."""
        steady = self._clock.steady()
        return [
            {
                "account": name,
                "base_url": None if each.peer is None else each.peer[0],
                "trouble": self._stats.troubles.get(each.outbox.trouble),
                "queued": each.outbox.queued,
                "calls": each.window.used(steady),
                "limit": each.window.limits.calls,
                "per_s": each.window.limits.per.total_seconds(),
                "next_call_at": (now + (each.next_call_at(steady) - steady)).isoformat(),
            }
            for name, each in self._accounts.items()
        ]

    def outbox(self, account: str) -> Outbox:
        """The account's outbox; a closed one when the project does not have the account."""
        return (self._accounts.get(account) or self._open(account, None)).outbox

    def questions(self, account: str) -> RankedCalls:
        """For questions that a run waits for."""
        return (self._accounts.get(account) or self._open(account, None)).line.calls(Rank.QUESTION)

    def _look_ups(self, account: str) -> RankedCalls:
        return (self._accounts.get(account) or self._open(account, None)).line.calls(Rank.LOOK_UP)

    def _resume(self) -> None:
        for each in self._accounts.values():
            each.outbox.look_again()

    def polls(self, account: str) -> RankedCalls:
        """For what a timer asks."""
        return (self._accounts.get(account) or self._open(account, None)).line.calls(Rank.POLL)

    def connect(self, connections: Mapping[str, Connection], *, anew: bool = False) -> None:
        """Use these connections from the next call on. anew: also where nothing has changed (a key may work again)."""
        for name in self._accounts.keys() - connections.keys():
            self._reconnect(name, None, anew=False)
        for name, connection in connections.items():
            if name in self._accounts:
                is_in_trouble = self._accounts[name].outbox.trouble in self._stats.troubles
                self._reconnect(name, connection, anew=anew and is_in_trouble)
            else:
                self._open(name, connection)

    def stop_questions(self) -> None:
        """Let no question or poll wait for its turn any more; those in a call may end. The next start asks again."""
        for each in self._accounts.values():
            each.line.stop()

    async def stop(self) -> None:
        """Start no more calls, and wait for those under way."""
        for each in self._accounts.values():
            await each.outbox.stop()

    async def close(self) -> None:
        """Close all connections."""
        for each in self._accounts.values():
            if each.client is not None:
                await each.client.close()
        for client in self._old_clients:
            await client.close()

    def _open(self, name: str, connection: Connection | None) -> _Account:
        client = None if connection is None else self._client_of(connection)
        limits = Limits() if connection is None else connection.limits
        window = CallWindow(limits, self._past.pop(name, ()))
        outbox = Outbox(
            account=name, client=client, window=window, journal=self._journal, commits=self._commits,
            clock=self._clock, stats=self._stats, loop=self._loop, settle=self._settle,
            refusal=self._refusal, settling=self._settling, switch=self._switch,
        )  # fmt: skip
        line = Line(
            account=name, trouble=outbox.trouble, client=client, window=window, has_sends=lambda: outbox.has_ready,
            answered=outbox.heard, journal=self._journal, commits=self._commits, clock=self._clock, stats=self._stats,
            loop=self._loop,
        )  # fmt: skip
        peer = None if connection is None else connection.peer
        opened = self._accounts[name] = _Account(peer, client, window, outbox, line)
        return opened

    def _reconnect(self, name: str, connection: Connection | None, *, anew: bool) -> None:
        account = self._accounts[name]
        peer = None if connection is None else connection.peer
        if peer != account.peer or anew:
            if account.client is not None:
                self._retire(account.client)
            account.client = account.line.client = None if connection is None else self._client_of(connection)
            account.peer = peer
        account.outbox.reconnect(account.client, Limits() if connection is None else connection.limits)
        account.line.look_again()

    def _retire(self, client: Client) -> None:
        """Close the client once its last call must have ended."""
        self._old_clients.add(client)

        def close() -> None:
            self._old_clients.discard(client)
            task = self._loop.create_task(client.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

        self._clock.call_after(_LAST_CALLS, close)
