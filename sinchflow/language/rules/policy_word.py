"""Words of flows and waits that policy takes before any of them sees the message."""

import re
from collections.abc import Iterator
from functools import lru_cache

from sinchflow.expression.keywords import Kind, means
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings

_FILTERS = ("keyword", "exact", "starts_with", "answer")
_PLACES = frozenset(f"{owner}.{name}" for owner in ("inbound_sms", "category") for name in _FILTERS)
_PATTERNS = ("inbound_sms.regex", "category.regex")
#: A pattern that takes whole messages, each written out: `^stop$`, `^(stop|end)$`.
_WHOLE = re.compile(r"\^(?:\\s\*)?(?:\((?:\?:)?([\w '|]+)\)|([\w ']+))(?:\\s\*)?\$")
_WORD = re.compile(r"[^|]+")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place not in _PLACES and text.place not in _PATTERNS:
            continue
        for at, word in _words(text):
            kind = _kind(word, settings.opt_out_words, settings.help_words)
            if kind:
                origin = outline.at(text, at, len(word)) if text.place in _PATTERNS else None
                where = origin or outline.document.origin_of(text.scalar)
                hint = f"choose another word, or set policy.{kind} in sinchflow.yaml (see `sinchflow routes`)"
                yield finding(where, RULE.id, _message(word, kind, text), hint, "warning")


@lru_cache(maxsize=10_000)
def _kind(word: str, opt_out: tuple[str, ...] | None, help_words: tuple[str, ...] | None) -> Kind | None:
    """What policy takes the word for."""
    taken: tuple[tuple[Kind, tuple[str, ...] | None], ...] = (("opt_out", opt_out), ("help", help_words))
    return next((kind for kind, words in taken if words is not None and means(word, kind, words or None)), None)


def _words(text: TextUse) -> Iterator[tuple[int, str]]:
    """The words that a filter takes alone, and where they stand in it."""
    if text.place in _PLACES:
        if not text.is_template:
            yield 0, text.scalar.text
    elif text.place in _PATTERNS and (whole := _WHOLE.fullmatch(text.scalar.text)):
        group = 1 if whole[1] else 2
        for word in _WORD.finditer(text.scalar.text, *whole.span(group)):
            yield word.start(), word[0]


def _message(word: str, kind: Kind, text: TextUse) -> str:
    who = "wait" if text.place.startswith("category.") else "flow"
    if kind == "help":
        return f'"{word}" alone is a help word, which policy answers: no {who} sees it'
    return f'"{word}" alone is an {kind.replace("_", "-")} word: policy takes it, and no {who} sees it'


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
