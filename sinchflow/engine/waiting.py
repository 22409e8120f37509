"""Steps that wait: for a time, an answer, a receipt or another flow. What they ask for, and what they give."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from sinchflow.engine.caller import ActionError, Caller
from sinchflow.engine.numbers import to_e164
from sinchflow.expression.template import Templates
from sinchflow.model.command import (
    AwaitReceipt,
    AwaitReply,
    Command,
    Failed,
    Outcome,
    ReceiptCame,
    Replied,
    RunEnded,
    Sleep,
    StartRun,
)
from sinchflow.model.flow import Delay, RunFlow, Step, Text, WaitForReceipt, WaitForReply

#: Statuses after which nothing more is heard of a message (sinch-api.md section 3.4).
FINAL_STATUSES = ("delivered", "read", "expired", "rejected", "failed", "cancelled", "undeliverable")


def sleep_until(action: Delay, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> datetime:
    """When the delay is over; may be past. Raises ActionError or ExpressionError."""
    if action.duration is not None:
        return caller.now + action.duration
    assert action.until is not None
    time = _time(action.until, caller, scope, templates)
    try:
        return time - action.before + action.after
    except OverflowError:
        raise ActionError(f"until: {time.isoformat()} with `before` or `after` is out of all calendars") from None


def sleep(step: Step, caller: Caller, until: datetime) -> Sleep:
    """The command of a delay."""
    return Sleep(id=f"{caller.run_id}:{step.address}:0", until=until)


def reply_wait(
    action: WaitForReply, address: str, tries: int, caller: Caller, message_ids: tuple[str, ...],
    scope: Mapping[str, Any], templates: Templates,
) -> AwaitReply:  # fmt: skip
    """The wait for an answer; `tries` answers have not fitted so far. Raises ActionError or ExpressionError."""
    contact, our_number = caller.contact, caller.our_number
    if action.from_ is not None:
        written = templates.text(action.from_, scope)
        contact, our_number = to_e164(written, caller.country), None
        if contact is None:
            raise ActionError(f'"{written}" is not a phone number; write it as +COUNTRY…, or set `country`')
    if contact is None:
        raise ActionError("there is nobody whose answer could be waited for: the run has no contact")
    return AwaitReply(
        id=f"{caller.run_id}:{address}:{tries}",
        account=caller.account,
        contact=contact,
        our_number=our_number,
        messages=message_ids,
        until=caller.now + action.timeout,
    )


def asking_again(caller: Caller, wait: Command, outcome: Outcome) -> Caller:
    """Who asks again when an answer to this wait did not fit: to whomever gave it, from the number they wrote to."""
    if not isinstance(wait, AwaitReply) or wait.contact == caller.contact:
        return caller
    fields = outcome.fields if isinstance(outcome, Replied) else {}
    return replace(caller, contact=wait.contact, our_number=fields.get("destination_address"))


def reply_output(outcome: Outcome, *, is_other: bool = False) -> dict[str, Any]:
    """`steps.ID` of a wait for an answer."""
    if isinstance(outcome, Replied):
        category = "other" if is_other else outcome.category or "reply"
        return {"category": category, "reply": outcome.fields, "match": outcome.match}
    return {"category": "timeout", "reply": None, "match": {}}


def receipt_wait(
    action: WaitForReceipt, address: str, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> AwaitReceipt:
    """The wait for a receipt. Raises ActionError or ExpressionError."""
    message_id = templates.text(action.message_id, scope).strip()
    if not message_id:
        raise ActionError("there is no message whose receipt could be waited for: message_id is empty")
    return AwaitReceipt(
        id=f"{caller.run_id}:{address}:0",
        account=caller.account,
        message_id=message_id,
        statuses=action.status or FINAL_STATUSES,
        until=caller.now + action.timeout,
    )


def receipt_before(wait: Command, receipts: Sequence[Mapping[str, Any]]) -> ReceiptCame | None:
    """The receipt that a wait for one is for, when it has come already."""
    if not isinstance(wait, AwaitReceipt):
        return None
    for fields in receipts:
        if fields.get("message_id") == wait.message_id and str(fields.get("status")).lower() in wait.statuses:
            return ReceiptCame(command=wait.id, fields=dict(fields))
    return None


def receipt_output(outcome: Outcome) -> dict[str, Any]:
    """`steps.ID` of a wait for a receipt."""
    if isinstance(outcome, ReceiptCame):
        return {"status": outcome.fields.get("status"), "receipt": outcome.fields}
    return {"status": "timeout", "receipt": None}


def start_run(
    action: RunFlow, address: str, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> StartRun:
    """The run of another flow. Raises ExpressionError."""
    return StartRun(
        id=f"{caller.run_id}:{address}:0",
        flow=action.flow,
        inputs={name: templates.data(value, scope) for name, value in action.inputs.items()},
        contact=caller.contact,
        wait=action.wait,
    )


def run_output(action: RunFlow, outcome: RunEnded) -> dict[str, Any] | Failed:
    """`steps.ID` of `run_flow`; a run that was waited for and failed fails the step."""
    if action.wait and outcome.status in ("failed", "cancelled"):
        words = f'flow "{action.flow}" (run {outcome.run}) {outcome.status}: {outcome.reason or "no reason given"}'
        return Failed(command=outcome.command, kind="flow", message=words)
    return {"run": outcome.run, "status": outcome.status, "outputs": outcome.outputs}


def _time(text: Text, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> datetime:
    value = templates.value(text, scope)
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        zoned = time if time.tzinfo is not None else time.replace(tzinfo=ZoneInfo(caller.timezone))
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ActionError(f'until: "{value}" is no ISO 8601 time; write it like 2026-12-03T10:00+11:00') from None
