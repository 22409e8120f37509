"""Two transcript tests of one name in a file."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Scalar
from sinchflow.language.rules.rule import Stage, TranscriptRule
from sinchflow.language.transcript import TranscriptFile


def _check(file: TranscriptFile, _stage: Stage) -> Iterator[Diagnostic]:
    first: dict[str, int] = {}
    for test in file.tests:
        name = test.node.get("name")
        if isinstance(name, Scalar) and name.is_text:
            where = file.at(name)
            line = first.setdefault(name.text, where.line)
            if line != where.line:
                message = f'the test on line {line} is called "{name.text}" too'
                yield finding(where, RULE.id, message, "give each its own name, so that a report says which failed")


RULE = TranscriptRule(
    id="test-name",
    reason="A failing test is found, and run again alone, by its name.",
    failing="""\
# file: flows/hours.yaml
name: hours
on:
  inbound_sms: {keyword: [HOURS, OPEN]}
steps:
  - reply: We are open from 8 to 6.
# file: flows/hours.test.yaml
flow: hours
tests:
  - name: answers
    script: [{in: Hours?}, {out: {contains: 8 to 6}}]
  - name: answers
    script: [{in: open today?}, {out: {contains: 8 to 6}}]
""",
    corrected="""\
# file: flows/hours.yaml
name: hours
on:
  inbound_sms: {keyword: [HOURS, OPEN]}
steps:
  - reply: We are open from 8 to 6.
# file: flows/hours.test.yaml
flow: hours
tests:
  - name: answers HOURS
    script: [{in: Hours?}, {out: {contains: 8 to 6}}]
  - name: answers OPEN
    script: [{in: open today?}, {out: {contains: 8 to 6}}]
""",
    check=_check,
)
