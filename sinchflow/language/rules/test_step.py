"""Steps of a script that do several things, nothing, or say nothing."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar, Sequence
from sinchflow.language.rules.rule import Stage, TranscriptRule
from sinchflow.language.transcript import VERBS, Transcript, TranscriptFile

_BODIES = ("json", "form", "body")


def _check(file: TranscriptFile, _stage: Stage) -> Iterator[Diagnostic]:
    for test in file.tests:
        yield from _one_verb_each(file, test)
        for step in test.steps:
            if isinstance(step.value, Mapping) and step.verb in ("out", "run"):
                if not [key for key, _ in step.value.entries if key.text != "flow"]:
                    example = "out: {contains: Hello}" if step.verb == "out" else "run: {status: completed}"
                    message = f"{step.verb} does not say what is expected"
                    yield finding(file.at(step.key), RULE.id, message, f"for example: {example}")
                elif step.value.entry("text") and (twice := step.value.entry("contains")) and step.verb == "out":
                    hint = "text is all of the message: keep one of them"
                    yield finding(file.at(twice[0]), RULE.id, "contains has no meaning beside text", hint)
            elif step.verb == "http":
                yield from _answer(file, step.get("respond"))
            yield from _bodies(file, step.value)


def _one_verb_each(file: TranscriptFile, test: Transcript) -> Iterator[Diagnostic]:
    script = test.node.get("script")
    for item in script.items if isinstance(script, Sequence) else ():
        verbs = [key for key, _ in item.entries if key.text in VERBS] if isinstance(item, Mapping) else []
        for key in verbs[1:]:
            message = f"{verbs[0].text} and {key.text} are two steps"
            yield finding(file.at(key), RULE.id, message, f'begin another one: "- {key.text}: …"')
        if isinstance(item, Mapping) and not item.entries:
            yield finding(file.at(item), RULE.id, "this step is empty", "write what happens, for example: in: HOURS")


def _answer(file: TranscriptFile, node: object) -> Iterator[Diagnostic]:
    """A fault is no answer, so it goes with none."""
    fault = node.entry("fault") if isinstance(node, Mapping) else None
    if fault and isinstance(node, Mapping) and isinstance(fault[1], Scalar):
        for name in ("status", "headers", *_BODIES):
            if pair := node.entry(name):
                message = f"{name} is of an answer, and with the fault {fault[1].text} there is none"
                yield finding(file.at(pair[0]), RULE.id, message, "keep one of them")
    yield from _bodies(file, node)


def _bodies(file: TranscriptFile, node: object) -> Iterator[Diagnostic]:
    given = [pair[0] for name in _BODIES if isinstance(node, Mapping) and (pair := node.entry(name))]
    for key in given[1:]:
        hint = "keep one of them"
        yield finding(file.at(key), RULE.id, f"{given[0].text} and {key.text} are two bodies", hint)


RULE = TranscriptRule(
    id="test-step",
    reason="A script is read from top to bottom, one thing after the other.",
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
        out: We are open from 8 to 6.
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
