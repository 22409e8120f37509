"""Texts that take many SMS each time they are sent."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.messages import messages_of
from sinchflow.language.outline import Outline
from sinchflow.language.parts import estimate, ways_of
from sinchflow.language.rules.rule import Rule, Settings

#: SMS. Phones of some years ago, and some networks, do not join more than these.
_MOST = 4
#: So many characters of any alphabet fit into those.
_ALWAYS_FIT = 4 * 67
#: Longer ones are not sent at all: `text-length` says so.
_LONGEST = 5000


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for message in messages_of(outline):
        source = message.scalar.text
        if len(source) <= _ALWAYS_FIT or message.format != "SMS":
            continue
        if len(source) > _LONGEST and not message.is_templated:
            continue
        ways = ways_of(outline, source)
        found = estimate(ways) if ways else None
        if found is None or found.parts[0] <= _MOST:
            continue
        parts, characters = found.parts[0], found.characters[0]
        at_least = "at least " if message.is_templated else ""
        said = f"this text has {at_least}{characters:,} characters: each time, {parts} SMS are charged"
        hint = "say it shorter, or link to the rest; `sinchflow texts` shows what each text costs"
        if found.unicode is not None:
            said += f', for "{found.unicode[0]}" makes it Unicode'
        yield finding(outline.document.origin_of(message.scalar), RULE.id, said, hint, "warning")


RULE = Rule(
    id="long-text",
    reason=(
        "A text of more than 160 characters travels, and is charged, as several SMS of 153. Above 4 (612 characters; "
        "268 in Unicode) some networks and phones show pieces of it, or nothing."
    ),
    failing="""\
on: inbound_sms
steps:
  - reply: >-
      Thank you for your order. We pack it today and hand it to the carrier tomorrow morning.
      You get another text with a number by which you can follow it. The carrier comes between 8am and
      6pm and rings twice. When nobody is at home, it goes to the shop of the carrier that is nearest to
      you, where it is kept for ten days; take this text and something that shows your name with you.
      What you do not like can be sent back within thirty days, in the box that it came in. Print the
      label from your account first, and leave the box at the same shop. The money is back on your card
      after a week. If something is broken, send us a photo of it by answering this text, and say what
      you would like better: another one, or your money back.
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "Thank you for your order. When it comes, and how to send it back: https://acme.example/o"
""",
    check=_check,
    applies_to="both",
)
