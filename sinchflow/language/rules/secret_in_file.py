"""Credentials written out in the project file."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_NAMES = {
    "credentials.api_key": "SINCH_API_KEY",
    "credentials.api_secret": "SINCH_API_SECRET",
    "webhooks.token": "HOOK_TOKEN",
    "webhooks.secret": "HOOK_SECRET",
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        name = _NAMES.get(text.place)
        if name and not text.is_template:
            key = text.place.rpartition(".")[2]
            if text.account:
                name = name.replace("SINCH", text.account.upper().replace("-", "_"))
            message = f"the {key} stands in the file for everyone to read who can read the repository"
            hint = f'write "{{{{ secrets.{name} }}}}" and set the variable SINCHFLOW_SECRET_{name}'
            yield finding(outline.document.origin_of(text.key or text.scalar), RULE.id, message, hint, "warning")


RULE = Rule(
    id="secret-in-file",
    reason="What is committed once stays in the repository's history for good.",
    failing="""\
credentials: {api_key: abc, api_secret: def}
""",
    corrected="""\
credentials:
  api_key: "{{ secrets.SINCH_API_KEY }}"
  api_secret: "{{ secrets.SINCH_API_SECRET }}"
""",
    check=_check,
    applies_to="project",
)
