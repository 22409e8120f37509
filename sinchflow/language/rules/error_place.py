"""`error` outside of an `on_error`."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, use in outline.uses("error"):
        if text.scope.phase == "step" and not text.scope.has_error and not use.guarded:
            message = '"error" is known inside of an on_error only'
            yield finding(outline.at_part(text, use, 0), RULE.id, message, "put this step under on_error of the other")


RULE = Rule(
    id="error-place",
    reason="Only the steps of an `on_error` know what went wrong.",
    failing="""\
on: inbound_sms
steps:
  - http: {url: https://crm.example.com/}
    on_error: continue
  - log: "{{ error.message }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - http: {url: https://crm.example.com/}
    on_error:
      - log: "{{ error.message }}"
""",
    check=_check,
)
