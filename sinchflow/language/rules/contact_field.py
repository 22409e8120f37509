"""A field of the contact that no flow remembers, but for a letter or two."""

from collections.abc import Iterator
from difflib import get_close_matches

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.rules.rule import SetRule, Survey

#: first_name and last_name are two names; firstname and frist_name are slips.
_NEAR = 0.85


def _check(survey: Survey) -> Iterator[Diagnostic]:
    """What nothing comes near to may be kept with contacts in another way, and be meant."""
    remembered = {name for flow in survey.flows for name in flow.remembers}
    if not remembered:
        return
    for name, origin in (each for flow in survey.flows for each in flow.recalls):
        near = get_close_matches(name, remembered, n=1, cutoff=_NEAR) if name not in remembered else []
        if near:
            message = f'no flow remembers "{name}" of a contact, so it is never there'
            yield finding(origin, RULE.id, message, f'did you mean "{near[0]}"?', "warning")


RULE = SetRule(
    id="contact-field",
    reason="What flows read of a contact is what flows remember: a name that differs by a letter is always missing.",
    failing="""\
name: ask-name
on:
  inbound_sms: {keyword: NAME}
steps:
  - remember: {first_name: "{{ match.rest }}"}
---
name: hello
on:
  inbound_sms: {keyword: HELLO}
steps:
  - reply: "Hi {{ contact.firstname | default('there') }}"
""",
    corrected="""\
name: ask-name
on:
  inbound_sms: {keyword: NAME}
steps:
  - remember: {first_name: "{{ match.rest }}"}
---
name: hello
on:
  inbound_sms: {keyword: HELLO}
steps:
  - reply: "Hi {{ contact.first_name | default('there') }}"
""",
    check=_check,
)
