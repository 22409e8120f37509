"""What is told of a rule: by `sinchflow explain`, on its page in docs/rules, and in SARIF.

Owns the words around a rule's reason and samples. What is found in a failing sample is given to it: to find out, the
sample's files must stand somewhere (`cli/explain.py`).
"""

import textwrap
from collections.abc import Iterable

from sinchflow.language.rules.rule import Page, files_of

_WIDTH = 100
_MADE = "<!-- Made from the rules: UPDATE_DOCS=1 pytest -n0 tests/test_rule_pages.py -->"


def sample_files(page: Page, sample: str) -> dict[str, str]:
    """The files of one of the page's samples by name."""
    is_project = getattr(page, "applies_to", "flow") == "project"
    return files_of(sample, "sinchflow.yaml" if is_project else "flows/sample.yaml")


def summary(page: Page) -> str:
    """The first sentence of the page's reason."""
    head, end, _ = page.reason.partition(". ")
    return head + end.rstrip()


def as_text(page: Page, severity: str, found: str) -> str:
    """The page for a terminal. severity, found: of what is found in the failing sample, as `validate` shows it."""
    parts = [f"{page.id} ({_severity(page, severity)})", "\n".join(textwrap.wrap(page.reason, _WIDTH))]
    if page.failing:
        parts += ["For example:", _indented(page.failing), _indented(found), "Mended:", _indented(page.corrected)]
    return "\n\n".join(parts) + "\n"


def as_list(pages: Iterable[Page]) -> str:
    """One line of each page, for a terminal."""
    listed = list(pages)
    width = max(len(page.id) for page in listed)
    return "".join(f"{page.id.ljust(width)}  {summary(page)}\n" for page in listed)


def as_help(page: Page) -> str:
    """The page in Markdown, without a heading and what is found."""
    parts = [page.reason]
    if page.failing:
        parts += ["For example:", _block("yaml", page.failing), "Mended:", _block("yaml", page.corrected)]
    return "\n\n".join(parts)


def as_markdown(page: Page, severity: str, found: str) -> str:
    """The page as it stands in docs/rules. severity, found: see `as_text`."""
    parts = [_MADE, f"# {page.id}", f"**{_severity(page, severity).capitalize()}.** {page.reason}"]
    if page.failing:
        parts += ["For example:", _block("yaml", page.failing), _block("text", found)]
        parts += ["Mended:", _block("yaml", page.corrected)]
    return "\n\n".join([*parts, "[All rules](README.md)"]) + "\n"


def as_index(pages: Iterable[Page]) -> str:
    """The page in docs/rules that leads to all others."""
    intro = (
        "What `sinchflow validate` finds, by the name that stands at the end of a finding's line. `sinchflow explain"
        " NAME` prints the same. How to ignore a warning, and more: [Validating](../validate.md)."
    )
    rows = "".join(f"| [{page.id}]({page.id}.md) | {summary(page).replace('|', chr(92) + '|')} |\n" for page in pages)
    return f"{_MADE}\n\n# Rules\n\n{intro}\n\n| rule | why |\n|---|---|\n{rows}"


def _severity(page: Page, severity: str) -> str:
    return "error or warning" if page.is_mixed else severity


def _indented(text: str) -> str:
    return textwrap.indent(text.rstrip("\n"), "    ")


def _block(kind: str, text: str) -> str:
    return f"```{kind}\n{text.rstrip(chr(10))}\n```"
