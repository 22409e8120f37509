"""`sinchflow runs retry` and `sinchflow runs cancel`: a hand for runs, by the daemon that has them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, an_id, data_folder_of, who
from sinchflow.cli.output import cell, print_json
from sinchflow.cli.screen import console
from sinchflow.errors import UsageError

#: Runs in one request.
_AT_ONCE = 50
#: Runs that one command takes.
_MOST = 10_000
_PATIENCE_S = 60.0
_MOST_SHOWN = 20

_Ids = Annotated[list[int] | None, typer.Argument(metavar="ID…", help="Ids from `runs list`.", parser=an_id)]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing: only say which runs it would be.")]
_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]


def retry(
    context: typer.Context,
    runs: _Ids = None,
    flow: Annotated[str | None, typer.Option("--flow", metavar="NAME", help="All failed runs of this flow.")] = None,
    failed_since: Annotated[
        str | None,
        typer.Option("--failed-since", metavar="TIME", help="Of them those that failed since: 2h or a time."),
    ] = None,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Let failed runs go on at the step that failed. What had ended well is not repeated.

    \b
    Examples:
      sinchflow runs retry 1234
      sinchflow runs retry --flow failed-receipt-to-crm --failed-since 2h
    """
    from sinchflow.cli import admin
    from sinchflow.cli.run_text import since_of

    folder, since = data_folder_of(context, data), since_of(failed_since, "--failed-since")
    _check(runs, flow)
    if since is not None and flow is None:
        raise UsageError("--failed-since goes with --flow")
    daemon = admin.demand(folder)
    ids = runs or _ids_of(daemon, folder, flow, ["failed"], since)
    _change(daemon, "retry", ids, is_bulk=flow is not None, dry_run=dry_run, yes=yes, as_json=as_json)


def cancel(
    context: typer.Context,
    runs: _Ids = None,
    flow: Annotated[str | None, typer.Option("--flow", metavar="NAME", help="All open runs of this flow.")] = None,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """End open runs. What they asked for and has not left yet comes to nothing; nothing more is done for them.

    \b
    Examples:
      sinchflow runs cancel 1234
      sinchflow runs cancel --flow weekly-reminder --dry-run
      sinchflow runs cancel --flow weekly-reminder
    """
    from sinchflow.cli import admin

    folder = data_folder_of(context, data)
    _check(runs, flow)
    daemon = admin.demand(folder)
    ids = runs or _ids_of(daemon, folder, flow, ["running"], None)
    _change(daemon, "cancel", ids, is_bulk=flow is not None, dry_run=dry_run, yes=yes, as_json=as_json)


def _check(runs: list[int] | None, flow: str | None) -> None:
    if bool(runs) == (flow is not None):
        raise UsageError("name runs by their ids, or a flow with --flow" + (", not both" if runs else ""))


def _ids_of(daemon: Any, folder: Path, flow: str | None, statuses: Sequence[str], since: Any) -> list[int]:
    from sinchflow.cli import admin
    from sinchflow.cli.runs import runs_like

    admin.ask(daemon, "GET", "/api/runs?limit=1")  # it may be gone: what its journal lists could not be changed
    found = runs_like(folder, flow=flow, statuses=statuses, since_end=since, limit=_MOST)
    if not found["is_all"] or len(found["runs"]) == _MOST:
        print(f"there are more: these are the newest {len(found['runs'])}", file=sys.stderr)
    return [run["id"] for run in found["runs"]]


def _change(
    daemon: Any, what: str, ids: Sequence[int], *, is_bulk: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Do it, unless nobody wants it; exit code 1 when it could not be done for all."""
    done_word = {"retry": "retried", "cancel": "cancelled"}[what]
    ids = list(dict.fromkeys(ids))
    counted = f"{len(ids)} run" + ("" if len(ids) == 1 else "s")
    if not ids and not as_json:
        print(f"no run to {what}")
        return
    if dry_run or not ids:
        if as_json:
            print_json({"count": len(ids), "runs": ids, done_word: [], "refused": []})
        else:
            print(f"{counted} would be {done_word}: {_some(ids)}")
        return
    if is_bulk and not yes and not _agrees(what, counted, ids):
        print("nothing is changed", file=sys.stderr)
        raise typer.Exit(1)
    done, refused = _ask(daemon, what, ids, done_word)
    if as_json:
        print_json({"count": len(ids), done_word: done, "refused": refused})
    else:
        if done:
            print(f"{done_word}: {_some(done)}" + (f" ({len(done)} runs)" if len(done) > 1 else ""))
        for each in refused[:_MOST_SHOWN]:
            print(f"sinchflow: {cell(each['reason'], 400)}", file=sys.stderr)
        if len(refused) > _MOST_SHOWN:
            print(f"sinchflow: and {len(refused) - _MOST_SHOWN} more", file=sys.stderr)
    if refused:
        is_unknown = all(each["reason"].startswith("there is no run") for each in refused)
        raise typer.Exit(2 if is_unknown and not done else 1)


def _agrees(what: str, counted: str, ids: Sequence[int]) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"this would {what} {counted} ({_some(ids)}): say so with --yes")
    return typer.confirm(f"{what} {counted} ({_some(ids)})?", err=True)


def _some(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:_MOST_SHOWN])) + (" …" if len(ids) > _MOST_SHOWN else "")


def _ask(daemon: Any, what: str, ids: Sequence[int], done_word: str) -> tuple[list[int], list[dict[str, Any]]]:
    from sinchflow.cli import admin

    done, refused = list[int](), list[dict[str, Any]]()
    with progress_bar(what, len(ids)) as progress:
        for start in range(0, len(ids), _AT_ONCE):
            asked = {"runs": list(ids[start : start + _AT_ONCE]), "by": who()}
            answer = admin.ask(daemon, "POST", f"/api/runs/{what}", asked, timeout_s=_PATIENCE_S)
            done += answer[done_word]
            refused += answer["refused"]
            progress(min(start + _AT_ONCE, len(ids)))
    return done, refused


@contextmanager
def progress_bar(what: str, count: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, where there is more than one request."""
    if count <= _AT_ONCE or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(is_error=True), transient=True) as bar:
        task = bar.add_task(what, total=count)
        yield lambda done: bar.update(task, completed=done)
