"""What a step of a script says must be true of a message, a call or a run: which of it is not, as wanted and found."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import re2

from sinchflow.language.script import ScriptStep
from sinchflow.model.run import Run
from sinchflow.policy.segments import segments
from sinchflow.runtime.settled import SEND_ID
from sinchflow.simulate.play.stage import Called, Texted


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not as wanted. member: of the step, `""` for the step itself."""

    member: str
    wanted: str
    found: str


def of_message(step: ScriptStep, texted: Texted, number: Callable[[str], str], own: str | None) -> Iterator[Difference]:
    """What an `out` does not find. number: of who is named so. own: the number that messages leave from by default."""
    message = texted.message
    text = step.get("text", "text")
    if text is not None and message.content != text:
        yield Difference("text", str(text), message.content)
    for each in _items(step.get("contains")):
        if each not in message.content:
            yield Difference("contains", f"… {each} …", message.content)
    pattern = step.get("matches")
    if pattern is not None and re2.search(pattern, message.content) is None:
        yield Difference("matches", f"/{pattern}/", message.content)
    parts = step.get("parts")
    if parts is not None and (count := segments(message.content).parts) != parts:
        yield Difference("parts", _parts(parts), f"{_parts(count)}: {message.content}")
    sender = step.get("from")
    if sender is not None and number(sender) != (found := message.source_number or own or "the account's own number"):
        yield Difference("from", f"from {sender}", f"from {found}")
    account = step.get("account")
    if account is not None and account != texted.account:
        yield Difference("account", f"account {account}", f"account {texted.account}")
    known = {name: value for name, value in (message.metadata or {}).items() if name != SEND_ID}
    yield from _members("metadata", step.get("metadata"), known)


def of_call(step: ScriptStep, call: Called) -> Iterator[Difference]:
    """What an `http` does not find."""
    method = step.get("method")
    if method is not None and method != call.method:
        yield Difference("method", method, call.method)
    query = step.get("query")
    url = call.url if query is None else call.url.partition("?")[0]
    if not same_url(str(step.get("url")), url):
        yield Difference("url", str(step.get("url")), url)
    if query is not None:
        found = dict(parse_qsl(urlsplit(call.url).query, keep_blank_values=True))
        if found != query:
            yield Difference("query", _written(query), _written(found))
    headers = {name.lower(): value for name, value in call.headers.items()}
    wanted = {name.lower(): value for name, value in (step.get("headers") or {}).items()}
    yield from _members("headers", wanted, headers)
    body = call.body.decode("utf-8", "replace")
    if "json" in _given(step) and (found_json := _json(call.body)) != step.get("json"):
        yield Difference("json", _written(step.get("json")), body if found_json is _NOT_JSON else _written(found_json))
    form = step.get("form")
    if form is not None and (found := dict(parse_qsl(body, keep_blank_values=True))) != form:
        yield Difference("form", _written(form), _written(found))
    text = step.get("body")
    if text is not None and text != body:
        yield Difference("body", text, body)


def of_run(step: ScriptStep, run: Run, category_of: str | None) -> Iterator[Difference]:
    """What a `run` does not find. category_of: the answer that it got last, None: there was none."""
    status = step.get("status", "status")
    if status is not None and status != run.status:
        yield Difference("status", status, f"{run.status}{f': {run.reason}' if run.reason else ''}")
    category = step.get("category")
    if category is not None and category != category_of:
        yield Difference("category", category, category_of or "no answer so far")
    yield from _members("vars", step.get("vars"), run.vars, _written)
    yield from _members("outputs", step.get("outputs"), run.outputs_given, _written)
    log, lines = step.get("log"), [str(record.detail) for record in run.trace if record.what == "log"]
    if log is not None and not any(log in line for line in lines):
        yield Difference("log", f"… {log} …", "; ".join(lines) or "nothing is logged")
    error = step.get("error")
    if error is not None and error not in (run.reason or ""):
        yield Difference("error", f"… {error} …", run.reason or "no error")


def _parts(count: int) -> str:
    return "1 part" if count == 1 else f"{count} parts"


def same_url(wanted: str, found: str) -> bool:
    """Whether two addresses are one: an empty path is `/`."""
    return wanted == found or wanted.rstrip("/") == found.rstrip("/")


def _given(step: ScriptStep) -> Mapping[str, Any]:
    return step.value if isinstance(step.value, Mapping) else {}


_NOT_JSON = object()


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _items(value: Any) -> list[str]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def _members(
    what: str, wanted: Mapping[str, Any] | None, found: Mapping[str, Any], written: Callable[[Any], str] = str
) -> Iterator[Difference]:
    for name, value in (wanted or {}).items():
        if name not in found:
            yield Difference(what, f"{name}: {written(value)}", f"no {name}")
        elif found[name] != value:
            yield Difference(what, f"{name}: {written(value)}", f"{name}: {written(found[name])}")


def _written(value: Any) -> str:
    return msgspec.json.encode(value).decode()
