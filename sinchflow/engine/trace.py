"""Commands and outcomes for the trace: what a reader needs, not the whole."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.model.command import (
    Answered,
    AskProvider,
    Attempt,
    AwaitReceipt,
    AwaitReply,
    CallUrl,
    Command,
    Failed,
    KeepContact,
    LogLine,
    Outcome,
    ReceiptCame,
    Replied,
    RunEnded,
    SendMessage,
    Sent,
    Skipped,
    Sleep,
    StartRun,
    Told,
    Woken,
)
from sinchflow.model.event import SECRET_BEGIN, SECRET_END
from sinchflow.model.run import Record, Run

_MOST_RECORDS = 200
#: Of them the first so many, and as many of the last as there is room for.
_FIRST_RECORDS = 60
LONGEST_DETAIL = 500
#: Of one value of several.
_LONGEST_VALUE = 80
_REFERENCE = re.compile(f"{SECRET_BEGIN}([^{SECRET_END}]*){SECRET_END}")
#: Headers whose values are nobody's business, also where no secret was used to write them.
_PRIVATE_HEADER = re.compile(r"auth|cookie|token|key|secret|password|signature", re.IGNORECASE)


def with_room(trace: tuple[Record, ...], new: Sequence[Record]) -> tuple[Record, ...]:
    """The trace with these records: how the run began, and what it did last."""
    records = (*trace, *new)
    if len(records) <= _MOST_RECORDS:
        return records
    gap, left_out = records[_FIRST_RECORDS], len(records) - _MOST_RECORDS
    left_out += int(gap.detail) if gap.what == "left_out" else 1
    last = records[_FIRST_RECORDS + 1 - _MOST_RECORDS :]
    return (*records[:_FIRST_RECORDS], Record(gap.at, "", "left_out", left_out), *last)


def new_records(before: Run | None, after: Run) -> Sequence[Record]:
    """What the run's trace tells since `before`; None: all of it. What was left out in the middle is not among it."""
    known = () if before is None else before.trace
    if after.trace[: len(known)] == known:
        return after.trace[len(known) :]
    return [record for record in after.trace if record not in known and record.what != "left_out"]


def with_attempt(run: Run, command: str, attempt: Attempt, failure: str, now: datetime) -> Run:
    """The run with a record of why another attempt at its command is made."""
    words = without_secrets(f"attempt {attempt.number - 1} failed: {failure}")
    words = words if len(words) <= LONGEST_DETAIL else f"{words[: LONGEST_DETAIL - 1]}…"
    return replace(run, trace=with_room(run.trace, [Record(now, command.split(":")[1], "attempt", words)]))


def without_secrets(text: str) -> str:
    """The text with the names of the secrets that it refers to."""
    return _REFERENCE.sub(r"{{ secrets.\1 }}", text) if SECRET_BEGIN in text else text


def set_words(values: Mapping[str, Any]) -> str:
    """What these names are from here on."""
    return ", ".join(f"{name} = {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    text = without_secrets(msgspec.json.encode(value).decode())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _call_words(call: CallUrl) -> str:
    """The request, as far as people may see it: line, headers, body."""
    query = "&".join(f"{name}={value}" for name, value in call.query)
    mark = "" if not query else "&" if "?" in call.url else "?"
    lines = [f"{call.method} {call.url}{mark}{query}"]
    for name, value in call.headers.items():
        secrets = " ".join(f"{{{{ secrets.{each} }}}}" for each in _REFERENCE.findall(value))
        lines.append(f"{name}: {(secrets or '(not shown)') if _PRIVATE_HEADER.search(name) else value}")
    if call.content is not None:
        lines += ["", call.content]
    return without_secrets("\n".join(lines))


def asked_words(command: Command) -> str:
    """What a step asked for."""
    match command:
        case SendMessage(to=to, body=body):
            return f"to {to}: {body['content']}"
        case CallUrl():
            return _call_words(command)
        case AskProvider(what=what, subject=subject):
            return f"{what} {subject}".strip()
        case Sleep(until=until):
            return f"until {until.isoformat()}"
        case AwaitReply(contact=contact, until=until):
            return f"an answer of {contact}{'' if until is None else f' until {until.isoformat()}'}"
        case AwaitReceipt(message_id=message_id, until=until):
            return f"a receipt of {message_id} until {until.isoformat()}"
        case StartRun(flow=flow):
            return f"flow {flow}"
        case KeepContact(number=number):
            return f"with {number}"
        case LogLine(text=text):
            return text


def outcome_words(outcome: Outcome) -> Any:
    """What came of it."""
    match outcome:
        case Sent(message=message):
            return message.get("message_id")
        case Skipped(reason=reason):
            return reason
        case Answered(status=status):
            return status
        case Told(data=data):
            return data.get("status")
        case Replied(fields=fields, category=category):
            return f"{f'{category}: ' if category else ''}{fields.get('content')}"
        case ReceiptCame(fields=fields):
            return fields.get("status")
        case RunEnded(run=run, status=status):
            return f"run {run} {status}"
        case Woken():
            return "time"
        case Failed(message=message):
            return message
