"""The admin API's part for what nobody knows: a person says what became of a message or of an `http` call."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow.journal.journal import Act, Journal
from sinchflow.runtime.calls import CallByHand
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.replies import error_reply, json_reply
from sinchflow.runtime.settle import ByHand, Settling

#: Why a message in this state needs no word, and what else may be done.
_STATES = {
    "queued": "it waits for its turn: `sinchflow status` tells what for",
    "deferred": "it waits for a time that policy chose",
    "sending": "its call to the provider is under way",
    "held": "it waits for a working API key, and leaves as soon as there is one",
}


#: Messages that were resolved lately.
_MOST_REMEMBERED = 1_000


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    how: str = msgspec.field(name="as")
    by: str = ""
    message_id: str | None = None


class ResolveApi:
    """`/api/sends/{id}/resolve` and `/api/runs/{id}/resolve`: `{"as": how, "by": who}`."""

    def __init__(
        self, *, journal: Journal, commits: Commits, clock: Clock, settling: Settling,
        resolve_call: Callable[[int, CallByHand], str | None],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._settling = settling
        self._resolve_call = resolve_call
        self._resolved: OrderedDict[int, str] = OrderedDict()  # by whom and how, for whoever comes second

    def routes(self, guard: Any) -> list[Route]:
        """The routes of the admin app."""
        return [
            Route("/api/sends/{id}/resolve", guard(self._send), methods=["POST"]),
            Route("/api/runs/{id}/resolve", guard(self._run), methods=["POST"]),
        ]

    async def _send(self, request: Request) -> Response:
        send_id = request.path_params["id"]
        asked = await _asked(request, get_args(ByHand))
        if isinstance(asked, Response):
            return asked
        if asked.message_id is not None and asked.how != "sent":
            return error_reply(400, "message_id goes with `sent` only: a message has one when it went out")
        how: ByHand = asked.how  # type: ignore[assignment]
        who = asked.by or "an operator"
        refusal = self._settling.by_hand(send_id, how, who, asked.message_id)
        if refusal is not None:
            return self._not_in_doubt(send_id, refusal)
        self._resolved[send_id] = f"{who} resolved it: {how}"
        if len(self._resolved) > _MOST_REMEMBERED:
            self._resolved.popitem(last=False)
        await self._stored()
        return json_reply(200, {"send": send_id, "resolved": asked.how})

    def _not_in_doubt(self, send_id: int, refusal: str) -> Response:
        send = self._journal.send(send_id)
        if send is None:
            return error_reply(404, f"there is no message {send_id}: see `sinchflow sends list --state held`")
        if self._settling.doubt_of(send_id) is not None:
            return error_reply(409, f"message {send_id}: {refusal}")
        if send.state == "held" and any(each.id == send_id for each in self._journal.suspended().sends):
            words = "its run is suspended since the journal was restored: first let the runs go on or end them"
            return error_reply(409, f"message {send_id}: {words} (sinchflow restore --release, or --cancel)")
        words = _STATES.get(send.state, f"it is {send.state} already")
        told = self._resolved.get(send_id) or (send.reason if send.state not in _STATES else None)
        reason = f" ({told})" if told else ""
        return error_reply(409, f"message {send_id}: {words}{reason}")

    async def _run(self, request: Request) -> Response:
        run_id = request.path_params["id"]
        asked = await _asked(request, get_args(CallByHand))
        if isinstance(asked, Response):
            return asked
        how: CallByHand = asked.how  # type: ignore[assignment]
        refusal = self._resolve_call(run_id, how)
        if refusal is not None:
            run = self._journal.run(run_id)
            if run is None:
                return error_reply(404, f"there is no run {run_id}: see `sinchflow runs list`")
            ended = f"it is {run.status}" if run.is_final else refusal
            return error_reply(409, f"run {run_id}: {ended}")
        now, who = self._clock.now(), asked.by or "an operator"
        act = Act(id=self._journal.new_id(), at=now, what="resolve", subject=str(run_id), detail=f"{who}: {how}")
        self._commits.unit.acts.append(act)
        await self._stored()
        return json_reply(200, {"run": run_id, "resolved": how})

    async def _stored(self) -> None:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.unit.thens.append(lambda: None if stored.done() else stored.set_result(None))
        self._commits.flush_soon()
        await stored


async def _asked(request: Request, ways: tuple[str, ...]) -> _Asked | Response:
    try:
        asked = msgspec.json.decode(await request.body(), type=_Asked)
    except (ValueError, RecursionError) as error:
        return error_reply(400, f'the body is {{"as": "{ways[0]}", "by": "name"}}: {error}')
    if asked.how not in ways:
        return error_reply(400, f'"{asked.how[:50]}" is no way to resolve it: choose from {", ".join(ways)}')
    return asked
