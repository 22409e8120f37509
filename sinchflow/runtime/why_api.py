"""The admin API's part for questions: `/api/why?about=ID-or-number`."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow.policy.gate import Allowed, Deferred
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.replies import error_reply, json_reply
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.switch import Switch
from sinchflow.runtime.why import Live, find, nothing_has, tell
from sinchflow.runtime.worker import Worker


class WhyApi:
    """See the module's text. path: of the journal, which is read in a thread of its own."""

    def __init__(self, *, path: Path, worker: Worker, switch: Switch, stats: Stats, clock: Clock) -> None:
        self._path = path
        self._worker = worker
        self._switch = switch
        self._stats = stats
        self._clock = clock

    def routes(self, guard: Any) -> list[Route]:
        """The routes of the admin app."""
        return [Route("/api/why", guard(self._why))]

    async def _why(self, request: Request) -> Response:
        about = request.query_params.get("about", "").strip()
        if not about:
            return error_reply(400, "about is the id of an event, a run or a message, or a phone number")
        found = await asyncio.to_thread(find, self._path, about, self._worker.catalog.project.country)
        if found is None:
            return error_reply(404, nothing_has(about))
        return json_reply(200, await asyncio.to_thread(tell, self._path, found, self._live(found.contact)))

    def _live(self, contact: str | None) -> Live:
        catalog, worker, now = self._worker.catalog, self._worker, self._clock.now()
        paused = self._switch.paused
        return Live(
            flows=tuple(catalog.flows.values()), facts=worker.facts(contact), now=now,
            policy=None if contact is None else self._policy(contact), paused=None if paused is None else str(paused),
            troubles=dict(self._stats.troubles), in_lane=0 if contact is None else worker.waiting_for(contact),
        )  # fmt: skip

    def _policy(self, contact: str) -> str | None:
        project, now = self._worker.catalog.project, self._clock.now()
        allowances = self._worker.allowances
        verdict = allowances.peek(project, contact, now)
        if isinstance(verdict, Allowed):
            return None
        if isinstance(verdict, Deferred):
            until: datetime | None = verdict.until
        else:
            ends_in = allowances.brake_ends_in(project, contact)
            until = None if ends_in is None else now + ends_in
        return verdict.reason if until is None else f"{verdict.reason}, until {until:%Y-%m-%d %H:%M:%S} UTC"
