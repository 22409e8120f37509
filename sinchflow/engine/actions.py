"""From an `http` step or a question to the provider, and what its templates see, to the command it asks for.

What a URL or the provider would refuse for its shape is found here, before any call.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from sinchflow.engine.caller import ActionError, Caller
from sinchflow.engine.numbers import to_e164
from sinchflow.expression.template import Templates
from sinchflow.model.command import Answered, AskProvider, CallUrl, QuestionKind, Told
from sinchflow.model.flow import (
    BasicAuth,
    BearerAuth,
    CancelMessage,
    GetMessageStatus,
    GetSenderIds,
    Http,
    Retry,
    SetOptOut,
    Step,
    Text,
)
from sinchflow.model.message import as_message

_DEFAULT_TIMEOUT = timedelta(seconds=30)
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.1
#: The provider's are UUIDs; what else it may hand out has no sign that means something in a URL.
_MESSAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")

#: Actions that ask the provider something, or for something that may be asked for twice.
Question = GetMessageStatus | GetSenderIds | CancelMessage | SetOptOut


def call_command(action: Http, step: Step, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> CallUrl:
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
    if action.idempotency_key is not None:
        key = templates.text(action.idempotency_key, scope).strip()
        if not key:
            raise ActionError("idempotency_key is empty: without one, leave it out")
        headers["Idempotency-Key"] = key
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ActionError(f'"{name}" cannot be a header\'s name')
        if any(character in value for character in "\r\n\0"):
            raise ActionError(f"header {name} would hold a line break, which no header may")
    return CallUrl(
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
        on_unknown=action.on_unknown,
        timeout=step.timeout or _DEFAULT_TIMEOUT,
        retry=step.retry,
    )


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


def call_output(outcome: Answered) -> dict[str, Any]:
    """`steps.ID` of an `http` step."""
    return {
        "status": outcome.status,
        "headers": outcome.headers,
        "json": outcome.json,
        "rows": None if outcome.rows is None else list(outcome.rows),
        "text": outcome.text,
        "duration": round(outcome.duration_s, 3),
    }


#: `steps.ID` of a call that the run goes on without: nobody knows what it was answered.
UNANSWERED: dict[str, Any] = {"status": None, "headers": {}, "json": None, "rows": None, "text": "", "duration": None}


def question_command(
    action: Question, step: Step, caller: Caller, scope: Mapping[str, Any], templates: Templates
) -> AskProvider:
    """The question. Raises ActionError or ExpressionError."""
    what: QuestionKind
    match action:
        case GetMessageStatus(message_id=message_id):
            what, subject = "message", _message_id(message_id, scope, templates)
        case CancelMessage(message_id=message_id):
            what, subject = "cancel", _message_id(message_id, scope, templates)
        case GetSenderIds():
            what, subject = "senders", ""
        case SetOptOut(is_opted_out=is_opted_out, number=number):
            what, subject = "opt_out" if is_opted_out else "opt_in", _number(number, caller, scope, templates)
    return AskProvider(
        id=f"{caller.run_id}:{step.address}:0",
        account=action.account or caller.account,
        what=what,
        subject=subject,
        retry=step.retry or Retry(),  # none of them does harm twice
        expires_after=step.timeout,
    )


def _message_id(text: Text, scope: Mapping[str, Any], templates: Templates) -> str:
    message_id = templates.text(text, scope).strip()
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ActionError(f'"{message_id[:100]}" is no message id')
    return message_id


def _number(text: Text | None, caller: Caller, scope: Mapping[str, Any], templates: Templates) -> str:
    written = caller.contact if text is None else templates.text(text, scope)
    if written is None:
        raise ActionError("there is nobody whose number it is: the run has no contact")
    number = to_e164(written, caller.country)
    if number is None:
        raise ActionError(f'"{written}" is not a phone number; write it as +COUNTRY…, or set `country`')
    return number


def question_output(action: Question, outcome: Told) -> dict[str, Any]:
    """`steps.ID` of a question."""
    return as_message(outcome.data) if isinstance(action, GetMessageStatus | CancelMessage) else outcome.data
