"""Texts in several languages that lack one, or name one that there is not."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.languages import is_language
from sinchflow.language.nodes import Mapping
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    everything = {
        key.text.lower(): key.text for node in outline.wordings for key, _ in node.entries if is_language(key.text)
    }
    for node in outline.wordings:
        for key, _ in node.entries:
            if not is_language(key.text):
                message = f'there is no language "{key.text}"'
                hint = "use the two letters of ISO 639, such as en or de; a reply of several fields needs message:"
                yield finding(outline.document.origin_of(key), RULE.id, message, hint)
        yield from _missing(outline, node, everything, settings.language)


def _missing(outline: Outline, node: Mapping, everything: dict[str, str], language: str | None) -> Iterator[Diagnostic]:
    given = {key.text.lower() for key, _ in node.entries}
    bases = {tag.partition("-")[0] for tag in given}
    where = outline.document.origin_of(node.entries[0][0])
    lacking = [
        written for tag, written in everything.items() if tag not in given and tag.partition("-")[0] not in bases
    ]
    if language is not None and language.lower() not in given and language.lower().partition("-")[0] not in bases:
        message = f"this text has no {language}, the project's language"
        yield finding(where, RULE.id, message, _add([language, *(each for each in lacking if each != language)]))
    elif lacking:
        message = f"this text has no {' and no '.join(lacking)}, but another one of the flow has"
        yield finding(where, RULE.id, message, _add(lacking), "warning")


def _add(languages: list[str]) -> str:
    return "add " + ", ".join(f"{each}: …" for each in languages)


RULE = Rule(
    id="text-language",
    reason="A person who is answered in their language once is answered in it always.",
    failing="""\
on: inbound_sms
steps:
  - reply: {en: Thanks!, de: Danke!}
  - reply: {en: See you soon.}
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: {en: Thanks!, de: Danke!}
  - reply: {en: See you soon., de: Bis bald.}
""",
    check=_check,
    is_mixed=True,
)
