"""`sinchflow start`: a manual run in a daemon that runs."""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of
from sinchflow.cli.output import print_json
from sinchflow.errors import UsageError


class Format(StrEnum):
    """How an answer is printed."""

    TEXT = "text"
    JSON = "json"


def start(
    context: typer.Context,
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow's name; it must have the trigger `manual`.")],
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="NAME=VALUE", help="One of the flow's inputs; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Start nothing: count what would be sent to whom.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="text for people, json for programs.")] = Format.TEXT,
    as_json: AsJson = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Start a flow by hand in the running daemon.

    The flow needs the trigger `manual` (`on: manual`). The run is stored before this command returns; what its steps
    do is seen in the daemon's log and in `sinchflow sends list`.

    With --dry-run nothing is started or sent. The flow is played in the daemon's memory up to where only the world
    knows how it goes on (a call's answer, a reply, a delay), and messages, parts, opt-outs and bad numbers are counted.

    A value that begins with [ or { is read as JSON, for inputs that are lists or mappings.

    \b
    Examples:
      sinchflow start weekly-reminder
      sinchflow start outage --input region=north --input 'numbers=["+61491570156"]'
      sinchflow start outage --input region=north --dry-run
    """
    from urllib.parse import quote

    from sinchflow.cli import admin

    given, what = _values(inputs or []), "dry-run" if dry_run else "start"
    daemon = admin.demand(data_folder_of(context, data))
    answer = admin.ask(daemon, "POST", f"/api/flows/{quote(flow, safe='')}/{what}", {"inputs": given})
    if as_json or output is Format.JSON:
        print_json(answer)
    elif dry_run:
        print("\n".join(_report(answer)))
    else:
        print(f"started {flow} (run {answer['run']})")


def _report(found: dict[str, Any]) -> Iterator[str]:
    """What a dry run found, for people."""
    yield (
        f"{found['flow']} would send {_count(found['messages'], 'message')} ({_count(found['parts'], 'part')}) "
        f"to {_count(found['recipients'], 'recipient')}; nothing was sent"
    )
    for sample in found["samples"]:
        yield f"  to {sample['to']} ({_count(sample['parts'], 'part')}): {sample['message']}"
    if found["deferred"]:
        yield f"{found['deferred']} of them would wait for the end of quiet hours"
    for reason, count in found["skipped"].items():
        yield f"would not be sent: {count}: {reason}"
    for name, title in (("opted_out", "opted out"), ("bad_numbers", "no phone numbers")):
        if found[name]:
            yield f"{title}: {', '.join(found[name])}"
    for failure, count in found["failures"].items():
        yield f"would fail{'' if count == 1 else f' {count} times'}: {failure}"
    for stop, count in found["stops"].items():
        yield f"not counted is what comes after{'' if count == 1 else f' ({count} times)'}: {stop}"
    if found["status"] == "failed":
        yield f"the run would fail: {found['reason']}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


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
