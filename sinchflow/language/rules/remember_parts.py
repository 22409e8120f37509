"""`remember` of what cannot be remembered: the number, a language or a time zone that there is not."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import respelled
from sinchflow.language.languages import is_language, language_called, language_hint
from sinchflow.language.nodes import Mapping, Node, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.zones import zone_edits, zone_fault


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "remember" and isinstance(node, Mapping):
                for name, value in node.entries:
                    yield from _entry(outline, name, value)


def _entry(outline: Outline, name: Scalar, value: Node) -> Iterator[Diagnostic]:
    if name.text == "number":
        message = "contact.number is whose contact it is, and nothing else can be remembered under that name"
        yield finding(outline.document.origin_of(name), RULE.id, message, "choose another name")
    if not isinstance(value, Scalar) or not isinstance(value.value, str) or "{{" in value.text:
        return
    where = outline.document.origin_of(value)
    if name.text == "language" and not is_language(value.text):
        edits = respelled(where, value.text, language_called(value.text))
        yield finding(where, RULE.id, f'there is no language "{value.text}"', language_hint(value.text), edits=edits)
    elif name.text == "timezone" and (fault := zone_fault(value.text))[0]:
        yield finding(where, RULE.id, *fault, edits=zone_edits(where, value.text))


RULE = Rule(
    id="remember-parts",
    reason="`number`, `language` and `timezone` mean something: whose contact it is, which texts, which quiet hours.",
    failing="""\
on: inbound_sms
steps:
  - remember: {language: Deutsch}
""",
    corrected="""\
on: inbound_sms
steps:
  - remember: {language: de}
""",
    check=_check,
)
