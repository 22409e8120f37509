"""Texts longer than the provider takes."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

#: Characters that the provider takes (POST /v1/messages).
_LIMITS = {"reply": 5000, "message": 5000, "send.subject": 64, "send.metadata": 256}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        limit = _LIMITS.get(text.place)
        length = len(text.scalar.text)
        if limit is not None and length > limit and not text.is_template:
            name = text.place.removeprefix("send.")
            message = f"{name} has {length:,} characters; the provider takes {limit:,}"
            yield finding(outline.document.origin_of(text.scalar), RULE.id, message)


RULE = Rule(
    id="text-length",
    reason="The provider refuses longer texts.",
    failing="""\
on: inbound_sms
steps:
  - reply:
      message: Our map
      format: MMS
      media: https://shop.example.com/map.png
      subject: This subject is longer than the sixty-four characters that may be used
""",
    corrected="""\
on: inbound_sms
steps:
  - reply:
      message: Our map
      format: MMS
      media: https://shop.example.com/map.png
      subject: How to find us
""",
    check=_check,
)
