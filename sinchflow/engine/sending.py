"""`send_sms` and `reply`: from the action and what its templates see to one command per recipient, and to its output.

Everything that the provider would refuse for its shape is found here, before any call; limits are those of
POST /v1/messages (sinch-api.md section 3.1).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sinchflow.engine.caller import ActionError, Caller
from sinchflow.engine.numbers import to_e164
from sinchflow.engine.wording import choose
from sinchflow.expression.filters import LARGEST_LIST
from sinchflow.expression.template import Templates
from sinchflow.model.command import Failed, Outcome, SendMessage, Sent, Skipped
from sinchflow.model.flow import SendSms, Step, Text, Words
from sinchflow.model.message import as_message

#: Characters in a message.
LONGEST_CONTENT = 5_000
_LONGEST_METADATA_KEY = 100
_LONGEST_METADATA_VALUE = 256
_LONGEST_SUBJECT = 64
#: A schedule that has passed by no more than this is meant to be now.
_LATE = timedelta(minutes=1)

#: What no name or short code looks like: nothing but digits and what people write between them, 7 digits at least.
_LONG_NUMBER = re.compile(r"\+?[\s().\-/]*(?:\d[\s().\-/]*){7,}")
#: As `language.rules.number` takes them where they are written out.
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &._+-]{1,11}")
_URL = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)


class Sends(msgspec.Struct, frozen=True):
    """Messages to send, and recipients that were left out from the start."""

    commands: tuple[SendMessage, ...]
    skipped: tuple[Skipped, ...] = ()


def send_commands(action: SendSms, step: Step, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> Sends:
    """One command for each recipient. Raises ActionError or ExpressionError."""
    account = action.account or caller.account
    body = _message(action, account, caller, scope, templates)
    recipients, skipped = _recipients(action, caller, scope, templates)
    commands = tuple(
        SendMessage(
            id=f"{caller.run_id}:{step.address}:{position}",
            account=account,
            to=to,
            body={**body, "destination_number": to},
            retry=step.retry,
            expires_after=step.timeout,
            is_urgent=action.urgent,
            on_unknown=action.on_unknown,
            unknown_after=action.unknown_after,
            valid_for=action.valid_for,
        )
        for position, to in enumerate(recipients)
    )
    return Sends(commands, skipped)


def _message(
    action: SendSms, account: str, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> dict[str, Any]:
    """The Message object without its recipient."""
    content = _content(action.message, caller, scope, templates)
    body: dict[str, Any] = {"content": content, "format": action.format, "delivery_report": action.delivery_report}
    body |= _source(action, account, caller, scope, templates)
    if action.metadata:
        body["metadata"] = _metadata(action.metadata, caller.most_metadata, scope, templates)
    body |= _multimedia(action, scope, templates)
    callback_url = _optional(action.callback_url, scope, templates)
    if callback_url is not None:
        body["callback_url"] = _url(callback_url, "callback_url")
    return body | _times(action, caller, scope, templates)


def reask_command(
    words: Words, address: str, number: int, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> SendMessage:
    """One more message to the contact, from within a wait; `number` tells it from others of the step.

    Raises ActionError or ExpressionError.
    """
    action = SendSms(to=None, message=words)
    body = _message(action, caller.account, caller, scope, templates)
    [to], _ = _recipients(action, caller, scope, templates)
    command_id = f"{caller.run_id}:{address}:{number}"
    return SendMessage(id=command_id, account=caller.account, to=to, body={**body, "destination_number": to})


def _content(words: Words, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> str:
    content = templates.text(choose(words, caller.languages), scope)
    if not content.strip():
        raise ActionError("the message is empty")
    if len(content) > LONGEST_CONTENT:
        raise ActionError(f"the message has {len(content)} characters; at most {LONGEST_CONTENT} can be sent")
    return content


def _source(
    action: SendSms, account: str, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> dict[str, str]:
    """The number or name to send from, and of what type the step says it is; without one the provider chooses."""
    given = _optional(action.source_number, scope, templates)
    if given is not None:
        kind = action.source_number_type
        return {"source_number": _sender(given, caller.country)} | ({"source_number_type": kind} if kind else {})
    ours = caller.our_number if action.to is None and account == caller.account else None
    source = ours or caller.source_numbers.get(account)
    return {"source_number": source} if source else {}


def _sender(given: str, country: str | None) -> str:
    """What can only be a number is made E.164; names and short codes are as they are."""
    number = to_e164(given, country) if _LONG_NUMBER.fullmatch(given) else None
    if number is None and not _SHORT_CODE.fullmatch(given) and not _NAME.fullmatch(given):
        raise ActionError(
            f'source_number: "{given[:100]}" is no phone number (+COUNTRY…, or set `country`), '
            "no short code (3 to 8 digits) and no name (up to 11 letters, digits or spaces)"
        )
    return number or given


def _multimedia(action: SendSms, scope: Mapping[str, Any], templates: Templates) -> dict[str, Any]:
    """`media` and `subject`, which only an MMS has."""
    media = [_url(url, "media") for text in action.media for url in _listed(templates.value(text, scope))]
    subject = _optional(action.subject, scope, templates)
    if action.format == "MMS" and not media:
        raise ActionError("an MMS needs at least one URL in `media`")
    if action.format != "MMS" and (media or subject):
        raise ActionError(f"{'media' if media else 'subject'} can only go with `format: MMS`")
    if subject is not None and len(subject) > _LONGEST_SUBJECT:
        raise ActionError(f"the subject has more than {_LONGEST_SUBJECT} characters")
    return {name: value for name, value in (("media", media), ("subject", subject)) if value}


def _times(action: SendSms, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> dict[str, str]:
    """`scheduled` and `message_expiry_timestamp` in UTC. A schedule that is due by now is no schedule."""
    scheduled = _time(action.scheduled, "scheduled", caller, scope, templates)
    expiry = _time(action.message_expiry_timestamp, "message_expiry_timestamp", caller, scope, templates)
    if scheduled is not None and scheduled < caller.now - _LATE:
        raise ActionError(f"scheduled is in the past: {_utc(scheduled)}; leave it out to send at once")
    if expiry is not None and expiry <= max(caller.now, scheduled or caller.now):
        when = "before it is sent" if expiry > caller.now else "in the past"
        raise ActionError(f"the message would expire {when}: message_expiry_timestamp is {_utc(expiry)}")
    times = {"scheduled": scheduled if scheduled and scheduled > caller.now else None}
    times["message_expiry_timestamp"] = expiry
    return {name: _utc(time) for name, time in times.items() if time is not None}


def _time(
    text: Text | None, name: str, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> datetime | None:
    value = None if text is None else templates.value(text, scope)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        return (time if time.tzinfo is not None else time.replace(tzinfo=ZoneInfo(caller.timezone))).astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: a time whose year is 0 or 10000 in UTC
        words = f'"{str(value)[:100]}" is no ISO 8601 time; write it like 2026-12-03T10:00+11:00'
        raise ActionError(f"{name}: {words}") from None


def _utc(time: datetime) -> str:
    """As the provider writes times (sinch-api.md section 3.1)."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def _optional(text: Text | None, scope: Mapping[str, Any], templates: Templates) -> str | None:
    """A text that may be left out, also by a template that gives none or nothing."""
    if text is None or templates.value(text, scope) is None:
        return None
    return templates.text(text, scope).strip() or None


def _url(url: str, name: str) -> str:
    if not _URL.fullmatch(url):
        raise ActionError(f'{name}: "{url[:200]}" is no address of the form https://…')
    return url


def _listed(value: Any) -> list[str]:
    """One URL or a list of them; nothing is none."""
    if isinstance(value, (list, tuple)):
        return [url for item in value for url in _listed(item)]
    text = "" if value is None else str(value).strip()
    return [text] if text else []


def _metadata(
    metadata: Mapping[str, Text], most: int, scope: Mapping[str, Any], templates: Templates
) -> dict[str, str]:
    if len(metadata) > most:
        ours = ", one more is sinchflow's own" if most < 10 else ""
        raise ActionError(f"{len(metadata)} metadata pairs; at most {most} fit{ours}")
    rendered = {key: templates.text(value, scope) for key, value in metadata.items()}
    for key, value in rendered.items():
        if len(key) > _LONGEST_METADATA_KEY or len(value) > _LONGEST_METADATA_VALUE:
            raise ActionError(
                f'metadata "{key[:50]}": a key has at most {_LONGEST_METADATA_KEY} characters, '
                f"a value at most {_LONGEST_METADATA_VALUE}"
            )
    return rendered


def _recipients(
    action: SendSms, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> tuple[list[str], tuple[Skipped, ...]]:
    """Numbers in E.164, each once. A single one that is no number fails the step, one of several is skipped."""
    if action.to is None:
        if caller.contact is None:
            raise ActionError("there is nobody to reply to: the run has no contact")
        if (contact := to_e164(caller.contact, caller.country)) is None:
            raise ActionError(f'"{caller.contact}" cannot be replied to: it is not a phone number')
        return [contact], ()
    named = [name for text in action.to for name in _names(templates.value(text, scope, LARGEST_LIST))]
    if not named:
        raise ActionError("`to` is empty: there is nobody to send to")
    numbers: dict[str, None] = {}
    skipped = []
    for name in named:
        number = to_e164(name, caller.country)
        if number is not None:
            numbers[number] = None
        elif len(named) == 1:
            raise ActionError(f'"{name}" is not a phone number; write it as +COUNTRY…, or set `country`')
        else:
            skipped.append(Skipped(command="", to=name, reason="not a phone number"))
    return list(numbers), tuple(skipped)


def _names(value: Any) -> list[str]:
    """What a recipient's template gave, as texts: one number or a list of them."""
    if isinstance(value, (list, tuple)):
        return [name for item in value for name in _names(item)]
    if isinstance(value, Mapping) and "number" in value:
        return _names(value["number"])
    if value is None or isinstance(value, (bool, Mapping)):
        raise ActionError(f"a recipient is a number or a list of numbers, not {msgspec.json.encode(value).decode()}")
    return [str(value)]


def send_output(outcomes: Iterable[Outcome]) -> dict[str, Any] | Failed:
    """`steps.ID` of a send, or the failure when every message that was asked for failed."""
    messages: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    failures: list[Failed] = []
    others = 0
    for outcome in outcomes:
        match outcome:
            case Sent(message=message):
                messages.append(as_message(message))
            case Skipped(to=to, reason=reason):
                others += bool(outcome.command)  # refused by policy, unlike what was no number from the start
                skipped.append({"to": to, "reason": reason})
            case Failed():
                failures.append(outcome)
                skipped.append({"to": outcome.to or "", "reason": outcome.message})
    if failures and not messages and not others:
        return failures[0]
    first = messages[0] if messages else {}
    return {
        "messages": messages,
        "message_id": first.get("message_id"),
        "status": first.get("status"),
        "skipped": skipped,
    }
