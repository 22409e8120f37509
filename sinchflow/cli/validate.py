"""`sinchflow validate`: all findings at once, as text or JSON."""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.errors import UsageError

if TYPE_CHECKING:
    from sinchflow.language.check import Checked

_BOLD, _RED, _YELLOW, _CYAN, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


def validate(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH…]", help="Report only these files or folders of the project.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="text for people, json for programs.")] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
) -> None:
    """Find the mistakes in sinchflow.yaml and flows/**/*.yaml before they run.

    Every finding is shown at once, at file:line:column, with what was expected and how to mend it.
    Flows with a webhook of their own are followed by its address and a line to try it with.
    Exit code 0 when all is well, 1 when there are errors (with --strict: warnings too).

    \b
    Examples:
      sinchflow validate
      sinchflow validate flows/menu.yaml
      sinchflow validate --format json --strict
    """
    from sinchflow.language.check import Checker

    root = root_of(context)
    chosen = [root / path for path in paths or []]
    for path in chosen:
        if not path.exists():
            raise UsageError(f"{path}: no such file or directory")
    checked = Checker().check(root, chosen, now=datetime.now(UTC))
    if not checked.texts and not chosen:
        raise UsageError(
            f"no project in {root.resolve()}: there is neither sinchflow.yaml nor flows/; begin with `sinchflow init`"
        )
    if output is Format.JSON:
        from sinchflow.language.diagnostic import present_json

        print(present_json(checked.diagnostics, len(checked.flows)))
    else:
        _print_text(checked)
    if checked.has_errors or (strict and checked.diagnostics):
        raise typer.Exit(1)


def _print_text(checked: "Checked") -> None:
    from sinchflow.language.diagnostic import present_text
    from sinchflow.model.flow import Webhook

    for diagnostic in checked.diagnostics:
        block = present_text([diagnostic], checked.texts)
        print(_coloured(block, diagnostic.severity) if sys.stdout.isatty() else block, end="")
    if any(isinstance(trigger, Webhook) for flow in checked.flows for trigger in flow.triggers):
        from sinchflow.deploy.flow_calls import flow_call_lines, written_address

        for line in flow_call_lines(checked.flows, written_address(checked.project)):
            print(line)
    errors = sum(diagnostic.severity == "error" for diagnostic in checked.diagnostics)
    warnings = len(checked.diagnostics) - errors
    found = [_count(errors, "error")] * bool(errors) + [_count(warnings, "warning")] * bool(warnings)
    print(f"{_count(len(checked.flows), 'sound flow')}, {' and '.join(found) or 'no findings'}", file=sys.stderr)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _coloured(block: str, severity: str) -> str:
    """One finding as `present_text` lays it out, with its first line, its mark and its hint in colours."""
    head, *rest = block.rstrip("\n").split("\n")
    mark_colour = _RED if severity == "error" else _YELLOW
    lines = [f"{_BOLD}{head}{_PLAIN}"]
    for line in rest:
        colour = mark_colour if line.lstrip().startswith("| ") and line.rstrip("~").endswith("^") else ""
        colour = _CYAN if line.lstrip().startswith("= ") else colour
        lines.append(f"{colour}{line}{_PLAIN}" if colour else line)
    return "\n".join(lines) + "\n"
