"""`sinchflow backup`: a consistent copy of the journal, also while the daemon runs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, data_folder_of
from sinchflow.cli.output import print_json
from sinchflow.cli.screen import console


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    as_json: AsJson = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Copy the journal: all runs, messages, people and opt-outs, as they are at one moment.

    Works while the daemon runs, which goes on meanwhile, and without one. FILE is there only once it is whole and
    checked. It holds numbers and texts of customers: keep it as you keep those.

    \b
    Examples:
      sinchflow backup /backups/shop.sqlite3
      sinchflow backup --force /backups/$(date +%a).sqlite3
    """
    from sinchflow.journal import copying
    from sinchflow.journal.sqlite import FILE_NAME

    journal = data_folder_of(context, data) / FILE_NAME
    with progress("copying") as told:
        found = copying.back_up(journal, file, datetime.now(UTC), is_forced=force, told=told)
    if as_json:
        print_json(plain(found))
    else:
        print(f"{file}: {in_words(found)}")


@contextmanager
def progress(words: str) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _part: None
        return
    from rich.progress import Progress

    with Progress(console=console(is_error=True), transient=True) as bar:
        task = bar.add_task(words, total=1.0)

        def told(part: float) -> None:
            bar.update(task, completed=part, description="checking" if part >= 0.8 else words)

        yield told


def plain(found: Any) -> dict[str, Any]:
    """A backup as JSON."""
    return {
        "file": found.path, "taken_at": found.taken_at.isoformat(), "size_bytes": found.size_bytes,
        "schema": found.schema, **found.holds,
    }  # fmt: skip


def in_words(found: Any) -> str:
    """What is in a backup."""
    from sinchflow.runtime.status import size

    holds = found.holds
    return (
        f"{size(found.size_bytes)}, of {found.taken_at.astimezone():%Y-%m-%d %H:%M:%S}: {holds['events']} events, "
        f"{holds['runs']} runs ({holds['open_runs']} open), {holds['sends']} messages ({holds['open_sends']} open)"
    )
