"""`dev`: the real daemon, a simulated Sinch and a stand-in outside world in one process, and what passes between them.

The daemon is the one that `run` starts; only its provider, its webhook token and, unless asked otherwise, the network
behind `http` steps are exchanged. What happens is written into a `Conversation`; who shows it is not known here.
"""

import asyncio
import contextlib
import re
import secrets as random_secrets
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog
from starlette.routing import BaseRoute

from sinchflow.model.event import Event
from sinchflow.model.send import Send
from sinchflow.runtime.catalog import Overrides
from sinchflow.runtime.connections import Connection, Hooks
from sinchflow.runtime.daemon import Daemon, Options
from sinchflow.runtime.secrets import PREFIX, Secrets
from sinchflow.runtime.servers import listen, open_server
from sinchflow.simulate.bodies import Report
from sinchflow.simulate.conversation import Conversation
from sinchflow.simulate.message import Message
from sinchflow.simulate.outside import OutsideWorld
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.webhooks import EVENTS, KINDS, TEMPLATES

#: The token in the webhooks' path (design.md section 5).
TOKEN = "dev"
#: Our number and the first customer's: from the range that Australia keeps for fiction.
OUR_NUMBER = "+61491593156"
CUSTOMER = "+61491570156"

#: Lines of the daemon's log that the conversation shows otherwise, or not at all.
_NOT_NOTED = frozenset({"ready", "opted out"})
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
#: The provider's own limit for one message.
_LONGEST_TEXT = 5_000
#: Statuses after which nothing more is heard of a message, unless it is scheduled for later.
_AT_REST = frozenset({"delivered", "failed", "expired", "rejected", "cancelled", "scheduled"})
#: Messages that the simulated Sinch remembers.
_KEPT = 5_000


class Dev:
    """A rehearsal. `start`, then text in; `stop` in the end.

    is_live_http: `http` steps really call; otherwise they are answered 200 and `{}`.
    """

    def __init__(self, options: Options, *, is_live_http: bool = False) -> None:
        self._options = options
        self._is_live_http = is_live_http
        self._warned: set[str] = set()
        self.conversation = Conversation(lambda: datetime.now(UTC))

    async def start(self, routes: Sequence[BaseRoute] = ()) -> None:
        """Start everything, with more `routes` on the admin port. Raises CannotStart and leaves nothing behind."""
        async with contextlib.AsyncExitStack() as undo:
            await self._start(undo, routes)
            self._undo = undo.pop_all()

    async def stop(self) -> None:
        """Stop everything in the right order."""
        await self._undo.aclose()

    async def text_in(self, customer: str, text: str) -> str | None:
        """A customer texts us. Gives the reason when that number or text will not do."""
        customer, text = customer.strip(), text.strip()
        if not _NUMBER.fullmatch(customer):
            return f'"{customer}" is no number with a country code, like {CUSTOMER}'
        if not 1 <= len(text) <= _LONGEST_TEXT:
            return f"a message has 1 to {_LONGEST_TEXT} characters"
        self.conversation.add("in", text, customer)
        await self._sinch.text_in(customer, text)
        return None

    async def start_flow(self, name: str) -> str | None:
        """Start a flow by hand. Gives the reason when that cannot be."""
        url = f"http://127.0.0.1:{self.daemon.admin_port}/api/flows/{name}/start"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(url, headers={"Authorization": f"Bearer {self.daemon.token}"})
        if answer.is_success:
            self.conversation.add("note", f"{name} started")
            return None
        return str(answer.json().get("error", answer.status_code))

    async def quiet(self) -> None:
        """Wait until nothing is under way: all that is open waits for a time or for somebody's answer."""
        calm = 0
        while calm < 2:
            await asyncio.sleep(0.02)
            calm = calm + 1 if self._is_calm() else 0

    @property
    def flows(self) -> Sequence[str]:
        """Names of the live flows."""
        return sorted(self.daemon.worker.catalog.flows)

    def stand_ins(self) -> dict[str, str]:
        """The secrets that flows name and nobody supplied, with what takes their place."""
        catalog = self.daemon.worker.catalog
        missing = Secrets.of_project(self._options.root, catalog.project).missing(catalog.flows.values())
        return Secrets({}).with_stand_ins(catalog.flows.values()).only(each.name for each in missing)

    def _is_calm(self) -> bool:
        return (
            self.daemon.worker.is_idle
            and not self._sinch.pusher.stats.waiting
            and all(message.status in _AT_REST for message in self._sinch.messages)
        )

    # --- putting it together ----------------------------------------------------------------------------------------

    async def _start(self, undo: contextlib.AsyncExitStack, routes: Sequence[BaseRoute]) -> None:
        structlog.configure(processors=[structlog.processors.add_log_level, self._note_log])
        undo.callback(structlog.reset_defaults)
        key = random_secrets.token_urlsafe(12)
        self._sinch = sinch = SimulatedSinch(api_key=TOKEN, api_secret=key, number=OUR_NUMBER, keep=_KEPT)
        sinch.subscribe(self._note_message)
        sinch.watch_reports(self._note_report)
        listener = undo.enter_context(listen("127.0.0.1", 0, "--port"))
        await open_server(undo, sinch.app, listener)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.daemon = Daemon(
            self._options,
            overrides=Overrides(
                connection=Connection(base_url=base_url, api_key=TOKEN, api_secret=key, source_number=OUR_NUMBER),
                hooks=Hooks(token=TOKEN),
            ),
            transport=self._outside,
            routes=routes,
        )
        await self.daemon.start()
        undo.push_async_callback(self.daemon.stop)
        self.daemon.worker.on_routed.append(self._note_routed)
        self.daemon.worker.on_held_back.append(self._note_held_back)
        for kind in KINDS:
            url = f"http://127.0.0.1:{self.daemon.port}/hooks/{TOKEN}/{kind}"
            sinch.webhooks.register(url, EVENTS[kind], template=TEMPLATES[kind], retries=5, retry_delay=5)
        await sinch.start()
        undo.push_async_callback(sinch.stop)
        self._warn_of_stand_ins()

    def _outside(self, network: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return OutsideWorld(self._note_call, network if self._is_live_http else None)

    # --- what happened ----------------------------------------------------------------------------------------------

    def _note_message(self, message: Message) -> None:
        text = "\n".join([message.content, *(f"[{url}]" for url in message.media or ())])
        self.conversation.add(
            "out",
            text,
            message.destination_number,
            message_id=message.message_id,
            **{"from": message.source_number or OUR_NUMBER},
        )

    def _note_report(self, report: Report) -> None:
        message = report.message
        self.conversation.add(
            "receipt",
            report.status,
            message.destination_number,
            message_id=message.message_id,
            status=report.status,
        )

    def _note_call(self, line: str, detail: dict[str, Any]) -> None:
        self.conversation.add("call", self._hide(line), None, **{**detail, "url": self._hide(detail["url"]),
                              "body": self._hide(detail["body"])})  # fmt: skip

    def _note_routed(self, event: Event, matched: Sequence[str], refused: Mapping[str, str]) -> None:
        if event.kind == "opt_out":
            self.conversation.add("note", "opted out: nothing more is sent to this number", event.contact)
        if event.kind == "inbound_sms" and not matched:
            self.conversation.add("note", "no flow matches this message", event.contact)
        for name, reason in refused.items():
            self.conversation.add("note", f"{name} matches, but begins no run now: {reason}", event.contact)

    def _note_held_back(self, send: Send) -> None:
        what = "put off" if send.state == "deferred" else "not sent"
        self.conversation.add("note", f"{what}: {send.reason}: {send.command.body.get('content', '')}", send.command.to)

    def _note_log(self, _logger: Any, level: str, entry: MutableMapping[str, Any]) -> str:
        """The daemon's log line as a note; nothing is left to be printed."""
        flow, reason = entry.get("flow"), entry.get("reason")
        if level == "info" and entry["event"] == "reloaded":
            self._warn_of_stand_ins()
        if entry["event"] not in _NOT_NOTED:
            words = (flow, entry["event"], reason, entry.get("exc_info") and "run with `sinchflow run` to see why")
            self.conversation.add("note", ": ".join(str(word) for word in words if word), level=level)
        raise structlog.DropEvent

    def _warn_of_stand_ins(self) -> None:
        catalog = self.daemon.worker.catalog
        for missing in Secrets.of_project(self._options.root, catalog.project).missing(catalog.flows.values()):
            if missing.name not in self._warned:
                self._warned.add(missing.name)
                variable = f"{PREFIX}{missing.name}"
                self.conversation.add(
                    "note", f"{variable} is not set ({missing.origin}); a stand-in takes its place", level="warning"
                )

    def _hide(self, text: str) -> str:
        """The text without the values of real secrets; stand-ins may be seen."""
        catalog = self.daemon.worker.catalog
        used = {each.name for each in Secrets({}).missing(catalog.flows.values())}
        stand_ins = {
            each.name
            for each in Secrets.of_project(self._options.root, catalog.project).missing(catalog.flows.values())
        }
        return catalog.secrets.veil(used - stand_ins).hide(text)
