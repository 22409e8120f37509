"""Calls of `http` steps, as the steps of a script have them: what is expected, and what each is answered."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from sinchflow.expression.durations import parse_duration
from sinchflow.simulate.play.stage import Answer, Called


def answer_of(respond: Mapping[str, Any]) -> Answer:
    """What a call is answered, from a step's `respond`."""
    headers = {str(name): str(value) for name, value in (respond.get("headers") or {}).items()}
    body = b""
    if "json" in respond:
        body = msgspec.json.encode(respond["json"])
        headers.setdefault("Content-Type", "application/json")
    elif respond.get("body") is not None:
        body = str(respond["body"]).encode()
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
    return Answer(
        status=respond.get("status", 200), headers=headers, body=body, fault=respond.get("fault"),
        delay=parse_duration(respond.get("delay", "0s")) or timedelta(),
    )  # fmt: skip


def answer_words(respond: Mapping[str, Any]) -> str:
    """The same for people."""
    if fault := respond.get("fault"):
        return "not answered in time" if fault == "timeout" else "no connection"
    body = msgspec.json.encode(respond["json"]).decode() if "json" in respond else str(respond.get("body", ""))
    after = f" after {respond['delay']}" if "delay" in respond else ""
    return f"answered {respond.get('status', 200)}{after} {body}".rstrip()


def call_step(called: Called, respond: Mapping[str, Any]) -> dict[str, Any]:
    """The step `http` that expects exactly this call, and answers it so."""
    step: dict[str, Any] = {"method": called.method, "url": called.url}
    kind = next((value for name, value in called.headers.items() if name.lower() == "content-type"), "")
    if called.body and "json" in kind:
        try:
            step["json"] = msgspec.json.decode(called.body)
        except (ValueError, RecursionError):
            step["body"] = called.body.decode("utf-8", "replace")
    elif called.body:
        step["body"] = called.body.decode("utf-8", "replace")
    return step | ({"respond": dict(respond)} if respond else {})
