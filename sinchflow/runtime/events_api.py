"""The admin API's part for events: lists, the story of one, and what is in quarantine."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow.expression.numbers import to_e164
from sinchflow.journal.arrivals import Arrivals, Aside, Wanted
from sinchflow.model.event import EventKind
from sinchflow.runtime.event_stories import list_events, list_quarantined, story
from sinchflow.runtime.quarantine import NOT_STORED, OUTCOMES, Quarantine
from sinchflow.runtime.replies import LARGEST_ID, error_reply, json_reply, whole_number
from sinchflow.runtime.worker import Worker

_MOST_LISTED = 10_000
_MOST_KEPT = 10_000
_LONGEST_NAME = 50

_Id = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)]


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """ids: of bodies in quarantine; None: the first `limit` of those above `after`."""

    ids: list[_Id] | None = None
    after: _Id = 0
    limit: int = _MOST_KEPT
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
            Route("/api/events/{id}", guard(self._show)),
        ]

    async def _list(self, request: Request) -> Response:
        question = self._question(request)
        if isinstance(question, str):
            return error_reply(400, question)
        return json_reply(200, await asyncio.to_thread(list_events, self._path, *question))

    def _question(self, request: Request) -> tuple[Wanted, int] | str:
        """Which events, and how many; a text says what is wrong with the question."""
        given = request.query_params
        if unknown := given.keys() - {"kind", "contact", "since", "unmatched", "limit"}:
            return f"unknown parameter: {min(unknown)}"
        limit = given.get("limit", "50")
        if not whole_number(limit, _MOST_LISTED):
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
        unmatched = given.get("unmatched", "false")
        if unmatched not in ("true", "false"):
            return "unmatched is true or false"
        return Wanted(kind=kind, contact=number, since=since, is_unmatched=unmatched == "true"), int(limit)

    async def _quarantined(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "50")
        if not whole_number(limit, _MOST_KEPT):
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
        wanted, bodies, last = asked
        counts, left = await self._quarantine.reparse(bodies, _who(wanted), is_old_wanted=wanted.even_old)
        if counts[NOT_STORED]:
            words = "the journal does not store anything right now: see `sinchflow status`; what is in quarantine stays"
            return error_reply(503, words)
        return json_reply(200, {**{name: counts[name] for name in OUTCOMES}, "left": left, "last": last})

    async def _discard(self, request: Request) -> Response:
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        wanted, bodies, last = asked
        left = await self._quarantine.discard(bodies, _who(wanted))
        return json_reply(200, {"discarded": len(bodies), "left": left, "last": last})

    async def _asked(self, request: Request) -> tuple[_Asked, list[Aside], int | None] | Response:
        """What is asked for, the bodies that it is about, and the last one's id when more may come after it."""
        try:
            asked = msgspec.json.decode(await request.body() or b"{}", type=_Asked)
        except (ValueError, RecursionError) as error:
            return error_reply(400, f'the body is {{"ids": [number, …], "by": "name"}}: {error}')
        if not 1 <= asked.limit <= _MOST_KEPT or len(asked.ids or ()) > _MOST_KEPT:
            return error_reply(400, f"at most {_MOST_KEPT} bodies at a time")
        bodies = await asyncio.to_thread(self._aside, asked)
        missing = sorted(set(asked.ids or ()) - {each.id for each in bodies})
        if missing:
            words = f"nothing in quarantine has the id {missing[0]}: see `sinchflow events list --quarantined`"
            return error_reply(404, words)
        return asked, bodies, bodies[-1].id if asked.ids is None and len(bodies) == asked.limit else None

    def _aside(self, asked: _Asked) -> list[Aside]:
        with Arrivals(self._path) as arrivals:
            if asked.ids is not None:
                return arrivals.aside_of(asked.ids)
            return arrivals.aside_above(asked.after, asked.limit)


def _who(asked: _Asked) -> str:
    return asked.by[:_LONGEST_NAME] or "an operator"


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
