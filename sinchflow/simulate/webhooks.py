"""Webhooks that are registered with the simulated Sinch: the list, its rules, its endpoints (sinch-api.md section 6).

What the documents leave open is decided so: an unknown member and a template that cannot be read are refused with 400,
a change of `read_timeout`, `retries` or `retry_delay` too; a page has 20 unless asked otherwise, and at most 100.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sinchflow.simulate.call import Call, not_allowed
from sinchflow.simulate.velocity import Template, TemplateProblem
from sinchflow.simulate.web import Reply

PATH = "/v1/webhooks/messages"
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
ENCODINGS = {"JSON": "application/json", "FORM_ENCODED": "application/x-www-form-urlencoded", "XML": "application/xml"}
EVENTS = (
    "RECEIVED_SMS",
    "RECEIVED_MMS",
    "OPT_OUT_SMS",
    "ENROUTE_DR",
    "SUBMITTED_DR",
    "DELIVERED_DR",
    "EXPIRED_DR",
    "REJECTED_DR",
    "FAILED_DR",
)
_TAKEN = "A webhook with the given url and method already exists."
_REQUIRED = ("url", "method", "encoding", "events")
#: Least and most; they can only be set when a webhook is created.
_TIMING = {"read_timeout": (1, 60_000), "retries": (0, 5), "retry_delay": (5, 60)}


class Webhook(msgspec.Struct, kw_only=True):
    """One webhook. read_timeout: milliseconds; retry_delay: seconds; None: not set."""

    id: str
    url: str
    method: str
    encoding: str
    events: list[str]
    headers: dict[str, str] = {}
    template: str | None = None
    read_timeout: int | None = None
    retries: int = 0
    retry_delay: int | None = None

    def shown(self) -> dict[str, Any]:
        """As the API answers with it: members that were never set are left out."""
        return {name: value for name, value in msgspec.to_builtins(self).items() if value is not None}


class Refused(ValueError):
    """A webhook that the rules do not allow; `status` is 400 or 409."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.status = status


class Webhooks:
    """The webhooks of an account, oldest first."""

    def __init__(self) -> None:
        self._webhooks: dict[str, Webhook] = {}
        self._templates: dict[str, Template] = {}

    def __len__(self) -> int:
        return len(self._webhooks)

    def __iter__(self) -> Iterator[Webhook]:
        return iter(self._webhooks.values())

    def register(
        self,
        url: str,
        events: Sequence[str],
        *,
        template: str | None = None,
        method: str = "POST",
        encoding: str = "JSON",
        headers: Mapping[str, str] | None = None,
        read_timeout: int | None = None,
        retries: int = 0,
        retry_delay: int | None = None,
    ) -> Webhook:
        """Add a webhook. Raises Refused. The template is read when it is first used."""
        given = {
            "url": url,
            "method": method,
            "encoding": encoding,
            "events": list(events),
            "headers": dict(headers or {}),
            "template": template,
            "read_timeout": read_timeout,
            "retries": retries,
            "retry_delay": retry_delay,
        }
        return self._add({name: value for name, value in given.items() if value is not None})

    def for_event(self, event: str) -> list[Webhook]:
        """The webhooks that want this event."""
        return [webhook for webhook in self._webhooks.values() if event in webhook.events]

    def template(self, text: str) -> Template:
        """The template, compiled once. Raises TemplateProblem."""
        found = self._templates.get(text)
        if found is None:
            if len(self._templates) > 100:
                self._templates.clear()
            found = self._templates[text] = Template(text)
        return found

    def clear(self) -> None:
        """Remove all."""
        self._webhooks.clear()

    def answer(self, call: Call) -> Reply:
        """The endpoints of /v1/webhooks/messages."""
        id_ = call.path.removeprefix(PATH).removeprefix("/")
        try:
            match call.method, id_:
                case "GET", "":
                    return self._page(call)
                case "POST", "":
                    return Reply(201, self._create(call.json()).shown())
                case (("PATCH" | "DELETE"), _) if id_ and id_ not in self._webhooks:
                    return Reply(404)
                case "PATCH", _ if id_:
                    return Reply(200, self._change(self._webhooks[id_], call.json()).shown())
                case "DELETE", _ if id_:
                    del self._webhooks[id_]
                    return Reply(204)
        except Refused as refused:
            return Reply(refused.status, {"message": str(refused)})
        return not_allowed(call)

    def _page(self, call: Call) -> Reply:
        page, size = call.number("page", 0, 0, 1_000_000), call.number("page_size", 20, 1, 100)
        if page is None or size is None:
            raise Refused("page must be a number from 0 on, page_size a number from 1 to 100")
        found = list(self)[page * size : (page + 1) * size]
        return Reply(200, {"page": page, "pageSize": size, "pageData": [webhook.shown() for webhook in found]})

    def _create(self, data: dict[str, Any] | None) -> Webhook:
        given = _given(data)
        if missing := [name for name in _REQUIRED if name not in given]:
            raise Refused(f"{missing[0]} is required")
        self._read(given)
        return self._add(given)

    def _add(self, given: dict[str, Any]) -> Webhook:
        _check(given)
        self._refuse_taken(given["url"], given["method"], None)
        webhook = Webhook(id=str(uuid.uuid4()), **given)
        self._webhooks[webhook.id] = webhook
        return webhook

    def _change(self, webhook: Webhook, data: dict[str, Any] | None) -> Webhook:
        given = _given(data)
        if not given:
            raise Refused("at least one member must be given")
        if timing := [name for name in _TIMING if name in given]:
            raise Refused(f"{timing[0]} cannot be updated")
        _check(given)
        self._read(given)
        self._refuse_taken(given.get("url", webhook.url), given.get("method", webhook.method), webhook)
        for name, value in given.items():
            setattr(webhook, name, value)
        return webhook

    def _read(self, given: dict[str, Any]) -> None:
        if isinstance(template := given.get("template"), str):
            try:
                self.template(template)
            except TemplateProblem as problem:
                raise Refused(str(problem)) from None

    def _refuse_taken(self, url: str, method: str, itself: Webhook | None) -> None:
        for webhook in self._webhooks.values():
            if webhook is not itself and (webhook.url, webhook.method) == (url, method):
                raise Refused(_TAKEN, 409)


def _given(data: dict[str, Any] | None) -> dict[str, Any]:
    """The members that are set. Raises Refused."""
    if data is None:
        raise Refused("the body must be a JSON object")
    known = {field for field in Webhook.__struct_fields__ if field != "id"}
    if unknown := sorted(set(data) - known):
        raise Refused(f"{unknown[0]} is not a known member")
    return {name: value for name, value in data.items() if value is not None}


def _check(given: Mapping[str, Any]) -> None:
    """Raises Refused for a member that does not fit."""
    url, events, headers = given.get("url"), given.get("events"), given.get("headers", {})
    if url is not None and not (isinstance(url, str) and len(url) <= 1000 and re.match(r"https?://[^\s/]", url)):
        raise Refused("url must be an HTTP(S) URL of up to 1000 characters")
    if given.get("method", "POST") not in METHODS:
        raise Refused(f"method must be one of {', '.join(METHODS)}")
    if given.get("encoding", "JSON") not in tuple(ENCODINGS):
        raise Refused(f"encoding must be one of {', '.join(ENCODINGS)}")
    if "events" in given and not (isinstance(events, list) and events and all(event in EVENTS for event in events)):
        raise Refused(f"events must be at least one of {', '.join(EVENTS)}")
    if not isinstance(given.get("template", ""), str):
        raise Refused("template must be a text")
    _check_headers(headers)
    for name, (least, most) in _TIMING.items():
        number = given.get(name, least)
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise Refused(f"{name} must be a number from {least} to {most}")


def _check_headers(headers: object) -> None:
    if not isinstance(headers, dict):
        raise Refused("headers must be an object")
    for name, value in headers.items():
        if not (isinstance(name, str) and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", name)):
            raise Refused("a header's name must be one of HTTP, up to 200 characters")
        if not (isinstance(value, str) and len(value) <= 1000 and not re.search(r"[\r\n\0]", value)):
            raise Refused(f"the header {name} must be a line of up to 1000 characters")
        if name.lower() == "content-type":
            raise Refused("the header Content-Type is not allowed: encoding sets it")
