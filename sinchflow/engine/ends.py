"""The two ends of a run: what is settled before its first step, and what it leaves after its last one."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from sinchflow.engine.caller import ActionError
from sinchflow.engine.cursors import timeout_command
from sinchflow.engine.draft import Draft
from sinchflow.engine.inputs import settle_inputs
from sinchflow.engine.numbers import to_e164
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import Sleep
from sinchflow.model.flow import Concurrency, Flow
from sinchflow.model.run import Cursor, Facts, Problem

#: Runs of flows that begin one another.
MOST_DEPTH = 10
#: In the place of a step's name, where it is the flow as a whole that failed.
THE_FLOW = "flow"


def begin(draft: Draft, templates: Templates, inputs: Mapping[str, Any] | None) -> bool:
    """Settle inputs, contact and `vars`. False when the run has failed at that.

    inputs: as a person or another flow gave them; None: to be taken from the event.
    """
    flow = draft.flow
    try:
        if draft.run.depth > MOST_DEPTH:
            raise ActionError(f"flows began one another more than {MOST_DEPTH} deep: {flow.name} again")
        if flow.inputs or inputs:
            draft.inputs = settle_inputs(flow, inputs, draft.scope("0"), draft.facts, templates)
        if not draft.is_of_event and (number := contact_of(flow, draft.scope("0"), draft.facts, templates)) is not None:
            draft.set_contact(number)
        for name, value in flow.vars.items():
            draft.set_var(name, templates.data(value, draft.scope("0")))
        if problem := draft.too_large():
            draft.run, draft.vars, draft.inputs = replace(draft.run, match={}), {}, {}
            raise ActionError(problem)
    except (ExpressionError, ActionError) as error:
        draft.end("failed", str(getattr(error, "message", error)))
        return False
    if flow.timeout is not None:
        draft.commands.append(Sleep(id=timeout_command(draft.run), until=draft.now + flow.timeout))
    return True


def contact_of(flow: Flow, scope: Mapping[str, Any], facts: Facts, templates: Templates) -> str | None:
    """Whom the flow's `contact:` names, in E.164; None without one. Raises ActionError or ExpressionError."""
    if flow.contact is None:
        return None
    value = templates.value(flow.contact, scope)
    number = None if value is None else to_e164(str(value), facts.country)
    if number is None:
        written = "" if value is None else value
        raise ActionError(f'the flow\'s contact, "{written}", is not a phone number')
    return number


def hold(draft: Draft, concurrency: Concurrency, templates: Templates) -> None:
    """Halt at the first step, with the key under which runs of the flow count as the same."""
    key = draft.contact or ""
    if concurrency.key is not None:
        try:
            key = templates.text(concurrency.key, draft.scope("0"))
        except ExpressionError as error:
            draft.end("failed", f"concurrency: {error.message}")
            return
    draft.run = replace(draft.run, key=key)
    draft.wait(Cursor(address="0", is_pause=True))


def complete(draft: Draft, templates: Templates) -> None:
    """The end of the flow, or of its `on_error`."""
    if draft.handled is not None:
        draft.end("failed", reason_of(draft.handled))
        return
    if draft.run.is_otherwise or not draft.flow.outputs:
        draft.end("completed")
        return
    try:
        scope = draft.scope("0")
        draft.outputs_given = {name: templates.data(value, scope) for name, value in draft.flow.outputs.items()}
        if problem := draft.too_large():
            draft.outputs_given = {}
            raise ActionError(problem)
    except (ExpressionError, ActionError) as error:
        draft.end("failed", f"outputs: {getattr(error, 'message', error)}")
        return
    draft.end("completed")


def reason_of(problem: Problem) -> str:
    """Why the run failed, for people."""
    if problem.kind == "fail" or problem.step == THE_FLOW:
        return problem.message
    return f"step {problem.step}: {problem.message}"
