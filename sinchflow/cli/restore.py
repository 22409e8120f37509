"""`sinchflow restore`: puts a backup back, and says what becomes of what was unfinished in it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.backup import in_words, plain, progress
from sinchflow.cli.invocation import AsJson, data_folder_of, who
from sinchflow.cli.output import cell, print_json, table
from sinchflow.errors import CannotStart, UsageError

_MOST_SHOWN = 50


def restore(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="What `sinchflow backup` wrote.")] = None,
    release: Annotated[bool, typer.Option("--release", help="Let everything go on that was unfinished.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End everything that was unfinished.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Although there is a journal; it is kept beside.")] = False,
    as_json: AsJson = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
    ] = None,
) -> None:
    """Put a backup back. Nothing that was unfinished in it goes on, and no message of it leaves, without your word.

    The backup is older than the world: what waits in it may have been sent since. So the daemon starts with all open
    runs suspended and all open messages held; new messages and new runs work at once. Then say what becomes of them.

    \b
      sinchflow restore                 what waits
      sinchflow restore --release       the runs go on where they were; timers that are due go off now
      sinchflow restore --cancel        the runs end
      sinchflow sends resolve …         each held message, afterwards: it went out, send it, or go on without it

    \b
    Example:
      sinchflow restore /backups/shop.sqlite3
    """
    if release + cancel + (file is not None) > 1:
        raise UsageError("FILE, --release and --cancel are three steps: give one of them")
    if force and file is None:
        raise UsageError("--force goes with FILE")
    folder = data_folder_of(context, data)
    if file is not None:
        _put_back(file, folder, is_forced=force, as_json=as_json)
    elif release or cancel:
        _change(folder, "release" if release else "cancel", as_json=as_json)
    else:
        _show(folder, as_json=as_json)


def _put_back(file: Path, folder: Path, *, is_forced: bool, as_json: bool) -> None:
    from sinchflow.journal import copying
    from sinchflow.journal.sqlite import FILE_NAME, FolderLock

    found = copying.look_at(file)
    lock = FolderLock(folder)
    try:
        with progress("copying") as told:
            kept = copying.put_back(file, folder / FILE_NAME, datetime.now(UTC), is_forced=is_forced, told=told)
    finally:
        lock.release()
    if as_json:
        print_json({**plain(found), "journal": str(folder / FILE_NAME), "kept": None if kept is None else str(kept)})
        return
    print(f"restored {folder / FILE_NAME}: {in_words(found)}")
    if kept is not None:
        print(f"the journal that was there is {kept}")
    holds = found.holds
    if holds["open_runs"] or holds["open_sends"]:
        print(
            "start the daemon; then `sinchflow restore` shows what was unfinished, which goes on only when you say so"
        )


def _change(folder: Path, what: str, *, as_json: bool) -> None:
    from sinchflow.cli import admin

    answer: dict[str, Any] = admin.ask(admin.demand(folder), "POST", f"/api/restored/{what}", {"by": who()})
    if as_json:
        print_json(answer)
        return
    done = ("goes on", "go on") if what == "release" else ("is cancelled", "are cancelled")
    routed = ("is routed", "are routed") if what == "release" else ("starts nothing", "start nothing")
    print(f"{_count(answer['runs'], 'run', done)}, {_count(answer['events'], 'event', routed)}")
    if answer["held"]:
        held = _count(answer["held"], "message", ("is held", "are held"))
        print(f"{held}: see `sinchflow sends list --state held`, then `sinchflow sends resolve`")


def _count(number: int, noun: str, verb: tuple[str, str]) -> str:
    return f"1 {noun} {verb[0]}" if number == 1 else f"{number} {noun}s {verb[1]}"


def _show(folder: Path, *, as_json: bool) -> None:
    found = _found(folder)
    if as_json:
        print_json(found)
        return
    restored = found["restored"]
    if restored is None:
        print("nothing waits since a restoration")
        return
    taken_at = datetime.fromisoformat(restored["taken_at"]).astimezone()
    print(f"restored from a backup of {taken_at:%Y-%m-%d %H:%M:%S}")
    print(
        f"{len(found['runs'])} runs and {found['events']} events wait for your word, {found['held']} messages are held"
    )
    if found["runs"]:
        shown = found["runs"][:_MOST_SHOWN]
        print(table(("id", "flow", "contact", "started_at"), ([cell(each[k]) for k in each] for each in shown)))
        if len(found["runs"]) > len(shown):
            print(f"and {len(found['runs']) - len(shown)} more; --json shows all")
    print("`sinchflow restore --release` lets them go on, `sinchflow restore --cancel` ends them")


def _found(folder: Path) -> dict[str, Any]:
    """From the daemon when one runs, else from the journal."""
    from sinchflow.cli import admin

    daemon = admin.find(folder)
    if daemon is not None:
        try:
            answer: dict[str, Any] = admin.ask(daemon, "GET", "/api/restored")
            return answer
        except ConnectionError:
            pass
    from sinchflow.journal.reader import open_reader
    from sinchflow.journal.restored import MARKER, SETTING
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.runtime.restored_api import about

    reader = open_reader(folder / FILE_NAME)
    try:
        if reader.meta(MARKER) is not None:
            raise CannotStart(
                f"{folder / FILE_NAME} was just restored: start the daemon, which sees to what is unfinished"
            )
        return about(reader.setting(SETTING), reader.suspended())
    finally:
        reader.close()
