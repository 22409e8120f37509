"""The pages of findings that come from no rule of their own: from reading files, from the schemas, from CSV files.

`ALL` are these and those of the rules: every id that a finding can have. A page without samples is about something
that cannot be shown as a text, such as a file that is too large.
"""

from sinchflow.language.rules import RULES, SET_RULES, TRANSCRIPT_RULES, pages_files, pages_ignores, pages_yaml
from sinchflow.language.rules.rule import Page

PAGES: tuple[Page, ...] = (*pages_yaml.PAGES, *pages_files.PAGES, *pages_ignores.PAGES)

#: By id, in order.
ALL: dict[str, Page] = {
    page.id: page for page in sorted((*RULES, *SET_RULES, *TRANSCRIPT_RULES, *PAGES), key=lambda page: page.id)
}
