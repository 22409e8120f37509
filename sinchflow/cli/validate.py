"""`sinchflow validate`: all findings at once, for people and for programs."""

import os
import sys
from collections.abc import Iterator
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

#: More are not listed one by one.
_MOST_WEBHOOKS = 20


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def validate(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH…]", help="Report only these files or folders of the project.")
    ] = None,
    output: Annotated[
        Format,
        typer.Option("--format", help="For people, for programs, as annotations of GitHub, or for code scanning."),
    ] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend in the files what can be mended beyond doubt.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="With --fix: show what would change, and write nothing.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Judge again only what has changed (.sinchflow/cache).")
    ] = True,
) -> None:
    """Find the mistakes in sinchflow.yaml and flows/**/*.yaml before they run.

    Every finding is shown at once, at file:line:column, with what was expected and how to mend it.
    Flows with a webhook of their own are followed by its address and a line to try it with.
    A comment `# sinchflow: ignore[RULE] why` behind a warning, or on the line above it, takes it away.
    --fix writes missing quotes, numbers in E.164 form, and misspelt keys and names of which only one comes near, with
    comments and layout as they were; then it reports what is left. PATH limits it to these files.
    Exit code 0 when all is well, 1 when there are errors (with --strict: warnings too), a file could not be written,
    or --diff shows a change.

    \b
    Examples:
      sinchflow validate
      sinchflow validate flows/menu.yaml
      sinchflow validate --format github --strict
      sinchflow validate --fix --diff
    """
    from sinchflow.cli.crew import judge_files
    from sinchflow.cli.kept import CACHE, Kept
    from sinchflow.language.check import Checker

    if diff and (not fix or output is not Format.TEXT):
        raise UsageError("--diff goes with --fix, and not with another --format")
    root = root_of(context)
    chosen = [root / path for path in paths or []]
    for path in chosen:
        if not path.exists():
            raise UsageError(f"{path}: no such file or directory")
    kept = Kept(root / CACHE) if cache else None
    forms = kept.forms if kept is not None else ()
    checker = Checker(builds=False, judge_files=judge_files, kept=kept, sound_forms=forms)
    now, is_fixed = datetime.now(UTC), True
    if fix:
        from sinchflow.cli.fixing import fix_files, show_fixes

        checked, is_fixed = (show_fixes if diff else fix_files)(checker, root, chosen, now)
    else:
        checked = checker.check(root, chosen, now=now, tests=True)
    if kept is not None and checked.texts:
        kept.save()
    if not checked.texts and not chosen:
        raise UsageError(
            f"no project in {root.resolve()}: there is neither sinchflow.yaml nor flows/; begin with `sinchflow init`"
        )
    if diff:
        raise typer.Exit(int(not is_fixed))
    _print(checked, output, root)
    if checked.has_errors or (strict and checked.diagnostics) or not is_fixed:
        raise typer.Exit(1)


def _print(checked: "Checked", output: Format, root: Path) -> None:
    match output:
        case Format.TEXT:
            _print_text(checked)
        case Format.JSON:
            from sinchflow.language.diagnostic import present_json

            print(present_json(checked.diagnostics, checked.sound))
        case Format.GITHUB:
            from sinchflow.language.reports import present_github

            print(present_github(checked.diagnostics, lambda file: _from_repository(root, file)), end="")
            _print_summary(checked)
        case Format.SARIF:
            from sinchflow.language.reports import present_sarif

            print(present_sarif(checked.diagnostics, lambda file: _from_repository(root, file)))


def _from_repository(root: Path, file: str) -> str:
    """What a file of the project in `root` is called from the repository's root: where GitHub says it is, else here."""
    here = Path.cwd()
    told = Path(os.environ.get("GITHUB_WORKSPACE") or here)
    path = Path(os.path.abspath(root / file))
    base = next((each for each in (told, here) if path.is_relative_to(each)), None)
    return path.relative_to(base).as_posix() if base is not None else path.as_posix()


def _print_text(checked: "Checked") -> None:
    from sinchflow.language.diagnostic import present_text

    for diagnostic in checked.diagnostics:
        block = present_text([diagnostic], checked.texts)
        print(_coloured(block, diagnostic.severity) if sys.stdout.isatty() else block, end="")
    for line in _webhook_lines(checked):
        print(line)
    _print_summary(checked)


def _print_summary(checked: "Checked") -> None:
    errors = sum(diagnostic.severity == "error" for diagnostic in checked.diagnostics)
    warnings = len(checked.diagnostics) - errors
    found = [_count(errors, "error")] * bool(errors) + [_count(warnings, "warning")] * bool(warnings)
    more = "; see `sinchflow explain RULE`" if found else ""
    print(f"{_count(checked.sound, 'sound flow')}, {' and '.join(found) or 'no findings'}{more}", file=sys.stderr)


def _webhook_lines(checked: "Checked") -> Iterator[str]:
    """How the flows' own webhooks are called, of files without errors; only their number where they are too many."""
    unsound = {item.file for item in checked.diagnostics if item.severity == "error"}
    places = [facts.named.origin for facts in checked.facts if facts.addresses]
    files = sorted({origin.file for origin in places} - unsound)
    if len(places) > _MOST_WEBHOOKS:
        yield f"{len(places):,} flows have a webhook; name a file of theirs to see how it is called"
    elif files:
        from sinchflow.deploy.flow_calls import flow_call_lines, written_address
        from sinchflow.language.build import build_flow
        from sinchflow.language.document import compose, documents

        found = [document for file in files for document in documents(checked.texts[file], file)]
        flows = [build_flow(document) for document in found if not compose(document)]
        yield from flow_call_lines(flows, written_address(checked.project))


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
