"""Keywords of flows that policy takes before any flow sees them."""

from collections.abc import Iterator

from sinchflow.expression.keywords import Kind, means
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_PLACES = ("inbound_sms.keyword", "inbound_sms.exact", "category.keyword", "category.exact", "category.answer")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    taken: tuple[tuple[Kind, tuple[str, ...] | None], ...] = (
        ("opt_out", settings.opt_out_words),
        ("help", settings.help_words),
    )
    for text in outline.texts:
        if text.place not in _PLACES or text.is_template:
            continue
        for kind, words in taken:
            if words is not None and means(text.scalar.text, kind, words or None):
                name = kind.replace("_", "-")
                message = f'"{text.scalar.text}" alone is an {name} word: policy takes it, and no flow sees it'
                if kind == "help":
                    message = f'"{text.scalar.text}" alone is a help word, which policy answers: no flow sees it'
                hint = f"choose another word, or set policy.{kind} in sinchflow.yaml (see `sinchflow routes`)"
                yield finding(outline.document.origin_of(text.scalar), RULE.id, message, hint, "warning")


RULE = Rule(
    id="policy-word",
    reason="A message that is nothing but STOP means an opt-out, whatever flows would make of it.",
    failing="""\
on:
  inbound_sms: {exact: CANCEL}
steps:
  - reply: Cancelled.
""",
    corrected="""\
on:
  inbound_sms: {exact: CANCEL BOOKING}
steps:
  - reply: Cancelled.
""",
    check=_check,
)
