"""`sinchflow events`: what came in and what became of it, and webhook bodies that could not be read."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, an_id, data_folder_of
from sinchflow.cli.output import cell, fields, print_json, table
from sinchflow.cli.run_text import at, since_of
from sinchflow.cli.runs import e164_of
from sinchflow.errors import UsageError

_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]
_HEAD = ("id", "came", "kind", "contact", "text", "what became of it")
_KEPT_HEAD = ("id", "came", "webhook", "bytes", "why it could not be read")
_PATIENCE_S = 60.0
#: Kinds that always have fields with something in them.
_WITH_CONTENTS = ("inbound_sms", "delivery_receipt", "opt_out", "webhook")


def build() -> typer.Typer:
    """The `events` commands."""
    from sinchflow.cli.quarantine import discard, reparse

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
        if found["count"] > len(rows):
            print(f"{found['count']} in all: --limit shows more", file=sys.stderr)
        return
    listed = [
        (e["id"], at(e["received_at"], now), e["kind"], e["contact"], e["text"], _outcome(e)) for e in found["events"]
    ]
    print(table(_HEAD, listed) if listed else "no events")
    if not found["is_all"]:
        print("sinchflow: the journal is large: only the newest part was looked through", file=sys.stderr)


def show(
    context: typer.Context,
    event_id: Annotated[int, typer.Argument(metavar="ID", help="An id from `events list`.", parser=an_id)],
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
    if not found["fields"] and found["kind"] in _WITH_CONTENTS:
        shown["fields"] = "no longer kept (retention.events), or the person is forgotten"
    if "attachments" in shown:
        shown["attachments"] = [
            f"{each['name'] or 'without a name'} ({each['type'] or 'of no type'}, {each['size_bytes']} bytes)"
            for each in shown["attachments"]
        ]
    print(fields(shown))


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

    from sinchflow.journal.arrivals import Wanted
    from sinchflow.model.event import EventKind
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
    wanted = Wanted(kind=kind, contact=number, since=began, is_unmatched=unmatched)
    found: dict[str, Any] = _asked(folder, f"/api/events?{query}", lambda path: listed(path, wanted, limit))
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
            return admin.ask(daemon, "GET", path, timeout_s=_PATIENCE_S)
        except ConnectionError:
            print("sinchflow: the daemon is gone; reading its journal", file=sys.stderr)
    return look(folder / FILE_NAME)
