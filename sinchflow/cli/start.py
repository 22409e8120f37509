"""`sinchflow start`: a manual run in a daemon that runs."""

from pathlib import Path
from typing import Annotated

import typer

from sinchflow.cli.invocation import data_folder_of
from sinchflow.errors import CannotStart


def start(
    context: typer.Context,
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow's name; it must have the trigger `manual`.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Start a flow by hand in the running daemon.

    The flow needs the trigger `manual` (`on: manual`). The run is stored before this command returns; what its steps
    do is seen in the daemon's log and in `sinchflow sends list`.

    \b
    Example:
      sinchflow start weekly-reminder
    """
    from urllib.parse import quote

    from sinchflow.cli import admin

    folder = data_folder_of(context, data)
    missing = CannotStart(
        f"no daemon is running on {folder}: start one with `sinchflow run`, or name its folder with --data"
    )
    daemon = admin.find(folder)
    if daemon is None:
        raise missing
    try:
        answer = admin.ask(daemon, "POST", f"/api/flows/{quote(flow, safe='')}/start", {"wait": False})
    except ConnectionError as error:
        raise missing from error
    print(f"started {flow} (run {answer['run']})")
