"""`vars.NAME` that nothing before has set."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, use in outline.uses("vars"):
        if len(use.path) < 2 or use.path[1] in text.scope.vars or text.scope.phase == "match":
            continue
        name = use.path[1]
        where = outline.at_part(text, use, 1)
        if name in outline.vars:
            if not use.guarded:
                hint = f"give it a first value at the top: vars: {{{name}: …}}"
                yield finding(where, RULE.id, f'the variable "{name}" is set only after this', hint)
        elif outline.has_all_vars:
            hint = did_you_mean(name, text.scope.vars) if text.scope.vars else f"set it at the top: vars: {{{name}: …}}"
            edits = meant(where, name, text.scope.vars)
            yield finding(where, RULE.id, f'no variable "{name}" is set', hint, edits=edits)


RULE = Rule(
    id="unknown-var",
    reason="A variable is there once `vars` or a `set` before has given it a value.",
    failing="""\
vars: {phone: 1300 555 010}
on: inbound_sms
steps:
  - reply: "Call {{ vars.phon }}"
""",
    corrected="""\
vars: {phone: 1300 555 010}
on: inbound_sms
steps:
  - reply: "Call {{ vars.phone }}"
""",
    check=_check,
)
