"""What starts a flow, and what must hold then, in words."""

from collections.abc import Iterator

from sinchflow.console.graph.model import Line
from sinchflow.console.graph.text import condition, duration, entry, listed, plain, secret
from sinchflow.model.flow import (
    Category,
    DeliveryReceipt,
    Flow,
    InboundSms,
    ListName,
    Manual,
    NumberFilter,
    OptOut,
    Schedule,
    Trigger,
    Webhook,
)

_TEXT_FILTERS = (
    ("keyword", "keyword"), ("exact", "exactly"), ("contains", "contains"), ("starts_with", "starts with"),
    ("regex", "regex"),
)  # fmt: skip


def trigger_lines(trigger: Trigger) -> list[Line]:
    """Its kind, then its filters."""
    kind, words = _trigger(trigger)
    return [Line(kind, "kind"), *(Line(each) for each in words)]


def _trigger(trigger: Trigger) -> tuple[str, list[str]]:
    match trigger:
        case InboundSms():
            return "inbound SMS", list(filter_words(trigger)) or ["any text"]
        case DeliveryReceipt():
            return "delivery receipt", list(_receipt_words(trigger)) or ["of any message"]
        case OptOut():
            return "opt-out", list(_number_words(trigger.from_, trigger.to)) or ["of anybody"]
        case Schedule():
            return "schedule", list(_schedule_words(trigger))
        case Webhook():
            return "webhook", list(_webhook_words(trigger))
        case Manual():
            return "by hand", ["sinchflow start or run_flow"]


def filter_words(filters: InboundSms) -> Iterator[str]:
    """The filters on a message, one a line."""
    for name, words in _TEXT_FILTERS:
        given = getattr(filters, name)
        if given:
            yield f"{words} {listed(given, ' or ' if name == 'regex' else ', ')}"
    yield from _number_words(filters.from_, filters.to)
    if filters.type:
        yield f"type {listed(filters.type)}"
    yield from (f"metadata {plain(key, 60)}: {_numbers(given)}" for key, given in filters.metadata.items())


def category_words(category: Category) -> str:
    """A kind of answer and what counts as it."""
    answer = [f"answer {listed(category.answer)}"] if category.answer else []
    return f"{plain(category.name, 60)}: {' · '.join([*answer, *filter_words(category.filters)]) or 'any text'}"


def _number_words(from_: tuple[NumberFilter, ...], to: tuple[NumberFilter, ...]) -> Iterator[str]:
    if from_:
        yield f"from {_numbers(from_)}"
    if to:
        yield f"to {_numbers(to)}"


def _numbers(given: tuple[NumberFilter, ...]) -> str:
    return listed([f"list {each.name}" if isinstance(each, ListName) else each for each in given])


def _receipt_words(trigger: DeliveryReceipt) -> Iterator[str]:
    if trigger.status:
        yield f"status {listed(trigger.status)}"
    if trigger.status_code:
        yield f"status code {listed(trigger.status_code)}"
    if trigger.flow:
        yield f"of a message that {listed(trigger.flow, ' or ')} sent"
    yield from _number_words(trigger.from_, trigger.to)
    yield from (f"metadata {plain(key, 60)}: {_numbers(given)}" for key, given in trigger.metadata.items())


def _schedule_words(trigger: Schedule) -> Iterator[str]:
    if trigger.every is not None:
        yield f"every {duration(trigger.every)}"
    if trigger.cron is not None:
        zone = f" ({plain(trigger.timezone)})" if trigger.timezone else ""
        yield f"cron {plain(trigger.cron)}{zone}"
    if trigger.missed == "skip":
        yield "missed times are skipped"


def _webhook_words(trigger: Webhook) -> Iterator[str]:
    yield f"{listed(trigger.method, ' or ')} /flows{plain(trigger.path)}"
    if trigger.token is not None:
        yield f"X-Token {secret(trigger.token)}"
    if trigger.hmac is not None:
        yield f"{plain(trigger.hmac.header)}: HMAC-{trigger.hmac.algorithm} with {secret(trigger.hmac.secret)}"
    if trigger.token is None and trigger.hmac is None:
        yield "anybody may call it"
    if trigger.dedupe is not None:
        yield f"once for each {plain(trigger.dedupe.source, 80)}"


def gate_lines(flow: Flow) -> list[Line]:
    """What decides whether and how a run begins; empty when nothing does."""
    return [Line(words) for words in _gate_words(flow)]


def _gate_words(flow: Flow) -> Iterator[str]:
    if not flow.enabled:
        yield "switched off: nothing starts it"
    if flow.priority:
        yield f"priority {flow.priority}"
    if flow.goes_on:
        yield "continue: later flows get the message too"
    if flow.account is not None:
        yield f"only of the account {plain(flow.account)}"
    if flow.condition is not None:
        yield f"only if {condition(flow.condition.source)}"
    if flow.throttle is not None:
        rest = "; more: see “when throttled”" if flow.throttle.otherwise else ""
        yield f"throttle: at most {flow.throttle.max} in {duration(flow.throttle.per)} per contact{rest}"
    if flow.inputs:
        yield f"inputs: {listed([f'{name} ({given.type})' for name, given in flow.inputs.items()])}"
    if flow.contact is not None:
        yield f"contact: {plain(flow.contact.source, 80)}"
    yield from _run_words(flow)
    if flow.vars:
        yield f"vars: {listed([entry(name, given) for name, given in flow.vars.items()], '; ')}"


def _run_words(flow: Flow) -> Iterator[str]:
    if flow.concurrency is not None:
        key = f"for each {plain(flow.concurrency.key.source, 80)}" if flow.concurrency.key else "per contact"
        yield {
            "single": f"one run at a time {key}: a second one does not start",
            "restart": f"one run at a time {key}: a new one cancels the old one",
            "queued": f"one run at a time {key}: others wait, up to {flow.concurrency.max} in all",
            "parallel": f"at most {flow.concurrency.max} runs at a time {key}",
        }[flow.concurrency.mode]
    if flow.timeout is not None:
        yield f"timeout of a whole run {duration(flow.timeout)}"
    if flow.on_change == "cancel":
        yield "open runs are cancelled when the flow changes"
