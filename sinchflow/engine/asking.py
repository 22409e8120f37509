"""What one step asks for, and what its outcome gives, for steps that ask for one thing: calls, questions, waits."""

from collections.abc import Mapping
from typing import Any, cast

from sinchflow.engine.actions import UNANSWERED, Question, call_command, call_output, question_command, question_output
from sinchflow.engine.caller import Caller
from sinchflow.engine.waiting import (
    receipt_output,
    receipt_wait,
    reply_wait,
    run_output,
    start_run,
)
from sinchflow.expression.template import Templates
from sinchflow.model.command import Answered, Command, Failed, Outcome, RunEnded, Skipped, Told
from sinchflow.model.flow import Http, RunFlow, Step, WaitForReceipt, WaitForReply

#: Actions that `ask` is for.
Asking = Question | Http | WaitForReply | WaitForReceipt | RunFlow


def ask(
    action: Asking, step: Step, caller: Caller, message_ids: tuple[str, ...], scope: Mapping[str, Any],
    templates: Templates,
) -> Command:  # fmt: skip
    """The step's command. Raises ActionError or ExpressionError."""
    match action:
        case Http():
            return call_command(action, step, caller, scope, templates)
        case WaitForReply():
            return reply_wait(action, step.address, 0, caller, message_ids, scope, templates)
        case WaitForReceipt():
            return receipt_wait(action, step.address, caller, scope, templates)
        case RunFlow():
            return start_run(action, step.address, caller, scope, templates)
        case _:
            return question_command(action, step, caller, scope, templates)


def output_of(step: Step, outcome: Outcome) -> dict[str, Any] | Failed:
    """`steps.ID`, or the failure. Not for sends, delays and waits for an answer, which have ways of their own."""
    match step.action, outcome:
        case WaitForReceipt(), _:
            return receipt_output(outcome)
        case RunFlow() as action, RunEnded():
            return run_output(action, outcome)
        case _, Answered():
            return call_output(outcome)
        case _, Told():
            return question_output(cast(Question, step.action), outcome)
        case Http(), Skipped():
            return UNANSWERED
        case _, Failed():
            return outcome
    raise TypeError(f"step {step.address} cannot end with {outcome!r}")
