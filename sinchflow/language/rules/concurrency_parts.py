"""`max` of a `concurrency` that has one run at most."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    given = outline.root.get("concurrency")
    if not isinstance(given, Mapping):
        return
    mode, most = given.get("mode"), given.entry("max")
    if most and isinstance(mode, Scalar) and mode.text in ("single", "restart"):
        message = f"max has no meaning for {mode.text}, which has one run at a time"
        yield finding(outline.document.origin_of(most[0]), RULE.id, message, "delete it, or use queued or parallel")


RULE = Rule(
    id="concurrency-parts",
    reason="`max` says how many runs `queued` and `parallel` let in; `single` and `restart` have one.",
    failing="""\
on: inbound_sms
concurrency: {mode: single, max: 3}
steps:
  - log: hi
""",
    corrected="""\
on: inbound_sms
concurrency: {mode: parallel, max: 3}
steps:
  - log: hi
""",
    check=_check,
)
