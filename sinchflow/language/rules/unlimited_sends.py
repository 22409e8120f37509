"""Messages that nothing limits: no throttle, no condition, no brake."""

from collections.abc import Iterator

from sinchflow.expression.durations import parse_duration
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar
from sinchflow.language.outline import Outline, StepView, TriggerView
from sinchflow.language.rules.rule import Rule, Settings

#: Filters that only some messages pass.
_NARROW = ("keyword", "exact", "contains", "starts_with", "regex", "from", "metadata")
_SENDS = ("reply", "send_sms")
_HOUR_S = 3600
#: Steps after which nobody can tell from here how often the next one runs.
_DECIDING = ("http", "stop", "fail", "wait_for_reply", "wait_for_receipt", "delay", "run_flow")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    root = outline.root
    if not outline.has_all_triggers or root.entry("if") or root.entry("throttle") or root.entry("concurrency"):
        return
    for trigger in outline.triggers:
        if trigger.kind == "inbound_sms" and not settings.has_brake and not _is_narrow(trigger):
            yield from _every_message(outline, trigger)
        elif trigger.kind == "webhook" and not settings.has_brake and _is_open(trigger):
            yield from _every_call(outline, trigger)
        elif trigger.kind == "schedule" and trigger.filters is not None:
            yield from _every_time(outline, trigger.filters)


def _every_message(outline: Outline, trigger: TriggerView) -> Iterator[Diagnostic]:
    first = _first_send(outline)
    if first is not None and first.action == "reply":
        message = "every message gets an answer, and nothing stops two machines that answer each other"
        hint = "add throttle: {max: 1, per: 10m}; the brake, policy.max_sends_per_contact, is off"
        yield finding(outline.document.origin_of(trigger.key), RULE.id, message, hint, "warning")


def _every_call(outline: Outline, trigger: TriggerView) -> Iterator[Diagnostic]:
    if _first_send(outline) is not None:
        message = "anybody may have this flow send as often as they like, also to one person"
        hint = "add throttle: {max: 1, per: 10m}; the brake, policy.max_sends_per_contact, is off"
        yield finding(outline.document.origin_of(trigger.key), RULE.id, message, hint, "warning")


def _every_time(outline: Outline, filters: Mapping) -> Iterator[Diagnostic]:
    often = next((each for each in (filters.get("every"), filters.get("cron")) if _is_often(each)), None)
    if often is None or _first_send(outline) is None:
        return
    message = f'the same people get this message each time, and "{_text(often)}" is more often than hourly'
    hint = "say when there is something to tell them: `if`, or a call before it that finds out"
    yield finding(outline.document.origin_of(often), RULE.id, message, hint, "warning")


def _is_narrow(trigger: TriggerView) -> bool:
    return trigger.filters is not None and any(trigger.filters.entry(name) for name in _NARROW)


def _is_open(trigger: TriggerView) -> bool:
    return trigger.filters is None or not (trigger.filters.entry("token") or trigger.filters.entry("hmac"))


def _is_often(node: Node | None) -> bool:
    """Whether a schedule comes round more than once an hour: for cron, in steps of minutes."""
    text = _text(node)
    every = parse_duration(text) if text else None
    if every is not None:
        return every.total_seconds() < _HOUR_S
    fields = text.split()
    return len(fields) == 5 and "*" in fields[0] and not fields[1].isdecimal()


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _first_send(outline: Outline) -> StepView | None:
    """The step that always sends: nothing before it decides, and no condition is around it."""
    for step in outline.steps:
        if step.action in _SENDS and not step.scope.conditions and not step.node.entry("if"):
            return step
        if step.action in _DECIDING or step.action is None:
            return None
    return None


RULE = Rule(
    id="unlimited-sends",
    reason=(
        "Each message costs money, and somebody's patience. What sends them without a condition, again and again, "
        "needs a limit: a throttle, a look at whether there is news, or policy's brake."
    ),
    failing="""\
# file: sinchflow.yaml
policy: {max_sends_per_contact: off}
# file: flows/sample.yaml
on: inbound_sms
steps:
  - reply: Thanks for your message. We answer within a day.
""",
    corrected="""\
# file: sinchflow.yaml
policy: {max_sends_per_contact: off}
# file: flows/sample.yaml
on: inbound_sms
throttle: {max: 1, per: 10m}
steps:
  - reply: Thanks for your message. We answer within a day.
""",
    check=_check,
)
