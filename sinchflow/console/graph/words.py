"""What a step does, in words: the lines of its node."""

from collections.abc import Iterator
from datetime import timedelta

from sinchflow.console.graph.model import Kind, Line
from sinchflow.console.graph.text import condition, duration, entry, listed, message, plain, url, value
from sinchflow.console.graph.triggers import category_words
from sinchflow.model.flow import (
    Action,
    CancelMessage,
    Choose,
    Delay,
    Fail,
    ForEach,
    GetMessageStatus,
    GetSenderIds,
    Http,
    Log,
    Parallel,
    Remember,
    Retry,
    RunFlow,
    SendSms,
    SetOptOut,
    SetVars,
    Step,
    Stop,
    WaitForReceipt,
    WaitForReply,
)

_MOST_DELAYS = 4
_MOST_DOUBLINGS = 60

_Told = tuple[Kind, str, list[str]]


def told(action: Action) -> tuple[Kind, str, list[str]]:
    """The node's kind, the action in a few words, and what there is to say about it."""
    match action:
        case SendSms():
            return _send(action)
        case Http():
            return "call", f"http {action.method}", list(_http_words(action))
        case GetMessageStatus() | CancelMessage():
            verb = "get message status" if isinstance(action, GetMessageStatus) else "cancel message"
            return "call", verb, [plain(action.message_id.source, 80), *_through(action.account)]
        case GetSenderIds():
            return "call", "get sender IDs", _through(action.account)
        case SetOptOut():
            number = plain(action.number.source, 80) if action.number else "the contact"
            return "call", "opt out" if action.is_opted_out else "opt in", [number, *_through(action.account)]
        case WaitForReply():
            return "wait", f"wait for a reply, up to {duration(action.timeout)}", list(_reply_words(action))
        case WaitForReceipt():
            of = f"of {plain(action.message_id.source, 80)}"
            status = f"status {listed(action.status)}" if action.status else "any final status"
            return "wait", f"wait for a receipt, up to {duration(action.timeout)}", [of, status]
        case Delay():
            return "wait", "delay", list(_delay_words(action))
        case _:
            return _within(action)


def _within(action: Action) -> _Told:
    """Of actions that nobody outside of the run notices."""
    match action:
        case SetVars():
            return "data", "set", [entry(name, given) for name, given in action.values.items()]
        case Remember():
            return "data", "remember with the contact", [entry(name, given) for name, given in action.values.items()]
        case Log():
            return "data", "log", [plain(action.text.source)]
        case Stop():
            return "stop", "stop: the run ends well", [plain(action.text.source)]
        case Fail():
            return "fail", "fail: the run fails", [plain(action.text.source)]
        case RunFlow():
            given = [f"inputs: {listed(list(action.inputs))}"] if action.inputs else []
            how = "waits for its end" if action.wait else "does not wait for it"
            return "flow", "run flow", [plain(action.flow, 100), *given, how]
        case ForEach():
            return "control", f"for each {plain(action.as_, 60)}", list(_loop_words(action))
        case Parallel():
            return "control", f"{len(action.branches)} branches at once", []
        case Choose():
            return "decision", "choose", []
        case _:
            raise TypeError(f"no words for {type(action).__name__}")


def step_lines(step: Step, kind: str, about: list[str]) -> tuple[Line, ...]:
    """The lines of a step's node."""
    name = [Line(plain(step.name, 80), "name")] if step.name else []
    only = [Line(f"only if {condition(step.condition.source)}", "note")] if step.condition else []
    notes = [Line(each, "note") for each in _around(step)]
    return (Line(kind, "kind"), *name, *only, *(Line(each) for each in about if each), *notes, place_line(step))


def place_line(step: Step, following: Step | None = None) -> Line:
    """Where the step stands, and its id; also where the one after it stands, when they are one node."""
    where = f"{plain(step.origin.file.rpartition('/')[2], 60)}:{step.origin.line}"
    where += f" and {following.origin.line}" if following else ""
    return Line(f"{plain(step.id, 60)} · {where}" if step.id else where, "place")


def _around(step: Step) -> Iterator[str]:
    if step.timeout is not None:
        yield f"timeout {duration(step.timeout)}"
    if step.retry is not None:
        yield _retry_words(step.retry)
    if step.on_error == "continue":
        yield "goes on after an error"


def _retry_words(retry: Retry) -> str:
    """The first delays, as many as a reviewer needs to see how they grow."""
    gaps = [duration(_delay(retry, at)) for at in range(retry.attempts - 1)]
    shown = gaps if len(gaps) <= _MOST_DELAYS else [*gaps[: _MOST_DELAYS - 1], "…", gaps[-1]]
    attempts = f"{retry.attempts} attempt{'s' * (retry.attempts != 1)}"
    return f"retry: {attempts}, after {', '.join(shown)}" if shown else f"retry: {attempts}"


def _delay(retry: Retry, at: int) -> timedelta:
    factors: dict[str, float] = {"constant": 1, "linear": at + 1, "exponential": 2.0 ** min(at, _MOST_DOUBLINGS)}
    seconds = retry.delay.total_seconds() * factors[retry.backoff]
    return timedelta(seconds=min(seconds, retry.max_delay.total_seconds()))


def _through(account: str | None) -> list[str]:
    return [f"through the account {plain(account)}"] if account is not None else []


def _send(action: SendSms) -> _Told:
    verb = {"SMS": "SMS", "MMS": "MMS", "TTS": "spoken message"}[action.format]
    to = [] if action.to is None else [f"to {listed([each.source for each in action.to])}"]
    more = [f"from {plain(action.source_number.source, 60)}"] if action.source_number else []
    more += _through(action.account)
    more += [f"media: {listed([url(each.source) for each in action.media])}"] if action.media else []
    more += [f"scheduled for {plain(action.scheduled.source, 80)}"] if action.scheduled else []
    more += ["urgent: not held by quiet hours"] if action.urgent else []
    if action.to is None:
        return "send", "reply" if action.format == "SMS" else f"reply ({verb})", [*message(action.message), *more]
    return "send", f"send {verb}", [*to, *message(action.message), *more]


def _http_words(action: Http) -> Iterator[str]:
    yield url(action.url.source)
    if action.expect != ("2xx",):
        yield f"expects {listed(action.expect)}"


def _reply_words(action: WaitForReply) -> Iterator[str]:
    if action.from_ is not None:
        yield f"from {plain(action.from_.source, 80)}"
    for category in action.categories:
        yield category_words(category)
    if not action.categories:
        yield "any message is an answer"
    if action.otherwise is not None:
        attempts = f"{action.otherwise.attempts} attempt{'s' * (action.otherwise.attempts != 1)}"
        first, *rest = message(action.otherwise.reply)
        yield f"otherwise ({attempts}): {first}"
        yield from rest


def _delay_words(action: Delay) -> Iterator[str]:
    if action.duration is not None:
        yield duration(action.duration)
    if action.until is not None:
        until = plain(action.until.source, 80)
        by = [f"{duration(action.before)} before"] * bool(action.before)
        by += [f"{duration(action.after)} after"] * bool(action.after)
        yield f"until {' and '.join(by)} {until}" if by else f"until {until}"
        if action.if_past != "continue":
            yield {"skip": "if that is past: skips the next step", "stop": "if that is past: stops"}[action.if_past]


def _loop_words(action: ForEach) -> Iterator[str]:
    yield f"of {value(action.items)}"
    if action.parallel > 1:
        yield f"{action.parallel} at a time"
    if action.until is not None:
        yield f"until {condition(action.until.source)}"
    if action.on_item_error == "continue":
        yield "goes on when an item fails"
