"""Triggers `schedule`: a timer for the next tick of each, and what is made up for after a pause.

Theory of operation
-------------------
A tick becomes an event whose key is made of flow, trigger and the tick's time: the journal takes it once, whoever hands
it in how often. How far a schedule has come is stored after its event (`Tick`), so that a crash in between hands the
same tick in again, for nothing. A schedule that is seen for the first time, or is written anew, counts from then on.

Ticks that went by unseen (no daemon ran, the machine slept, the clock was set forward) are one event for the last of
them, or none where the trigger says `missed: skip`. When the clock is set back, everything is planned anew from the
time that it shows; ticks that come up a second time are known by their keys.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import structlog

from sinchflow.engine.schedule import missed_tick, next_tick, ticks_between
from sinchflow.journal.journal import Journal, Tick
from sinchflow.model.event import Event
from sinchflow.model.flow import Schedule
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")

#: A tick that is noticed later than this, while a daemon runs, was missed.
_LATE = timedelta(minutes=1)
_RETRY_EVERY = timedelta(seconds=1)


class _Timing(msgspec.Struct, frozen=True, kw_only=True):
    """What decides when a schedule is due. Without the trigger's place in its file, which does not."""

    cron: str | None
    timezone: str
    every: timedelta | None
    missed: Literal["once", "skip"]


class _Plan:
    """One schedule trigger while it is live. seen: ticks up to then are seen to."""

    __slots__ = ("account", "flow", "index", "seen", "timing", "trigger")

    def __init__(self, flow: str, account: str, index: int, trigger: Schedule, timing: _Timing, seen: datetime) -> None:
        self.flow = flow
        self.account = account
        self.index = index
        self.trigger = trigger
        self.timing = timing
        self.seen = seen


class Schedules:
    """See the module's text. take: told about each new event once it is stored."""

    def __init__(
        self, *, journal: Journal, commits: Commits, clock: Clock, stats: Stats, take: Callable[[Event], None]
    ) -> None:
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._take = take
        self._plans: dict[tuple[str, int], _Plan] = {}
        self._off: set[tuple[str, int]] = set()  # schedules known to the journal that no flow has now
        self._is_stopped = False

    def start(self, catalog: Catalog) -> None:
        """Plan, and make up for what went by while no daemon ran."""
        now = self._clock.now()
        known = {(tick.flow, tick.trigger): tick.at for tick in self._journal.ticks()}
        wanted = _wanted(catalog)
        self._off = known.keys() - wanted.keys()
        for key in self._off:
            self._note(*key, now)
        for key, (account, trigger, timing) in wanted.items():
            seen = known.get(key)
            plan = self._plans[key] = _Plan(key[0], account, key[1], trigger, timing, min(seen or now, now))
            missed = None if seen is None else missed_tick(trigger, plan.seen, now, timing.timezone)
            if seen is None:
                self._note(*key, now)
            if missed is not None:
                log.info("a tick was missed and is made up for", flow=plan.flow, scheduled_at=missed.isoformat())
            self._see_to(plan, missed, now)

    def set(self, catalog: Catalog) -> None:
        """Go by this catalog from now on. A schedule that has not changed goes on undisturbed."""
        now = self._clock.now()
        wanted = _wanted(catalog)
        for key in self._plans.keys() - wanted.keys():
            del self._plans[key]
            self._off.add(key)
        self._off -= wanted.keys()
        for key, (account, trigger, timing) in wanted.items():
            plan = self._plans.get(key)
            if plan is not None and (plan.timing, plan.account) == (timing, account):
                continue
            plan = self._plans[key] = _Plan(key[0], account, key[1], trigger, timing, now)
            self._note(*key, now)
            self._set_timer(plan)

    def plan_anew(self) -> None:
        """The clock was set back: what is planned may be far off."""
        now = self._clock.now()
        log.warning("the clock was set back: schedules are planned anew", now=now.isoformat())
        for key, old in list(self._plans.items()):
            seen = min(old.seen, now)  # set forward first, it may still show more than was seen to
            plan = _Plan(old.flow, old.account, old.index, old.trigger, old.timing, seen)
            self._plans[key] = plan
            self._set_timer(plan)

    def stop(self) -> None:
        """No more ticks. What goes by from now on is missed; what a schedule that is switched off had is not."""
        self._is_stopped = True
        now = self._clock.now()
        for key in self._off:
            self._note(*key, now)
        for plan in self._plans.values():
            if plan.seen <= now and not self._due(plan, now):
                self._note(plan.flow, plan.index, now)

    # --- ticks ------------------------------------------------------------------------------------------------------

    def _set_timer(self, plan: _Plan) -> None:
        when = next_tick(plan.trigger, plan.seen, plan.timing.timezone)
        self._clock.call_at(when, lambda: self._come(plan))

    def _come(self, plan: _Plan) -> None:
        """The time of a tick has come."""
        if self._is_live(plan):
            now = self._clock.now()
            self._see_to(plan, self._due(plan, now), now)

    def _is_live(self, plan: _Plan) -> bool:
        return not self._is_stopped and self._plans.get((plan.flow, plan.index)) is plan

    def _due(self, plan: _Plan, now: datetime) -> datetime | None:
        """The last tick since the one before it, unless it was missed and is to be skipped."""
        zone = plan.timing.timezone
        if plan.trigger.missed == "once":
            return missed_tick(plan.trigger, plan.seen, now, zone)
        return max(ticks_between(plan.trigger, max(plan.seen, now - _LATE), now, zone), default=None)

    def _see_to(self, plan: _Plan, tick: datetime | None, now: datetime) -> None:
        """Hand in the tick, if there is one; then it is the next one's turn."""
        if not self._is_live(plan):
            return
        if tick is None:
            plan.seen = now
            self._set_timer(plan)
            return
        event = Event(
            id=self._journal.new_id(), kind="schedule", key=f"{plan.flow}\n{plan.index}\n{tick.isoformat()}",
            received_at=now, account=plan.account, fields={"scheduled_at": tick.isoformat(), "flow": plan.flow},
        )  # fmt: skip

        def accepted(result: bool | Exception) -> None:
            if isinstance(result, Exception):
                self._stats.troubles["journal"] = str(result)
                self._clock.call_after(_RETRY_EVERY, lambda: self._see_to(plan, tick, now))
                return
            if result:
                self._stats.events["schedule"] += 1
                self._take(event)
            else:
                self._stats.repeats += 1
            if self._is_live(plan):
                self._note(plan.flow, plan.index, tick)
                plan.seen = max(tick, min(now, self._clock.now()))
                self._set_timer(plan)

        self._journal.accept(event, accepted)

    def _note(self, flow: str, index: int, at: datetime) -> None:
        self._commits.unit.ticks.append(Tick(flow=flow, trigger=index, at=at))
        self._commits.flush_soon()


def _wanted(catalog: Catalog) -> dict[tuple[str, int], tuple[str, Schedule, _Timing]]:
    """The schedules of all flows that are switched on: account, trigger and timing by flow and trigger."""
    timezone = catalog.project.timezone
    return {
        (flow.name, index): (
            flow.account or DEFAULT_ACCOUNT,
            trigger,
            _Timing(
                cron=trigger.cron, timezone=trigger.timezone or timezone, every=trigger.every, missed=trigger.missed
            ),
        )
        for flow in catalog.flows.values()
        if flow.enabled
        for index, trigger in enumerate(flow.triggers)
        if isinstance(trigger, Schedule)
    }
