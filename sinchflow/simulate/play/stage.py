"""The stage of one test: worker, policy and accounts as the daemon has them, over a journal in memory, in virtual time.

The provider is a simulated Sinch that is asked directly, one for each account; where `http` steps go is the player's
to say. What happens is noted in order, for the script to look at.
"""

import itertools
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sinchflow.engine.address import step_at
from sinchflow.engine.trace import new_records
from sinchflow.journal.journal import FlowSource
from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.command import CallUrl
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow, WaitForReply
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.model.run import Run
from sinchflow.model.send import Send
from sinchflow.runtime.attempted import Attempted
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.connections import Connection
from sinchflow.runtime.core import Core
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.secrets import Secrets
from sinchflow.runtime.settled import SEND_ID, Settled
from sinchflow.runtime.stats import Stats
from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.message import Message
from sinchflow.simulate.opt_out_list import is_opt_out
from sinchflow.simulate.play.coverage import Walked
from sinchflow.simulate.play.direct import DirectClient
from sinchflow.simulate.play.virtual_time import LoopClock, VirtualLoop, put_away
from sinchflow.simulate.provider import SimulatedSinch

TOKEN = "test"
#: How the ids of the first account's messages begin; a script that is played again has the same ones.
MESSAGE_IDS = "00000000-0000-4000-8000-"
#: Sends that wait for each other, or for room in the throttle, have left by then; a test need not know of it.
_A_MOMENT = timedelta(seconds=1)
_LONGEST_MEMORY = timedelta(days=3650)

_command: ContextVar[CallUrl | None] = ContextVar("command", default=None)


class Texted(msgspec.Struct, frozen=True):
    """A message of ours. order: of all that happens. run: None where nobody knows.

    refused: why the provider did not take it; None: it did.
    """

    order: int
    at: datetime
    run: int | None
    account: str
    message: Message
    refused: str | None = None

    @property
    def to(self) -> str:
        """Whom it went to."""
        return self.message.destination_number


class Called(msgspec.Struct, frozen=True):
    """A call of an `http` step."""

    order: int
    at: datetime
    run: int | None
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a call is answered. fault: `timeout` or `connection`: not at all."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""
    fault: str | None = None
    delay: timedelta = timedelta()


class Ended(msgspec.Struct, frozen=True):
    """A run that has ended, as it stood then."""

    order: int
    at: datetime
    run: Run


class Noted(msgspec.Struct, frozen=True):
    """Something else that happened, in words for people."""

    order: int
    at: datetime
    words: str


class Stage:
    """One test's world. on_call: answers each call of an `http` step. walked: is told which ways the flows go.

    on_text: says of a message to this number why the provider refuses it; None: it does not.
    """

    def __init__(
        self, catalog: Catalog, loop: VirtualLoop, now: datetime, on_call: Callable[[Called], Answer],
        on_text: Callable[[str], str | None], walked: Walked | None = None,
    ) -> None:  # fmt: skip
        self._catalog = catalog
        self._loop = loop
        self._on_call = on_call
        self._on_text = on_text
        self._walked = walked
        self._order = itertools.count(1)
        self._ids = itertools.count(1)
        self.clock = LoopClock(loop, now)
        self._journal = self._new_journal()
        self._sinch: dict[str, SimulatedSinch] = {}
        for name, connection in catalog.connections.items():
            self._sinch[name] = self._provider(name, connection)
        self.happened: list[Texted | Called] = []
        self.notes: list[Noted] = []
        self.ends: list[Ended] = []
        self.runs: dict[int, Run] = {}  #: as they stand, by id
        self.categories: dict[int, str] = {}  #: of the answer that a run got last
        self._open()

    # --- what a script does ------------------------------------------------------------------------------------------

    async def rest(self, duration: timedelta = timedelta()) -> None:
        """Let time pass and everything come to rest."""
        await self._loop.rest(duration)
        for _ in range(200):  # more messages than leave at once: the throttle spaces their calls
            if not self._accounts.queued:
                break
            await self._loop.rest(_A_MOMENT / 20)

    def suppress(self, number: str) -> None:
        """Somebody has opted out before anything happens."""
        self._worker.people.suppress(number, "provider", self.clock.now())
        for sinch in self._sinch.values():
            sinch.account().opted_out.add(number)

    def remember(self, number: str, known: dict[str, Any]) -> None:
        """What is known of somebody before anything happens."""
        self._worker.people.remember(number, known, self.clock.now())

    async def text_in(
        self, sender: str, text: str, *, to: str | None = None, account: str = DEFAULT_ACCOUNT, kind: str = "SMS",
        metadata: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """A customer texts. A word that the provider takes for an opt-out is told of as one, too."""
        sinch = self._sinch[account]
        own = to or self._catalog.connections[account].source_number or sinch.number
        answers = sinch.account().last.get((sender, own))
        now = self.clock.now().isoformat()
        body = {
            "event": "received", "reply_id": f"reply-{next(self._ids)}", "source_address": sender,
            "destination_address": own, "content": text, "type": kind, "date_received": now,
            "message_id": answers and answers.message_id,
            "metadata": dict(metadata or {}) or ((answers and answers.metadata) or {}),
        }  # fmt: skip
        await self._push(account, "inbound", body)
        if is_opt_out(text):
            sinch.account().opted_out.add(sender)
            notice = {
                "event": "opt_out", "notification_id": f"opt-out-{next(self._ids)}", "source_address": sender,
                "destination_address": own, "content": text, "date_received": now,
            }  # fmt: skip
            await self._push(account, "opt-outs", notice)

    async def report(
        self, message: Texted | None, to: str, status: str, code: str | None, metadata: Mapping[str, str] | None
    ) -> None:
        """The provider reports on a message; without one, on what another program has sent `to` with this metadata."""
        own, number = None if message is None else message.message, next(self._ids)
        body = {
            "event": "delivery_report", "delivery_report_id": f"report-{number}", "status": status,
            "status_code": code, "message_id": own.message_id if own else f"message-{number}",
            "source_address": own.destination_number if own else to,
            "destination_address": (own and own.source_number) or next(iter(self._sinch.values())).number,
            "content": own and own.content, "date_received": self.clock.now().isoformat(),
            "metadata": dict(metadata) if metadata is not None else ((own and own.metadata) or {}),
        }  # fmt: skip
        await self._push(DEFAULT_ACCOUNT if message is None else message.account, "receipts", body)

    async def call_in(
        self, method: str, path: str, *, query: bytes, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        """Another system calls a flow's webhook; the answer's status and body."""
        return await self._request(method, f"/flows{path}", query, headers, body)

    def start(
        self, flow: Flow, inputs: dict[str, Any], contact: str | None, then: Callable[[int | Exception], None]
    ) -> None:
        """Somebody starts a flow by hand. contact: whom its run is about."""
        self._worker.start(flow, inputs, then, contact)

    async def restart(self) -> None:
        """The daemon dies here and is started again."""
        await self._close()
        self._open()

    def reload(self, catalog: Catalog | None = None) -> None:
        """The flows are read again: they are what they were, or `catalog` as the files have become."""
        if catalog is not None:
            self._catalog = catalog
            for name in catalog.connections.keys() - self._sinch.keys():
                self._sinch[name] = self._provider(name, catalog.connections[name])
            self._dialler.allow(catalog.project.outbound_allow)
            self._accounts.connect(catalog.connections, anew=True)
        self._worker.catalog = self._catalog
        self._schedules.set(self._catalog)

    async def close(self) -> None:
        """Take everything apart."""
        await self._close()

    @property
    def catalog(self) -> Catalog:
        """The flows and settings."""
        return self._catalog

    def source(self, digest: str) -> FlowSource | None:
        """The document of a flow that a run has begun with, also when it is live no more."""
        return self._journal.source(digest)

    def open_sends(self, run: Run) -> list[Send]:
        """Messages of the run of which it is not known yet what becomes."""
        return [send for send in self._journal.load(self.clock.now()).sends if send.run == run.id]

    def next_order(self) -> int:
        """The place of what happens now among all that happens."""
        return next(self._order)

    def note(self, words: str) -> None:
        """Keep something for people."""
        self.notes.append(Noted(next(self._order), self.clock.now(), words))

    # --- the daemon's parts ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        loop, journal, clock, catalog = self._loop, self._journal, self.clock, self._catalog
        self.stats = stats = Stats()
        self._dialler = _Stand(catalog.project.outbound_allow, self._call)
        core = Core(
            journal=journal, clock=clock, stats=stats, loop=loop, catalog=catalog, dialler=self._dialler,
            client_of=self._client,
        )  # fmt: skip
        self._worker, self._schedules, worker = core.worker, core.schedules, core.worker
        snapshot = journal.load(clock.now() - _LONGEST_MEMORY)
        self._accounts = core.connect(snapshot)
        worker.on_advanced.append(self._advanced)
        worker.on_routed.append(self._routed)
        worker.on_held_back.append(self._held_back)
        worker.on_settled.append(self._settled)
        self._ingress = core.ingress(worker.take)
        worker.resume(snapshot)
        self._schedules.start(catalog)

    def _new_journal(self) -> MemoryJournal:
        return MemoryJournal(self._loop.call_soon)

    async def _close(self) -> None:
        self._schedules.stop()
        self.clock.forget()
        await put_away(None)

    def _provider(self, name: str, connection: Connection) -> SimulatedSinch:
        number = connection.source_number or "+61491593156"
        sinch = SimulatedSinch(receipts=False, timeline=Timeline(enroute_s=None, submitted_s=None), number=number)
        sinch.number_messages(MESSAGE_IDS.replace("8000", f"8{len(self._sinch):03x}"))
        sinch.subscribe(lambda message: self._texted(name, message))
        return sinch

    def _client(self, connection: Connection) -> DirectClient:
        account = connection.account
        return DirectClient(self._sinch[account], lambda messages: self._refused(account, messages))

    async def _push(self, account: str, kind: str, body: dict[str, Any]) -> None:
        middle = "" if account == DEFAULT_ACCOUNT else f"/{account}"
        status, answer = await self._request(
            "POST", f"/hooks/{TOKEN}{middle}/{kind}", b"", {}, msgspec.json.encode(body)
        )
        if status >= 300:
            raise RuntimeError(f"a webhook of ours was answered {status}: {answer}")

    async def _request(
        self, method: str, path: str, query: bytes, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        answered: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            answered.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        await self._ingress(scope, receive, send)
        return answered[0]["status"], msgspec.json.decode(answered[1]["body"])

    # --- what happens ------------------------------------------------------------------------------------------------

    def _refused(self, account: str, messages: Sequence[Message]) -> dict[int, str]:
        found = {}
        for at, message in enumerate(messages):
            if (words := self._on_text(message.destination_number)) is not None:
                self._texted(account, message, words)
                found[at] = words
        return found

    def _texted(self, account: str, message: Message, refused: str | None = None) -> None:
        send_id = self._journal.send_ids.read((message.metadata or {}).get(SEND_ID, ""))
        send = None if send_id is None else self._journal.send(send_id)
        run = None if send is None else send.run
        self.happened.append(Texted(next(self._order), self.clock.now(), run, account, message, refused))

    async def _call(self, command: CallUrl, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        run = int(command.id.partition(":")[0].partition("~")[0])
        called = Called(next(self._order), self.clock.now(), run, method, url, headers, body)
        self.happened.append(called)
        return self._on_call(called)

    def _advanced(self, before: Run | None, run: Run) -> None:
        self.runs[run.id] = run
        if run.is_final and (before is None or not before.is_final):
            self.ends.append(Ended(next(self._order), self.clock.now(), run))
        category = self._category(before, run)
        if category is not None:
            self.categories[run.id] = category
        flow = self._catalog.flow(run.digest) if self._walked is not None else None
        if self._walked is not None:
            self._walked.advanced(flow, before, run)

    def _category(self, before: Run | None, run: Run) -> str | None:
        """What the answer was with which a wait has just ended."""
        known = {} if before is None else before.outputs
        for name, output in run.outputs.items():
            if "category" in output and known.get(name) is not output:
                return str(output["category"])
        flow = self._catalog.flow(run.digest)
        if flow is None or before is None:
            return None
        waiting = {cursor.address for cursor in run.cursors}
        for record in reversed(new_records(before, run)):  # of a step without an id
            step = step_at(flow, record.address) if record.what == "outcome" else None
            if step is None or step.id is not None or record.address in waiting:
                continue
            if isinstance(step.action, WaitForReply):
                return _told(step.action, str(record.detail))
        return None

    def _routed(self, event: Event, matched: Sequence[str], refused: Mapping[str, str]) -> None:
        if event.kind == "inbound_sms" and not matched:
            self.note("no flow takes this message")
        for name, reason in refused.items():
            self.note(f"{name} matches, but begins no run now: {reason}")
        if self._walked is not None:
            self._walked.routed(self._catalog, event, self._worker.facts(event.contact), matched, refused)

    def _held_back(self, send: Send) -> None:
        if self._walked is not None:
            self._walked.held_back(send)
        what = "is put off" if send.state == "deferred" else "is not sent"
        self.note(f'a message to {send.command.to} {what}: {send.reason}: "{send.command.body.get("content", "")}"')

    def _settled(self, settled: Sequence[Settled]) -> None:
        for send, _ in settled:
            if send.state not in ("sent", "queued", "sending", "deferred"):
                self.note(f"a message to {send.command.to} is {send.state.replace('_', ' ')}: {send.reason}")


def _told(wait: WaitForReply, outcome: str) -> str:
    """The category in a trace's words for what became of a wait."""
    if outcome == "time":
        return "timeout"
    named = next((each.name for each in wait.categories if outcome.startswith(f"{each.name}: ")), None)
    return named or ("other" if wait.categories else "reply")


_OnCall = Callable[[CallUrl, str, str, Mapping[str, str], bytes], Awaitable[Answer]]


class _Stand(Dialler):
    """Where `http` steps go: all of the program up to the network, and then the script."""

    def __init__(self, allow: tuple[str, ...], on_call: _OnCall) -> None:
        super().__init__(allow, wrap=lambda _: _transport(on_call))

    async def call(self, command: CallUrl, secrets: Secrets) -> Attempted:
        """See `Dialler.call`."""
        _command.set(command)
        return await super().call(command, secrets)


def _transport(on_call: _OnCall) -> Any:
    import asyncio

    import httpx

    class Scripted(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            command = _command.get()
            assert command is not None
            body = await request.aread()
            answer = await on_call(command, request.method, str(request.url), dict(request.headers), body)
            if answer.delay:
                await asyncio.sleep(answer.delay.total_seconds())
            if answer.fault == "timeout":
                await asyncio.sleep(command.timeout.total_seconds() + 1)
            if answer.fault is not None:
                raise httpx.ConnectError("nobody is there", request=request)
            return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)

    return Scripted()
