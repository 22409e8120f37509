"""docs/rules is made from the rules: one page for each, and one that leads to them all.

`UPDATE_DOCS=1 pytest -n0 tests/test_rule_pages.py` writes them anew: read what it wrote, and commit it with the rule.
"""

import os
from pathlib import Path

import pytest

from sinchflow.cli.explain import shown
from sinchflow.language.manual import as_index, as_markdown
from sinchflow.language.rules.pages import ALL

FOLDER = Path(__file__).parent.parent / "docs/rules"
HELP = "docs/rules differs from the rules; write it anew: UPDATE_DOCS=1 pytest -n0 tests/test_rule_pages.py"


def holds(name: str, text: str) -> None:
    """The page says this, or is made to."""
    page = FOLDER / name
    if os.environ.get("UPDATE_DOCS"):
        page.parent.mkdir(exist_ok=True)
        page.write_text(text, encoding="utf-8")
    assert page.is_file(), f"there is no docs/rules/{name}: {HELP}"
    assert page.read_text(encoding="utf-8") == text, HELP


@pytest.mark.parametrize("rule", ALL)
def test_page_says_what_the_rule_says(rule):
    holds(f"{rule}.md", as_markdown(ALL[rule], *shown(ALL[rule])))


def test_every_rule_is_in_the_index():
    holds("README.md", as_index(ALL.values()))


def test_no_page_is_left_of_a_rule_that_is_gone():
    left = {page.name for page in FOLDER.glob("*")} - {"README.md", *(f"{rule}.md" for rule in ALL)}
    for name in left if os.environ.get("UPDATE_DOCS") else ():
        (FOLDER / name).unlink()
    assert {name for name in left if (FOLDER / name).exists()} == set(), HELP
