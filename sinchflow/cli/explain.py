"""`sinchflow explain`: what a rule finds, why it matters, and how it is mended."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sinchflow.errors import UsageError

if TYPE_CHECKING:
    from sinchflow.language.rules.rule import Page

#: When samples are checked, so that they give the same on every day: times before it are past.
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Shown(NamedTuple):
    """What is found in a failing sample: how bad it is, and the text that `validate` prints (none without sample)."""

    severity: str
    text: str


def explain(
    rule: Annotated[
        str | None, typer.Argument(metavar="[RULE]", help="The name in brackets at the end of a finding's line.")
    ] = None,
) -> None:
    """Print what a rule finds, why it matters, a sample that fails and the same mended.

    Without RULE: all rules, one a line.

    \b
    Examples:
      sinchflow explain
      sinchflow explain cut-text
    """
    from sinchflow.language.manual import as_list, as_text
    from sinchflow.language.rules.pages import ALL
    from sinchflow.language.suggest import nearest

    if rule is None:
        print(as_list(ALL.values()), end="")
        return
    name = rule.strip("[]")
    if name not in ALL:
        near = nearest(name, ALL)
        raise UsageError(
            f'no rule is called "{rule}"; ' + (f'did you mean "{near}"?' if near else "`sinchflow explain` lists all")
        )
    print(as_text(ALL[name], *shown(ALL[name])), end="")


def shown(page: "Page") -> Shown:
    """What `validate` finds in the page's failing sample."""
    from sinchflow.language.check import Checker
    from sinchflow.language.diagnostic import present_text
    from sinchflow.language.manual import sample_files

    if not page.failing:
        return Shown("error", "")
    with TemporaryDirectory(prefix="sinchflow-") as folder:
        for name, text in sample_files(page, page.failing).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        checked = Checker(builds=False).check(Path(folder), now=NOW, tests=True)
    severities = sorted({item.severity for item in checked.diagnostics})
    return Shown(" and ".join(severities), present_text(checked.diagnostics, checked.texts))
