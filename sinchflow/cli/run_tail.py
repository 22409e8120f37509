"""`sinchflow runs tail`: what runs do, while it happens."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from sinchflow.cli.invocation import an_id, data_folder_of
from sinchflow.cli.output import cell
from sinchflow.errors import CannotStart
from sinchflow.sinch.words import shown

if TYPE_CHECKING:
    from sinchflow.cli import admin

#: Seconds that the daemon may take to tell that nothing has happened.
_WAIT_S = 20
_STOPPED = "the daemon stops: there is nothing more to follow"


def tail(
    context: typer.Context,
    run: Annotated[
        int | None, typer.Argument(metavar="ID", help="Only this run; all by default.", parser=an_id)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on each line.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Follow a run, or all runs of the daemon, until Ctrl-C. A single run is followed to its end.

    \b
    Examples:
      sinchflow runs tail
      sinchflow runs tail 1234
      sinchflow runs tail --json | jq -c 'select(.status == "failed")'
    """
    from sinchflow.cli import admin

    folder = data_folder_of(context, data)
    try:
        if run is None:
            _follow(admin.demand(folder), None, as_json=as_json)
        else:
            _follow_one(folder, run, as_json=as_json)
    except KeyboardInterrupt:
        return


def _follow_one(folder: Path, run_id: int, *, as_json: bool) -> None:
    """What it has done, then what it does."""
    from sinchflow.cli import admin
    from sinchflow.cli.runs import story_of

    daemon = admin.find(folder)
    last = None if daemon is None else _changes(daemon, None, run_id)["last"]  # before the story: nothing is missed
    story = story_of(folder, run_id)
    _print({**_brief(story), "is_new": True}, as_json=as_json)
    if story["status"] != "running":
        return
    if last is None:
        print("no daemon works on it: nothing more will happen", file=sys.stderr)
        return
    assert daemon is not None
    _follow(daemon, run_id, as_json=as_json, after=last, known=story["trace"])


def _follow(
    daemon: "admin.Daemon", run_id: int | None, *, as_json: bool, after: int | None = None, known: Sequence[Any] = ()
) -> None:
    """known: records that were told before."""
    from sinchflow.cli import admin

    if after is None:
        after = _changes(daemon, None, run_id)["last"]
    while True:
        try:
            found = _changes(daemon, after, run_id)
        except admin.Gone as gone:  # it stopped between two questions
            raise CannotStart(_STOPPED) from gone
        if found["missed"]:
            print("too much happens at once: some of it is not shown", file=sys.stderr)
        for change in found["changes"]:
            change["trace"] = [record for record in change["trace"] if record not in known]
            _print(change, as_json=as_json)
            if run_id is not None and change["status"] != "running":
                return
        if found["is_over"]:
            raise CannotStart(_STOPPED)
        after = found["last"]


def _changes(daemon: "admin.Daemon", after: int | None, run_id: int | None) -> dict[str, Any]:
    from sinchflow.cli import admin

    given = {"wait": _WAIT_S, "after": after, "run": run_id}
    asked = urlencode({name: value for name, value in given.items() if value is not None})
    found: dict[str, Any] = admin.ask(daemon, "GET", f"/api/runs/changes?{asked}", timeout_s=_WAIT_S + 10.0)
    return found


def _brief(story: dict[str, Any]) -> dict[str, Any]:
    fields = (
        "id", "flow", "status", "doing", "waits_for", "account", "contact", "started_at", "ended_at", "reason", "place",
        "retries", "trace",
    )  # fmt: skip
    return {name: story[name] for name in fields}


def _print(change: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(change))  # ASCII only, so nothing in it is obeyed by a terminal
    else:
        print("\n".join(_lines(change)))
    sys.stdout.flush()


def _lines(change: dict[str, Any]) -> Iterator[str]:
    from sinchflow.cli.run_text import at, trace_lines, waits

    now = datetime.now(UTC)
    head = f"run {change['id']} {cell(change['flow'])}"
    if change["is_new"]:
        whom = f" for {change['contact']}" if change["contact"] else ""
        yield f"{at(change['started_at'], now)}  {head}: begins{whom}"
    for record in change["trace"]:
        first, *rest = trace_lines(record, now)
        yield f"{first}  [{head}]"
        yield from rest
    if change["status"] != "running":
        place = f" ({change['place']})" if change["place"] else ""
        reason = f": {shown(change['reason'], 500)}" if change["reason"] else ""
        yield f"{at(change['ended_at'], now)}  {head}: {change['status']}{reason}{place}"
    else:
        yield from (f"{'':8}  {head}: waits for {shown(each)}" for each in waits(change, now))
