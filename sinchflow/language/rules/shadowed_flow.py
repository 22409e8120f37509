"""Flows, and words of flows, that another flow takes first."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Set

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Facts
from sinchflow.language.order import Taken, in_order, taken_words
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.language.taking import Word
from sinchflow.language.traffic import Catch
from sinchflow.model.origin import Origin


def _check(survey: Survey) -> Iterator[Diagnostic]:
    found: dict[str, list[Taken]] = defaultdict(list)
    names = Counter(flow.named.name.casefold() for flow in survey.flows)
    for taken in taken_words(in_order(survey.flows)):
        if taken.word is not None and taken.word.kind == "keyword" and len(taken.word.text.split()) > 1:
            continue  # `keyword` speaks
        if names[taken.flow.named.name.casefold()] == 1:  # of two with one name, `duplicate-flow` speaks
            found[taken.flow.named.name].append(taken)
    for items in found.values():
        flow = items[0].flow
        if not flow.traffic.has_others and _are_all(flow, items):
            yield _never(items[0])
        else:
            yield from (_word(item) for item in items if item.by.priority == flow.priority)


def _are_all(flow: Facts, items: list[Taken]) -> bool:
    """Whether nothing that the flow listens for is left to it."""
    lost = {(item.catch.origin, item.word) for item in items}
    return all(_is_lost(catch, lost) for catch in flow.traffic.catches)


def _is_lost(catch: Catch, lost: Set[tuple[Origin, Word | None]]) -> bool:
    """Of several filters it is enough that one has no word left: all of them must fit."""
    if not catch.words:
        return (catch.origin, None) in lost
    kept = {word.kind for word in catch.words if (catch.origin, word) not in lost}
    return kept != {word.kind for word in catch.words}


def _never(item: Taken) -> Diagnostic:
    what = f'"{item.word.text}"' if item.word is not None else "whatever people write"
    message = f'no message ever starts the flow "{item.flow.named.name}": {what} goes to {_who(item)}'
    return finding(item.word.origin if item.word else item.catch.origin, RULE.id, message, _hint(item), "warning")


def _word(item: Taken) -> Diagnostic:
    if item.word is None:
        message = f"texts that no other flow takes go to {_who(item)}"
        return finding(item.catch.origin, RULE.id, message, _hint(item), "warning")
    message = f'"{item.word.text}" goes to {_who(item)}'
    return finding(item.word.origin, RULE.id, message, _hint(item), "warning")


def _who(item: Taken) -> str:
    place = item.at.origin if item.at is not None else item.by.named.origin
    first = "higher priority" if item.by.priority > item.flow.priority else "by name"
    return f'the flow "{item.by.named.name}" ({place.file}:{place.line}), which is asked first ({first})'


def _hint(item: Taken) -> str:
    other = "another filter" if item.word is None else "another word"
    return f'use {other}, give this flow a higher priority, or let "{item.by.named.name}" say continue: true'


RULE = SetRule(
    id="shadowed-flow",
    reason=(
        "One flow takes a message: the one with the highest priority, then the first by name. A word that two flows "
        "listen for is heard by one of them only, and which one that is should be no accident."
    ),
    failing="""\
name: bookings
on:
  inbound_sms: {keyword: [BOOK, CHANGE]}
steps:
  - reply: To book or change a visit, call 1300 555 010.
---
name: change
on:
  inbound_sms: {exact: change visit}
steps:
  - reply: Which day suits you?
""",
    corrected="""\
name: bookings
on:
  inbound_sms: {keyword: [BOOK, CHANGE]}
steps:
  - reply: To book or change a visit, call 1300 555 010.
---
name: change
priority: 1
on:
  inbound_sms: {exact: change visit}
steps:
  - reply: Which day suits you?
""",
    check=_check,
)
