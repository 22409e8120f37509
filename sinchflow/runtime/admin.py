"""The admin port: health, metrics and the API that commands use. Loopback by default, never on the webhook port.

`/health`, `/ready` and `/metrics` are open to whoever reaches the port; `/api/…` wants the token that the daemon
writes into `daemon.json` in its data folder, which only its owner can read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, get_args

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sinchflow.engine.inputs import fault_of
from sinchflow.errors import SinchflowError
from sinchflow.journal.journal import Journal
from sinchflow.model.event import clean_data
from sinchflow.model.flow import Flow, Manual
from sinchflow.model.send import SendState
from sinchflow.runtime.admin_door import AdminDoor, shows_token
from sinchflow.runtime.replies import LARGEST_ID, error_reply, json_reply, whole_number
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.worker import Worker

#: Troubles that keep the daemon from doing its work; others are shown, but need no restart or rerouting.
_GRAVE = frozenset({"provider", "journal"})
_STATES = frozenset(get_args(SendState))
_MOST_SENDS = 100_000


class Api(Protocol):
    """A part of the admin API. `guard` is put around each endpoint: it wants the token."""

    def routes(self, guard: Any) -> Sequence[BaseRoute]:
        """The routes of the admin app."""
        ...


class Admin:
    """The ASGI application of the admin port.

    reload: reads the project again; gives None, or why the old flows stay. metrics: what `/metrics` answers with.
    names: see `AdminDoor`.
    """

    def __init__(
        self,
        *,
        token: str,
        journal: Journal,
        worker: Worker,
        stats: Stats,
        metrics: Callable[[], Awaitable[bytes]],
        is_ready: Callable[[], bool],
        reload: Callable[[], Awaitable[str | None]],
        apis: Sequence[Api],
        routes: Sequence[BaseRoute] = (),
        names: Sequence[str] = (),
    ) -> None:
        self._token = token.encode()
        self._journal = journal
        self._worker = worker
        self._stats = stats
        self._metrics = metrics
        self._is_ready = is_ready
        self._reload = reload
        pages = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/ready", self._ready),
                Route("/metrics", self._show_metrics),
                Route("/api/flows/{name:path}/start", self._guarded(self._start), methods=["POST"]),
                Route("/api/flows/{name:path}/dry-run", self._guarded(self._dry_run), methods=["POST"]),
                Route("/api/sends", self._guarded(self._sends)),
                Route("/api/reload", self._guarded(self._reload_now), methods=["POST"]),
                *(route for api in apis for route in api.routes(self._guarded)),
                *routes,
            ]
        )
        self.app = AdminDoor(pages, token=token, names=names)

    def _guarded(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if not shows_token(request.headers.get("authorization", ""), self._token):
                return error_reply(401, "the admin API wants the token of daemon.json as `Authorization: Bearer TOKEN`")
            if (written := request.path_params.get("id")) is not None:
                found = whole_number(written, LARGEST_ID)
                if found is None:
                    return error_reply(404, f"nothing has the id {written[:50]}")
                request.path_params["id"] = found
            return await endpoint(request)

        return guarded

    async def _health(self, _request: Request) -> Response:
        troubles = dict(self._stats.troubles)
        return json_reply(
            503 if _GRAVE & {subject.partition(":")[0] for subject in troubles} else 200,
            {"status": "red" if troubles else "green", "troubles": troubles, "flows": len(self._worker.catalog.flows)},
        )

    async def _ready(self, _request: Request) -> Response:
        is_ready = self._is_ready() and "journal" not in self._stats.troubles
        return json_reply(200 if is_ready else 503, {"ready": is_ready})

    async def _show_metrics(self, _request: Request) -> Response:
        return Response(await self._metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _start(self, request: Request) -> Response:
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        answer: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()

        def started(result: int | Exception) -> None:
            if not answer.cancelled():
                answer.set_result(result)

        self._worker.start(*asked, started)
        result = await answer
        if isinstance(result, Exception):
            return error_reply(409 if isinstance(result, SinchflowError) else 503, str(result))
        return json_reply(202, {"run": result})

    async def _dry_run(self, request: Request) -> Response:
        asked = await self._asked(request)
        return asked if isinstance(asked, Response) else json_reply(200, await self._worker.dry_run(*asked))

    async def _asked(self, request: Request) -> tuple[Flow, dict[str, Any]] | Response:
        """The flow to be started and its inputs, or why it cannot be."""
        name = request.path_params["name"]
        flow = self._worker.catalog.flows.get(name)
        if flow is None:
            known = ", ".join(sorted(self._worker.catalog.flows)[:20]) or "none"
            return error_reply(404, f'there is no flow "{name}"; flows: {known}')
        if not flow.enabled:
            return error_reply(409, f'flow "{name}" is switched off: `enabled: false` in {flow.origin}')
        if not any(isinstance(trigger, Manual) for trigger in flow.triggers):
            words = f'flow "{name}" cannot be started by hand: add `manual` to its `on:` in {flow.origin}'
            return error_reply(409, words)
        inputs = _inputs(await request.body())
        if isinstance(inputs, str):
            return error_reply(400, inputs)
        if fault := fault_of(flow, inputs, self._worker.catalog.facts):
            return error_reply(400, fault)
        return flow, inputs

    async def _sends(self, request: Request) -> Response:
        states = request.query_params.getlist("state")
        if unknown := sorted(set(states) - _STATES):
            return error_reply(400, f'unknown state "{unknown[0]}"; states: {", ".join(sorted(_STATES))}')
        limit = request.query_params.get("limit", "100")
        if not whole_number(limit, _MOST_SENDS):
            return error_reply(400, f"limit is a number from 1 to {_MOST_SENDS}")
        return json_reply(200, {"sends": list(self._journal.sends(states, int(limit)))})

    async def _reload_now(self, _request: Request) -> Response:
        refused = await self._reload()
        return json_reply(200, {"reloaded": True}) if refused is None else error_reply(409, refused)


def _inputs(body: bytes) -> dict[str, Any] | str:
    """The inputs of a start, `{"inputs": {…}}`; an empty body is none. A text says what is wrong."""
    if not body.strip():
        return {}
    try:
        asked = msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError):
        return "the body is no JSON object"
    inputs = asked.get("inputs") or {}
    if not isinstance(inputs, dict) or asked.keys() - {"inputs"}:
        return 'the body is {"inputs": {"name": value}}'
    return {str(name): clean_data(value) for name, value in inputs.items()}
