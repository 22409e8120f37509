"""What policy does with a message before any wait or flow sees it: opt-out, opt-in and help words; and with opt-outs.

A number that opts out is suppressed in the unit that routes the message, together with the runs that this starts: the
answer that policy has to it, and flows `on: opt_out`, once per contact and 10 minutes.
"""

from collections.abc import Callable, Sequence

import msgspec

from sinchflow.engine.routing import Match
from sinchflow.model.contact import SuppressionSource
from sinchflow.model.event import Event, as_opt_out
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.matching import Matching
from sinchflow.runtime.notes import Notes
from sinchflow.runtime.people import People
from sinchflow.runtime.stats import Stats

#: Keys of opt-outs that an operator made begin so.
OPERATOR = "operator\n"


class Taken(msgspec.Struct, frozen=True):
    """Policy has taken the message: what answers it, and the flows `on: opt_out` that it starts."""

    answers: Sequence[Match] = ()
    opt_outs: Sequence[Match] = ()


class Policing:
    """See the module's text."""

    def __init__(
        self, *, people: People, matching: Matching, clock: Clock, stats: Stats, catalog: Callable[[], Catalog],
        notes: Notes,
    ) -> None:  # fmt: skip
        self._people = people
        self._matching = matching
        self._clock = clock
        self._stats = stats
        self._catalog = catalog
        self._notes = notes

    def take(self, event: Event) -> Taken | None:
        """What becomes of an inbound message whose words policy takes; None for all others."""
        contact, text = event.contact, event.fields.get("content")
        if contact is None:
            return None
        catalog = self._catalog()
        if catalog.project.policy.quiet_hours is not None and event.ignored is None:
            self._people.heard_from(contact, self._clock.now())
        kind = catalog.policy_words.meaning(str(text)) if text else None
        if kind is None or (kind == "opt_in" and not self._people.is_suppressed(contact)):
            return None
        now = self._clock.now()
        self._stats.policy_words[kind] += 1
        if kind == "opt_out":
            self._people.suppress(contact, "keyword", now, str(text))
        elif kind == "opt_in" and event.ignored is None:
            self._people.allow(contact, now)
        if event.ignored is not None:  # too old for an answer, but never for an opt-out
            return Taken()
        own = catalog.policy_flows.get(kind)
        answers = () if own is None else (Match(flow=own, match={}),)
        is_again = kind == "opt_out" and not self._people.is_to_be_confirmed(contact, now)
        if is_again:
            answers = ()  # STOP, sent again: answered once
        self._notes.word(event.id, kind, again=is_again)
        if kind != "opt_out" or not self._people.is_new_opt_out(contact, now):
            return Taken(answers)
        return Taken(answers, self._matching.matches(as_opt_out(event)))

    def opted_out(self, event: Event) -> Sequence[Match]:
        """The flows that the provider's or an operator's word of an opt-out starts; the number is suppressed."""
        if event.contact is not None:
            now = self._clock.now()
            source: SuppressionSource = "operator" if event.key.startswith(OPERATOR) else "provider"
            self._people.suppress(event.contact, source, now, str(event.fields.get("content") or ""))
            if not self._people.is_new_opt_out(event.contact, now):
                self._stats.repeats += 1
                return ()
        return self._matching.matches(event)
