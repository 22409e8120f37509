"""`sinchflow runs`: what runs did and do, from the running daemon or from its journal; and a hand for them."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from sinchflow.cli.invocation import AsJson, an_id, data_folder_of, root_of
from sinchflow.cli.output import print_json
from sinchflow.errors import UsageError

_PATIENCE_S = 60.0

_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]
_Id = Annotated[int, typer.Argument(metavar="ID", help="An id from `runs list`.", parser=an_id)]


class Status(StrEnum):
    """What runs may be asked for; `held` and `waiting` are running ones."""

    RUNNING = "running"
    HELD = "held"
    WAITING = "waiting"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    CANCELLED = "cancelled"


def build() -> typer.Typer:
    """The `runs` commands."""
    from sinchflow.cli.resolve import resolve_runs
    from sinchflow.cli.run_changes import cancel, retry
    from sinchflow.cli.run_tail import tail

    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.callback()(_about)
    app.command("list")(list_runs)
    app.command("show")(show)
    app.command("tail")(tail)
    app.command("retry")(retry)
    app.command("cancel")(cancel)
    app.command("resolve")(resolve_runs)
    return app


def _about() -> None:
    """Look at runs, and help them along.

    \b
    Examples:
      sinchflow runs list --status failed --since 2h
      sinchflow runs show 1234
      sinchflow runs retry 1234
      sinchflow runs resolve 1234 --as resend
    """


def list_runs(
    context: typer.Context,
    flow: Annotated[str | None, typer.Option("--flow", metavar="NAME", help="Only runs of this flow.")] = None,
    status: Annotated[list[Status] | None, typer.Option("--status", help="May be given several times.")] = None,
    contact: Annotated[str | None, typer.Option("--contact", metavar="NUMBER", help="Only of this person.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only those that began since: 2h, or a time.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """List runs, newest first, with what open ones wait for and why others failed.

    \b
    Examples:
      sinchflow runs list --status held --status waiting
      sinchflow runs list --flow appointment-confirm --status failed --since 2h
      sinchflow runs list --contact +61491570156
    """
    from sinchflow.cli.run_text import listed, since_of

    found = runs_like(
        data_folder_of(context, data), flow=flow, statuses=[each.value for each in status or ()],
        contact=None if contact is None else e164_of(context, contact), since=since_of(since, "--since"), limit=limit,
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    if found["runs"]:
        print(listed(found["runs"], datetime.now(UTC)))
    else:
        print("no runs like that", file=sys.stderr)
    if not found["is_all"]:
        print(f"only the newest {found['looked_at']} runs were looked at; narrow it with --since", file=sys.stderr)


def show(context: typer.Context, run: _Id, as_json: AsJson = False, data: _Data = None) -> None:
    """Show the whole story of a run: its event, each step with what it asked for and got, its messages.

    \b
    Example:
      sinchflow runs show 1234
    """
    from sinchflow.cli.run_text import story_lines

    found = story_of(data_folder_of(context, data), run)
    if as_json:
        print_json(found)
    else:
        print("\n".join(story_lines(found, datetime.now(UTC))))


def runs_like(
    folder: Path, *, flow: str | None = None, statuses: Sequence[str] = (), contact: str | None = None,
    since: datetime | None = None, since_end: datetime | None = None, limit: int = 50,
) -> dict[str, Any]:  # fmt: skip
    """Runs, from the daemon or its journal. since_end: when they ended."""
    from sinchflow.cli import admin

    given = [
        *(("status", each) for each in statuses),
        *((name, value) for name, value in (("flow", flow), ("contact", contact)) if value is not None),
        *(("since", each.isoformat()) for each in (since,) if each is not None),
        *(("since_end", each.isoformat()) for each in (since_end,) if each is not None),
        ("limit", str(limit)),
    ]
    daemon = admin.find(folder)
    if daemon is not None:
        try:
            found: dict[str, Any] = admin.ask(daemon, "GET", f"/api/runs?{urlencode(given)}", timeout_s=_PATIENCE_S)
            return found
        except ConnectionError:
            print("sinchflow: the daemon is gone; reading its journal", file=sys.stderr)
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.runtime.run_stories import Question, list_runs

    question = Question(
        flow=flow, statuses=frozenset(statuses), contact=contact, since=since or since_end,
        is_since_end=since_end is not None, limit=limit,
    )  # fmt: skip
    return list_runs(folder / FILE_NAME, question)


def story_of(folder: Path, run_id: int) -> dict[str, Any]:
    """A run's story, from the daemon or its journal. Raises UsageError when there is no such run."""
    from sinchflow.cli import admin

    daemon = admin.find(folder)
    if daemon is not None:
        try:
            found: dict[str, Any] = admin.ask(daemon, "GET", f"/api/runs/{run_id}", timeout_s=_PATIENCE_S)
            return found
        except ConnectionError:
            print("sinchflow: the daemon is gone; reading its journal", file=sys.stderr)
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.runtime.run_stories import story

    told = story(folder / FILE_NAME, run_id)
    if told is None:
        raise UsageError(f"there is no run {run_id}")
    return told


def e164_of(context: typer.Context, number: str) -> str:
    """The number in E.164, by the project's country. Raises UsageError."""
    from sinchflow.expression.numbers import to_e164
    from sinchflow.language.check import Checker

    found = to_e164(number, None)
    if found is None:
        found = to_e164(number, Checker().check(root_of(context)).project.country)
    if found is None:
        raise UsageError(f'"{number}" is no phone number; write it with + and the country\'s code')
    return found
