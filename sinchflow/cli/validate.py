"""`sinchflow validate`: all findings at once, for people and for programs."""

from pathlib import Path
from typing import Annotated

import typer

from sinchflow.cli.checking import Format, check_files
from sinchflow.cli.invocation import root_of


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
    raise typer.Exit(check_files(root_of(context), paths or (), output, strict=strict, fix=fix, diff=diff, cache=cache))
