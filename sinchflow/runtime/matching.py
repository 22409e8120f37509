"""Which flows an event starts: asks the router over the live catalog, with what only the journal knows."""

from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from sinchflow.engine.address import step_at
from sinchflow.engine.routing import Match, Routed, route_to
from sinchflow.journal.journal import Journal
from sinchflow.model.event import Event
from sinchflow.model.run import Facts
from sinchflow.model.send import SentBy
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.notes import Notes
from sinchflow.runtime.people import People
from sinchflow.runtime.settled import SEND_ID
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")


class Matching:
    """Events to matches, over the catalog that `catalog` gives at that moment."""

    def __init__(
        self, *, journal: Journal, clock: Clock, stats: Stats, catalog: Callable[[], Catalog], people: People,
        notes: Notes,
    ) -> None:  # fmt: skip
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._catalog = catalog
        self._people = people
        self._notes = notes

    def matches(self, event: Event, is_wanted: Callable[[], bool] = lambda: False) -> Sequence[Match]:
        """The flows that the event starts, in order. is_wanted: see `Router.route`."""
        catalog = self._catalog()
        if event.kind == "manual":
            flow = catalog.flows.get(event.fields.get("flow", ""))
            return () if flow is None else (Match(flow=flow, match={}),)
        if event.ignored is not None:
            self._stats.ignored += 1
            return ()
        now, facts = self._clock.now(), self.facts(event.contact)
        if event.kind in ("webhook", "schedule"):
            flow = catalog.flows.get(event.fields.get("flow", ""))
            routed = Routed() if flow is None else route_to(flow, event, facts, now, catalog.templates)
        else:
            routed = catalog.router.route(event, facts, now, catalog.templates, lambda: self.sent_by(event), is_wanted)
        for problem in routed.problems:
            self._stats.routing_problems += 1
            self._notes.near(event.id, problem.flow, f"{problem.place}: {problem.message}")
            log.warning("a flow does not match because its `if` failed", event_id=event.id, problem=str(problem))
        for name in routed.near:
            self._notes.near(event.id, name)
        if not routed.matches:
            self._stats.unmatched += 1
        return routed.matches

    def facts(self, contact: str | None) -> Facts:
        """What the engine may look at, for a run with this contact."""
        facts = self._catalog().facts
        return facts if contact is None else replace(facts, contact=self._people.facts(contact))

    def sent_by(self, receipt: Event) -> SentBy | None:
        """Whose message a receipt is about. Its send was stored before the call, so it is there before any receipt."""
        send_id = self._journal.send_ids.read((receipt.fields.get("metadata") or {}).get(SEND_ID))
        origin = None if send_id is None else self._journal.send_origin(send_id)
        if origin is None:
            return None
        address = origin.command.split(":")[1]
        flow = self._catalog().flow(origin.digest)
        step = None if flow is None else step_at(flow, address).id
        return SentBy(flow=origin.flow, step=step or address, run=origin.run)
