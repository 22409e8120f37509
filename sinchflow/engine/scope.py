"""What a template of a step sees: the names of design.md section 3, made of event, run and facts."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sinchflow.expression.filters import COUNTRY, TIMEZONE
from sinchflow.model.event import SECRET_BEGIN, SECRET_END, Event
from sinchflow.model.flow import Flow
from sinchflow.model.run import Facts, Run


class SecretReferences(Mapping[str, str]):
    """`secrets.NAME` is a reference that `runtime.perform` fills in; any name has one."""

    def __getitem__(self, name: str) -> str:
        return f"{SECRET_BEGIN}{name}{SECRET_END}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_SECRETS = SecretReferences()

#: What templates of the project file see.
SETTINGS_SCOPE: Mapping[str, Any] = {"secrets": _SECRETS}


def event_scope(event: Event, match: dict[str, Any], facts: Facts, now: datetime) -> dict[str, Any]:
    """Names known before there is a run: what a flow's `if`, `contact` and `vars` may use."""
    contact = facts.contact
    if "number" not in contact or (event.contact is not None and contact["number"] != event.contact):
        contact = {**contact, "number": event.contact}
    return {
        "event": {**event.fields, "id": event.id, "received_at": event.received_at},
        "match": match,
        "contact": contact,
        "our_number": event.our_number,
        "lists": facts.lists,
        "calendars": facts.calendars,
        "env": facts.env,
        "secrets": _SECRETS,
        "now": lambda: now,
        TIMEZONE: facts.timezone,
        COUNTRY: facts.country,
    }


def run_scope(flow: Flow, run: Run, event: Event, facts: Facts, now: datetime) -> dict[str, Any]:
    """All names of a step."""
    scope = event_scope(event, run.match, facts, now)
    contact = scope["contact"]
    if run.contact is not None and contact.get("number") != run.contact:
        scope["contact"] = {**contact, "number": run.contact}
    scope["our_number"] = run.our_number
    scope["vars"] = run.vars
    scope["inputs"] = run.inputs
    scope["steps"] = run.outputs
    scope["run"] = {"id": run.id, "flow": run.flow, "started_at": run.started_at}
    scope["flow"] = {"name": flow.name}
    if run.error is not None:
        error = run.error
        scope["error"] = {
            "kind": error.kind, "message": error.message, "step": error.step, "status": error.status,
        }  # fmt: skip
    return scope
