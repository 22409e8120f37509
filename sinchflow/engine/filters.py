"""One trigger's filters, made ready to be asked: does this event pass, and what did it capture?

The full check of one trigger. Which triggers are worth asking is `routing`'s business.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sinchflow.expression.pattern import NumberPattern, compile_regex, contains, first_word, fold, glob, whole, words
from sinchflow.model.event import Event
from sinchflow.model.flow import DeliveryReceipt, InboundSms


class Message:
    """An inbound text, looked at in every way that filters ask for; each is worked out once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def first(self) -> tuple[str, str]:
        """Folded first word, and the rest as written."""
        return first_word(self.text)

    @cached_property
    def words(self) -> list[str]:
        """Folded words."""
        return words(self.text)

    @cached_property
    def whole(self) -> str:
        """Folded words with single spaces."""
        return " ".join(self.words)

    @cached_property
    def folded(self) -> str:
        """Folded text without punctuation in front."""
        return bare_start(self.text)


def bare_start(text: str) -> str:
    """The folded text from its first letter or digit on; whole where it has none."""
    folded = fold(text)
    start = next((place for place, character in enumerate(folded) if character.isalnum()), 0)
    return folded[start:]


class InboundFilter:
    """The filters of one `inbound_sms` trigger."""

    def __init__(self, trigger: InboundSms) -> None:
        self.keywords = {first_word(keyword)[0]: keyword for keyword in trigger.keyword}
        self.exact = frozenset(whole(text) for text in trigger.exact)
        self.phrases = [words(text) for text in trigger.contains]
        self.starts = tuple(bare_start(text) for text in trigger.starts_with)
        self.regexes = trigger.regex
        self._from = _numbers(trigger.from_)
        self._to = _numbers(trigger.to)
        self._types = frozenset(each.upper() for each in trigger.type)
        self._metadata = _metadata(trigger.metadata)

    @property
    def literal_numbers(self) -> tuple[str, ...] | None:
        """Our numbers, bare, when the trigger names them all literally: an event to another one cannot pass."""
        literals = [each.literal for each in self._to]
        if not literals or None in literals:
            return None
        return tuple(each for each in literals if each is not None)

    @cached_property
    def _compiled(self) -> list[Any]:
        return [compile_regex(source) for source in self.regexes]

    def passes(self, event: Event, message: Message | None) -> dict[str, Any] | None:
        """What was captured (`match` in templates), or None when the event does not pass."""
        if not (
            _is_one_of(event.contact, self._from)
            and _is_one_of(event.our_number, self._to)
            and (not self._types or str(event.fields.get("type")).upper() in self._types)
            and _has_metadata(event, self._metadata)
        ):
            return None
        captured: dict[str, Any] = {}
        if self.keywords:
            first, rest = message.first if message else ("", "")
            if first not in self.keywords or not first:
                return None
            captured = {"keyword": self.keywords[first], "rest": rest}
        if self.exact and (message is None or message.whole not in self.exact):
            return None
        if self.phrases and not (message and any(contains(message.words, phrase) for phrase in self.phrases)):
            return None
        if self.starts and not (message and message.folded.startswith(self.starts)):
            return None
        if self.regexes:
            groups = self._search(message)
            if groups is None:
                return None
            captured |= groups
        return captured

    def _search(self, message: Message | None) -> dict[str, Any] | None:
        if message is None:
            return None
        for pattern in self._compiled:
            found = pattern.search(message.text)
            if found is not None:
                return dict(found.groupdict())
        return None


class ReceiptFilter:
    """The filters of one `delivery_receipt` trigger."""

    def __init__(self, trigger: DeliveryReceipt) -> None:
        self.statuses = frozenset(each.lower() for each in trigger.status)
        self._codes = frozenset(trigger.status_code)
        self._from = _numbers(trigger.from_)
        self._to = _numbers(trigger.to)
        self._metadata = _metadata(trigger.metadata)

    def passes(self, event: Event) -> dict[str, Any] | None:
        """An empty mapping (receipts capture nothing), or None when the event does not pass."""
        fields = event.fields
        passes = (
            (not self.statuses or str(fields.get("status")).lower() in self.statuses)
            and (not self._codes or str(fields.get("status_code")) in self._codes)
            and _is_one_of(event.our_number, self._from)
            and _is_one_of(event.contact, self._to)
            and _has_metadata(event, self._metadata)
        )
        return {} if passes else None


def _numbers(sources: Sequence[str]) -> tuple[NumberPattern, ...]:
    return tuple(NumberPattern(source) for source in sources)


def _is_one_of(number: str | None, patterns: tuple[NumberPattern, ...]) -> bool:
    return not patterns or (number is not None and any(pattern.matches(number) for pattern in patterns))


def _metadata(sources: Mapping[str, Sequence[str]]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    return tuple((key, tuple(glob(value) for value in values)) for key, values in sources.items())


def _has_metadata(event: Event, wanted: tuple[tuple[str, tuple[Any, ...]], ...]) -> bool:
    if not wanted:
        return True
    metadata = event.fields.get("metadata") or {}
    return all(
        metadata.get(key) is not None and any(pattern.fullmatch(str(metadata[key])) for pattern in patterns)
        for key, patterns in wanted
    )
