"""The project: do its flows pass, are the secrets there that it names, is its webhook token worth the name."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sinchflow.cli.checkup.finding import Finding, fail, ok, warn

if TYPE_CHECKING:
    from sinchflow.language.check import Checked

#: 16 random bytes in hexadecimal; whoever guesses the token can tell the daemon what he likes.
_SHORTEST_TOKEN = 16
_MOST_SECRETS = 10


def flows(checked: "Checked") -> Iterator[Finding]:
    """What `validate` says, in one line."""
    errors = [each for each in checked.diagnostics if each.severity == "error"]
    warnings = [each for each in checked.diagnostics if each.severity != "error"]
    if errors:
        words = f"{_many(len(errors), 'error')}; the first: {errors[0]}"
        yield fail("flows", words, "`sinchflow validate` shows all")
    elif warnings:
        words = f"{_many(len(warnings), 'warning')}; the first: {warnings[0]}"
        yield warn("flows", words, "`sinchflow validate` shows all")
    elif not checked.flows:
        yield warn("flows", "there is none", "`sinchflow init DIR` writes a project with one")
    else:
        yield ok("flows", f"{_many(len(checked.flows), 'flow')}, no findings")


def secrets(root: Path, checked: "Checked") -> Iterator[Finding]:
    """Those that flows and settings name and this command does not find. Raises CannotStart."""
    from sinchflow.runtime.secrets import Secrets

    known = Secrets.of_project(root, checked.project)
    missing = known.missing([*(flow for flow in checked.flows if flow.enabled), checked.project])
    if not missing:
        yield ok("secrets", "all that flows and settings name are there")
        return
    for each in missing[:_MOST_SECRETS]:
        yield fail("secrets", str(each), "where the daemon gets it elsewhere (systemd, Docker), run doctor there")
    if len(missing) > _MOST_SECRETS:
        yield fail("secrets", f"and {len(missing) - _MOST_SECRETS} more", "set them, too")


def token(root: Path) -> Iterator[Finding]:
    """The secret part of the addresses that the provider calls. Raises CannotStart when there is none."""
    from sinchflow.cli.provider import Provider

    found = Provider(root).hooks().token
    if len(found) < _SHORTEST_TOKEN or len(set(found)) < _SHORTEST_TOKEN // 3:
        yield fail(
            "webhook token",
            f"{len(found)} characters, and easy to guess: whoever does can push events",
            "make one with `openssl rand -hex 24`, then `sinchflow apply`",
        )
    else:
        yield ok("webhook token", "set, and long enough")


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
