"""What the daemon knows of people: who wants no messages, and what flows remember of each.

All that are suppressed are held in memory; the others are read from the journal when a run needs them, and kept for a
while. What is new is known at once, and stored with the unit that is being gathered.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sinchflow.journal.journal import Journal
from sinchflow.model.command import AskProvider, Command, KeepContact, Told
from sinchflow.model.contact import (
    PSEUDONYM_MARK,
    Contact,
    ContactChange,
    Lifted,
    Suppression,
    SuppressionSource,
    changed,
)
from sinchflow.runtime.commits import Commits

#: People whose data is kept in memory, known to flows or not.
_MOST_AT_HAND = 100_000
#: Opt-outs of one person within this time are one, whatever their sources.
_ONE_OPT_OUT = timedelta(minutes=10)
#: Names of `remember` that are the contact's own settings.
_LANGUAGE, _TIMEZONE = "language", "timezone"


class People:
    """See the module's text. On the loop's thread."""

    def __init__(self, journal: Journal, commits: Commits) -> None:
        self._journal = journal
        self._commits = commits
        self._suppressed: dict[str, SuppressionSource] = {}  # numbers, and pseudonyms of people who were forgotten
        self._has_pseudonyms = True  # making one costs 10 µs, and there are hardly ever any
        self._opt_outs: OrderedDict[str, datetime] = OrderedDict()  # the last ones
        self._confirmed: OrderedDict[str, datetime] = OrderedDict()  # when the person's word was answered last
        self._allowed: OrderedDict[str, datetime] = OrderedDict()  # when somebody was let through again
        self._at_hand: OrderedDict[str, Contact | None] = OrderedDict()
        self._has_any = True
        #: called with each number that nothing is sent to from now on, and who said so
        self.on_opt_out: list[Callable[[str, SuppressionSource], None]] = []

    def load(self) -> None:
        """Read who is suppressed."""
        suppressed = sorted(self._journal.suppressed(), key=lambda each: each.since)
        self._suppressed = {each.number: each.source for each in suppressed}
        self._has_pseudonyms = any(each.is_pseudonym for each in suppressed)
        self._opt_outs = OrderedDict((each.number, each.since) for each in suppressed[-_MOST_AT_HAND:])
        self._at_hand.clear()
        self._has_any = bool(self._journal.contacts(1))

    # --- suppression ------------------------------------------------------------------------------------------------

    def is_suppressed(self, number: str) -> bool:
        """Whether nothing is sent to this number."""
        suppressed = self._suppressed
        return number in suppressed or (self._has_pseudonyms and self._journal.pseudonym(number) in suppressed)

    def suppress(self, number: str, source: SuppressionSource, now: datetime, reason: str = "") -> None:
        """Nothing more is sent to this number.

        Told twice, the first time stands; but what somebody said goes before what stands on the provider's list, which
        may be taken off it.
        """
        suppressions = self._commits.unit.suppressions
        if self.is_suppressed(number):
            if source == "list" or self._suppressed.get(number) != "list":
                return
            suppressions.append(Lifted(number=number))
        self._suppressed[number] = source
        suppressions.append(Suppression(number=number, since=now, source=source, reason=reason[:200]))
        for tell in self.on_opt_out:
            tell(number, source)
        self._commits.flush_soon()

    def allow(self, number: str, now: datetime) -> bool:
        """Messages may be sent again. False when they could be before."""
        _put(self._allowed, number, now)
        if not self.is_suppressed(number):
            return False
        self._suppressed.pop(number, None)
        self._suppressed.pop(self._journal.pseudonym(number), None)
        self._opt_outs.pop(number, None)
        self._confirmed.pop(number, None)
        self._commits.unit.suppressions.append(Lifted(number=number))
        self._commits.flush_soon()
        return True

    def told(self, outcome: object, now: datetime) -> None:
        """What came of a command: whom the provider has taken off its list is let through again."""
        if isinstance(outcome, Told) and outcome.data.get("opted_out") is False:
            self.allow(str(outcome.data["number"]), now)

    def unlisted(self, listed: frozenset[str]) -> list[str]:
        """Who is suppressed because of the provider's list alone, and does not stand on it any more."""
        found = [number for number, source in self._suppressed.items() if source == "list" and number not in listed]
        if self._has_pseudonyms and any(number.startswith(PSEUDONYM_MARK) for number in found):
            forgotten = {self._journal.pseudonym(number) for number in listed}
            found = [number for number in found if number not in forgotten]
        return found

    def was_allowed_since(self, number: str, when: datetime) -> bool:
        """Whether somebody let the number through at that time or later."""
        allowed = self._allowed.get(number)
        return allowed is not None and allowed >= when

    def is_new_opt_out(self, number: str, now: datetime) -> bool:
        """Whether the person has not opted out a moment ago, by another way; it counts from now on."""
        return _is_new(self._opt_outs, number, now)

    def is_to_be_confirmed(self, number: str, now: datetime) -> bool:
        """Whether the person's word was not answered a moment ago; it counts from now on."""
        return _is_new(self._confirmed, number, now)

    @property
    def suppressed_count(self) -> int:
        """How many numbers nothing is sent to."""
        return len(self._suppressed)

    # --- what is known of a person ----------------------------------------------------------------------------------

    def known(self, number: str) -> Contact | None:
        """The person as far as anything is kept; None for somebody unknown."""
        if not self._has_any:
            return None
        if number in self._at_hand:
            self._at_hand.move_to_end(number)
            return self._at_hand[number]
        return self._keep(number, self._journal.contact(number))

    def facts(self, number: str) -> dict[str, Any]:
        """`contact` of templates."""
        person = self.known(number)
        if person is None:
            return {"number": number}
        own = {_LANGUAGE: person.language, _TIMEZONE: person.timezone}
        return {**person.values, **{name: value for name, value in own.items() if value is not None}, "number": number}

    def remember(self, number: str, values: dict[str, Any], now: datetime) -> None:
        """What a flow remembers of a person; None forgets a name."""
        own = {name: values[name] for name in (_LANGUAGE, _TIMEZONE) if name in values}
        others = {name: value for name, value in values.items() if name not in own}
        texts = {name: None if value is None else str(value) for name, value in own.items()}
        self._change(ContactChange(number=number, at=now, values=others, **texts))  # type: ignore[arg-type]

    def note(self, flow: str, command: Command, now: datetime) -> None:
        """What a run asks for may say something of a person. An opt-out holds before the provider knows of it."""
        if isinstance(command, KeepContact):
            self.remember(command.number, command.values, now)
        elif isinstance(command, AskProvider) and command.what == "opt_out":
            self.suppress(command.subject, "step", now, f"flow {flow}")

    def heard_from(self, number: str, now: datetime) -> None:
        """A message of the person has come."""
        self._change(ContactChange(number=number, at=now, last_inbound_at=now))

    def forget(self, number: str) -> None:
        """The journal has forgotten the person. What is still to be stored of others stays known."""
        if (source := self._suppressed.pop(number, None)) is not None:
            self._suppressed[self._journal.pseudonym(number)] = source
            self._has_pseudonyms = True
        for known in (self._at_hand, self._opt_outs, self._confirmed, self._allowed):
            known.pop(number, None)
        digits = number.removeprefix("+")
        for other in [other for other, person in self._at_hand.items() if person and digits in repr(person.values)]:
            del self._at_hand[other]  # the number is blotted out there

    def _change(self, change: ContactChange) -> None:
        before = self.known(change.number)
        self._has_any = True
        self._keep(change.number, changed(before, change))
        self._commits.unit.contacts.append(change)
        self._commits.flush_soon()

    def _keep(self, number: str, person: Contact | None) -> Contact | None:
        self._at_hand[number] = person
        if len(self._at_hand) > _MOST_AT_HAND:
            self._at_hand.popitem(last=False)
        return person


def _is_new(known: OrderedDict[str, datetime], number: str, now: datetime) -> bool:
    """Whether it was not so a moment ago; it counts from now on."""
    before = known.get(number)
    if before is not None and abs(now - before) < _ONE_OPT_OUT:
        return False
    _put(known, number, now)
    return True


def _put(known: OrderedDict[str, datetime], number: str, now: datetime) -> None:
    known[number] = now
    known.move_to_end(number)
    if len(known) > _MOST_AT_HAND:
        known.popitem(last=False)
