"""A calendar that the project file does not have."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    if settings.calendars is None:
        return
    for text, use in outline.uses("calendars"):
        name = use.path[1] if len(use.path) > 1 else ""
        if name and name not in settings.calendars:
            message = f'there is no calendar "{name}" in sinchflow.yaml'
            hint = (
                did_you_mean(name, settings.calendars, "calendars")
                or f"add it there under calendars: {{{name}: {{weekly: {{mon-fri: 09:00-17:00}}}}}}"
            )
            where = outline.at_part(text, use, 1)
            yield finding(where, RULE.id, message, hint, edits=meant(where, name, settings.calendars))


RULE = Rule(
    id="unknown-calendar",
    reason="Nobody knows when a calendar is open that is not there: the step would fail.",
    failing="""\
on: inbound_sms
if: not calendars.office.is_open()
steps:
  - reply: We are closed.
""",
    corrected="""\
on: inbound_sms
if: not (now() | local('%H')) in ['09', '10', '11']
steps:
  - reply: We are closed.
""",
    check=_check,
)
