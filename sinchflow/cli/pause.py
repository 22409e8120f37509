"""`sinchflow pause` and `resume`: the switch that stops all sends at once."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of, who
from sinchflow.cli.output import cell, print_json

_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]
_WIDEST = 300


def pause(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown by `status`.")] = "",
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Stop all messages at once, until `sinchflow resume`, also over restarts of the daemon.

    What stops: every message of every flow and account; each waits in the journal, and nothing is lost. A call to
    Sinch that is under way ends. What goes on: webhooks are accepted, runs start and go on up to their next message,
    `http` steps call their URLs, questions to Sinch are asked. A message whose step has a timeout may expire
    meanwhile; `sinchflow send` and other programs send as before.

    \b
    Example:
      sinchflow pause --reason "wrong price in the reminder"
    """
    answer = _switch(context, data, "pause", {"reason": reason, "by": who()})
    if as_json:
        print_json(answer)
        return
    paused = answer["paused"]
    if not answer["is_new"]:
        print(f"paused already: {_words(paused)}")
    else:
        print(f"paused: no message leaves until `sinchflow resume`; {_count(answer['queued'])} now")
        print("webhooks are still accepted, runs still start and go on, `http` steps still run")
        _warn_not_stored(answer, "if the daemon restarts before it is, it sends again")


def resume(context: typer.Context, as_json: AsJson = False, data: _Data = None) -> None:
    """Let messages leave again, the oldest first, as fast as the account's throttle allows.

    \b
    Example:
      sinchflow resume
    """
    answer = _switch(context, data, "resume", {"by": who()})
    if as_json:
        print_json(answer)
    elif not answer["is_new"]:
        print("nothing was paused: messages leave")
    else:
        print(f"resumed: {_leaving(answer['queued'])}")
        _warn_not_stored(answer, "if the daemon restarts before it is, it is paused again")


def _switch(context: typer.Context, data: Path | None, what: str, asked: dict[str, str]) -> dict[str, Any]:
    from sinchflow.cli import admin

    answer: dict[str, Any] = admin.ask(admin.demand(data_folder_of(context, data)), "POST", f"/api/{what}", asked)
    return answer


def _warn_not_stored(answer: dict[str, Any], consequence: str) -> None:
    if not answer["is_stored"]:
        print(f"the journal cannot store this right now; {consequence}: see `sinchflow status`")


def _words(paused: dict[str, Any]) -> str:
    from sinchflow.runtime.status import in_words

    return cell(in_words(paused, datetime.now(UTC)), _WIDEST)


def _count(queued: int) -> str:
    return f"{queued} message waits" if queued == 1 else f"{queued} messages wait"


def _leaving(queued: int) -> str:
    if not queued:
        return "no message was waiting"
    return f"{queued} message leaves now" if queued == 1 else f"{queued} messages leave now, as the throttle allows"
