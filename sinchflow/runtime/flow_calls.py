"""Calls of flows' own webhooks: from a request to an event with its run, and to the answer.

202 with the run's id, or with `null` and the reason why there is none, once the event and the run are on disk. What is
wrong with a call is found before anything is stored: 401 the caller, 400 the body, 422 what the flow makes of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.engine.caller import ActionError
from sinchflow.engine.ends import contact_of
from sinchflow.engine.inputs import settle_inputs
from sinchflow.engine.scope import event_scope
from sinchflow.errors import Unstorable
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.journal.journal import Journal
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow, Text
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.model.run import Facts
from sinchflow.runtime.call_body import read_call
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.flow_hooks import PREFIX
from sinchflow.runtime.guard import Refusal
from sinchflow.runtime.starts import NotYet, Started, Starts, call_key
from sinchflow.runtime.stats import Stats

#: Callers give up sooner or later than this; a journal that has not stored a run by now is in trouble.
_PATIENCE_S = 20.0


def is_flow_call(path: str) -> bool:
    """Whether a path of the webhook port is a flow's."""
    return path.startswith(f"{PREFIX}/")


class FlowCalls:
    """See the module's text. catalog: what is live at that moment."""

    def __init__(
        self, *, journal: Journal, clock: Clock, stats: Stats, starts: Starts, catalog: Callable[[], Catalog],
        patience_s: float = _PATIENCE_S,
    ) -> None:  # fmt: skip
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._starts = starts
        self._catalog = catalog
        self._patience_s = patience_s

    async def answer(self, scope: MutableMapping[str, Any], read: Callable[[], Awaitable[bytes]]) -> tuple[int, bytes]:
        """Status and body of the answer to one request. read: gives the request's body. Raises Refusal."""
        catalog = self._catalog()
        hook = catalog.flow_hooks.find(scope["path"], scope["method"])
        hook.check_token(scope["headers"])
        body = await read()
        hook.check_signature(scope["headers"], body)
        fields = read_call(
            method=scope["method"], path=hook.trigger.path, query=scope["query_string"], headers=scope["headers"],
            secret=hook.secret_headers, body=body,
        )  # fmt: skip
        event_id, flow = self._journal.new_id(), hook.flow
        event = Event(
            id=event_id, kind="webhook", key=f"{self._journal.identity}-{event_id}", received_at=self._clock.now(),
            account=flow.account or DEFAULT_ACCOUNT, fields={**fields, "flow": flow.name},
        )  # fmt: skip
        problems, repeat = examine(
            flow, hook.trigger.dedupe, event, catalog.facts, self._clock.now(), catalog.templates
        )
        if problems:
            raise Refusal(422, f'flow "{flow.name}" cannot start with this', problems=tuple(problems))
        if repeat is not None:
            event = replace(event, key=call_key(flow.name, repeat))
        started = await self._start(event)
        shown = {"run": started.run} if started.run is not None else {"run": None, "reason": started.reason}
        return 202, msgspec.json.encode(shown)

    async def _start(self, event: Event) -> Started:
        """The run that the event began, once all is stored. Raises Refusal."""
        answer: asyncio.Future[Started | Exception] = asyncio.get_running_loop().create_future()

        def told(result: Started | Exception) -> None:
            if not answer.done():
                answer.set_result(result)

        self._starts.start(event, told)
        try:
            result = await asyncio.wait_for(answer, self._patience_s)
        except TimeoutError:
            reason = "this is not stored yet: try again, which is without harm where the webhook has `dedupe`"
            raise Refusal(503, reason, headers=((b"retry-after", b"30"),)) from None
        if isinstance(result, NotYet):
            words = "this call came before, and its run has not begun yet: try again"
            raise Refusal(503, words, headers=((b"retry-after", b"5"),))
        if isinstance(result, Unstorable):
            raise Refusal(400, f"this call {result}")
        if isinstance(result, Exception):
            self._stats.troubles["journal"] = str(result)
            raise Refusal(503, "this cannot be stored right now: try again", headers=((b"retry-after", b"5"),))
        self._stats.troubles.pop("journal", None)
        return result


def examine(
    flow: Flow, dedupe: Text | None, event: Event, facts: Facts, now: datetime, templates: Templates
) -> tuple[list[str], str | None]:
    """All that keeps the flow from starting with the event, and what tells repeats of the call (None: nothing does)."""
    scope = event_scope(event, {}, facts, now)
    problems: list[str] = []
    repeat: str | None = None
    if dedupe is not None:
        try:
            repeat = templates.text(dedupe, scope).strip()
            if not repeat:
                problems.append("dedupe: it is empty, so that one call could not be told from another")
        except ExpressionError as error:
            problems.append(f"dedupe: {error.message}")
    sound: dict[str, Any] = {}  # the inputs so far without those that are wrong: each is judged, not only the first
    for name, wanted in flow.inputs.items():
        try:
            settle_inputs(replace(flow, inputs={**sound, name: wanted}), None, scope, facts, templates)
            sound[name] = wanted
        except (ActionError, ExpressionError) as error:
            words = getattr(error, "message", str(error))
            problems.append(words if words.startswith("input ") else f'input "{name}": {words}')
    if not problems:
        scope["inputs"] = settle_inputs(flow, None, scope, facts, templates)
        try:
            contact_of(flow, scope, facts, templates)
        except (ActionError, ExpressionError) as error:
            problems.append(f"contact: {getattr(error, 'message', error)}")
    return problems, repeat
