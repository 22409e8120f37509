"""`sinchflow contacts`: what is known of people, suppressing them, and forgetting them."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of, root_of
from sinchflow.cli.output import print_json, table
from sinchflow.errors import UsageError
from sinchflow.sinch.words import shown

_Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The person's number; national ones as `country` says.")]
_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]

#: A journal of many gigabytes is read as a whole to forget somebody.
_PATIENCE_S = 1_800.0


def build() -> typer.Typer:
    """The `contacts` commands."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.callback()(_about)
    app.command("list")(list_contacts)
    app.command("show")(show)
    app.command("suppress")(suppress)
    app.command("allow")(allow)
    app.command("forget")(forget)
    return app


def _about() -> None:
    """What flows remember of people, and who wants no messages.

    \b
    Examples:
      sinchflow contacts show +61491570156
      sinchflow contacts suppress +61491570156
      sinchflow contacts forget +61491570156
    """


def list_contacts(
    context: typer.Context,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, by number.")] = 100,
    after: Annotated[str, typer.Option("--after", metavar="NUMBER", help="Only numbers after this one.")] = "",
    data: _Data = None,
) -> None:
    """List people of whom something is known, by number. Works with and without a running daemon."""
    folder = data_folder_of(context, data)
    path = f"/api/contacts?{urlencode({'limit': limit, 'after': after})}"
    found = _looked_up(folder, path, lambda reader: _listed(reader, limit, after))
    people = found["contacts"]
    if as_json:
        print_json(found)
    else:
        rows = ([each["number"], each["language"] or "", each["timezone"] or "", _values(each)] for each in people)
        print(table(("number", "language", "timezone", "values"), rows) if people else "nothing is known of anybody")


def show(context: typer.Context, number: _Number, as_json: AsJson = False, data: _Data = None) -> None:
    """What is known of a person, whether nothing is sent to them, and their last runs."""
    e164 = _e164(context, number)
    path = f"/api/contacts/{quote(e164, safe='')}"
    found = _looked_up(data_folder_of(context, data), path, lambda reader: _about_one(reader, e164))
    if as_json:
        print_json(found)
        return
    suppressed = found["suppressed"]
    print(f"number      {found['number']}")
    for name in ("language", "timezone"):
        if found.get(name):
            print(f"{name:<11} {found[name]}")
    if found.get("last_inbound_at"):
        print(f"texted us   {_moment(found['last_inbound_at'])}")
    for name, value in found["values"].items():
        print(f"contact.{name} = {shown(str(value), 200)}")
    if suppressed:
        reason = f" ({shown(suppressed['reason'], 100)})" if suppressed["reason"] else ""
        print(f"opted out   since {_moment(suppressed['since'])}, by {suppressed['source']}{reason}")
    if found["runs"]:
        columns = ("id", "flow", "status", "started_at", "reason")
        rows = ({**run, "started_at": _moment(run["started_at"])} for run in found["runs"])
        print(table(columns, ([run[column] or "" for column in columns] for run in rows)))


def _moment(time: str) -> str:
    """A time for people, to the second."""
    return datetime.fromisoformat(time).astimezone(UTC).isoformat(" ", "seconds").removesuffix("+00:00") + " UTC"


def suppress(context: typer.Context, number: _Number, as_json: AsJson = False, data: _Data = None) -> None:
    """Send nothing more to this number. Sinch's own list is `sinchflow opt-out`."""
    answer = _change(context, number, data, "suppress")
    words = "nothing is sent to it any more" if answer["is_new"] else "nothing was sent to it before"
    print_json(answer) if as_json else print(f"{answer['number']}: {words}")


def allow(context: typer.Context, number: _Number, as_json: AsJson = False, data: _Data = None) -> None:
    """Let messages to this number through again. Sinch's own list is `sinchflow opt-in`."""
    answer = _change(context, number, data, "allow")
    words = "messages go through again" if answer["is_new"] else "messages went through before"
    print_json(answer) if as_json else print(f"{answer['number']}: {words}")


def forget(context: typer.Context, number: _Number, as_json: AsJson = False, data: _Data = None) -> None:
    """Take a person out of the journal: what flows remember, their messages, and their number, out of its files.

    Their open runs are cancelled. Somebody who opted out stays so, under a name that does not show the number.
    """
    answer = _change(context, number, data, "forget")
    if as_json:
        print_json(answer)
        return
    counts = ", ".join(f"{answer[name]} {name}" for name in ("events", "runs", "sends"))
    print(f"{answer['number']} is forgotten: {counts}; open runs cancelled: {answer['cancelled']}")
    if answer["left"]:
        left = ", ".join(map(str, answer["left"][:20]))
        print(f"still named in open runs about others ({left}): ask again when they have ended")


def _change(context: typer.Context, number: str, data: Path | None, what: str) -> dict[str, Any]:
    """By the daemon when one runs, else in its journal."""
    from sinchflow.cli import admin

    e164, folder = _e164(context, number), data_folder_of(context, data)
    daemon = admin.find(folder)
    if daemon is not None:
        try:
            answer: dict[str, Any] = admin.ask(
                daemon, "POST", f"/api/contacts/{quote(e164, safe='')}/{what}", timeout_s=_PATIENCE_S
            )
            return answer
        except ConnectionError:
            print("sinchflow: the daemon is gone; changing its journal", file=sys.stderr)
    from sinchflow.cli.journal import change

    return change(folder, e164, what)


def _looked_up(folder: Path, path: str, read: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """From the daemon when one runs, else from its journal."""
    from sinchflow.cli import admin

    daemon = admin.find(folder)
    if daemon is not None:
        try:
            answer: dict[str, Any] = admin.ask(daemon, "GET", path)
            return answer
        except ConnectionError:
            print("sinchflow: the daemon is gone; reading its journal", file=sys.stderr)
    from sinchflow.journal.reader import open_reader
    from sinchflow.journal.sqlite import FILE_NAME

    reader = open_reader(folder / FILE_NAME)
    try:
        return read(reader)
    finally:
        reader.close()


def _listed(reader: Any, limit: int, after: str) -> dict[str, Any]:
    from sinchflow.runtime.contacts_api import as_plain

    return {"contacts": [as_plain(each) for each in reader.contacts(limit, after)]}


def _about_one(reader: Any, number: str) -> dict[str, Any]:
    from sinchflow.journal.rows import pseudonym
    from sinchflow.runtime.contacts_api import about

    return about(reader, number, pseudonym(number, bytes.fromhex(reader.meta("salt") or "")))


def _e164(context: typer.Context, number: str) -> str:
    from sinchflow.expression.numbers import to_e164
    from sinchflow.language.check import Checker

    found = to_e164(number, None)
    if found is None:
        country = Checker().check(root_of(context)).project.country
        found = to_e164(number, country)
    if found is None:
        raise UsageError(f'"{number}" is no phone number; write it with + and the country\'s code')
    return found


def _values(person: dict[str, Any]) -> str:
    return ", ".join(f"{name}={shown(str(value), 40)}" for name, value in person["values"].items())
