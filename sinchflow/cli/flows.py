"""`sinchflow flows`: the flows, what starts them, and what they did lately."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of, root_of
from sinchflow.cli.output import print_json, table
from sinchflow.errors import SinchflowError

_COLUMNS = ("flow", "", "open", "24 h", "failed", "last run", "place", "starts on")


def flows(
    context: typer.Context,
    as_json: AsJson = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """List the flows: what starts them, their open runs, and how many began and failed in the last 24 hours.

    With a daemon, those that are live; without one, those of the project on disk. A file that is newer than what is
    live, because a reload was refused, is said.

    \b
    Example:
      sinchflow flows
    """
    folder = data_folder_of(context, data)
    found = _found(root_of(context), folder)
    if as_json:
        print_json(found)
        return
    rows = [_row(each) for each in found["flows"]]
    print(table(_COLUMNS, rows) if rows else "no flows")
    if found["refused"]:
        print(f"\nthe last reload was refused, so these are older than the files: {found['refused']}")
        print("  sinchflow validate")
    elif found["newer_files"]:
        print(f"\nnewer than what is live: {', '.join(found['newer_files'])}")
    if found["loaded_at"] is None:
        print(f"\nno daemon works on {folder}: these are the project's files")


def _row(flow: dict[str, Any]) -> tuple[Any, ...]:
    state = "gone" if flow["place"] is None else "" if flow["enabled"] else "off"
    last = flow["last_started_at"]
    when = "" if last is None else f"{datetime.fromisoformat(last).astimezone():%m-%d %H:%M}"
    starts = " | ".join(flow["triggers"])
    return (
        flow["name"], state, flow["open"] or "", flow["started"] or "", flow["failed"] or "", when,
        flow["place"] or "", starts,
    )  # fmt: skip


def _found(root: Path, folder: Path) -> dict[str, Any]:
    """The live flows; without a daemon, the project's."""
    from sinchflow.cli import admin

    daemon = admin.find(folder)
    if daemon is not None:
        try:
            answer: dict[str, Any] = admin.ask(daemon, "GET", "/api/flows")
            return answer
        except ConnectionError:
            pass  # said below the list
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.journal.survey import flows_lately
    from sinchflow.language.check import Checker
    from sinchflow.language.diagnostic import present_text
    from sinchflow.runtime.flow_list import flow_list

    checked = Checker().check(root)
    if checked.has_errors:
        errors = [each for each in checked.diagnostics if each.severity == "error"]
        raise SinchflowError(f"the project has errors:\n{present_text(errors, checked.texts)}".rstrip())
    journal = folder / FILE_NAME
    lately = flows_lately(journal, datetime.now(UTC)) if journal.exists() else {}
    return {"flows": flow_list(checked.flows, lately), "loaded_at": None, "refused": None, "newer_files": []}
