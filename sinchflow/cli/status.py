"""`sinchflow status`: one screen for 2 am, from the running daemon or from its journal."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of
from sinchflow.cli.output import cell, print_json
from sinchflow.cli.screen import styled
from sinchflow.errors import SinchflowError

#: Seconds between two looks of `--watch`.
_EVERY_S = 2.0
_WIDEST = 160
_CLEAR = "\x1b[2J\x1b[H"
#: What open runs wait for, in words.
_WAITING = {
    "reply": "for a reply", "receipt": "for a receipt", "time": "for a time", "url": "for a URL",
    "provider": "for Sinch's answer", "run": "for another run", "send": "for their messages to leave",
    "turn": "for their turn",
}  # fmt: skip


def status(
    context: typer.Context,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 s, until Ctrl-C.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Show on one screen how the daemon is: does it send, what waits, what failed, what needs a hand.

    What needs a hand comes first, with the command that helps. Exit code 0: nothing is red; 1: something is;
    3: no daemon works there, and what its journal tells is shown.

    \b
    Examples:
      sinchflow status
      sinchflow status --watch
      sinchflow status --json | jq .needs
    """
    folder = data_folder_of(context, data)
    while True:
        found = look(folder)
        if as_json:
            print_json(found)
        else:
            if watch and sys.stdout.isatty():
                styled(sys.stdout).write(_CLEAR)
            print("\n".join(lines(found, datetime.now(UTC))))
        sys.stdout.flush()
        if not watch:
            break
        import time

        time.sleep(_EVERY_S)
    code = 3 if found["daemon"] is None else int(found["is_red"])
    if code:
        raise typer.Exit(code)


def look(folder: Path) -> dict[str, Any]:
    """The daemon's state; without one, what its journal tells. Raises SinchflowError when neither can be had."""
    from sinchflow.cli import admin

    try:
        found: dict[str, Any] = admin.ask(admin.demand(folder), "GET", "/api/status")
        return found
    except SinchflowError as error:
        if error.exit_code != 3 or os.environ.get(admin.URL_VARIABLE):
            raise  # a journal that lies here says nothing of a daemon elsewhere
        missing, is_gone = str(error), isinstance(error, admin.Gone) or not (folder / admin.FILE_NAME).exists()
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.journal.survey import survey
    from sinchflow.runtime.status import status as build

    now, looked = datetime.now(UTC), None
    try:
        looked = survey(folder / FILE_NAME, now)
    except SinchflowError as error:
        return build(now=now, looked=str(error), live=None, troubles={}, missing=missing, is_gone=is_gone)
    return build(now=now, looked=looked, live=None, troubles={}, missing=missing, is_gone=is_gone)


def lines(found: dict[str, Any], now: datetime) -> Iterator[str]:
    """The screen."""
    needs = found["needs"]
    if needs:
        yield "needs you:"
        for need in needs:
            yield f"  {'!' if need['is_red'] else '-'} {cell(need['what'], _WIDEST)}"
            yield f"      {need['command']}"
        yield ""
    for name, words in _facts(found, now):
        yield f"{name:<12}{cell(words, _WIDEST)}"


def _facts(found: dict[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    daemon = found["daemon"]
    yield "sending", _sending(found, now)
    for account in found.get("accounts", ()):
        yield "provider", _account(account, now, is_only=len(found["accounts"]) == 1)
    if "unreadable" in found["journal"]:
        yield "journal", found["journal"]["unreadable"]
    else:
        yield from _counts(found, now)
    if daemon is None:
        return
    reload, drift = found["reload"], sum(found["drift"].values())
    yield (
        "flows",
        f"{found['flows']['live']} live, {found['flows']['off']} switched off; loaded {_at(reload['loaded_at'], now)}",
    )
    if reload["refused"]:
        yield "reload", f"refused {_at(reload['refused_at'], now)}: {reload['refused']}"
    if found["drift"]:
        yield "webhooks", f"{_many(drift, 'difference')} from the project" if drift else "as the project says"
    if read := [time for time in found["opt_out_lists"].values() if time is not None]:
        yield "opt-outs", f"Sinch's list was read {_at(min(read), now)}"
    yield (
        "daemon",
        (
            f"pid {daemon['pid']}, version {daemon['version']}, up {_span(daemon['uptime_s'])}, "
            f"webhooks on {daemon['address']}, admin on {daemon['admin_address']}"
        ),
    )


def _counts(found: dict[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    sends, runs, events, journal = found["sends"], found["runs"], found["events"], found["journal"]
    in_lanes = events.get("in_lanes")
    yield (
        "events",
        (
            f"{events['unrouted']} to be routed{_oldest(events['oldest_at'], now)}"
            + (f", {in_lanes} of them behind their contact's runs" if in_lanes else "")
        ),
    )
    yield (
        "messages",
        ", ".join(
            f"{sends[state]['count']} {state}{_oldest(sends[state]['oldest_at'], now)}"
            for state in ("queued", "deferred", "sending", "unknown", "held")
        ),
    )
    waiting = ", ".join(f"{count} {_WAITING.get(kind, kind)}" for kind, count in runs["waiting_for"].items())
    held = f"; {found['held_calls']} held" if found["held_calls"] else ""
    yield "runs", f"{runs['open']} open{': ' + waiting if waiting else ''}{held}"
    failed = runs["failed_lately"]
    if last := failed["last"]:
        when = _at(last["ended_at"], now) if last["ended_at"] else ""
        yield (
            "failed",
            (
                f"{_many(failed['count'], 'run')} in 24 hours; the last: {last['flow']} (run {last['id']}) {when}: "
                f"{last['reason'] or ''}"
            ),
        )
    else:
        yield "failed", "no run in 24 hours"
    yield "quarantine", f"{found['quarantine']['count']} webhook bodies that could not be read"
    free = journal["free_bytes"]
    yield (
        "journal",
        (
            f"{_size(journal['bytes'] or 0)}, its log {_size(journal['log_bytes'] or 0)}"
            + ("" if free is None else f", {_size(free)} free on its disk")
        ),
    )
    for act in found["acts"]:
        who = f" {act['subject']}" if act["subject"] else ""
        why = f": {act['detail']}" if act["detail"] else ""
        yield "done", f"{_at(act['at'], now)}  {act['what']}{who}{why}"


def _sending(found: dict[str, Any], now: datetime) -> str:
    from sinchflow.runtime.status import in_words

    if found["paused"] is not None:
        return f"no: {in_words(found['paused'], now)}"
    if found["daemon"] is not None:
        return "yes"
    is_silent = any(need["subject"] == "daemon" and need["command"] != "sinchflow run" for need in found["needs"])
    return "not known: the daemon cannot be asked" if is_silent else "no: no daemon is there"


def _account(account: dict[str, Any], now: datetime, *, is_only: bool) -> str:
    name = "" if is_only else f"{account['account']}: "
    state = account["trouble"] or "no trouble known"
    if datetime.fromisoformat(account["next_call_at"]) > now:
        state += f"; next call at {_at(account['next_call_at'], now)}"
    limit = account["limit"]
    calls = f"{account['calls']} calls" if limit is None else f"{account['calls']} of {limit} calls"
    return f"{name}{state}; {calls} in the last {account['per_s']:g} s; {_many(account['queued'], 'message')} queued"


def _oldest(time: str | None, now: datetime) -> str:
    return "" if time is None else f" (oldest {_span((now - datetime.fromisoformat(time)).total_seconds())})"


def _at(time: str, now: datetime) -> str:
    """A time in the machine's zone; the day only where it is not today."""
    local, today = datetime.fromisoformat(time).astimezone(), now.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"


def _span(seconds: float) -> str:
    from sinchflow.runtime.status import span

    return span(timedelta(seconds=seconds))


def _size(size_bytes: int) -> str:
    from sinchflow.runtime.status import size

    return size(size_bytes)


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
