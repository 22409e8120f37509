"""What a restored journal does not go on with by itself: shown, and let go on or ended when a person says so."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinchflow.engine import interpreter
from sinchflow.journal.journal import Act, Journal, Snapshot, Suspended
from sinchflow.journal.restored import SETTING, Restored
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.replies import error_reply, json_reply
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.worker import Worker

log = structlog.get_logger("sinchflow")

#: Under which subject it is noted that something waits.
TROUBLE = "restored"
_NONE = Snapshot(runs=(), sends=(), calls=(), run_starts=(), send_times=())


def about(setting: str | None, suspended: Suspended) -> dict[str, Any]:
    """What waits since a restoration; `restored` is null when nothing does."""
    restored = None if setting is None else msgspec.json.decode(setting, type=Restored)
    flows = Counter(run.flow for run in suspended.runs)
    return {
        "restored": None if restored is None else msgspec.to_builtins(restored),
        "runs": [
            {"id": run.id, "flow": run.flow, "contact": run.contact, "started_at": run.started_at.isoformat()}
            for run in suspended.runs
        ],
        "flows": dict(sorted(flows.items())),
        "events": len(suspended.events),
        "held": len(suspended.sends),
    }


class RestoredApi:
    """`/api/restored`, and `/api/restored/release` and `…/cancel`: `{"by": who}`. On the loop's thread only."""

    def __init__(self, *, journal: Journal, commits: Commits, clock: Clock, stats: Stats, worker: Worker) -> None:
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._worker = worker
        kept = journal.setting(SETTING)
        if kept is not None:
            restored = msgspec.json.decode(kept, type=Restored)
            words = (
                f"restored from a backup of {restored.taken_at:%Y-%m-%d %H:%M} UTC: {restored.runs} runs and "
                f"{restored.events} events wait for your word, {restored.sends} messages are held"
            )
            stats.troubles[TROUBLE] = f"{words}; `sinchflow restore --release` or `--cancel`"
            log.warning(words)

    def routes(self, guard: Any) -> list[Route]:
        """The routes of the admin app."""
        return [
            Route("/api/restored", guard(self._show)),
            Route("/api/restored/{what:str}", guard(self._change), methods=["POST"]),
        ]

    async def _show(self, _request: Request) -> Response:
        return json_reply(200, about(self._journal.setting(SETTING), self._journal.suspended()))

    async def _change(self, request: Request) -> Response:
        what = request.path_params["what"]
        if what not in ("release", "cancel"):
            return error_reply(404, f'there is no "{what}": release or cancel')
        try:
            by = str(msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any]).get("by") or "an operator")
        except msgspec.DecodeError as error:
            return error_reply(400, f"the body must be a JSON object: {error}")
        if self._journal.setting(SETTING) is None or TROUBLE not in self._stats.troubles:
            return error_reply(409, "nothing waits since a restoration: it was released or cancelled already")
        self._stats.troubles.pop(TROUBLE)  # a second operator is told so
        suspended = self._journal.suspended()
        done = asyncio.get_running_loop().create_future()
        self._decide(suspended, what, by, done)
        await done
        counts = {"runs": len(suspended.runs), "events": len(suspended.events), "held": len(suspended.sends)}
        return json_reply(200, {"done": what, **counts})

    def _decide(self, suspended: Suspended, what: str, by: str, done: "asyncio.Future[None]") -> None:
        """One unit for all of it; what goes on does so once that is on disk."""
        now, unit = self._clock.now(), self._commits.unit
        runs, events = suspended.runs, suspended.events
        if what == "cancel":
            words = f"cancelled by {by} after the journal was restored"
            unit.runs.extend(interpreter.cancel(run, words, now).run for run in runs)
            unit.routed.extend(event.id for event in events)
            self._stats.runs_ended["cancelled"] += len(runs)
            runs, events = (), ()
        unit.released.extend([*(run.id for run in suspended.runs), *(event.id for event in suspended.events)])
        unit.settings.append((SETTING, None))
        unit.acts.append(Act(id=self._journal.new_id(), at=now, what=f"restore_{what}", subject=by))
        taken_up = msgspec.structs.replace(_NONE, runs=runs, sends=suspended.sends)

        def go_on() -> None:
            self._worker.take_up(taken_up, events)
            if not done.done():
                done.set_result(None)

        unit.thens.append(go_on)
        self._commits.flush_soon()
