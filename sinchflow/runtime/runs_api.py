"""The admin API's part for runs: lists, the story of one, following them, retry and cancel.

Whatever looks through the journal does so in a thread, on a connection of its own.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow.engine.retrying import CannotRetry
from sinchflow.errors import SinchflowError
from sinchflow.journal.journal import Act, Journal
from sinchflow.model.run import Run
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.replies import LARGEST_ID, error_reply, json_reply, whole_number
from sinchflow.runtime.retries import look
from sinchflow.runtime.run_stories import DOINGS, STATUSES, Question, list_runs, story
from sinchflow.runtime.tails import Tails
from sinchflow.runtime.worker import Worker

_MOST_LISTED = 10_000
#: Runs in one request that changes them.
_MOST_AT_ONCE = 1_000
_LONGEST_WAIT_S = 30.0
_MOST_ROUNDS = 100
_LONGEST_DETAIL = 500
_LONGEST_NAME = 50


class RunsApi:
    """`/api/runs`; `guard` is put around each endpoint."""

    def __init__(self, *, path: Path, journal: Journal, commits: Commits, clock: Clock, worker: Worker) -> None:
        self._path = path
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._worker = worker
        self._tails = Tails(worker.on_advanced, lambda: worker.catalog, clock)
        self.stop = self._tails.stop

    def routes(self, guard: Any) -> list[Route]:
        """The routes of the admin app."""
        one = "/api/runs/{id}"
        return [
            Route("/api/runs", guard(self._list)),
            Route("/api/runs/changes", guard(self._changes)),
            Route("/api/runs/retry", guard(self._retry_many), methods=["POST"]),
            Route("/api/runs/cancel", guard(self._cancel_many), methods=["POST"]),
            Route(one, guard(self._show)),
            Route(f"{one}/retry", guard(self._retry), methods=["POST"]),
            Route(f"{one}/cancel", guard(self._cancel), methods=["POST"]),
        ]

    # --- looking ----------------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        question = question_of(request.query_params.multi_items())
        if isinstance(question, str):
            return error_reply(400, question)
        return json_reply(200, await asyncio.to_thread(list_runs, self._path, question))

    async def _show(self, request: Request) -> Response:
        run_id = request.path_params["id"]
        found = await asyncio.to_thread(story, self._path, run_id)
        return error_reply(404, no_run(run_id)) if found is None else json_reply(200, found)

    async def _changes(self, request: Request) -> Response:
        given = request.query_params
        numbers = [given.get(name, "") for name in ("after", "run")]
        after, run_id = (whole_number(each, LARGEST_ID) for each in numbers)
        if (numbers[0] and after is None) or (numbers[1] and run_id is None):
            return error_reply(400, "after and run are numbers")
        wait_s = float(min(whole_number(given.get("wait", "0"), 1_000_000) or 0, _LONGEST_WAIT_S))
        return json_reply(200, await self._tails.changes(after, run_id, wait_s))

    # --- retry ------------------------------------------------------------------------------------------------------

    async def _retry(self, request: Request) -> Response:
        run_id = request.path_params["id"]
        result = await self._retry_one(run_id)
        if result is None:
            return error_reply(404, no_run(run_id))
        if isinstance(result, str):
            return error_reply(409, result)
        self._note("retry", [run_id], await _who(request))
        await self._stored()
        return json_reply(200, {"run": run_id, "flow": result.flow, "retries": result.retries})

    async def _retry_many(self, request: Request) -> Response:
        asked = await self._asked(request, Question(statuses=frozenset({"failed"}), is_since_end=True))
        if isinstance(asked, Response):
            return asked
        ids, is_dry_run, is_all = asked
        retried, refused = list[int](), list[dict[str, Any]]()
        for run_id in () if is_dry_run else ids:
            result = await self._retry_one(run_id)
            if isinstance(result, Run):
                retried.append(run_id)
            else:
                refused.append({"run": run_id, "reason": result or no_run(run_id)})
        if retried:
            self._note("retry", retried, await _who(request))
            await self._stored()
        return json_reply(200, {"count": len(ids), "is_all": is_all, "retried": retried, "refused": refused})

    async def _retry_one(self, run_id: int) -> Run | str | None:
        """The run, going on; why it does not; None when there is none."""
        try:
            found = await asyncio.to_thread(look, self._path, run_id)
            return None if found is None else self._worker.retries.retry(found)
        except CannotRetry as refusal:
            return str(refusal)
        except SinchflowError as error:
            return f"run {run_id} cannot be retried: {error}"

    # --- cancel -----------------------------------------------------------------------------------------------------

    async def _cancel(self, request: Request) -> Response:
        run_id = request.path_params["id"]
        who = await _who(request)
        refusal = await self._cancel_one(run_id, who, was_open=self._worker.is_run_open(run_id))
        if refusal is None:
            return error_reply(404, no_run(run_id))
        if refusal:
            return error_reply(409, refusal)
        self._note("cancel", [run_id], who)
        await self._stored()
        return json_reply(200, {"run": run_id, "status": "cancelled"})

    async def _cancel_many(self, request: Request) -> Response:
        asked = await self._asked(request, None)
        if isinstance(asked, Response):
            return asked
        ids, is_dry_run, _ = asked
        cancelled, refused = list[int](), list[dict[str, Any]]()
        who = await _who(request)
        are_open = set() if is_dry_run else {run_id for run_id in ids if self._worker.is_run_open(run_id)}
        for run_id in sorted(are_open):  # all of them at once: storing one after the other would take a while
            self._worker.cancel_run(run_id, f"cancelled by {who}")
        for run_id in () if is_dry_run else ids:
            refusal = await self._cancel_one(run_id, who, was_open=run_id in are_open)
            if refusal == "":
                cancelled.append(run_id)
            else:
                refused.append({"run": run_id, "reason": refusal or no_run(run_id)})
        if cancelled:
            self._note("cancel", cancelled, who)
            await self._stored()
        return json_reply(200, {"count": len(ids), "cancelled": cancelled, "refused": refused})

    async def _cancel_one(self, run_id: int, who: str, *, was_open: bool) -> str | None:
        """Empty once the run is cancelled; why it is not; None when there is none."""
        for _ in range(_MOST_ROUNDS):  # it may be on its way to its end, or to its next step
            if not self._worker.is_run_open(run_id):
                break
            self._worker.cancel_run(run_id, f"cancelled by {who}")
            await self._stored()
        run = self._journal.run(run_id)
        if run is None:
            return None
        if run.status == "cancelled" and was_open:
            return ""
        if not run.is_final and self._worker.is_run_open(run_id):
            return f"run {run_id} is not cancelled yet: its end is still to be stored"
        if not run.is_final:
            return f"run {run_id} is not at work in this daemon: it is suspended since the journal was restored"
        return f"run {run_id} has ended already: {run.status}"

    # --- both -------------------------------------------------------------------------------------------------------

    async def _asked(self, request: Request, failed: Question | None) -> "tuple[list[int], bool, bool] | Response":
        """Which runs, whether they are only to be counted, and whether these are all. failed: retry, else cancel."""
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or body.keys() - {"runs", "flow", "since", "dry_run", "by"}:
            return error_reply(400, 'the body is {"runs": [ID, …]} or {"flow": NAME}, for a retry also "since": TIME')
        is_dry_run = body.get("dry_run") is True
        ids = body.get("runs")
        if ids is not None:
            if not isinstance(ids, list) or not all(map(_is_id, ids)) or len(ids) > _MOST_AT_ONCE:
                return error_reply(400, f"runs is a list of at most {_MOST_AT_ONCE} ids")
            return list(dict.fromkeys(ids)), is_dry_run, True
        flow = body.get("flow")
        if not isinstance(flow, str):
            return error_reply(400, "name the runs by `runs` or by `flow`")
        if failed is None:
            return self._worker.run_ids_of(flow), is_dry_run, True
        given = [("flow", flow), ("status", "failed"), ("since_end", str(body.get("since") or ""))]
        question = question_of([*given, ("limit", str(_MOST_AT_ONCE))])
        if isinstance(question, str):
            return error_reply(400, question)
        found = await asyncio.to_thread(list_runs, self._path, question)
        runs = found["runs"]
        return [run["id"] for run in runs], is_dry_run, found["is_all"] and len(runs) < _MOST_AT_ONCE

    def _note(self, what: str, ids: Sequence[int], who: str) -> None:
        """Who looks at the journal shall see that a person asked for it."""
        subject = str(ids[0]) if len(ids) == 1 else f"{len(ids)} runs"
        named = "" if len(ids) == 1 else f": {', '.join(map(str, ids))}"
        detail = f"{who}{named}"[:_LONGEST_DETAIL]
        act = Act(id=self._journal.new_id(), at=self._clock.now(), what=what, subject=subject, detail=detail)
        self._commits.unit.acts.append(act)
        self._commits.flush_soon()

    async def _stored(self) -> None:
        """Wait for what has been added until now."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.unit.thens.append(lambda: None if stored.done() else stored.set_result(None))
        self._commits.flush_soon()
        await stored


async def _who(request: Request) -> str:
    """Who asks, as the body says."""
    try:
        body = await request.json()
    except ValueError:
        body = None
    by = body.get("by") if isinstance(body, dict) else None
    return by[:_LONGEST_NAME] if by and isinstance(by, str) else "an operator"


def _is_id(given: Any) -> bool:
    return type(given) is int and 0 <= given <= LARGEST_ID


def no_run(run_id: int) -> str:
    """The line for an id that is nobody's."""
    return f"there is no run {run_id}"


def question_of(given: Sequence[tuple[str, str]]) -> Question | str:
    """Which runs are asked for, from names and values; a text says what is wrong with them."""
    values = {name: value for name, value in given if name != "status" and value}
    statuses = {value for name, value in given if name == "status" and value}
    if unknown := values.keys() - {"flow", "contact", "since", "since_end", "limit"}:
        return f"unknown parameter: {min(unknown)}"
    if unknown := statuses - {*STATUSES, *DOINGS}:
        return f'unknown status "{min(unknown)}"; there are {", ".join((*STATUSES, *DOINGS))}'
    limit = values.get("limit", "50")
    if not whole_number(limit, _MOST_LISTED):
        return f"limit is a number from 1 to {_MOST_LISTED}"
    since = None
    if (written := values.get("since") or values.get("since_end")) is not None:
        try:
            since = datetime.fromisoformat(written)
        except ValueError:
            since = None
        if since is None or since.tzinfo is None:
            return f'since is a time like 2026-03-02T22:30:00+00:00, not "{written[:50]}"'
    return Question(
        flow=values.get("flow"), statuses=frozenset(statuses), contact=values.get("contact"), since=since,
        is_since_end="since_end" in values, limit=int(limit),
    )  # fmt: skip
