"""The two ends of a run: what is settled before its first step, and what it leaves after its last one."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from sinchflow.engine.caller import ActionError
from sinchflow.engine.cursors import timeout_command
from sinchflow.engine.draft import Draft, shortened
from sinchflow.engine.inputs import settle_inputs
from sinchflow.engine.numbers import to_e164
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import Sleep
from sinchflow.model.flow import Concurrency, Flow
from sinchflow.model.run import BEGIN, END, Cursor, Facts, Problem, Stand

#: Runs of flows that begin one another.
MOST_DEPTH = 10
#: In the place of a step's name, where it is the flow as a whole that failed.
THE_FLOW = "flow"


def begin(draft: Draft, templates: Templates, inputs: Mapping[str, Any] | None) -> bool:
    """Settle inputs, contact and `vars`. False when the run has failed at that.

    inputs: as a person or another flow gave them; None: to be taken from the event.
    """
    flow = draft.flow
    is_too_much = False
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
            is_too_much = True
            raise ActionError(problem)
    except (ExpressionError, ActionError) as error:
        if not is_too_much:
            draft.stand = Stand(at=(BEGIN,), inputs=dict(inputs) if inputs is not None else None)
            draft.too_large()  # given up if it is
        _fail(draft, error)
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
    if find_key(draft, concurrency, templates):
        draft.wait(Cursor(address="0", is_pause=True))


def find_key(draft: Draft, concurrency: Concurrency, templates: Templates) -> bool:
    """Under which key runs of the flow count as the same. False when the run has failed at that."""
    key = draft.contact or ""
    if concurrency.key is not None:
        try:
            key = templates.text(concurrency.key, draft.scope("0"))
        except ExpressionError as error:
            draft.stand = Stand(at=("0",))
            _fail(draft, error, "concurrency: ")
            return False
    draft.run = replace(draft.run, key=key)
    return True


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
        draft.stand = Stand(at=(END,))
        _fail(draft, error, "outputs: ")
        return
    draft.end("completed")


def _fail(draft: Draft, error: ExpressionError | ActionError, what: str = "") -> None:
    """The end of a run that failed outside of all steps."""
    message = f"{what}{getattr(error, 'message', error)}"
    origin = getattr(error, "origin", None)
    place = "" if origin is None else str(origin)
    kind = "template" if isinstance(error, ExpressionError) else "value"
    draft.error = shortened(Problem(kind=kind, message=message, step=THE_FLOW, place=place))
    draft.end("failed", message)


def reason_of(problem: Problem) -> str:
    """Why the run failed, for people."""
    if problem.kind == "fail" or problem.step == THE_FLOW:
        return problem.message
    return f"step {problem.step}: {problem.message}"
