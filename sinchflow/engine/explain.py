"""Why an event went where it went: every flow that was asked, in its turn, and the first filter that failed. Pure.

It asks the filters one by one, as the router's index does not; `tests/engine/test_explain.py` holds the two together.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from sinchflow.engine.filters import InboundFilter, Message, OptOutFilter, ReceiptFilter
from sinchflow.engine.routing import Router, route_to
from sinchflow.expression.template import Templates
from sinchflow.model.event import Event
from sinchflow.model.flow import DeliveryReceipt, Flow, InboundSms, ListName, OptOut, Trigger
from sinchflow.model.run import Facts
from sinchflow.model.send import SentBy

Verdict = Literal[
    "takes",  #: the flow takes the event
    "late",  #: it would have, had another one not taken it first
    "near",  #: its filters fit, its `if` does not hold
    "no",  #: a filter does not fit
    "off",  #: `enabled: false`
]
_FAR = 60


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """One flow's turn. reason: the first thing that did not fit, with the value; of one that is late, who took it."""

    flow: str
    place: str
    verdict: Verdict
    reason: str | None = None
    priority: int = 0


def explain(
    event: Event,
    flows: Sequence[Flow],
    facts: Facts,
    now: datetime,
    templates: Templates,
    sent_by: Callable[[], SentBy | None] = lambda: None,
    *,
    is_wanted: bool = False,
) -> list[Considered]:
    """The flows with a trigger for such events, in the order in which they are asked.

    is_wanted: whether an open wait takes an inbound message that no flow with a text filter has taken.
    """
    ordered = sorted(flows, key=lambda flow: (-flow.priority, flow.name))
    if event.kind in ("manual", "schedule", "webhook"):
        named = event.fields.get("flow")
        return [_alone(flow, event, facts, now, templates) for flow in ordered if flow.name == named]
    asking = _Explaining(event, facts, now, templates, sent_by)
    if event.kind != "inbound_sms":
        kind = DeliveryReceipt if event.kind == "delivery_receipt" else OptOut
        return [*asking.all(ordered, lambda trigger: isinstance(trigger, kind), one_takes=False)]
    with_text = asking.all(
        ordered, lambda trigger: isinstance(trigger, InboundSms) and trigger.has_text_filter, one_takes=True
    )
    found = [*with_text]
    if is_wanted and asking.taker is None:
        asking.taker = "an open wait"
    others = asking.all(
        ordered, lambda trigger: isinstance(trigger, InboundSms) and not trigger.has_text_filter, one_takes=True
    )
    return [*found, *others]


def _alone(flow: Flow, event: Event, facts: Facts, now: datetime, templates: Templates) -> Considered:
    """An event that is for one flow."""
    shown = Considered(flow=flow.name, place=str(flow.origin), verdict="takes", priority=flow.priority)
    if not flow.enabled:
        return msgspec.structs.replace(shown, verdict="off", reason="it is switched off (`enabled: false`)")
    routed = route_to(flow, event, facts, now, templates)
    if not routed.matches:
        return msgspec.structs.replace(shown, verdict="near", reason=_condition(flow, routed.problems))
    return shown


def _condition(flow: Flow, problems: Sequence[Any]) -> str:
    if problems:
        return f"`if` failed: {problems[0].message}"
    return f"`if` is false: {_cut(flow.condition.source if flow.condition else '')}"


class _Explaining:
    """One event while flows are gone through."""

    def __init__(
        self, event: Event, facts: Facts, now: datetime, templates: Templates, sent_by: Callable[[], SentBy | None]
    ) -> None:
        self._event = event
        self._facts = facts
        self._now = now
        self._templates = templates
        self._sent_by = sent_by
        text = event.fields.get("content")
        self._message = Message(str(text)) if text else None
        self.taker: str | None = None
        self._in: set[str] = set()

    def all(
        self, flows: Sequence[Flow], is_meant: Callable[[Trigger], bool], *, one_takes: bool
    ) -> Iterator[Considered]:
        """Each flow with such a trigger. one_takes: whether the first that matches takes the event."""
        for flow in flows:
            triggers = [trigger for trigger in flow.triggers if is_meant(trigger)]
            if not triggers:
                continue
            considered = self._flow(flow, triggers)
            if considered.verdict == "takes":
                self._in.add(flow.name)
                if one_takes and not flow.goes_on:
                    self.taker = flow.name
            yield considered

    def _flow(self, flow: Flow, triggers: Sequence[Trigger]) -> Considered:
        shown = Considered(flow=flow.name, place=str(flow.origin), verdict="no", priority=flow.priority)
        made = msgspec.structs.replace
        if not flow.enabled:
            return made(shown, verdict="off", reason="it is switched off (`enabled: false`)")
        if flow.account not in (None, self._event.account):
            words = f"account: the event came in on {self._event.account}, the flow is for {flow.account}"
            return made(shown, reason=words)
        reasons = [self._trigger(trigger) for trigger in triggers]
        if None not in reasons:
            return made(shown, reason="; or ".join(dict.fromkeys(each for each in reasons if each)))
        if self.taker is not None:
            return made(shown, verdict="late", reason=f"{self.taker} took it first")
        if flow.name in self._in:
            return made(shown, verdict="late", reason="it is in already, by its other trigger")
        fitting = [trigger for trigger, reason in zip(triggers, reasons, strict=True) if reason is None]
        failures = [self._fails_if(flow, trigger) for trigger in fitting]
        return made(shown, verdict="takes") if None in failures else made(shown, verdict="near", reason=failures[0])

    def _fails_if(self, flow: Flow, trigger: Trigger) -> str | None:
        """Why the flow's `if` does not hold with what this trigger captures; None where it does."""
        if flow.condition is None and not flow.inputs:
            return None
        alone = msgspec.structs.replace(flow, triggers=(trigger,))
        routed = Router([alone]).route(self._event, self._facts, self._now, self._templates, self._sent_by)
        return None if routed.matches else _condition(flow, routed.problems)

    def _trigger(self, trigger: Trigger) -> str | None:
        """The first filter that does not fit, in words; None where all do."""
        event, lists = self._event, self._facts.lists
        match trigger:
            case InboundSms():
                failed = InboundFilter(trigger).failing(event, self._message, lists)
            case DeliveryReceipt():
                failed = ReceiptFilter(trigger).failing(event, lists) or self._sender(trigger)
            case OptOut():
                failed = OptOutFilter(trigger).failing(event, lists)
            case _:
                return "it is for other events"
        return None if failed is None else self._words(trigger, failed)

    def _sender(self, trigger: DeliveryReceipt) -> str | None:
        sender = self._sent_by() if trigger.flow else None
        return "flow" if trigger.flow and (sender is None or sender.flow not in trigger.flow) else None

    def _words(self, trigger: InboundSms | DeliveryReceipt | OptOut, failed: str) -> str:
        event = self._event
        if failed.startswith("metadata."):
            assert not isinstance(trigger, OptOut)  # which has no such filter
            key = failed.removeprefix("metadata.")
            has = event.fields.get("metadata") or {}
            value = f'is "{_cut(str(has[key]))}"' if key in has else "is not there"
            return f"{failed} {value}, wanted {_listed(trigger.metadata[key])}"
        given = getattr(trigger, "from_" if failed == "from" else failed)
        wanted = _listed(given)
        message = self._message
        is_receipt = isinstance(trigger, DeliveryReceipt)
        text = "" if message is None else _cut(message.text)
        match failed:
            case "keyword":
                said = f'the first word is "{message.first[0].upper()}"' if message else "there is no text"
                return f"keyword: {said}, wanted {wanted}"
            case "exact":
                return f'exact: the message is "{text}", wanted {wanted}'
            case "contains":
                return f'contains: "{text}" has none of {wanted}'
            case "starts_with":
                return f'starts_with: "{text}" does not begin with {wanted}'
            case "regex":
                return f'regex: "{text}" does not match {wanted}'
            case "from":
                return f"from: {(event.our_number if is_receipt else event.contact) or 'nobody'} is not {wanted}"
            case "to":
                return f"to: {(event.contact if is_receipt else event.our_number) or 'no number'} is not {wanted}"
            case "flow":
                sender = self._sent_by()
                said = f"flow {sender.flow}" if sender else "no flow that is known"
                return f"flow: the message was sent by {said}, wanted {wanted}"
            case _:
                return f'{failed}: it is "{event.fields.get(failed)}", wanted {wanted}'


def _listed(wanted: Sequence[Any]) -> str:
    shown = [f"in list {each.name}" if isinstance(each, ListName) else _cut(str(each)) for each in wanted]
    more = f", … ({len(shown)})" if len(shown) > 10 else ""
    return ", ".join(shown[:10]) + more


def _cut(text: str) -> str:
    return text if len(text) <= _FAR else text[: _FAR - 1] + "…"
