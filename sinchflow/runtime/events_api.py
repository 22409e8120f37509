"""The admin API's part for events: lists, the story of one, and what is in quarantine."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow.expression.numbers import to_e164
from sinchflow.journal.clues import Clues
from sinchflow.journal.journal import Quarantined
from sinchflow.model.event import EventKind
from sinchflow.runtime.event_stories import Question, list_events, list_quarantined, story
from sinchflow.runtime.quarantine import Quarantine
from sinchflow.runtime.replies import error_reply, json_reply
from sinchflow.runtime.worker import Worker

_MOST_LISTED = 10_000
_MOST_KEPT = 10_000


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """ids: of bodies in quarantine; None: all."""

    ids: list[int] | None = None
    by: str = ""
    even_old: bool = False


class EventsApi:
    """`/api/events`. path: of the journal, which is read in threads."""

    def __init__(self, *, path: Path, worker: Worker, quarantine: Quarantine) -> None:
        self._path = path
        self._worker = worker
        self._quarantine = quarantine

    def routes(self, guard: Any) -> list[Route]:
        """The routes of the admin app."""
        return [
            Route("/api/events", guard(self._list)),
            Route("/api/events/quarantined", guard(self._quarantined)),
            Route("/api/events/reparse", guard(self._reparse), methods=["POST"]),
            Route("/api/events/discard", guard(self._discard), methods=["POST"]),
            Route("/api/events/{id:int}", guard(self._show)),
        ]

    async def _list(self, request: Request) -> Response:
        question = self._question(request)
        if isinstance(question, str):
            return error_reply(400, question)
        return json_reply(200, await asyncio.to_thread(list_events, self._path, question))

    def _question(self, request: Request) -> Question | str:
        given = request.query_params
        limit = given.get("limit", "50")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LISTED:
            return f"limit is a number from 1 to {_MOST_LISTED}"
        kind, contact = given.get("kind"), given.get("contact")
        if kind is not None and kind not in get_args(EventKind):
            return no_kind(kind)
        number = None if contact is None else to_e164(contact, self._worker.catalog.project.country)
        if contact is not None and number is None:
            return f'"{contact[:50]}" is no phone number; write it with + and the country\'s code'
        since = _time(given.get("since"))
        if isinstance(since, str):
            return since
        return Question(
            kind=kind, contact=number, since=since, is_unmatched=given.get("unmatched") == "true", limit=int(limit)
        )

    async def _quarantined(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "50")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_KEPT:
            return error_reply(400, f"limit is a number from 1 to {_MOST_KEPT}")
        return json_reply(200, await asyncio.to_thread(list_quarantined, self._path, int(limit)))

    async def _show(self, request: Request) -> Response:
        event_id = request.path_params["id"]
        found = await asyncio.to_thread(story, self._path, event_id)
        return error_reply(404, no_event(event_id)) if found is None else json_reply(200, found)

    async def _reparse(self, request: Request) -> Response:
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        wanted, bodies = asked
        who = wanted.by or "an operator"
        counts = await self._quarantine.reparse(bodies, who, is_old_wanted=wanted.even_old)
        return json_reply(200, {**dict.fromkeys(("started", "too_late", "known", "unreadable"), 0), **counts,
                                "left": await self._left()})  # fmt: skip

    async def _discard(self, request: Request) -> Response:
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        wanted, bodies = asked
        await self._quarantine.discard([each.id for each in bodies], wanted.by or "an operator")
        return json_reply(200, {"discarded": len(bodies), "left": await self._left()})

    async def _asked(self, request: Request) -> tuple[_Asked, list[Quarantined]] | Response:
        """What is asked for, and the bodies that it is about."""
        try:
            asked = msgspec.json.decode(await request.body() or b"{}", type=_Asked)
        except (ValueError, RecursionError) as error:
            return error_reply(400, f'the body is {{"ids": [number, …], "by": "name"}}: {error}')
        bodies = await asyncio.to_thread(self._read, asked.ids)
        missing = sorted(set(asked.ids or ()) - {each.id for each in bodies})
        if missing:
            words = f"nothing in quarantine has the id {missing[0]}: see `sinchflow events list --quarantined`"
            return error_reply(404, words)
        return asked, bodies

    def _read(self, ids: list[int] | None) -> list[Quarantined]:
        """The oldest first, as they came."""
        with Clues(self._path) as clues:
            return clues.quarantined(ids, _MOST_KEPT)[::-1]

    async def _left(self) -> int:
        left = len(await asyncio.to_thread(self._read, None))
        self._quarantine.note(left)
        return left


def _time(written: str | None) -> datetime | str | None:
    if written is None:
        return None
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        return f'since is a time like 2026-03-02T22:30:00+00:00, not "{written[:50]}"'
    return time


def no_event(event_id: int) -> str:
    """Nothing has this id."""
    return f"there is no event {event_id}, or it is no longer kept: see `sinchflow events list`"


def no_kind(kind: str) -> str:
    """There are no such events."""
    return f'there are no events of kind "{kind[:50]}": choose from {", ".join(get_args(EventKind))}'
