"""What texts with holes may cost."""

import pytest

from sinchflow.language.document import compose, documents
from sinchflow.language.inspector import Inspector
from sinchflow.language.messages import messages_of
from sinchflow.language.parts import estimate, ways_of
from sinchflow.language.walk import outline_flow

FLOW = """\
on: inbound_sms
steps:
  - for_each:
      items: "{{ lists.vip }}"
      as: person
      steps:
        - reply: |-
            TEXT
"""


def cost(text: str):
    [document] = documents(FLOW.replace("TEXT", text), "flows/a.yaml")
    assert compose(document) == []
    outline = outline_flow(document, Inspector())
    [message] = messages_of(outline)
    return estimate(ways_of(outline, message.scalar.text))


@pytest.mark.parametrize(
    ("text", "characters", "parts"),
    [
        ("Hello", (5, 5), (1, 1)),
        ("x" * 160, (160, 160), (1, 1)),
        ("x" * 161, (161, 161), (2, 2)),
        ("€" * 81, (81, 81), (2, 2)),
        ("– " * 36, (71, 71), (2, 2)),  # YAML takes the last space away
        ("Hi {{ contact.number }}", (4, 19), (1, 1)),
        ("Hi {{ event.content }}", (4, None), (1, None)),
        ("Hi {{ event.content | truncate(30) }}", (4, 33), (1, 1)),
        ("Hi {{ person.name | upper }}", (4, 23), (1, 1)),
        ("Hi {{ contact.name | default('there') }}", (4, 23), (1, 1)),
        ("Hi {{ contact.name | default('') }}", (3, 23), (1, 1)),
        ("{% if vars.a %}Hello{% elif vars.b %}Hi{% else %}Good morning{% endif %}!", (3, 13), (1, 1)),
        ("{% if vars.a %}Hello{% endif %}", (0, 5), (1, 1)),
        ("{{ 'yes' if vars.a else 'no' }}", (2, 3), (1, 1)),
        ("{{ 'a' ~ vars.b ~ 'c' }}", (3, None), (1, None)),
        ("{% for each in vars.all %}ab{% endfor %}", (2, 2), (1, 1)),
        ("{# nobody sees this #}a", (1, 1), (1, 1)),
        ("x" * 150 + "{{ contact.number }}", (151, 166), (1, 2)),
    ],
)
def test_characters_and_parts_have_a_least_and_a_most(text, characters, parts):
    found = cost(text.strip())
    assert (found.characters, found.parts) == (characters, parts)


@pytest.mark.parametrize(
    ("text", "unicode", "is_always"),
    [
        ("Hello", None, True),
        ("It’s {{ event.content }}", ("’", 2), True),
        ("{{ event.content }}…", ("…", 19), True),
        ("{% if vars.a %}–{% else %}-{% endif %}", ("–", 15), False),
        ("{{ vars.a | default('–') }}", ("–", 21), False),
    ],
)
def test_the_character_that_makes_a_text_unicode_is_found(text, unicode, is_always):
    found = cost(text)
    assert (found.unicode, found.is_always) == (unicode, is_always)


def test_a_text_of_very_many_branches_is_looked_at_in_bounded_time():
    assert cost("{% if vars.a %}a{% endif %}" * 200).parts == (1, 2)
