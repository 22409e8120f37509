"""`sinchflow doctor`: what is wrong with this machine and this project, and how to mend it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of, root_of
from sinchflow.cli.output import print_json

if TYPE_CHECKING:
    from sinchflow.cli.checkup.finding import Check, Finding

#: Checks run at once; a call to the provider may take a minute, but nobody waits for one that does.
_PATIENCE_S = 40.0
_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "skipped": "-   "}


def doctor(
    context: typer.Context,
    as_json: AsJson = False,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what needs the network.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Look for what is wrong with this machine and this project. Changes nothing, sends nothing, prints no secret.

    Looks at versions, clock, limits, the data folder, its disk and the journal, flows, secrets, and (unless --offline)
    the credentials, webhooks, signature keys and senders at Sinch, and the public address. Run it where the daemon
    runs, with the same secrets.

    Exit code 0: nothing fails; 1: something does; 4: only the provider or the network does.

    \b
    Examples:
      sinchflow doctor
      sinchflow doctor --offline --json
    """
    from sinchflow.cli.checkup.finding import examine

    root, folder = root_of(context), data_folder_of(context, data)
    findings: list[Finding] = []
    for finding in examine([*_checks(root, folder, offline=offline)], _PATIENCE_S):
        findings.append(finding)
        if not as_json:
            print(_line(finding), flush=True)
    code = _code(findings)
    if as_json:
        import msgspec

        print_json({"findings": msgspec.to_builtins(findings), "exit_code": code})
    else:
        print(_summary(findings, offline=offline))
    if code:
        raise typer.Exit(code)


def _checks(root: Path, folder: Path, *, offline: bool) -> "Iterator[tuple[str, Check]]":
    from sinchflow.cli.checkup import machine, project, public, sinch, storage
    from sinchflow.language.check import Checker

    checked = Checker().check(root)
    accounts = checked.project.all_accounts
    yield "versions", machine.versions
    yield "time zones", partial(machine.zones, checked.project.timezone)
    yield "open files", machine.open_files
    yield "file watches", machine.watches
    yield "data folder", partial(storage.folder, folder)
    yield "disk", partial(storage.disk, folder, checked.project.retention.max_size_bytes)
    yield "journal", partial(storage.journal, folder)
    yield "daemon", partial(storage.owner, folder)
    yield "flows", partial(project.flows, checked)
    yield "secrets", partial(project.secrets, root, checked)
    yield "webhook token", partial(project.token, root)
    if offline:
        return
    for name in accounts:
        yield "provider" if len(accounts) == 1 else f"provider ({name})", partial(sinch.account, root, name)
    yield "public address", partial(public.address, root)
    for name in accounts:
        yield "webhook address", partial(public.answers, root, name)


def _line(finding: "Finding") -> str:
    line = f"{_MARKS[finding.state]}  {finding.check}: {finding.words}"
    return f"{line}\n      = {finding.hint}" if finding.hint else line


def _code(findings: "list[Finding]") -> int:
    failed = [each for each in findings if each.state == "fail"]
    return 0 if not failed else 4 if all(each.is_outside for each in failed) else 1


def _summary(findings: "list[Finding]", *, offline: bool) -> str:
    counts = {state: sum(each.state == state for each in findings) for state in _MARKS}
    left_out = "; the network was left out" if offline else ""
    if not counts["fail"] and not counts["warn"]:
        return f"\nnothing is wrong: {counts['ok']} checks{left_out}"
    return f"\n{counts['fail']} failed, {counts['warn']} to look at, {counts['ok']} fine{left_out}"
