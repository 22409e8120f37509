"""What `sinchflow validate` does, without its command line: checks, mends, prints."""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sinchflow.cli.screen import clean, styled
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


def check_files(
    root: Path,
    paths: Sequence[Path] = (),
    output: Format = Format.TEXT,
    *,
    strict: bool = False,
    fix: bool = False,
    diff: bool = False,
    cache: bool = True,
) -> int:
    """Check, and mend where asked to, and print; returns the exit code. For the arguments see `sinchflow validate`."""
    from sinchflow.cli.crew import judge_files
    from sinchflow.cli.kept import CACHE, Kept
    from sinchflow.language.check import Checker
    from sinchflow.language.files import is_project, no_project

    if diff and (not fix or output is not Format.TEXT):
        raise UsageError("--diff goes with --fix, and not with another --format")
    for path in paths:
        if not (root / path).exists():
            raise UsageError(f"{root / path}: no such file or directory")
    if not paths and not is_project(root):
        raise no_project(root)
    kept = Kept(root / CACHE) if cache else None
    forms = kept.forms if kept is not None else ()
    checker = Checker(builds=False, judge_files=judge_files, kept=kept, sound_forms=forms)
    now, is_fixed = datetime.now(UTC), True
    if fix:
        from sinchflow.cli.fixing import fix_files, show_fixes

        checked, is_fixed = (show_fixes if diff else fix_files)(checker, root, paths, now)
    else:
        checked = checker.check(root, paths, now=now, tests=True)
    if kept is not None and checked.texts:
        kept.save()
    if diff:
        return int(not is_fixed)
    _print(checked, output, root)
    return int(checked.has_errors or (strict and bool(checked.diagnostics)) or not is_fixed)


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
    from sinchflow.language.diagnostic import present_each

    is_coloured = sys.stdout.isatty()
    for diagnostic, block in zip(checked.diagnostics, present_each(checked.diagnostics, checked.texts), strict=True):
        if is_coloured:
            styled(sys.stdout).write(_coloured(clean(block), diagnostic.severity))
        else:
            print(block, end="")
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
