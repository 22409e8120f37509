"""Commands and outcomes for the trace: what a reader needs, not the whole."""

from typing import Any

from sinchflow.model.command import (
    Answered,
    AskProvider,
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


def asked_words(command: Command) -> str:
    """What a step asked for."""
    match command:
        case SendMessage(to=to, body=body):
            return f"to {to}: {body['content']}"
        case CallUrl(method=method, url=url):
            return f"{method} {url}"
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
            return f"{category or 'none'}: {fields.get('content')}"
        case ReceiptCame(fields=fields):
            return fields.get("status")
        case RunEnded(run=run, status=status):
            return f"run {run} {status}"
        case Woken():
            return "time"
        case Failed(message=message):
            return message
