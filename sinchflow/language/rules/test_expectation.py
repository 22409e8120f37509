"""Transcript tests that cannot fail, or that expect an answer before anything happened."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.rules.rule import Stage, TranscriptRule
from sinchflow.language.transcript import ScriptStep, Transcript, TranscriptFile


def _check(file: TranscriptFile, _stage: Stage) -> Iterator[Diagnostic]:
    for test in file.tests:
        if not test.has_all_steps or not test.steps:
            continue
        if not any(step.is_expectation for step in test.steps):
            hint = "say what must come of it: out: …, http: …, run: …, or silence: true"
            yield finding(file.at(test.head), RULE.id, "this test expects nothing", hint)
        elif early := _early(test):
            message = f"nothing has happened yet that {early.verb} could come of"
            hint = "begin with what happens: in, webhook, start, receipt, advance or now"
            yield finding(file.at(early.key), RULE.id, message, hint)


def _early(test: Transcript) -> ScriptStep | None:
    """What is expected of a flow, or reported of a message, first of all."""
    first = test.steps[0]
    return first if first.verb in ("out", "http", "run", "silence") else None


RULE = TranscriptRule(
    id="test-expectation",
    reason="A test without an expectation is green whatever the flow does.",
    failing="""\
# file: flows/hours.yaml
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: We are open from 8 to 6.
# file: flows/hours.test.yaml
flow: hours
tests:
  - name: answers HOURS
    script:
      - in: Hours?
""",
    corrected="""\
# file: flows/hours.yaml
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: We are open from 8 to 6.
# file: flows/hours.test.yaml
flow: hours
tests:
  - name: answers HOURS
    script:
      - in: Hours?
      - out: We are open from 8 to 6.
""",
    check=_check,
)
