"""`sinchflow record` and `sinchflow replay`: a real run as a transcript test, and against the flows of today."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import AsJson, an_id, data_folder_of, root_of
from sinchflow.errors import SinchflowError

if TYPE_CHECKING:
    from sinchflow.language.script import Script
    from sinchflow.simulate.play.many import Result
    from sinchflow.simulate.play.outcome import Played
    from sinchflow.simulate.play.project import TestProject
    from sinchflow.simulate.play.record import Recording

_Run = Annotated[int, typer.Argument(metavar="RUN", help="An id from `sinchflow runs list`.", parser=an_id)]
_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]
_NAME = "recorded.test.yaml"


def record(
    context: typer.Context,
    run: _Run,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it here instead of showing it.")
    ] = None,
    data: _Data = None,
) -> None:
    """Turn a real run into a transcript test, with numbers and names replaced.

    The test has what came in and what went out, and when. It is played against the flows of today at once: what
    differs is said on stderr. Look it over before you keep it: texts are as people wrote them.
    Exit code 0 when the test passes as it is, 1 when it does not.

    \b
    Examples:
      sinchflow record 1234
      sinchflow record 1234 --output flows/survey-of-joe.test.yaml
    """
    if output is not None and not output.name.endswith(".test.yaml"):
        raise typer.BadParameter(f"{output}: a test file is called NAME.test.yaml", param_hint="--output")
    if output is not None and output.exists():
        raise SinchflowError(f"{output} is there already: choose another name, or delete it first")
    recording, project = _recorded(context, run, data)
    if output is None:
        print(recording.text, end="")
    else:
        try:
            output.write_text(recording.text, encoding="utf-8")
        except OSError as error:
            raise SinchflowError(f"{output} cannot be written: {error.strerror}") from error
        print(f"wrote {output}", file=sys.stderr)
    for gap in recording.gaps:
        print(f"note: {gap}", file=sys.stderr)
    print("read it before you keep it: texts are as people wrote them", file=sys.stderr)
    script, result, played = _played(project, recording)
    if played.failure is None:
        print("it passes with the flows of today", file=sys.stderr)
        return
    print(f"with the flows of today it does not pass:\n{_shown(project, script, result, recording)}", file=sys.stderr)
    raise typer.Exit(1)


def replay(context: typer.Context, run: _Run, as_json: AsJson = False, data: _Data = None) -> None:
    """Play a real run again, against the flows of today, and show what would differ. Nothing is sent.

    Exit code 0 when nothing would differ, 1 when something would.

    \b
    Examples:
      sinchflow replay 1234
    """
    from sinchflow.cli.output import print_json

    recording, project = _recorded(context, run, data)
    script, result, played = _played(project, recording)
    if as_json:
        differences = [
            {
                "message": each.message, "because": list(each.clues),
                "differences": [{"recorded": one.wanted, "today": one.found} for one in each.differences],
            }
            for each in played.failures
        ]  # fmt: skip
        print_json({"run": run, "flow": recording.flow, "differs": bool(differences), "differences": differences})
    elif played.failure is None:
        print(f"run {run} of {recording.flow}: nothing would differ")
    else:
        count = len(played.failures)
        print(f"run {run} of {recording.flow}: {count} thing{'s' * (count != 1)} would differ\n")
        print(_shown(project, script, result, recording))
        for each in played.failures[1:]:
            print(f"\n  {each.message}")
            print("\n".join(f"    recorded: {one.wanted}\n    today:    {one.found}" for one in each.differences))
    if played.failure is not None:
        raise typer.Exit(1)


def _recorded(context: typer.Context, run: int, data: Path | None) -> "tuple[Recording, TestProject]":
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.language.check import Checker
    from sinchflow.simulate.play.project import TestProject
    from sinchflow.simulate.play.record import record as record_run

    root = root_of(context)
    project = TestProject(root, checked=Checker().check(root))  # whatever may be wrong with other tests
    journal = data_folder_of(context, data) / FILE_NAME
    return record_run(journal, run, project.checked), project


def _played(project: "TestProject", recording: "Recording") -> "tuple[Script, Result, Played]":
    from sinchflow.simulate.play.many import Troupe

    script = project.written_here(_NAME, recording.text)
    troupe = Troupe(project)
    try:
        return (script, *troupe.played(script, goes_on=True))
    finally:
        troupe.close()


def _shown(project: "TestProject", script: "Script", result: "Result", recording: "Recording") -> str:
    from sinchflow.cli.transcripts import failure_text

    return failure_text(script, result, {_NAME: recording.text}, project.checked.project.timezone)
