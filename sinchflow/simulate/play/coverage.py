"""Which ways through the flows the tests have walked, and which none has.

A *point* is one way that a flow can go: a step that is taken or left out, an arm of `choose`, a category of answers, a
failure that `on_error` takes, a trigger, a throttle that holds. The flows say which there are, traces which were met.
What the project's policy is told to do is looked at as a flow of its own would be.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sinchflow.engine.address import all_steps, step_at
from sinchflow.engine.ends import THE_FLOW
from sinchflow.engine.filters import InboundFilter, Message, OptOutFilter, ReceiptFilter
from sinchflow.engine.recovery import recover
from sinchflow.engine.routing import route_to
from sinchflow.engine.trace import new_records
from sinchflow.model.event import Event, as_opt_out
from sinchflow.model.flow import (
    Choose,
    Delay,
    DeliveryReceipt,
    Flow,
    ForEach,
    InboundSms,
    Manual,
    OptOut,
    Schedule,
    Step,
    Trigger,
    WaitForReceipt,
    WaitForReply,
    Webhook,
)  # fmt: skip
from sinchflow.model.origin import Origin
from sinchflow.model.project import Policy
from sinchflow.model.run import Facts, Record, Run
from sinchflow.model.send import Send
from sinchflow.runtime.admission import REPLACED, is_throttle
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.policy_flows import PREFIX

#: Between an iteration's number and the rest, and in addresses of points: any iteration.
_ITERATION = re.compile(r"\.for_each\.\d+\.")
_TRIGGERS: dict[type, str] = {
    InboundSms: "inbound_sms", DeliveryReceipt: "delivery_receipt", OptOut: "opt_out", Schedule: "schedule",
    Webhook: "webhook", Manual: "manual",
}  # fmt: skip
_POLICY = "policy"
#: In the reasons that messages are held back for: which setting it was.
_SETTING = re.compile(r"\(policy\.(\w+)\)")
#: Messages that a test can be asked to send.
_MOST_SENT = 100
_REFUSALS = {
    "allowed_countries": "a message to another country is not sent", "max_sends_per_run": "a run may send no more",
    "max_sends_per_flow": "a flow may send no more", "max_sends_per_day": "no more is sent that day",
    "max_sends_per_contact": "a contact gets no more",
}  # fmt: skip


class Point(msgspec.Struct, frozen=True, order=True):
    """One way that a flow can go. flow: its name, key: which of its points, words: for people."""

    flow: str
    key: str
    words: str = ""
    origin: Origin | None = None


class Share(msgspec.Struct, frozen=True):
    """How much of something was walked."""

    met: int
    all: int

    @property
    def percent(self) -> float:
        """In percent; of nothing, everything was walked."""
        return 100.0 if not self.all else 100.0 * self.met / self.all


def points(flow: Flow) -> Iterator[Point]:
    """All ways that this flow can go, in the order of its file."""
    for at, trigger in enumerate(flow.triggers):
        if not isinstance(trigger, Manual):
            yield Point(flow.name, f"on:{at}", f"begun by {_TRIGGERS[type(trigger)]}", trigger.origin)
    for key, words in _of_head(flow):
        yield Point(flow.name, key, words, flow.origin)
    if flow.throttle is not None:
        yield from _of_steps(flow, flow.throttle.otherwise)
    yield from _of_steps(flow, flow.steps)
    yield from _of_steps(flow, flow.on_error)


def _of_head(flow: Flow) -> Iterator[tuple[str, str]]:
    if flow.condition is not None:
        yield "if", f"passed over, because `{flow.condition.source}` does not hold"
    if flow.throttle is not None:
        yield "throttle", "held back by its throttle"
    match None if flow.concurrency is None else flow.concurrency.mode:
        case "restart":
            yield "concurrency", "an open run gives way to a new one"
        case "queued":
            yield "concurrency", "queued behind an open run"
        case "single" | "parallel":
            yield "concurrency", "not begun, because others of its runs are open"
    if flow.timeout is not None:
        yield "timeout", "ended by its timeout"


def policy_points(policy: Policy, origins: Mapping[str, Origin]) -> Iterator[Point]:
    """What the project's policy is told to do. origins: of the settings under `policy` that the project file has."""
    for name, origin in origins.items():
        match name, getattr(policy, name, None):
            case (("opt_out" | "opt_in" | "help"), words) if words is not None and words.reply is not None:
                yield Point(_POLICY, name, f"answered {name.replace('_', '-')} words", origin)
            case "quiet_hours", hours if hours is not None:
                done = "put off" if hours.action == "defer" else "not sent"
                yield Point(_POLICY, name, f"a message is {done} in quiet hours", origin)
            case _, limit if limit and name in _REFUSALS and _can_be_met(limit):
                yield Point(_POLICY, name, _REFUSALS[name], origin)


def _can_be_met(limit: Any) -> bool:
    """Whether a test can be asked to send so much that a limit is met: a raised brake is there for mistakes."""
    most = limit if isinstance(limit, int) else getattr(limit, "max", 0)
    return most <= _MOST_SENT


def _of_steps(flow: Flow, steps: Sequence[Step]) -> Iterator[Point]:
    for step in all_steps(steps):
        for key, words in _of_step(step):
            yield Point(flow.name, key, words, step.origin)


def _of_step(step: Step) -> Iterator[tuple[str, str]]:
    at = step.address
    yield f"{at}:taken", "taken"
    if step.condition is not None:
        yield f"{at}:left_out", f"left out, because `{step.condition.source}` does not hold"
    if step.on_error == "continue":
        yield f"{at}:failed", "failed, and the run goes on"
    match step.action:
        case Choose(branches=arms):
            for index, arm in enumerate(arms):
                words = "else" if arm.condition is None else f"`{arm.condition.source}` holds"
                yield f"{at}:branch:{index}", words
            if all(arm.condition is not None for arm in arms):
                yield f"{at}:branch:none", "no branch holds"
        case WaitForReply() as wait:
            for category in wait.categories:
                yield f"{at}:answer:{category.name}", f"answered {category.name}"
            if wait.otherwise is not None:
                yield f"{at}:answer:again", "asked again, because the answer fits no category"
                yield f"{at}:answer:other", "given up after answers that fit no category"
            elif not wait.categories:
                yield f"{at}:answer:reply", "answered"
            yield f"{at}:answer:timeout", "not answered in time"
        case WaitForReceipt():
            yield f"{at}:answer:reply", "the receipt came"
            yield f"{at}:answer:timeout", "no receipt in time"
        case ForEach(on_item_error=on_item_error):
            yield f"{at}:items", "for an item"
            if on_item_error == "continue":
                yield f"{at}:item_failed", "an item fails, and the others are gone on with"
        case Delay(until=until, if_past=if_past) if until is not None and if_past != "continue":
            yield f"{at}:past", f"its time is past ({if_past})"


class Walked:
    """The points that runs have met, by flow and key."""

    def __init__(self) -> None:
        self.met: set[tuple[str, str]] = set()

    def routed(
        self, catalog: Catalog, event: Event, facts: Facts, matched: Sequence[str], refused: Mapping[str, str]
    ) -> None:
        """An event has been routed. refused: why some of the flows that matched begin no run."""
        message = Message(str(event.fields.get("content") or ""))
        for flow in catalog.flows.values():
            passed = _passing(flow, event, message, facts)
            if flow.name in matched:
                if not passed and event.kind == "inbound_sms":  # it was taken for the opt-out that it means
                    passed = _passing(flow, as_opt_out(event), message, facts)
                self.met.update((flow.name, f"on:{at}") for at in passed)
            elif passed and not route_to(flow, event, facts, event.received_at, catalog.templates).matches:
                self.met.add((flow.name, "if"))
        for name, reason in refused.items():
            self.met.add((name, "throttle" if is_throttle(reason) else "concurrency"))

    def held_back(self, send: Send) -> None:
        """Policy has kept a message from leaving, for a while or for good."""
        if found := _SETTING.search(send.reason or ""):
            self.met.add((_POLICY, found[1]))

    def advanced(self, flow: Flow | None, before: Run | None, run: Run) -> None:
        """A run has gone on. flow: its own, where it is one of the project's."""
        if flow is None:
            return
        if flow.name.startswith(PREFIX):
            self.met.add((_POLICY, flow.name.removeprefix(PREFIX).replace("-", "_")))
            return
        if run.is_held or run.reason == REPLACED:
            self.met.add((flow.name, "concurrency"))
        problem = run.handled or run.error
        if problem is not None and problem.kind == "timeout" and problem.step == THE_FLOW:
            self.met.add((flow.name, "timeout"))
        new = new_records(before, run)
        asking = frozenset() if before is None else frozenset(each.address for each in before.cursors if each.tally)
        for at, record in enumerate(new):
            if record.address and record.what != "left_out":
                self._record(flow, record)
            if record.what == "outcome" and record.address not in asking:
                again = any(each.what == "command" and each.address == record.address for each in new[at + 1 :])
                self._answered(flow, record, is_again=again)

    def _record(self, flow: Flow, record: Record) -> None:
        at, met = _ITERATION.sub(".for_each.0.", record.address), self.met
        if record.what == "skipped":
            action = step_at(flow, at).action
            is_past = isinstance(action, Delay) and record.detail == "its time is past"
            met.add((flow.name, f"{at}:past" if is_past else f"{at}:left_out"))
            if not is_past:
                return
        met.add((flow.name, f"{at}:taken"))
        if record.what == "branch":
            met.add((flow.name, f"{at}:branch:{'none' if record.detail is None else record.detail}"))
        elif record.what == "error":
            met.add((flow.name, f"{at}:failed"))
            if (item := recover(flow, at).item) is not None:
                met.add((flow.name, f"{item.block}:item_failed"))
        elif record.what == "loop" and not str(record.detail).startswith("0 "):
            met.add((flow.name, f"{at}:items"))

    def _answered(self, flow: Flow, record: Record, *, is_again: bool) -> None:
        """What came of a wait. is_again: it asked once more."""
        at, outcome = _ITERATION.sub(".for_each.0.", record.address), str(record.detail)
        action = step_at(flow, at).action
        if isinstance(action, WaitForReply | WaitForReceipt):
            names = [each.name for each in action.categories] if isinstance(action, WaitForReply) else []
            named = next((name for name in names if outcome.startswith(f"{name}: ")), None)
            fallback = "again" if is_again else "other" if names else "reply"
            self.met.add((flow.name, f"{at}:answer:{'timeout' if outcome == 'time' else named or fallback}"))


class Covered(msgspec.Struct, frozen=True):
    """One flow, or the policy: its points with whether each was met."""

    name: str
    points: tuple[tuple[Point, bool], ...]

    @property
    def share(self) -> Share:
        """How many were met."""
        return Share(sum(met for _, met in self.points), len(self.points))

    @property
    def missing(self) -> list[Point]:
        """Those that were not."""
        return [point for point, met in self.points if not met]


def coverage(flows: Iterable[Flow], policy: Iterable[Point], met: Collection[tuple[str, str]]) -> list[Covered]:
    """Flow by flow, what was met, and at last the policy's own points; flows that are switched off are left out."""
    listed = [(flow.name, [*points(flow)]) for flow in flows if flow.enabled]
    if own := [*policy]:
        listed.append((_POLICY, own))
    return [Covered(name, tuple((point, (point.flow, point.key) in met) for point in of)) for name, of in listed]


def total(covered: Iterable[Covered]) -> Share:
    """Over all flows."""
    shares = [each.share for each in covered]
    return Share(sum(share.met for share in shares), sum(share.all for share in shares))


def _passing(flow: Flow, event: Event, message: Message, facts: Facts) -> list[int]:
    """The places of the flow's triggers that the event is for."""
    return [at for at, each in enumerate(flow.triggers) if _passes(each, at, flow, event, message, facts)]


def _passes(trigger: Trigger, at: int, flow: Flow, event: Event, message: Message, facts: Facts) -> bool:
    """Whether this trigger of a flow is one that the event is for."""
    if _TRIGGERS[type(trigger)] != event.kind:
        return False
    match trigger:
        case InboundSms():
            return InboundFilter(trigger).passes(event, message, facts.lists) is not None
        case DeliveryReceipt():
            return ReceiptFilter(trigger).passes(event, facts.lists)
        case OptOut():
            return OptOutFilter(trigger).passes(event, facts.lists)
        case Schedule():
            return event.key.startswith(f"{flow.name}\n{at}\n")
        case Webhook():
            return trigger.path == event.fields.get("path") and event.fields.get("method") in trigger.method
        case Manual():
            return True
