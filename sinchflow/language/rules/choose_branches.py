"""Branches of `choose` that are no branches, or come after `else`; `then` without `if`, `else` without `then`."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Sequence
from sinchflow.language.outline import Outline, StepView
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        yield from _if_then(outline, step)
        for key, node in step.actions:
            if key.text == "choose" and isinstance(node, Sequence):
                yield from _branches(outline, node.items)


def _if_then(outline: Outline, step: StepView) -> Iterator[Diagnostic]:
    then, otherwise = step.node.entry("then"), step.node.entry("else")
    if then and not step.node.entry("if"):
        yield finding(outline.document.origin_of(then[0]), RULE.id, "then needs an if", "add if: with an expression")
    elif otherwise and not then:
        hint = "write if:, then: and else: in one step; a choice between several is choose"
        yield finding(outline.document.origin_of(otherwise[0]), RULE.id, "else needs if and then", hint)


def _branches(outline: Outline, branches: tuple[Node, ...]) -> Iterator[Diagnostic]:
    for at, branch in enumerate(branches):
        if not isinstance(branch, Mapping):
            continue
        if not branch.entries:
            origin = outline.document.origin_of(branch)
            yield finding(origin, RULE.id, "this branch is empty", "a branch is if and steps, or else")
            continue
        names = {key.text for key, _ in branch.entries}
        otherwise = branch.entry("else")
        where = outline.document.origin_of(otherwise[0] if otherwise else branch.entries[0][0])
        if otherwise and names & {"if", "steps"}:
            yield finding(
                where, RULE.id, "a branch is either if and steps, or else", 'put "- else:" on a line of its own'
            )
        elif otherwise and at < len(branches) - 1:
            yield finding(where, RULE.id, "else must be the last branch", "move it below the others")
        elif not otherwise and not names <= {"if", "steps"}:
            continue  # an unknown key: its own finding says enough
        elif not otherwise and names != {"if", "steps"}:
            missing = "steps" if "if" in names else "if"
            yield finding(where, RULE.id, f'this branch needs the key "{missing}"', "a branch is if and steps, or else")


RULE = Rule(
    id="choose-branches",
    reason="The first branch whose `if` holds runs; nothing after `else` ever could.",
    failing="""\
on: inbound_sms
steps:
  - choose:
      - else:
          - log: other
      - if: event.content is none
        steps:
          - log: empty
""",
    corrected="""\
on: inbound_sms
steps:
  - choose:
      - if: event.content is none
        steps:
          - log: empty
      - else:
          - log: other
""",
    check=_check,
)
