"""Which ways through the flows the tests have walked, and which none has.

A *point* is one way that a flow can go: a step that is taken or left out, an arm of `choose`, a category of answers, a
failure that `on_error` takes, a trigger, a throttle that holds. The flows say which there are, traces which were met.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from sinchflow.engine.address import all_steps, step_at
from sinchflow.model.flow import (
    Choose,
    DeliveryReceipt,
    Flow,
    ForEach,
    InboundSms,
    Manual,
    OptOut,
    Schedule,
    Step,
    Throttle,
    WaitForReceipt,
    WaitForReply,
    Webhook,
)  # fmt: skip
from sinchflow.model.origin import Origin
from sinchflow.model.run import Record, Run

#: Between an iteration's number and the rest, and in addresses of points: any iteration.
_ITERATION = re.compile(r"\.for_each\.\d+\.")
_TRIGGERS: dict[type, str] = {
    InboundSms: "inbound_sms", DeliveryReceipt: "delivery_receipt", OptOut: "opt_out", Schedule: "schedule",
    Webhook: "webhook", Manual: "manual",
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
    if isinstance(flow.throttle, Throttle):
        if not flow.throttle.otherwise:
            yield Point(flow.name, "throttle", "held back by its throttle", flow.origin)
        yield from _of_steps(flow, flow.throttle.otherwise)
    yield from _of_steps(flow, flow.steps)
    yield from _of_steps(flow, flow.on_error)


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
        case ForEach():
            yield f"{at}:items", "for an item"


class Walked:
    """The points that runs have met, by flow and key."""

    def __init__(self) -> None:
        self.met: set[tuple[str, str]] = set()

    def begun(self, flow: Flow, kind: str) -> None:
        """A run of the flow has begun by an event of this kind."""
        self.met.update(
            (flow.name, f"on:{at}") for at, each in enumerate(flow.triggers) if _TRIGGERS[type(each)] == kind
        )

    def held_back(self, flow: Flow) -> None:
        """The flow's throttle let no run begin."""
        self.met.add((flow.name, "throttle"))

    def advanced(self, flow: Flow, before: Run | None, run: Run) -> None:
        """A run has gone on."""
        known = 0 if before is None else len(before.trace)
        new = run.trace[known:] if len(run.trace) > known else run.trace[-3:]
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
            met.add((flow.name, f"{at}:left_out"))
            if record.detail is None:
                return
        met.add((flow.name, f"{at}:taken"))
        if record.what == "branch":
            met.add((flow.name, f"{at}:branch:{'none' if record.detail is None else record.detail}"))
        elif record.what == "error":
            met.add((flow.name, f"{at}:failed"))
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


class FileCoverage(msgspec.Struct, frozen=True):
    """One flow: its points with whether each was met."""

    flow: Flow
    points: tuple[tuple[Point, bool], ...]

    @property
    def share(self) -> Share:
        """How many were met."""
        return Share(sum(met for _, met in self.points), len(self.points))

    @property
    def missing(self) -> list[Point]:
        """Those that were not."""
        return [point for point, met in self.points if not met]


def coverage(flows: Iterable[Flow], met: Collection[tuple[str, str]]) -> list[FileCoverage]:
    """Flow by flow, what was met; flows that are switched off are left out."""
    return [
        FileCoverage(flow, tuple((point, (point.flow, point.key) in met) for point in points(flow)))
        for flow in flows
        if flow.enabled
    ]


def total(covered: Iterable[FileCoverage]) -> Share:
    """Over all flows."""
    shares = [each.share for each in covered]
    return Share(sum(share.met for share in shares), sum(share.all for share in shares))
