"""`sinchflow start`: a manual run in a daemon that runs."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import data_folder_of
from sinchflow.errors import CannotStart, UsageError


def start(
    context: typer.Context,
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow's name; it must have the trigger `manual`.")],
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="NAME=VALUE", help="One of the flow's inputs; repeatable.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Start a flow by hand in the running daemon.

    The flow needs the trigger `manual` (`on: manual`). The run is stored before this command returns; what its steps
    do is seen in the daemon's log and in `sinchflow sends list`.

    A value that begins with [ or { is read as JSON, for inputs that are lists or mappings.

    \b
    Examples:
      sinchflow start weekly-reminder
      sinchflow start outage --input region=north --input 'numbers=["+61491570156"]'
    """
    from urllib.parse import quote

    from sinchflow.cli import admin

    folder, given = data_folder_of(context, data), _values(inputs or [])
    missing = CannotStart(
        f"no daemon is running on {folder}: start one with `sinchflow run`, or name its folder with --data"
    )
    daemon = admin.find(folder)
    if daemon is None:
        raise missing
    try:
        answer = admin.ask(daemon, "POST", f"/api/flows/{quote(flow, safe='')}/start", {"inputs": given})
    except ConnectionError as error:
        raise missing from error
    print(f"started {flow} (run {answer['run']})")


def _values(written: list[str]) -> dict[str, Any]:
    """`NAME=VALUE` each. Raises UsageError."""
    values: dict[str, Any] = {}
    for each in written:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise UsageError(f'--input "{each}": write NAME=VALUE')
        if name in values:
            raise UsageError(f'--input "{name}" is given twice')
        values[name] = value
        if value[:1] in ("[", "{"):
            try:
                values[name] = json.loads(value)
            except ValueError as error:
                raise UsageError(f'--input "{name}" is no JSON: {error}') from error
    return values
