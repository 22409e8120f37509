"""Flows' own webhooks for people: where each is called, what shows who calls, and a line to try it with."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sinchflow.model.flow import Flow, Input, Text, Webhook
from sinchflow.model.project import Project
from sinchflow.runtime.flow_hooks import PREFIX
from sinchflow.runtime.secrets import PREFIX as VARIABLE

#: Stands for the public address where the project has none, or keeps it in the environment.
_NO_ADDRESS = "https://PUBLIC-ADDRESS"

_SECRET = re.compile(r"\{\{\s*secrets\.(\w+)\s*\}\}")
_FIELD = re.compile(r"\bevent\.(json|form)((?:\.[A-Za-z_]\w*)+)")
#: What stands in the body for an input of each type; a text is called as its field is.
_EXAMPLES = {
    "phone": "+61491570156", "datetime": "2026-12-03T10:00+11:00", "integer": 1, "number": 1, "boolean": True,
    "list": [], "mapping": {},
}  # fmt: skip


def written_address(project: Project) -> str | None:
    """The project's public address as its file gives it; None where it does not, or only the environment does."""
    url = project.webhooks.public_url
    return None if url is None or url.is_template else url.source.rstrip("/")


def flow_call_lines(flows: Iterable[Flow], public_url: str | None) -> Iterator[str]:
    """Lines for each webhook of the flows that are switched on; none without one. Secrets are not shown."""
    for flow, trigger in _webhooks(flows):
        url = f"{public_url or _NO_ADDRESS}{PREFIX}{trigger.path}"
        yield f"webhook of {flow.name}: {', '.join(trigger.method)} {url}"
        if trigger.token is not None:
            yield f"  with the header X-Token: {_shown(trigger.token)}"
        if trigger.hmac is not None:
            signed = trigger.hmac
            kind = f"HMAC-{signed.algorithm.upper()}"
            yield f"  with the header {signed.header}: {kind} of the body with the secret {_shown(signed.secret)}"
        yield f"  {_curl(flow, trigger, url, {})}"


def rehearsal_lines(flows: Iterable[Flow], address: str, stand_ins: dict[str, str]) -> Iterator[str]:
    """A curl line for each webhook of the flows in `dev`. stand_ins: made-up secrets, which may be seen."""
    for flow, trigger in _webhooks(flows):
        yield _curl(flow, trigger, f"{address}{PREFIX}{trigger.path}", stand_ins)


def _webhooks(flows: Iterable[Flow]) -> Iterator[tuple[Flow, Webhook]]:
    for flow in flows:
        for trigger in flow.triggers:
            if flow.enabled and isinstance(trigger, Webhook):
                yield flow, trigger


def _curl(flow: Flow, trigger: Webhook, url: str, stand_ins: dict[str, str]) -> str:
    method = trigger.method[0]
    words = ["curl", *([] if method == "POST" else ["-X", method])]
    if trigger.token is not None:
        words.append(f'-H "X-Token: {_given(trigger.token, stand_ins)}"')
    if trigger.hmac is not None:
        words.append(f"-H '{trigger.hmac.header}: …'")
    if method != "GET":
        kind, body = _example(flow, trigger)
        form = [f"-d '{name}={value}'" for name, value in body.items()]
        words += form if kind == "form" else ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body)}'"]
    return f"{' '.join(words)} {url}"


def _given(token: Text, stand_ins: dict[str, str]) -> str:
    """The token as a shell fills it in, where it is one secret."""
    secret = _SECRET.fullmatch(token.source.strip())
    return stand_ins.get(secret[1], f"${VARIABLE}{secret[1]}") if secret else "…"


def _example(flow: Flow, trigger: Webhook) -> tuple[str, dict[str, Any]]:
    """`json` or `form`, and a body with the fields that the flow asks for."""
    values: list[tuple[Any, Input]] = [(flow.contact, Input(type="phone")), (trigger.dedupe, Input())]
    values += [(each.value, each) for each in flow.inputs.values()]
    found: dict[str, dict[str, Any]] = {"json": {}, "form": {}}
    for value, wanted in values:
        for kind, path in _FIELD.findall(value.source) if isinstance(value, Text) else ():
            *outer, last = path[1:].split(".")
            place = found[kind]
            for name in outer:
                inner = place.setdefault(name, {})
                place = inner if isinstance(inner, dict) else {}
            place[last] = _EXAMPLES.get(wanted.type, last)
    return ("form", found["form"]) if found["form"] and not found["json"] else ("json", found["json"])


def _shown(secret: Text) -> str:
    """A secret as the file names it; one that is written out is not shown."""
    return secret.source if secret.is_template else f"(see {secret.origin})"
