"""`sinchflow sends resolve` and `runs resolve`: a person says what became of what nobody knows."""

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, an_id, data_folder_of, who
from sinchflow.cli.output import print_json
from sinchflow.errors import SinchflowError, UsageError

if TYPE_CHECKING:
    from sinchflow.cli.admin import Daemon

_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]
#: Held messages that one `--all` takes; a person who has more of them runs it again.
_MOST = 10_000


class SendAs(StrEnum):
    """How a message is resolved."""

    SENT = "sent"
    RESEND = "resend"
    SKIP = "skip"
    FAIL = "fail"


class CallAs(StrEnum):
    """How a call is resolved."""

    RESEND = "resend"
    SKIP = "skip"
    FAIL = "fail"


def resolve_sends(
    context: typer.Context,
    how: Annotated[SendAs, typer.Option("--as", help="What became of it, or is to.")],
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID…", help="Ids from `sends list`.", parser=an_id)] = None,
    all_held: Annotated[bool, typer.Option("--all", help="All that are held because nobody knows.")] = False,
    message_id: Annotated[
        str | None, typer.Option("--message-id", metavar="ID", help="With `sent`: the provider's id, where known.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Say what becomes of messages of which nobody knows whether they went out (states `held` and `unknown`).

    \b
    --as:
      sent     it went out: its run goes on
      resend   send it once more; the customer may get it twice
      skip     go on without it, as if policy had refused it
      fail     it did not go out: its step fails, and `on_error` has its turn

    \b
    Examples:
      sinchflow sends list --state held --state unknown
      sinchflow sends resolve 4711 --as sent
      sinchflow sends resolve --all --as resend
    """
    from sinchflow.cli import admin

    if bool(ids) == all_held:
        raise UsageError("name the messages by id, or all that are held with --all" + (", not both" if ids else ""))
    if message_id is not None and (how is not SendAs.SENT or len(ids or ()) != 1):
        raise UsageError("--message-id goes with one message and `--as sent`")
    daemon = admin.demand(data_folder_of(context, data))
    chosen = list(ids or ()) or _held(daemon)
    if all_held and chosen and not yes:
        _ask_back(f"resolve {_count(len(chosen), 'held message')} as `{how.value}`")
    asked: dict[str, Any] = {"as": how.value, "by": who()}
    if message_id is not None:
        asked["message_id"] = message_id
    _tell(chosen, "message", how.value, as_json, lambda each: f"/api/sends/{each}/resolve", asked, daemon)


def resolve_runs(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID…", help="Ids from `runs list`.", parser=an_id)],
    how: Annotated[CallAs, typer.Option("--as", help="What is to become of the call.")],
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Say what becomes of runs that are held at an `http` call of which nobody knows whether it was done.

    \b
    --as:
      resend   make the call once more; it may be done twice
      skip     go on without its answer: the step's outputs are empty
      fail     let the step fail: `on_error` has its turn

    \b
    Example:
      sinchflow runs resolve 4711 --as resend
    """
    from sinchflow.cli import admin

    daemon = admin.demand(data_folder_of(context, data))
    asked = {"as": how.value, "by": who()}
    _tell(ids, "run", how.value, as_json, lambda each: f"/api/runs/{each}/resolve", asked, daemon)


def _held(daemon: "Daemon") -> list[int]:
    """Held because nobody knows, oldest first."""
    from sinchflow.cli import admin

    found = admin.ask(daemon, "GET", f"/api/sends?state=held&limit={_MOST}")["sends"]
    return sorted(send["id"] for send in found)


def _ask_back(what: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"this would {what}: say so with --yes")
    if not typer.confirm(f"{what}?", err=True):
        print("nothing is changed", file=sys.stderr)
        raise typer.Exit(1)


def _tell(
    ids: Sequence[int], what: str, how: str, as_json: bool, path: Callable[[int], str], asked: dict[str, Any],
    daemon: "Daemon",
) -> None:  # fmt: skip
    """Resolve each, whatever becomes of the others. Raises SinchflowError when any was refused."""
    from rich.progress import track

    from sinchflow.cli import admin

    refused: dict[int, str] = {}
    resolved: list[int] = []
    unknown_id = False
    is_long = len(ids) > 20 and sys.stderr.isatty()
    for each in track(ids, description=f"resolving {what}s", transient=True) if is_long else ids:
        try:
            admin.ask(daemon, "POST", path(each), asked)
            resolved.append(each)
        except ConnectionError:
            raise
        except SinchflowError as error:
            refused[each] = str(error)
            unknown_id = unknown_id or isinstance(error, UsageError)
    if as_json:
        print_json({"resolved": resolved, "as": how, "refused": {str(each): why for each, why in refused.items()}})
    elif resolved:
        named = f" {resolved[0]}" if len(resolved) == 1 else ""
        print(f"{_count(len(resolved), what) if not named else what + named} resolved: {how}")
    elif not ids:
        print(f"no {what} is held")
    if refused:
        kind = UsageError if unknown_id and not resolved else SinchflowError
        raise kind("\nsinchflow: ".join(dict.fromkeys(refused.values())))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
