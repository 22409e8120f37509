"""The admin API's part for people: what is known of somebody, suppressing, and forgetting."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow.expression.numbers import to_e164
from sinchflow.journal.journal import Forgotten, Journal
from sinchflow.model.contact import Contact, Suppression
from sinchflow.model.run import Run
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.replies import error_reply, json_reply, whole_number
from sinchflow.runtime.worker import Worker

_MOST_LISTED = 10_000
_MOST_RUNS = 20
_MOST_ROUNDS = 100

#: Why the runs of somebody forgotten end.
CANCELLED = "the contact was forgotten"


class ContactsApi:
    """`/api/contacts`; `guard` is put around each endpoint."""

    def __init__(self, *, journal: Journal, commits: Commits, clock: Clock, worker: Worker) -> None:
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._worker = worker

    def routes(self, guard: Any) -> list[Route]:
        """The routes of the admin app."""
        one = "/api/contacts/{number}"
        return [
            Route("/api/contacts", guard(self._list)),
            Route(one, guard(self._show)),
            Route(f"{one}/suppress", guard(self._suppress), methods=["POST"]),
            Route(f"{one}/allow", guard(self._allow), methods=["POST"]),
            Route(f"{one}/forget", guard(self._forget), methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "100")
        if not whole_number(limit, _MOST_LISTED):
            return error_reply(400, f"limit is a number from 1 to {_MOST_LISTED}")
        people = self._journal.contacts(int(limit), request.query_params.get("after", ""))
        return json_reply(200, {"contacts": [as_plain(each) for each in people]})

    async def _show(self, request: Request) -> Response:
        number = self._number(request)
        if isinstance(number, Response):
            return number
        await self._stored()
        return json_reply(200, about(self._journal, number, self._journal.pseudonym(number)))

    async def _suppress(self, request: Request) -> Response:
        number = self._number(request)
        if isinstance(number, Response):
            return number
        people = self._worker.people
        is_new = not people.is_suppressed(number)
        if is_new:
            told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
            self._worker.suppress(number, told.set_result)
            if (error := await told) is not None:
                return error_reply(503, f"{number} is not suppressed: {error}")
        else:  # it holds from now on also when the provider takes the number off its list
            people.suppress(number, "operator", self._clock.now())
            await self._stored()
        return json_reply(200, {"number": number, "is_suppressed": True, "is_new": is_new})

    async def _allow(self, request: Request) -> Response:
        number = self._number(request)
        if isinstance(number, Response):
            return number
        is_new = self._worker.people.allow(number, self._clock.now())
        await self._stored()
        return json_reply(200, {"number": number, "is_suppressed": False, "is_new": is_new})

    async def _forget(self, request: Request) -> Response:
        """Cancel the person's open runs, then take all that is theirs out of the journal's files."""
        number = self._number(request)
        if isinstance(number, Response):
            return number
        cancelled = await self._cancel_runs(number)
        answer: asyncio.Future[Forgotten | Exception] = asyncio.get_running_loop().create_future()
        self._journal.forget(number, answer.set_result)
        result = await answer
        self._worker.people.forget(number)
        if isinstance(result, Exception):
            return error_reply(503, f"{number} is not forgotten, or not wholly: {result}; ask again")
        return json_reply(200, forgotten(number, cancelled, result))

    async def _cancel_runs(self, number: str) -> int:
        """Until none is open: a message that waited for its turn begins another when the first has ended."""
        cancelled = 0
        for _ in range(_MOST_ROUNDS):
            ended, is_any_left = self._worker.cancel_runs_of(number, CANCELLED)
            cancelled += ended
            await self._stored()
            if not is_any_left:
                break
        return cancelled

    async def _stored(self) -> None:
        """Wait for what has been added until now: a busy daemon always has something to store."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.unit.thens.append(lambda: stored.set_result(None))
        self._commits.flush_soon()
        await stored

    def _number(self, request: Request) -> str | Response:
        written = request.path_params["number"]
        number = to_e164(written, self._worker.catalog.project.country)
        if number is None:
            return error_reply(400, f'"{written[:50]}" is no phone number; write it with + and the country\'s code')
        return number


def about(journal: Any, number: str, pseudonym: str) -> dict[str, Any]:
    """What the journal (or its reader) holds of a person. pseudonym: under which it knows that they opted out, once
    they were forgotten."""
    person = journal.contact(number)
    suppression = next((each for each in journal.suppressed() if each.number in (number, pseudonym)), None)
    return {
        **(as_plain(person) if person else {"number": number, "values": {}, "language": None, "timezone": None}),
        "suppressed": None if suppression is None else _suppression(suppression),
        "runs": [_run(run) for run in journal.runs_of(number, _MOST_RUNS)],
    }


def forgotten(number: str, cancelled: int, what: Forgotten) -> dict[str, Any]:
    """What became of a person, for JSON. cancelled: how many open runs of theirs were ended before."""
    found = {"events": what.events, "runs": what.runs, "sends": what.sends, "left": list(what.left)}
    return {"number": number, "cancelled": cancelled, **found}


def as_plain(person: Contact) -> dict[str, Any]:
    """A person for JSON."""
    heard = person.last_inbound_at
    return {
        "number": person.number,
        "values": person.values,
        "language": person.language,
        "timezone": person.timezone,
        "updated_at": person.updated_at.isoformat(),
        "last_inbound_at": None if heard is None else heard.isoformat(),
    }


def _suppression(found: Suppression) -> dict[str, Any]:
    return {"since": found.since.isoformat(), "source": found.source, "reason": found.reason}


def _run(run: Run) -> dict[str, Any]:
    started = run.started_at.isoformat()
    return {"id": run.id, "flow": run.flow, "status": run.status, "started_at": started, "reason": run.reason}
