"""`sinchflow test`: plays the project's transcript tests."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import AsJson, root_of
from sinchflow.errors import SinchflowError, UsageError

if TYPE_CHECKING:
    from sinchflow.language.script import Script
    from sinchflow.simulate.play.coverage import Share
    from sinchflow.simulate.play.many import Result, Troupe
    from sinchflow.simulate.play.project import TestProject

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
_ACROSS = 72


def play(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH…]", help="Only these test files, or those in these folders.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("-k", metavar="WORDS", help="Only tests whose file or name holds these words.")
    ] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Show which ways of the flows no test walks.")] = False,
    html: Annotated[
        Path | None, typer.Option("--coverage-html", metavar="FILE", help="The same as a page, and --coverage.")
    ] = None,
    least: Annotated[
        float | None,
        typer.Option("--fail-under", metavar="PERCENT", min=0, max=100, help="Fail when less is walked; --coverage."),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit's XML for CI.")] = None,
    patience: Annotated[
        float,
        typer.Option("--patience", metavar="SECONDS", min=0.1, help="Of work, for one test; then it is given up."),
    ] = 10.0,
    watch: Annotated[bool, typer.Option("--watch", help="Play again whenever a file changes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play the transcript tests (*.test.yaml) of the project.

    Each is a conversation that the flows must have. It is played by the daemon's own parts in virtual time: a month
    takes milliseconds, and nothing leaves the machine. What fails is shown as a chat, at file:line:column, with what
    was expected beside what happened.
    Exit code 0 when all pass, 1 when a test fails, a file has mistakes, or less than --fail-under is covered.

    \b
    Examples:
      sinchflow test
      sinchflow test flows/menu.test.yaml -k parking
      sinchflow test --coverage --fail-under 90 --junit report.xml
    """
    if watch and (junit or html or as_json):
        raise UsageError("--watch goes with neither --junit, --coverage-html nor --json")
    asked = _Asked(root_of(context), paths or (), only, coverage or html is not None or least is not None, html, least,
                   junit, patience, as_json)  # fmt: skip
    if watch:
        _watch(asked)
    else:
        raise typer.Exit(_once(asked))


class _Asked:
    """What the command line says."""

    def __init__(
        self, root: Path, paths: Sequence[Path], only: str | None, covers: bool, html: Path | None, least: float | None,
        junit: Path | None, patience_s: float, as_json: bool,
    ) -> None:  # fmt: skip
        for path in paths:
            if not (root / path).exists():
                raise UsageError(f"{root / path}: no such file or directory")
        self.root = root
        self.paths = paths
        self.only = only
        self.covers = covers
        self.html = html
        self.least = least
        self.junit = junit
        self.patience_s = patience_s
        self.as_json = as_json


def _once(asked: _Asked) -> int:
    """The exit code."""
    from sinchflow.simulate.play.many import Troupe
    from sinchflow.simulate.play.project import TestProject

    began = time.perf_counter()
    project = TestProject(asked.root, asked.paths)
    scripts = [each for each in project.scripts() if asked.only is None or asked.only.lower() in str(each).lower()]
    if not scripts:
        where = "here" if asked.only is None and not asked.paths else "by these words and paths"
        raise SinchflowError(f"there is no test {where}: tests stand in files NAME.test.yaml, see docs/testing.md")
    troupe = Troupe(project, walks=asked.covers, patience_s=asked.patience_s)
    try:
        results = _play(troupe, scripts, is_quiet=asked.as_json)
    finally:
        troupe.close()
    failed = [each for each in results if each.failure is not None]
    code = 1 if failed else 0
    share = _cover(project, troupe, asked) if asked.covers else None
    if share is not None and asked.least is not None and share.percent < asked.least:
        code = 1
    if asked.junit is not None:
        from sinchflow.cli.transcripts import junit

        _write(asked.junit, junit(scripts, results, project.checked.texts, project.checked.project.timezone))
    if asked.as_json:
        _print_json(scripts, results, share)
        return code
    _report(project, scripts, failed)
    seconds = time.perf_counter() - began
    counts = f"{len(failed)} failed, " if failed else ""
    print(f"{counts}{len(results) - len(failed)} passed in {seconds:.2f} s")
    if share is not None and asked.least is not None and share.percent < asked.least:
        print(f"{share.percent:.1f} % is walked, less than the {asked.least:g} % of --fail-under")
    return code


def _play(troupe: "Troupe", scripts: "Sequence[Script]", *, is_quiet: bool) -> "list[Result]":
    """Play them with a dot for each that passes."""
    results = []
    paints = sys.stdout.isatty()
    for result in troupe.play_all(scripts):
        results.append(result)
        if not is_quiet:
            mark = "." if result.failure is None else "F"
            color = _GREEN if result.failure is None else _RED
            end = "\n" if len(results) % _ACROSS == 0 else ""
            print(f"{color}{mark}{_PLAIN}" if paints else mark, end=end, flush=paints)
    if not is_quiet and len(results) % _ACROSS:
        print()
    return results


def _report(project: "TestProject", scripts: "Sequence[Script]", failed: "Sequence[Result]") -> None:
    from sinchflow.cli.transcripts import failure_text

    for each in failed:
        shown = failure_text(scripts[each.place], each, project.checked.texts, project.checked.project.timezone)
        print(f"\n{shown}\n")


def _cover(project: "TestProject", troupe: "Troupe", asked: _Asked) -> "Share":
    from sinchflow.cli.transcripts import coverage_html, coverage_text
    from sinchflow.simulate.play.coverage import coverage, total

    covered = coverage(project.checked.flows, project.policy_points(), troupe.met)
    share = total(covered)
    if asked.html is not None:
        _write(asked.html, coverage_html(covered, share).encode())
    if not asked.as_json:
        print("\n".join(["", *coverage_text(covered, share), ""]))
    return share


def _print_json(scripts: "Sequence[Script]", results: "Sequence[Result]", share: "Share | None") -> None:
    from sinchflow.cli.output import print_json

    tests = [
        {
            "file": scripts[each.place].origin.file, "line": scripts[each.place].origin.line,
            "name": scripts[each.place].name, "seconds": round(each.seconds, 4), "passed": each.failure is None,
            **({} if each.failure is None else {"failure": {
                "place": str(each.failure.origin), "message": each.failure.message,
                "differences": [{"expected": one.wanted, "actual": one.found} for one in each.failure.differences],
                "because": list(each.failure.clues),
            }}),
        }
        for each in results
    ]  # fmt: skip
    covered = {} if share is None else {"coverage": {"walked": share.met, "all": share.all, "percent": share.percent}}
    failed = sum(each.failure is not None for each in results)
    print_json({"tests": tests, "failed": failed, "passed": len(results) - failed, **covered})


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise SinchflowError(f"{path} cannot be written: {error.strerror}") from error


def _watch(asked: _Asked) -> None:
    """Play, and again at each change, until Ctrl-C."""
    from watchfiles import watch

    with _until_interrupted():
        _again(asked)
        for changes in watch(asked.root, watch_filter=_is_ours, debounce=200):
            names = sorted({Path(name).name for _, name in changes})
            print(f"\n— {', '.join(names[:3])}{' …' if len(names) > 3 else ''} —")
            _again(asked)


def _again(asked: _Asked) -> None:
    try:
        _once(asked)
    except SinchflowError as error:  # a file with mistakes: the next change may mend it
        print(error, file=sys.stderr)


def _is_ours(_change: object, path: str) -> bool:
    return path.endswith((".yaml", ".yml", ".csv")) and "/.sinchflow/" not in path


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print()
