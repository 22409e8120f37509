"""From an action and what its templates see to the commands it asks for, and from their outcomes to its output.

Everything that the provider or a URL would refuse for its shape is found here, before any call; limits are those of
POST /v1/messages (sinch-api.md section 3.1).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from sinchflow.engine.numbers import to_e164
from sinchflow.expression.template import Templates
from sinchflow.model.command import Answered, CallUrl, Failed, Outcome, SendMessage, Sent, Skipped
from sinchflow.model.flow import BasicAuth, BearerAuth, Http, SendSms, Step, Text

#: Characters in a message.
LONGEST_CONTENT = 5_000
#: Of the ten pairs that the provider takes, one is ours.
MOST_METADATA = 9
_LONGEST_METADATA_KEY = 100
_LONGEST_METADATA_VALUE = 256
_LONGEST_SUBJECT = 64

_DEFAULT_TIMEOUT = timedelta(seconds=30)
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.1


class ActionError(Exception):
    """The action cannot be carried out with what its templates gave; the message says what and why."""


class Asked(msgspec.Struct, frozen=True):
    """Commands to perform, and recipients that were left out from the start."""

    commands: tuple[SendMessage | CallUrl, ...]
    skipped: tuple[Skipped, ...] = ()


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the run as far as commands need to know it."""

    run_id: int
    account: str
    contact: str | None
    our_number: str | None
    country: str | None
    source_number: str | None


def send_commands(action: SendSms, step: Step, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> Asked:
    """One command for each recipient. Raises ActionError or ExpressionError."""
    body = _message(action, caller, scope, templates)
    recipients, skipped = _recipients(action, caller, scope, templates)
    commands = tuple(
        SendMessage(
            id=f"{caller.run_id}:{step.address}:{position}",
            account=caller.account,
            to=to,
            body={**body, "destination_number": to},
            retry=step.retry,
            expires_after=step.timeout,
        )
        for position, to in enumerate(recipients)
    )
    return Asked(commands, skipped)


def _message(action: SendSms, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> dict[str, Any]:
    """The Message object without its recipient."""
    content = templates.text(action.message, scope)
    if not content.strip():
        raise ActionError("the message is empty")
    if len(content) > LONGEST_CONTENT:
        raise ActionError(f"the message has {len(content)} characters; at most {LONGEST_CONTENT} can be sent")
    body: dict[str, Any] = {"content": content, "format": action.format, "delivery_report": action.delivery_report}
    source = (caller.our_number if action.to is None else None) or caller.source_number
    if action.source_number is not None:
        source = templates.text(action.source_number, scope).strip()
    if source:
        body["source_number"] = source
    if action.source_number_type is not None:
        body["source_number_type"] = action.source_number_type
    if action.metadata:
        body["metadata"] = _metadata(action.metadata, scope, templates)
    if action.media:
        body["media"] = [templates.text(each, scope) for each in action.media]
    for name in ("callback_url", "subject", "scheduled", "message_expiry_timestamp"):
        text: Text | None = getattr(action, name)
        if text is not None:
            body[name] = templates.text(text, scope)
    if len(body.get("subject", "")) > _LONGEST_SUBJECT:
        raise ActionError(f"the subject has more than {_LONGEST_SUBJECT} characters")
    return body


def _metadata(metadata: Mapping[str, Text], scope: Mapping[str, Any], templates: Templates) -> dict[str, str]:
    if len(metadata) > MOST_METADATA:
        raise ActionError(f"{len(metadata)} metadata pairs; at most {MOST_METADATA} fit, one more is sinchflow's own")
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
    named = [name for text in action.to for name in _names(templates.value(text, scope))]
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


def call_command(action: Http, step: Step, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> Asked:
    """The call. Raises ActionError or ExpressionError."""
    headers = {name: templates.text(value, scope) for name, value in action.headers.items()}
    content, content_type = _content(action, scope, templates)
    named = {name.lower() for name in headers}
    if content_type is not None and "content-type" not in named:
        headers["Content-Type"] = content_type
    basic: tuple[str, str] | None = None
    match action.auth:
        case BasicAuth(username=username, password=password):
            basic = (templates.text(username, scope), templates.text(password, scope))
        case BearerAuth(bearer=bearer):
            headers["Authorization"] = f"Bearer {templates.text(bearer, scope)}"
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ActionError(f'"{name}" cannot be a header\'s name')
        if any(character in value for character in "\r\n\0"):
            raise ActionError(f"header {name} would hold a line break, which no header may")
    command = CallUrl(
        id=f"{caller.run_id}:{step.address}:0",
        method=action.method,
        url=templates.text(action.url, scope).strip(),
        headers=headers,
        query=list(_pairs({name: templates.data(value, scope) for name, value in action.query.items()})),
        content=content,
        basic_auth=basic,
        expect=action.expect,
        follow_redirects=action.follow_redirects,
        max_bytes=action.max_bytes,
        parse=action.parse,
        timeout=step.timeout or _DEFAULT_TIMEOUT,
        retry=step.retry,
    )
    return Asked((command,))


def _content(action: Http, scope: Mapping[str, Any], templates: Templates) -> tuple[str | None, str | None]:
    """The body and its Content-Type."""
    if action.has_json:
        return msgspec.json.encode(templates.data(action.json, scope)).decode(), "application/json"
    if action.form is not None:
        fields = {name: templates.data(value, scope) for name, value in action.form.items()}
        return urlencode(list(_pairs(fields))), "application/x-www-form-urlencoded"
    if action.body is not None:
        return templates.text(action.body, scope), "text/plain; charset=utf-8"
    return None, None


def _pairs(fields: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Names and texts; a list repeats its name, none leaves it out."""
    for name, value in fields.items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if item is None:
                continue
            yield name, item if isinstance(item, str) else msgspec.json.encode(item).decode()


def send_output(outcomes: Iterable[Outcome]) -> dict[str, Any] | Failed:
    """`steps.ID` of a send, or the failure when every message that was asked for failed."""
    messages: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    failures: list[Failed] = []
    others = 0
    for outcome in outcomes:
        match outcome:
            case Sent(message=message):
                messages.append(message)
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


def call_output(outcome: Answered) -> dict[str, Any]:
    """`steps.ID` of an `http` step."""
    return {
        "status": outcome.status,
        "headers": outcome.headers,
        "json": outcome.json,
        "text": outcome.text,
        "duration": round(outcome.duration_s, 3),
    }
