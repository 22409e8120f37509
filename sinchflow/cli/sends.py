"""`sinchflow sends`: what became of the messages, from the running daemon or from its journal."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of
from sinchflow.cli.output import print_json, table
from sinchflow.cli.resolve import resolve_sends
from sinchflow.errors import UsageError

_COLUMNS = ("id", "state", "run", "to", "message", "message_id", "reason")


class Format(StrEnum):
    """How the list is printed."""

    TEXT = "text"
    JSON = "json"


def build() -> typer.Typer:
    """The `sends` commands."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.callback()(_about)
    app.command("list")(list_sends)
    app.command("resolve")(resolve_sends)
    return app


def _about() -> None:
    """Look at the messages the daemon sent, could not send or holds.

    \b
    Examples:
      sinchflow sends list --state held
      sinchflow sends resolve 4711 --as sent
    """


def list_sends(
    context: typer.Context,
    output: Annotated[Format, typer.Option("--format", help="text for people, json for programs.")] = Format.TEXT,
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Only this state; may be given several times.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """List messages, newest first, with what became of them. Works with and without a running daemon.

    \b
    States:
      queued     waits for its turn              sending   on its way to the provider
      deferred   waits for a later time          sent      accepted by the provider
      held       waits for a person: nobody      not_sent  the provider could not be reached in time
                 knows whether it went out       refused   the provider refused it
      unknown    the same, looked up right now   expired   did not leave while it was of use
                                                 skipped   policy refused it, or the number is none

    \b
    Examples:
      sinchflow sends list
      sinchflow sends list --state held --state unknown
      sinchflow sends list --format json --limit 1000
    """
    states = _known(state or [])
    sends = _sends(data_folder_of(context, data), states, limit)
    if as_json or output is Format.JSON:
        print_json({"sends": sends})
    else:
        rows = ([send[column] for column in _COLUMNS] for send in sends)
        print(table(_COLUMNS, rows) if sends else "no messages")
        if len(sends) == limit:
            print(f"sinchflow: the newest {limit} only; --limit shows more", file=sys.stderr)


def _known(states: Sequence[str]) -> tuple[str, ...]:
    from sinchflow.model.send import SendState

    known = get_args(SendState)
    for state in states:
        if state not in known:
            raise UsageError(f'unknown state "{state}": choose from {", ".join(known)}')
    return tuple(states)


def _sends(data: Path, states: tuple[str, ...], limit: int) -> list[dict[str, Any]]:
    """From the daemon when one runs, else from the journal: the same objects either way."""
    from urllib.parse import urlencode

    from sinchflow.cli import admin

    daemon = admin.find(data)
    if daemon is not None:
        query = urlencode([("limit", limit), *(("state", state) for state in states)])
        try:
            answer: list[dict[str, Any]] = admin.ask(daemon, "GET", f"/api/sends?{query}")["sends"]
            return answer
        except ConnectionError:
            print("sinchflow: the daemon is gone; reading its journal", file=sys.stderr)
    from sinchflow.journal.reader import open_reader
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.model.codec import to_plain

    reader = open_reader(data / FILE_NAME)
    try:
        plain: list[dict[str, Any]] = to_plain(list(reader.sends(states, limit)))
        return plain
    finally:
        reader.close()
