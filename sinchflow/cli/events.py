"""`sinchflow events`: what came in and what became of it, and webhook bodies that could not be read."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of, who
from sinchflow.cli.output import cell, fields, print_json, table
from sinchflow.cli.run_text import at, since_of
from sinchflow.cli.runs import e164_of
from sinchflow.errors import UsageError

_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]
_Ids = Annotated[list[int] | None, typer.Argument(metavar="ID…", help="Ids from `events list --quarantined`.")]
_All = Annotated[bool, typer.Option("--all", help="All that are in quarantine.")]
_HEAD = ("id", "came", "kind", "contact", "text", "what became of it")
_KEPT_HEAD = ("id", "came", "webhook", "bytes", "why it could not be read")
#: Reading ten thousand bodies again takes less.
_PATIENCE_S = 300.0


def build() -> typer.Typer:
    """The `events` commands."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.callback()(_about)
    app.command("list")(list_events)
    app.command("show")(show)
    app.command("reparse")(reparse)
    app.command("discard")(discard)
    return app


def _about() -> None:
    """Look at what came in, and deal with webhook bodies that could not be read.

    \b
    Examples:
      sinchflow events list --unmatched --since 1h
      sinchflow events list --quarantined
      sinchflow events reparse --all
    """


def list_events(
    context: typer.Context,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="inbound_sms, delivery_receipt, …")] = None,
    contact: Annotated[str | None, typer.Option("--contact", metavar="NUMBER", help="Of this person.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="How long ago (30m, 2h), or a time.")
    ] = None,
    unmatched: Annotated[bool, typer.Option("--unmatched", help="Only those that nobody took.")] = False,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="Instead, webhook bodies that could not be read.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """List events, newest first, with what became of each. Works with and without a running daemon.

    \b
    Examples:
      sinchflow events list
      sinchflow events list --contact +61491570156 --since 1d
    """
    if quarantined and (kind or contact or since or unmatched):
        raise UsageError("--quarantined goes with --limit only: what could not be read has no kind and no contact")
    folder = data_folder_of(context, data)
    found = (
        _quarantined(folder, limit) if quarantined else _events(context, folder, kind, contact, since, unmatched, limit)
    )
    if as_json:
        print_json(found)
        return
    now = datetime.now(UTC)
    if quarantined:
        rows = [
            (e["id"], at(e["received_at"], now), e["path"], e["size_bytes"], e["reason"]) for e in found["quarantined"]
        ]
        print(table(_KEPT_HEAD, rows) if rows else "nothing is in quarantine")
        return
    listed = [
        (e["id"], at(e["received_at"], now), e["kind"], e["contact"], e["text"], _outcome(e)) for e in found["events"]
    ]
    print(table(_HEAD, listed) if listed else "no events")
    if not found["is_all"]:
        print("sinchflow: the journal is large: only the newest part was looked through", file=sys.stderr)


def show(
    context: typer.Context,
    event_id: Annotated[int, typer.Argument(metavar="ID", help="An id from `events list`.")],
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Show all of an event, or of a body in quarantine. `why ID` tells which flows were asked.

    \b
    Example:
      sinchflow events show 4711
    """
    from sinchflow.runtime.event_stories import story
    from sinchflow.runtime.events_api import no_event

    folder = data_folder_of(context, data)
    found = _asked(folder, f"/api/events/{event_id}", lambda path: story(path, event_id))
    if found is None:
        raise UsageError(no_event(event_id))
    if as_json:
        print_json(found)
        return
    now = datetime.now(UTC)
    if "body" in found:
        print(f"in quarantine: {cell(found['reason'], 300)}")
        print(fields({"came": at(found["received_at"], now), "webhook": found["path"], "bytes": found["size_bytes"]}))
        print(f"\n{fields({'body': found['body']})}")
        return
    print(f"event {found['id']}  {found['kind']}: {cell(_outcome(found), 300)}")
    shown = {"came": at(found["received_at"], now), "account": found["account"], "contact": found["contact"],
             "our number": found["our_number"], **found["fields"]}  # fmt: skip
    print(fields(shown))


def reparse(
    context: typer.Context,
    ids: _Ids = None,
    all_kept: _All = False,
    even_old: Annotated[
        bool, typer.Option("--even-old", help="Also start flows for those older than `catch_up.max_age` (2 h).")
    ] = False,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Read bodies in quarantine again, once the webhook's template is mended; what can be read starts flows as if it
    had just come. What came too long ago is recorded and starts nothing, unless --even-old.

    \b
    Examples:
      sinchflow events reparse --all
      sinchflow events reparse 4711 --even-old
    """
    asked = {**_chosen(ids, all_kept), "by": who(), "even_old": even_old}
    done = _told(data_folder_of(context, data), "reparse", asked)
    if as_json:
        print_json(done)
        return
    words = {
        "started": "read, and on their way", "known": "known already", "unreadable": "still not readable",
        "too_late": "read, too late to start anything (--even-old does not mind)",
    }  # fmt: skip
    lines = [f"{done[name]} {text}" for name, text in words.items() if done[name]]
    print("\n".join(lines) if lines else "nothing is in quarantine")
    if done["unreadable"]:
        print("why: sinchflow events list --quarantined; sinchflow plan shows whether the webhooks are as wanted")


def discard(
    context: typer.Context,
    ids: _Ids = None,
    all_kept: _All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask back.")] = False,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Give up bodies in quarantine: they are deleted, and nobody can read them again.

    \b
    Example:
      sinchflow events discard 4711
    """
    asked = {**_chosen(ids, all_kept), "by": who()}
    what = "all of the quarantine" if all_kept else f"{len(ids or ())} bodies" if len(ids or ()) != 1 else "1 body"
    if not (yes or as_json):
        if not sys.stdin.isatty():
            raise UsageError(f"delete {what}? say --yes to do it without being asked")
        typer.confirm(f"delete {what} for good?", abort=True)
    done = _told(data_folder_of(context, data), "discard", asked)
    if as_json:
        print_json(done)
    else:
        print(f"{done['discarded']} deleted, {done['left']} left in quarantine")


def _outcome(event: dict[str, Any]) -> str:
    runs = ", ".join(
        f"{run['flow']} (run {run['id']}, {run['status']})" if "flow" in run else f"run {run['id']}"
        for run in event["runs"]
    )
    reason = f": {event['reason']}" if event["reason"] else ""
    flow = f" {event['flow']}" if "flow" in event else ""
    words = {
        "started": f"started {runs}", "unmatched": "nobody took it", "waiting": "waits to be routed",
        "ignored": f"too late{reason}", "wait": f"answer for {runs}{reason}", "policy": f"policy{reason}",
        "refused": f"refused:{flow}{reason}", "near": f"nobody took it; nearly{flow}{reason}",
    }  # fmt: skip
    return words.get(event["outcome"], str(event["outcome"]))


def _chosen(ids: list[int] | None, all_kept: bool) -> dict[str, Any]:
    if bool(ids) == all_kept:
        raise UsageError("name the bodies by id, or all of them with --all")
    return {"ids": ids or None}


def _told(folder: Path, what: str, asked: dict[str, Any]) -> dict[str, Any]:
    from sinchflow.cli import admin

    daemon = admin.demand(folder)
    answer: dict[str, Any] = admin.ask(daemon, "POST", f"/api/events/{what}", asked, timeout_s=_PATIENCE_S)
    return answer


def _events(
    context: typer.Context,
    folder: Path,
    kind: str | None,
    contact: str | None,
    since: str | None,
    unmatched: bool,
    limit: int,
) -> dict[str, Any]:
    from typing import get_args
    from urllib.parse import urlencode

    from sinchflow.model.event import EventKind
    from sinchflow.runtime.event_stories import Question
    from sinchflow.runtime.event_stories import list_events as listed
    from sinchflow.runtime.events_api import no_kind

    if kind is not None and kind not in get_args(EventKind):
        raise UsageError(no_kind(kind))
    began = since_of(since, "--since")
    number = None if contact is None else e164_of(context, contact)
    given = {"kind": kind, "contact": number, "since": began and began.isoformat(), "limit": limit}
    query = urlencode(
        {name: value for name, value in given.items() if value} | ({"unmatched": "true"} if unmatched else {})
    )
    question = Question(kind=kind, contact=number, since=began, is_unmatched=unmatched, limit=limit)
    found: dict[str, Any] = _asked(folder, f"/api/events?{query}", lambda path: listed(path, question))
    return found


def _quarantined(folder: Path, limit: int) -> dict[str, Any]:
    from sinchflow.runtime.event_stories import list_quarantined

    path = f"/api/events/quarantined?limit={limit}"
    found: dict[str, Any] = _asked(folder, path, lambda path: list_quarantined(path, limit))
    return found


def _asked(folder: Path, path: str, look: Callable[[Path], Any]) -> Any:
    """From the daemon when one runs, else from its journal."""
    from sinchflow.cli import admin
    from sinchflow.journal.sqlite import FILE_NAME

    daemon = admin.find(folder)
    if daemon is not None:
        try:
            return admin.ask(daemon, "GET", path, timeout_s=60.0)
        except ConnectionError:
            print("sinchflow: the daemon is gone; reading its journal", file=sys.stderr)
    return look(folder / FILE_NAME)
