"""The admin API's part for the daemon itself: its state, the switch that stops all sends, and the list of flows."""

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow import __version__
from sinchflow.runtime.accounts import Accounts
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.flow_list import flow_list, newer_files
from sinchflow.runtime.looks import Looks
from sinchflow.runtime.replies import error_reply, json_reply
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.status import first_finding, status
from sinchflow.runtime.switch import Switch
from sinchflow.runtime.worker import Worker

log = structlog.get_logger("sinchflow")

#: A failing journal must not keep an operator waiting: what they asked for is in force meanwhile. Seconds.
_PATIENCE_S = 3.0
_LONGEST_TEXT = 500


class StatusApi:
    """`/api/status`, `/api/pause`, `/api/resume` and `/api/flows`.

    root: of the project. addresses: where the daemon listens, as a function because ports are known late.
    """

    def __init__(
        self,
        *,
        root: Path,
        looks: Looks,
        commits: Commits,
        clock: Clock,
        stats: Stats,
        worker: Worker,
        accounts: Accounts,
        switch: Switch,
        addresses: Callable[[], Mapping[str, str]],
    ) -> None:
        self._root = root
        self._looks = looks
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._worker = worker
        self._accounts = accounts
        self._switch = switch
        self._addresses = addresses
        self._started_at = clock.now()

    def routes(self, guard: Any) -> list[Route]:
        """The routes of the admin app."""
        return [
            Route("/api/status", guard(self._status)),
            Route("/api/flows", guard(self._flows)),
            Route("/api/pause", guard(self._pause), methods=["POST"]),
            Route("/api/resume", guard(self._resume), methods=["POST"]),
        ]

    async def _status(self, _request: Request) -> Response:
        looked, now = await self._looks.survey(), self._clock.now()
        return json_reply(200, status(now=now, looked=looked, live=self._live(now), troubles=self._stats.troubles))

    def _live(self, now: datetime) -> dict[str, Any]:
        stats, worker = self._stats, self._worker
        flows = worker.catalog.flows.values()
        refused = stats.troubles.get("reload")
        return {
            "daemon": {
                "pid": os.getpid(), "version": __version__, "started_at": self._started_at.isoformat(),
                "uptime_s": round((now - self._started_at).total_seconds()), "root": str(self._root),
                **self._addresses(),
            },
            "accounts": self._accounts.overview(now),
            "events": {"in_lanes": worker.waiting_events, "has_backlog": worker.has_backlog},
            "runs": {"started": stats.runs_started, "ended": dict(stats.runs_ended)},
            "reload": {
                "loaded_at": (stats.last_reload_at or self._started_at).isoformat(),
                "refused_at": _iso(stats.reload_refused_at) if refused else None,
                "refused": None if refused is None else first_finding(refused),
            },
            "flows": {"live": sum(each.enabled for each in flows), "off": sum(not each.enabled for each in flows)},
            "drift": dict(stats.drift),
            "opt_out_lists": {name: _iso(read_at) for name, read_at in stats.opt_out_lists.items()},
            "internal_errors": stats.internal_errors,
        }  # fmt: skip

    async def _flows(self, _request: Request) -> Response:
        flows = self._worker.catalog.flows.values()
        lately = await self._looks.flows()
        if isinstance(lately, str):
            return error_reply(503, lately)
        loaded_at = self._stats.last_reload_at or self._started_at
        refused = self._stats.troubles.get("reload")
        newer = await asyncio.to_thread(newer_files, list(flows), self._root, loaded_at)
        return json_reply(
            200,
            {
                "flows": flow_list(flows, lately),
                "loaded_at": loaded_at.isoformat(),
                "refused": None if refused is None else first_finding(refused),
                "newer_files": newer,
            },
        )

    async def _pause(self, request: Request) -> Response:
        asked = await _texts(request)
        if isinstance(asked, Response):
            return asked
        queued = self._accounts.queued
        is_new = self._switch.pause(asked.get("reason", ""), asked.get("by", ""), self._clock.now())
        if is_new:
            log.warning("sends are paused", queued=queued, **asked)
        return await self._switched(queued, is_new=is_new)

    async def _resume(self, request: Request) -> Response:
        asked = await _texts(request)
        if isinstance(asked, Response):
            return asked
        queued = self._accounts.queued  # after this, some of them are in a call
        is_new = self._switch.resume(asked.get("by", ""), self._clock.now())
        if is_new:
            log.warning("sends leave again", queued=queued, **asked)
        return await self._switched(queued, is_new=is_new)

    async def _switched(self, queued: int, *, is_new: bool) -> Response:
        """What holds now. A failing journal does not keep it from holding, only from outliving the daemon."""
        paused = self._switch.paused
        is_stored = await self._stored() if is_new else True
        return json_reply(
            200,
            {
                "paused": None if paused is None else msgspec.to_builtins(paused),
                "is_new": is_new,
                "is_stored": is_stored,
                "queued": queued,
            },
        )

    async def _stored(self) -> bool:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.unit.thens.append(lambda: None if stored.done() else stored.set_result(None))
        self._commits.flush_soon()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await stored
        except TimeoutError:
            return False
        return True


async def _texts(request: Request) -> dict[str, str] | Response:
    """What the body says: an object of texts, or nothing."""
    body = await request.body()
    try:
        asked = msgspec.json.decode(body, type=dict[str, str]) if body.strip() else {}
    except (ValueError, RecursionError):
        return error_reply(400, 'the body is {"reason": "text", "by": "who"}')
    if unknown := asked.keys() - {"reason", "by"}:
        return error_reply(400, f'unknown "{min(unknown)[:50]}": the body is {{"reason": "text", "by": "who"}}')
    if any(len(text) > _LONGEST_TEXT for text in asked.values()):
        return error_reply(400, f"a text is longer than {_LONGEST_TEXT} characters")
    return asked


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
