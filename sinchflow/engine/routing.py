"""Which flows an event starts. Pure, and about as fast for 10,000 flows as for ten.

The order is fixed (design.md section 3). Of the flows with a text filter, by `priority` and then name, the first that
matches takes an inbound message, unless it says `continue: true`; then those without a text filter, in the same way.
Receipts and opt-outs start every flow that matches. A flow whose `if` is false or fails does not match, nor does one
for another account.

An index finds the few triggers worth asking: each trigger is filed under our number, if it names one, and there under
one of its filters, the most telling one (its anchor): the keyword, the whole message, the first word of a phrase, the
beginning, a regex in a set, the customer's number, or the list that it must be in. Every candidate is then asked in
full, in the order of rank, so the index never decides, it only leaves out. Triggers on receipts whose filters differ in
`flow` only are asked as one. Opt-outs are rare: each is asked of every flow with such a trigger.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import msgspec

from sinchflow.engine.caller import ActionError
from sinchflow.engine.filters import InboundFilter, Lists, Message, OptOutFilter, ReceiptFilter, is_listed
from sinchflow.engine.inputs import settle_inputs
from sinchflow.engine.scope import event_scope
from sinchflow.expression.pattern import bare_number
from sinchflow.expression.regex_sets import RegexSets
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.event import Event
from sinchflow.model.flow import DeliveryReceipt, Flow, InboundSms, OptOut
from sinchflow.model.run import Facts
from sinchflow.model.send import SentBy

#: Beginnings are filed under this many characters at most.
_START_SIZE = 3


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that the event starts, and what its filters captured (`match` in templates)."""

    flow: Flow
    match: dict[str, Any]


class RoutingProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that might have matched, had its `if` had a value."""

    flow: str
    message: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}: flow {self.flow}: {self.message}"


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one event: what it starts, in order. near: flows whose filters fitted and whose `if` was false."""

    matches: tuple[Match, ...] = ()
    problems: tuple[RoutingProblem, ...] = ()
    near: tuple[str, ...] = ()


_NOTHING = Routed()

#: A trigger's place in the order: its flow's rank, then its own position in the flow.
_Rank = int


class Router:
    """The index over one set of flows. Disabled flows are left out."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        live = sorted((flow for flow in flows if flow.enabled), key=lambda flow: (-flow.priority, flow.name))
        self._texts = _InboundIndex()
        self._any_text = _InboundIndex()
        self._receipts = _ReceiptIndex()
        self._opt_outs: list[tuple[Flow, OptOutFilter]] = []
        for flow in live:
            for trigger in flow.triggers:
                if isinstance(trigger, InboundSms):
                    index = self._texts if trigger.has_text_filter else self._any_text
                    index.add(flow, InboundFilter(trigger))
                elif isinstance(trigger, DeliveryReceipt):
                    self._receipts.add(flow, trigger)
                elif isinstance(trigger, OptOut):
                    self._opt_outs.append((flow, OptOutFilter(trigger)))
        self._texts.close()
        self._any_text.close()

    def route(
        self,
        event: Event,
        facts: Facts,
        now: datetime,
        templates: Templates,
        sent_by: Callable[[], SentBy | None] = lambda: None,
        is_wanted: Callable[[], bool] = lambda: False,
    ) -> Routed:
        """What the event starts. An event that is to be ignored starts nothing.

        is_wanted: whether an open wait takes an inbound message that no flow with a text filter has taken; asked then.
        sent_by: which of our sends a receipt is about; called once at most, and only when a trigger wants to know.
        """
        if event.ignored is not None:
            return _NOTHING
        asking = _Asking(event, facts, now, templates, sent_by)
        if event.kind == "inbound_sms":
            text = event.fields.get("content")
            message = Message(str(text)) if text else None
            if not self._texts.ask(asking, message) and not is_wanted():
                self._any_text.ask(asking, message)
        elif event.kind == "delivery_receipt":
            self._receipts.ask(asking)
        elif event.kind == "opt_out":
            for flow, opt_out in self._opt_outs:
                if opt_out.passes(event, facts.lists):
                    asking.take(flow, {})
        return asking.answer()


def route_to(flow: Flow, event: Event, facts: Facts, now: datetime, templates: Templates) -> Routed:
    """The answer for an event that is for this flow and no other: a tick of its schedule, a call of its webhook."""
    asking = _Asking(event, facts, now, templates, lambda: None)
    if flow.enabled:
        asking.take(flow, {})
    return asking.answer()


class _Asking:
    """One event while its candidates are asked."""

    def __init__(
        self,
        event: Event,
        facts: Facts,
        now: datetime,
        templates: Templates,
        sent_by: Callable[[], SentBy | None],
    ) -> None:
        self.event = event
        self.sent_by = cache(sent_by)
        self.lists = facts.lists
        self._facts = facts
        self._now = now
        self._templates = templates
        self._seen: set[str] = set()
        self.matches: list[Match] = []
        self.problems: list[RoutingProblem] = []
        self.near: list[str] = []

    def answer(self) -> Routed:
        """What was found."""
        if not (self.matches or self.problems or self.near):
            return _NOTHING
        return Routed(matches=tuple(self.matches), problems=tuple(self.problems), near=tuple(self.near))

    def may_take(self, flow: Flow) -> bool:
        """Whether the flow is not in yet, and takes events of this account."""
        return flow.name not in self._seen and flow.account in (None, self.event.account)

    def take(self, flow: Flow, captured: dict[str, Any] | None) -> bool:
        """Add the flow if its filters passed (`captured` is not None), it may be taken, and its `if` holds."""
        if captured is None or not self.may_take(flow) or not self._holds(flow, captured):
            return False
        self._seen.add(flow.name)
        self.matches.append(Match(flow=flow, match=captured))
        return True

    def _holds(self, flow: Flow, captured: dict[str, Any]) -> bool:
        if flow.condition is None:
            return True
        scope = event_scope(self.event, captured, self._facts, self._now)
        scope["flow"] = {"name": flow.name}
        variables: dict[str, Any] = {}
        scope["vars"] = variables
        try:
            scope["inputs"] = settle_inputs(flow, None, scope, self._facts, self._templates) if flow.inputs else {}
            for name, value in flow.vars.items():
                variables[name] = self._templates.data(value, scope)
            holds = self._templates.holds(flow.condition, scope)
            if not holds:
                self.near.append(flow.name)
            return holds
        except ExpressionError as error:
            message, place = error.message, error.origin or flow.origin
        except ActionError as error:
            message, place = str(error), flow.origin
        self.problems.append(RoutingProblem(flow=flow.name, message=message, place=str(place)))
        return False


class _ReceiptGroup:
    """Triggers on receipts with the same filters but for `flow`."""

    def __init__(self, receipt: ReceiptFilter) -> None:
        self.receipt = receipt
        self._of_any: list[_Rank] = []
        self._by_sender: dict[str, list[_Rank]] = defaultdict(list)

    def add(self, rank: _Rank, senders: Sequence[str]) -> None:
        """File a trigger under the flows whose messages it is about; none: any message."""
        if senders:
            _file(self._by_sender, senders, rank)
        else:
            self._of_any.append(rank)

    def find(self, asking: _Asking) -> Iterable[_Rank]:
        """The triggers that the event passes."""
        if not self.receipt.passes(asking.event, asking.lists):
            return ()
        sender = asking.sent_by() if self._by_sender else None
        return [*self._of_any, *self._by_sender.get(sender.flow, ())] if sender else self._of_any


class _ReceiptIndex:
    """Triggers on receipts, in groups that are filed under metadata, else our number, else status."""

    def __init__(self) -> None:
        self._flows: list[Flow] = []
        self._groups: dict[Hashable, _ReceiptGroup] = {}
        self._metadata: dict[tuple[str, str], list[_ReceiptGroup]] = defaultdict(list)
        self._keys: set[str] = set()
        self._numbers: dict[str, list[_ReceiptGroup]] = defaultdict(list)
        self._statuses: dict[str, list[_ReceiptGroup]] = defaultdict(list)
        self._others: list[_ReceiptGroup] = []

    def add(self, flow: Flow, trigger: DeliveryReceipt) -> None:
        """File a trigger; flows come in the order of rank."""
        metadata = tuple(sorted(trigger.metadata.items()))
        key = (trigger.status, trigger.status_code, trigger.from_, trigger.to, metadata)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _ReceiptGroup(ReceiptFilter(trigger))
            self._file(group)
        group.add(len(self._flows), trigger.flow)
        self._flows.append(flow)

    def _file(self, group: _ReceiptGroup) -> None:
        receipt = group.receipt
        if (literal := receipt.literal_metadata) is not None:
            key, values = literal
            self._keys.add(key)
            _file(self._metadata, [(key, value) for value in values], group)
        elif receipt.our_numbers:
            _file(self._numbers, receipt.our_numbers, group)
        elif receipt.statuses:
            _file(self._statuses, receipt.statuses, group)
        else:
            self._others.append(group)

    def ask(self, asking: _Asking) -> None:
        """Ask all candidates, and take their flows in order of rank."""
        ranks = {rank for group in self._candidates(asking.event) for rank in group.find(asking)}
        for rank in sorted(ranks):
            if asking.may_take(self._flows[rank]):
                asking.take(self._flows[rank], _about(asking.sent_by()))

    def _candidates(self, event: Event) -> list[_ReceiptGroup]:
        found = list(self._others)
        found += self._statuses.get(str(event.fields.get("status")).lower(), ())
        if self._numbers and event.our_number is not None:
            found += self._numbers.get(bare_number(event.our_number), ())
        metadata = event.fields.get("metadata") or {}
        for key in self._keys & metadata.keys():
            found += self._metadata.get((key, str(metadata[key])), ())
        return found


def _about(sender: SentBy | None) -> dict[str, Any]:
    """A receipt's `match`."""
    if sender is None:
        return {"flow": None, "step": None, "run": None}
    return {"flow": sender.flow, "step": sender.step, "run": sender.run}


class _InboundIndex:
    """Triggers on inbound messages in the order of rank: those for any number of ours, and those for each."""

    def __init__(self) -> None:
        self._entries: list[tuple[Flow, InboundFilter]] = []
        self._for_any = _Anchors()
        self._by_number: dict[str, _Anchors] = defaultdict(_Anchors)

    def add(self, flow: Flow, inbound: InboundFilter) -> None:
        """File a trigger."""
        rank = len(self._entries)
        self._entries.append((flow, inbound))
        for anchors in [self._by_number[number] for number in set(inbound.our_numbers)] or [self._for_any]:
            anchors.add(inbound, rank)

    def close(self) -> None:
        """Build what can only be built from all triggers."""
        for anchors in (self._for_any, *self._by_number.values()):
            anchors.close()

    def ask(self, asking: _Asking, message: Message | None) -> bool:
        """Ask the candidates in order of rank. Whether one took the message."""
        for rank in self._candidates(asking, message):
            flow, inbound = self._entries[rank]
            if asking.take(flow, inbound.passes(asking.event, message, asking.lists)) and not flow.goes_on:
                return True
        return False

    def _candidates(self, asking: _Asking, message: Message | None) -> list[_Rank]:
        event = asking.event
        found = self._for_any.find(event, message, asking.lists)
        if self._by_number and event.our_number is not None:
            anchors = self._by_number.get(bare_number(event.our_number))
            if anchors is not None:
                found |= anchors.find(event, message, asking.lists)
        return sorted(found)


class _Anchors:
    """Ranks of triggers, filed under the most telling of their filters."""

    __slots__ = (
        "_contacts", "_exact", "_keywords", "_lists", "_others", "_phrases", "_regex_sets", "_regexes", "_starts",
    )  # fmt: skip

    def __init__(self) -> None:
        self._keywords: dict[str, list[_Rank]] = defaultdict(list)
        self._exact: dict[str, list[_Rank]] = defaultdict(list)
        self._phrases: dict[str, list[_Rank]] = defaultdict(list)
        self._starts: dict[str, list[_Rank]] = defaultdict(list)
        self._contacts: dict[str, list[_Rank]] = defaultdict(list)
        self._lists: dict[str, list[_Rank]] = defaultdict(list)
        self._regexes: list[tuple[str, _Rank]] = []
        self._regex_sets = RegexSets(())
        self._others: list[_Rank] = []

    def add(self, inbound: InboundFilter, rank: _Rank) -> None:
        """File a trigger."""
        if inbound.keywords:
            _file(self._keywords, inbound.keywords, rank)
        elif inbound.exact:
            _file(self._exact, inbound.exact, rank)
        elif inbound.phrases and not inbound.signs:
            _file(self._phrases, (phrase[0] for phrase in inbound.phrases), rank)
        elif inbound.starts:
            _file(self._starts, (start[:_START_SIZE] for start in inbound.starts), rank)
        elif inbound.regexes:
            self._regexes += [(source, rank) for source in inbound.regexes]
        elif inbound.contacts:
            _file(self._contacts, inbound.contacts, rank)
        elif inbound.contact_lists:
            _file(self._lists, inbound.contact_lists, rank)
        else:
            self._others.append(rank)

    def close(self) -> None:
        """Build the sets of regexes."""
        self._regex_sets = RegexSets(self._regexes)

    def find(self, event: Event, message: Message | None, lists: Lists) -> set[_Rank]:
        """The triggers worth asking."""
        found: set[_Rank] = set(self._others)
        if self._contacts and event.contact is not None:
            found.update(self._contacts.get(bare_number(event.contact), ()))
        for name, ranks in self._lists.items():
            if event.contact is not None and is_listed(event.contact, name, lists):
                found.update(ranks)
        if message is not None:
            if self._keywords:
                found.update(self._keywords.get(message.first[0], ()))
            if self._exact:
                found.update(self._exact.get(message.whole, ()))
            if self._phrases:
                for word in set(message.words):
                    found.update(self._phrases.get(word, ()))
            if self._starts:
                for size in range(1, _START_SIZE + 1):
                    found.update(self._starts.get(message.start[:size], ()))
                    found.update(self._starts.get(message.folded[:size], ()))
            if self._regexes:
                found.update(self._regex_sets.find(message.text))
        return found


_Key = TypeVar("_Key", bound=Hashable)
_Filed = TypeVar("_Filed")


def _file(index: Mapping[_Key, list[_Filed]], keys: Iterable[_Key], filed: _Filed) -> None:
    for key in set(keys):
        index[key].append(filed)
