"""Schedules that are never due, or are due in two ways."""

from collections.abc import Iterator

from sinchflow.expression.cron import cron_fault
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Scalar
from sinchflow.language.outline import Outline, TriggerView
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.zones import zone_edits, zone_fault


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for trigger in outline.triggers:
        if trigger.kind == "schedule" and trigger.filters is not None:
            yield from _parts(outline, trigger)


def _parts(outline: Outline, trigger: TriggerView) -> Iterator[Diagnostic]:
    filters = trigger.filters
    assert filters is not None
    cron, every, zone = filters.entry("cron"), filters.entry("every"), filters.entry("timezone")
    at = outline.document.origin_of
    if not cron and not every:
        hint = 'write cron: "0 9 * * mon-fri", or every: 15m'
        yield finding(at(trigger.key), RULE.id, "the schedule does not say when it is due", hint)
    elif cron and every:
        yield finding(at(every[0]), RULE.id, "the schedule is due in two ways", "keep one of cron and every")
    if zone and every and not cron:
        hint = "delete it, or use cron"
        yield finding(at(zone[0]), RULE.id, "timezone has no meaning for every, which goes by UTC", hint)
    if cron and isinstance(cron[1], Scalar) and cron[1].is_text and (fault := cron_fault(cron[1].text)):
        yield finding(at(cron[1]), RULE.id, fault, 'for example: cron: "0 9 * * mon-fri"')
    if zone and isinstance(zone[1], Scalar) and zone[1].is_text:
        message, hint = zone_fault(zone[1].text)
        if message:
            yield finding(at(zone[1]), RULE.id, message, hint, edits=zone_edits(at(zone[1]), zone[1].text))


RULE = Rule(
    id="schedule-parts",
    reason="A schedule says when it is due in one way, and so that the time comes.",
    failing="""\
on:
  schedule: {cron: "0 25 * * *"}
steps:
  - log: good morning
""",
    corrected="""\
on:
  schedule: {cron: "0 9 * * *"}
steps:
  - log: good morning
""",
    check=_check,
)
