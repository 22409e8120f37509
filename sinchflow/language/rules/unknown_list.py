"""A list that the project file does not have: in a template, in a trigger's filter, or in its own `policy.staff`."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean
from sinchflow.model.origin import Origin

_STAFF = "policy.staff.list"


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    if settings.lists is None:
        return
    for name, where in _named(outline):
        if name not in settings.lists:
            hint = (
                did_you_mean(name, settings.lists, "lists") or f"add it there under lists: {{{name}: lists/{name}.csv}}"
            )
            message = f'there is no list "{name}" in sinchflow.yaml'
            yield finding(where, RULE.id, message, hint, edits=meant(where, name, settings.lists))


def _named(outline: Outline) -> Iterator[tuple[str, Origin]]:
    for text in outline.texts:
        is_filter = text.is_filter and text.place.endswith(".list")
        if (is_filter or text.place == _STAFF) and not text.is_template:
            yield text.scalar.text, outline.document.origin_of(text.scalar)
    for text, use in outline.uses("lists"):
        if len(use.path) > 1 and not text.scope.items & {"lists"}:
            yield use.path[1], outline.at_part(text, use, 1)


RULE = Rule(
    id="unknown-list",
    reason="A list that is not there has nobody in it: the filter would never pass, the template would fail its step.",
    failing="""\
on:
  inbound_sms:
    from: {list: vip}
steps:
  - reply: Hello.
""",
    corrected="""\
on:
  inbound_sms:
    from: "+614*"
steps:
  - reply: Hello.
""",
    check=_check,
    applies_to="both",
)
