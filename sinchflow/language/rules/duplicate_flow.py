"""Two flows with one name, in whatever files."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Named
from sinchflow.language.rules.rule import SetRule, Survey


def _check(survey: Survey) -> Iterator[Diagnostic]:
    """Names are the same when they differ in upper and lower case only: they would be hard to tell apart in a log."""
    first: dict[str, Named] = {}
    for flow in (each.named for each in survey.flows):
        other = first.setdefault(flow.name.casefold(), flow)
        if other is flow:
            continue
        place = f"{other.origin.file}:{other.origin.line}"
        if flow.is_written:
            message, hint = f'the flow name "{flow.name}" is taken by {place}', "rename one of them"
            yield finding(flow.origin, RULE.id, message, hint)
        else:
            message = f'without a name this flow is "{flow.name}" after its file, and so is {place}'
            yield finding(flow.origin, RULE.id, message, "give it one: name: …")


RULE = SetRule(
    id="duplicate-flow",
    reason="A flow is known by its name: in logs, in `run_flow`, and to the runs that began with it.",
    failing="""\
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: We are open from 8am to 6pm.
---
name: hours
on:
  inbound_sms: {keyword: OPEN}
steps:
  - reply: We are open from 8am to 6pm.
""",
    corrected="""\
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: We are open from 8am to 6pm.
---
name: open
on:
  inbound_sms: {keyword: OPEN}
steps:
  - reply: We are open from 8am to 6pm.
""",
    check=_check,
)
