"""Pictures without MMS, MMS without pictures."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for _, node in step.actions:
            if step.action in ("reply", "send_sms") and isinstance(node, Mapping):
                yield from _parts(outline, node)


def _parts(outline: Outline, node: Mapping) -> Iterator[Diagnostic]:
    given = node.get("format")
    is_mms = isinstance(given, Scalar) and given.text == "MMS"
    if is_mms and given is not None and not node.entry("media"):
        yield finding(
            outline.document.origin_of(given), RULE.id, "an MMS needs media", "add media: with a picture's URL"
        )
    for name in ("media", "subject"):
        pair = node.entry(name)
        if pair and not is_mms:
            yield finding(outline.document.origin_of(pair[0]), RULE.id, f"{name} needs an MMS", "add format: MMS")
    kind, number = node.entry("source_number_type"), node.entry("source_number")
    if kind and not number:
        message = "source_number_type says nothing without source_number"
        yield finding(outline.document.origin_of(kind[0]), RULE.id, message, "add source_number:, or delete it")


RULE = Rule(
    id="message-parts",
    reason="The provider takes pictures and a subject with an MMS only, and a type of sender with a sender only.",
    failing="""\
on: inbound_sms
steps:
  - reply: {message: Our map, media: https://shop.example.com/map.png}
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: {message: Our map, format: MMS, media: https://shop.example.com/map.png}
""",
    check=_check,
)
