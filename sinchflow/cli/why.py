"""`sinchflow why`: why something happened, or did not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of, root_of
from sinchflow.cli.output import cell, print_json
from sinchflow.cli.run_text import at
from sinchflow.errors import SinchflowError, UsageError

_WIDEST = 400
_MARKS = {"takes": "+", "near": "~", "late": "-", "no": "-", "off": "-"}
_MOST_FLOWS = 20


def why(
    context: typer.Context,
    about: Annotated[
        str, typer.Argument(metavar="ID-OR-NUMBER", help="An event, run or message (our id or Sinch's), or a number.")
    ],
    all_flows: Annotated[
        bool, typer.Option("--all", help="Also the flows that were far from taking the event.")
    ] = False,
    as_json: AsJson = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Tell why: what became of an event and which flows were asked, where a run or a message stands, or why a person
    hears nothing: opted out, throttled, quiet hours, paused, held, taken by another flow.

    Works with and without a daemon; without one, flows are read from the project, and what holds right now (a pause,
    policy's counts, the provider's troubles) is left out.

    \b
    Examples:
      sinchflow why 4711
      sinchflow why "+61 491 570 156"
      sinchflow why 877c19ef-fa2e-4cec-827a-e1df9b5509f7
    """
    if not about.strip():
        raise UsageError("name what it is about: the id of an event, a run or a message, or a phone number")
    told = _told(root_of(context), data_folder_of(context, data), about)
    if as_json:
        print_json(told)
    else:
        print("\n".join(_lines(told, is_all=all_flows)))


def _lines(told: dict[str, Any], *, is_all: bool) -> list[str]:
    now = datetime.now(UTC)
    lines = [cell(told["answer"], _WIDEST), *(f"  {cell(each, _WIDEST)}" for each in told["because"])]
    event = told.get("event")
    if event is not None:
        said = f' "{event["text"]}"' if event["text"] else ""
        who = f" of {event['contact']}" if event["contact"] else ""
        lines += [
            "",
            f"event {event['id']}  {at(event['received_at'], now)}  " + cell(f"{event['kind']}{who}{said}", _WIDEST),
        ]
    lines += _flows(told.get("flows") or [], is_all=is_all)
    if told.get("timeline"):
        lines += ["", *(_moment(each, now) for each in told["timeline"])]
    if told.get("more"):
        lines += ["", f"more: {told['more']}"]
    if not told["is_daemon"]:
        lines += ["", "no daemon is there: flows are the project's, and what holds right now is not known"]
    if not told["is_all"]:
        lines += ["", "the journal is large: only the newest part was looked through"]
    return lines


def _flows(flows: list[dict[str, Any]], *, is_all: bool) -> list[str]:
    """The flows in the order in which they were asked, as they are now."""
    if not flows:
        return []
    shown = flows if is_all else flows[:_MOST_FLOWS]
    width = max(len(cell(each["flow"])) for each in shown)
    lines = ["", "flows, as they are now, in the order in which they are asked:"]
    for each in shown:
        words = each["reason"] or "takes it"
        lines.append(f"  {_MARKS[each['verdict']]} {cell(each['flow']).ljust(width)}  {cell(words, _WIDEST)}")
    if len(flows) > len(shown):
        lines.append(f"  … and {len(flows) - len(shown)} more (--all)")
    return lines


def _moment(each: dict[str, Any], now: datetime) -> str:
    when = at(each["at"], now)
    match each["what"]:
        case "event":
            mark = f" [{each['outcome']}]" if each["outcome"] else ""
            words = f"› {each['text']}" if each["kind"] == "inbound_sms" else f"{each['kind']} {each['text']}"
            words += mark
        case "run":
            words = f"run {each['id']} of {each['flow']} {each['text']}"
            return f"{when}    {cell(words, _WIDEST)}"
        case _:
            reason = f": {each['reason']}" if each["reason"] and each["state"] != "sent" else ""
            words = f"‹ {each['text']}  [{each['state']}{reason}]"
    return f"{when}  {cell(words, _WIDEST)}"


def _told(root: Path, folder: Path, about: str) -> dict[str, Any]:
    """From the daemon when one runs, else from its journal and the project."""
    from urllib.parse import urlencode

    from sinchflow.cli import admin

    daemon = admin.find(folder)
    if daemon is not None:
        try:
            answer: dict[str, Any] = admin.ask(daemon, "GET", f"/api/why?{urlencode({'about': about})}", timeout_s=60.0)
            return answer
        except ConnectionError:
            pass  # said in the last lines
    return _offline(root, folder, about)


def _offline(root: Path, folder: Path, about: str) -> dict[str, Any]:
    import os

    from msgspec.structs import replace

    from sinchflow.journal.clues import Clues
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.language.check import Checker
    from sinchflow.language.diagnostic import present_text
    from sinchflow.runtime.catalog import facts_of
    from sinchflow.runtime.why import Live, find, nothing_has, tell

    checked = Checker().check(root)
    if checked.has_errors:
        errors = [each for each in checked.diagnostics if each.severity == "error"]
        raise SinchflowError(f"the project has errors:\n{present_text(errors, checked.texts)}".rstrip())
    path = folder / FILE_NAME
    found = find(path, about, checked.project.country)
    if found is None:
        raise UsageError(nothing_has(about))
    env = {name: os.environ[name] for name in checked.project.env if name in os.environ}
    facts = facts_of(checked, env, {})
    if found.contact is not None:
        with Clues(path) as clues:
            known = clues.contact(found.contact)
        values = {} if known is None else known.values
        facts = replace(facts, contact={**values, "number": found.contact})
    live = Live(flows=checked.flows, facts=facts, now=datetime.now(UTC), is_daemon=False)
    return tell(path, found, live)
