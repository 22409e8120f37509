"""`sinchflow events reparse` and `sinchflow events discard`: webhook bodies that could not be read, by the daemon."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, an_id, data_folder_of, who
from sinchflow.cli.output import print_json
from sinchflow.errors import UsageError

#: Bodies in one request, of `--all`.
_AT_ONCE = 50
#: Fifty of the largest bodies take less.
_PATIENCE_S = 300.0
_NOTHING = "nothing is in quarantine"
_OUTCOMES = {
    "started": "read, and on their way", "known": "read, and known already",
    "too_late": "read, too late to start anything (--even-old would have started it)",
    "unreadable": "still cannot be read",
}  # fmt: skip

_Ids = Annotated[
    list[int] | None,
    typer.Argument(metavar="ID…", help="Ids from `events list --quarantined`.", parser=an_id),
]
_All = Annotated[bool, typer.Option("--all", help="All that are in quarantine.")]
_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The daemon's data folder.", show_default=".sinchflow")
]


def reparse(
    context: typer.Context,
    ids: _Ids = None,
    is_all: _All = False,
    even_old: Annotated[
        bool, typer.Option("--even-old", help="Also start flows for those older than `catch_up.max_age` (2 h).")
    ] = False,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Read bodies in quarantine again, once the webhook's template is mended; what can be read starts flows as if it
    had just come. What came too long ago is recorded and starts nothing, unless --even-old. Exit code 1: some still
    cannot be read.

    \b
    Examples:
      sinchflow events reparse --all
      sinchflow events reparse 4711 --even-old
    """
    folder = data_folder_of(context, data)
    done = _asked_for(folder, "reparse", _chosen(ids, is_all=is_all), {"even_old": even_old})
    if as_json:
        print_json(done)
    else:
        lines = [f"{done[name]} {text}" for name, text in _OUTCOMES.items() if done.get(name)]
        print("\n".join(lines) if lines else _NOTHING)
        if done["unreadable"]:
            print(
                "why: `sinchflow events list --quarantined`; `sinchflow drift` compares the webhooks", file=sys.stderr
            )
    if done["unreadable"]:
        raise typer.Exit(1)


def discard(
    context: typer.Context,
    ids: _Ids = None,
    is_all: _All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    data: _Data = None,
) -> None:
    """Give up bodies in quarantine: they are deleted, and nobody can read them again.

    \b
    Examples:
      sinchflow events discard 4711
      sinchflow events discard --all
    """
    from sinchflow.cli import admin

    chosen, folder = _chosen(ids, is_all=is_all), data_folder_of(context, data)
    count = len(chosen) if chosen else _count(admin.demand(folder))
    if count and not yes and not _agrees(f"{count} {'body' if count == 1 else 'bodies'}"):
        print("nothing is changed", file=sys.stderr)
        raise typer.Exit(1)
    done = _asked_for(folder, "discard", chosen, {})
    if as_json:
        print_json(done)
    else:
        print(f"{done['discarded']} deleted, {done['left']} left" if count else _NOTHING)


def _chosen(ids: list[int] | None, *, is_all: bool) -> list[int]:
    """Ids; none: all."""
    if bool(ids) == is_all:
        raise UsageError("name the bodies by id, or all of them with --all" + (", not both" if is_all else ""))
    return list(dict.fromkeys(ids or ()))


def _agrees(what: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"this would delete {what} for good: say so with --yes")
    return typer.confirm(f"delete {what} for good?", err=True)


def _count(daemon: Any) -> int:
    from sinchflow.cli import admin

    return int(admin.ask(daemon, "GET", "/api/events/quarantined?limit=1")["count"])


def _asked_for(folder: Path, what: str, ids: list[int], more: dict[str, Any]) -> dict[str, Any]:
    """What the daemon did with these, or with all: counts, and how many are left."""
    from sinchflow.cli import admin

    daemon = admin.demand(folder)
    asked = {**more, "by": who()}
    path = f"/api/events/{what}"
    if ids:
        done: dict[str, Any] = admin.ask(daemon, "POST", path, {**asked, "ids": ids}, timeout_s=_PATIENCE_S)
        done.pop("last", None)
        return done
    from sinchflow.cli.run_changes import progress_bar

    count, counts, after, left = _count(daemon), Counter[str](), 0, 0
    with progress_bar(what, count) as show:
        while True:
            portion = {**asked, "after": after, "limit": _AT_ONCE}
            done = admin.ask(daemon, "POST", path, portion, timeout_s=_PATIENCE_S)
            last, left = done.pop("last"), done.pop("left")
            counts.update(done)
            show(min(sum(counts.values()), count))
            if last is None:
                return {**counts, "left": left}
            after = last
