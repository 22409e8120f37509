"""One trigger's filters, made ready to be asked: does this event pass, and what did it capture?

The full check of one trigger. Which triggers are worth asking is `routing`'s business.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from sinchflow.expression.pattern import (
    Glob,
    NumberPattern,
    bare_number,
    compile_regex,
    contains,
    first_word,
    fold,
    is_glob,
    whole,
    words,
)
from sinchflow.model.event import Event
from sinchflow.model.flow import DeliveryReceipt, InboundSms, ListName, NumberFilter, OptOut

#: The project's lists by name, as `Facts.lists` has them when an event is asked about.
Lists = Mapping[str, Any]


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
        """Folded text, punctuation and all."""
        return fold(self.text)

    @cached_property
    def start(self) -> str:
        """Folded text from its first letter or digit on."""
        return _bare_start(self.folded)


def _bare_start(folded: str) -> str:
    """The text from its first letter or digit on; whole where it has none."""
    start = next((place for place, character in enumerate(folded) if character.isalnum()), 0)
    return folded[start:]


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


class InboundFilter:
    """The filters of one `inbound_sms` trigger."""

    def __init__(self, trigger: InboundSms) -> None:
        self.keywords = {first_word(keyword)[0]: keyword for keyword in trigger.keyword}
        self.exact = frozenset(whole(text) for text in trigger.exact)
        self.phrases = [words(text) for text in trigger.contains if _has_word(text)]
        #: Texts without a letter or digit ("👍", "#") are looked for as they are.
        self.signs = tuple(fold(text) for text in trigger.contains if not _has_word(text))
        self.starts = tuple(_bare_start(fold(text)) for text in trigger.starts_with)
        self.regexes = trigger.regex
        self._from = _numbers(trigger.from_)
        self._to = _numbers(trigger.to)
        self._types = frozenset(each.upper() for each in trigger.type)
        self._metadata = _metadata(trigger.metadata)

    @property
    def our_numbers(self) -> tuple[str, ...]:
        """Our numbers, bare, when the trigger names them literally; empty when an event to any may pass."""
        return _literals(self._to)

    @property
    def contacts(self) -> tuple[str, ...]:
        """The customers' numbers, bare, when the trigger names them literally; empty when any may pass."""
        return _literals(self._from)

    @property
    def contact_lists(self) -> tuple[str, ...]:
        """The lists that the customer's number must be in, when the trigger asks for nothing else; else empty."""
        names = tuple(each.name for each in self._from if isinstance(each, ListName))
        return names if len(names) == len(self._from) else ()

    @cached_property
    def _compiled(self) -> list[Any]:
        return [compile_regex(source) for source in self.regexes]

    def passes(self, event: Event, message: Message | None, lists: Lists) -> dict[str, Any] | None:
        """What was captured (`match` in templates), or None when the event does not pass."""
        if not (
            _is_one_of(event.contact, self._from, lists)
            and _is_one_of(event.our_number, self._to, lists)
            and (not self._types or _word(event, "type").upper() in self._types)
            and _has_metadata(event, self._metadata, lists)
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
        if (self.phrases or self.signs) and not (message and self._contains(message)):
            return None
        if self.starts and not (message and (message.start.startswith(self.starts) or self._starts_with_sign(message))):
            return None
        if self.regexes:
            groups = self._search(message)
            if groups is None:
                return None
            captured |= groups
        return captured

    def failing(self, event: Event, message: Message | None, lists: Lists) -> str | None:
        """The name of the first filter that the event does not pass, in the order of the reference; None: it passes."""
        tests: dict[str, Callable[[], bool]] = {
            "from": lambda: _is_one_of(event.contact, self._from, lists),
            "to": lambda: _is_one_of(event.our_number, self._to, lists),
            "type": lambda: not self._types or _word(event, "type").upper() in self._types,
            "keyword": lambda: not self.keywords or bool(message and message.first[0] in self.keywords),
            "exact": lambda: not self.exact or bool(message and message.whole in self.exact),
            "contains": lambda: not (self.phrases or self.signs) or bool(message and self._contains(message)),
            "starts_with": lambda: (
                not self.starts
                or bool(message and (message.start.startswith(self.starts) or self._starts_with_sign(message)))
            ),
            "regex": lambda: not self.regexes or self._search(message) is not None,
        }
        failed = next((name for name, passes in tests.items() if not passes()), None)
        return failed or _failing_metadata(event, self._metadata, lists)

    def _contains(self, message: Message) -> bool:
        return any(contains(message.words, phrase) for phrase in self.phrases) or any(
            sign in message.folded for sign in self.signs
        )

    def _starts_with_sign(self, message: Message) -> bool:
        return any(not _has_word(start) and message.folded.startswith(start) for start in self.starts)

    def _search(self, message: Message | None) -> dict[str, Any] | None:
        if message is None:
            return None
        for pattern in self._compiled:
            found = pattern.search(message.text)
            if found is not None:
                return dict(found.groupdict())
        return None


class ReceiptFilter:
    """The filters of one `delivery_receipt` trigger but for `flow`, which only the journal can answer."""

    def __init__(self, trigger: DeliveryReceipt) -> None:
        self.statuses = frozenset(each.lower() for each in trigger.status)
        self._codes = frozenset(trigger.status_code)
        self._from = _numbers(trigger.from_)
        self._to = _numbers(trigger.to)
        self._metadata = _metadata(trigger.metadata)

    @property
    def literal_metadata(self) -> tuple[str, tuple[str, ...]] | None:
        """A key and the values that it may have, where the trigger asks for one without globs."""
        for key, patterns in self._metadata:
            literals = tuple(pattern for pattern in patterns if isinstance(pattern, str))
            if len(literals) == len(patterns):
                return key, literals
        return None

    @property
    def our_numbers(self) -> tuple[str, ...]:
        """As `InboundFilter.our_numbers`."""
        return _literals(self._from)

    def passes(self, event: Event, lists: Lists) -> bool:
        """Whether the event passes."""
        return (
            (not self.statuses or _word(event, "status").lower() in self.statuses)
            and (not self._codes or _word(event, "status_code") in self._codes)
            and _is_one_of(event.our_number, self._from, lists)
            and _is_one_of(event.contact, self._to, lists)
            and _has_metadata(event, self._metadata, lists)
        )

    def failing(self, event: Event, lists: Lists) -> str | None:
        """As `InboundFilter.failing`."""
        tests: dict[str, Callable[[], bool]] = {
            "status": lambda: not self.statuses or _word(event, "status").lower() in self.statuses,
            "status_code": lambda: not self._codes or _word(event, "status_code") in self._codes,
            "from": lambda: _is_one_of(event.our_number, self._from, lists),
            "to": lambda: _is_one_of(event.contact, self._to, lists),
        }
        failed = next((name for name, passes in tests.items() if not passes()), None)
        return failed or _failing_metadata(event, self._metadata, lists)


class OptOutFilter:
    """The filters of one `opt_out` trigger."""

    def __init__(self, trigger: OptOut) -> None:
        self._from = _numbers(trigger.from_)
        self._to = _numbers(trigger.to)

    def passes(self, event: Event, lists: Lists) -> bool:
        """Whether the event passes."""
        return _is_one_of(event.contact, self._from, lists) and _is_one_of(event.our_number, self._to, lists)

    def failing(self, event: Event, lists: Lists) -> str | None:
        """As `InboundFilter.failing`."""
        if not _is_one_of(event.contact, self._from, lists):
            return "from"
        return None if _is_one_of(event.our_number, self._to, lists) else "to"


def _failing_metadata(event: Event, wanted: tuple[tuple[str, tuple["_Value", ...]], ...], lists: Lists) -> str | None:
    pairs = (each for each in wanted if not _has_metadata(event, (each,), lists))
    return next((f"metadata.{key}" for key, _ in pairs), None)


def _word(event: Event, field: str) -> str:
    """A field as filters compare it; what is none equals no filter."""
    value = event.fields.get(field)
    return "" if value is None else str(value)


_Number = NumberPattern | ListName


def _numbers(sources: Sequence[NumberFilter]) -> tuple[_Number, ...]:
    return tuple(source if isinstance(source, ListName) else NumberPattern(source) for source in sources)


def _literals(patterns: tuple[_Number, ...]) -> tuple[str, ...]:
    literals = tuple(each.literal for each in patterns if isinstance(each, NumberPattern) and each.literal is not None)
    return literals if len(literals) == len(patterns) else ()


def _is_one_of(number: str | None, patterns: tuple[_Number, ...], lists: Lists) -> bool:
    return not patterns or (
        number is not None
        and any(
            is_listed(number, pattern.name, lists) if isinstance(pattern, ListName) else pattern.matches(number)
            for pattern in patterns
        )
    )


def is_listed(number: str, name: str, lists: Lists) -> bool:
    """Whether the list has the number, however it is written; a list that is gone has none."""
    data = lists.get(name)
    return data is not None and (number in data or f"+{bare_number(number)}" in data)


#: A literal, a glob, or a list of numbers.
_Value = str | Glob | ListName


def _metadata(sources: Mapping[str, Sequence[NumberFilter]]) -> tuple[tuple[str, tuple[_Value, ...]], ...]:
    return tuple(
        (key, tuple(Glob(value) if isinstance(value, str) and is_glob(value) else value for value in values))
        for key, values in sources.items()
    )


def _has_metadata(event: Event, wanted: tuple[tuple[str, tuple[_Value, ...]], ...], lists: Lists) -> bool:
    if not wanted:
        return True
    metadata = event.fields.get("metadata") or {}
    return all(key in metadata and _is_value(metadata[key], patterns, lists) for key, patterns in wanted)


def _is_value(value: Any, patterns: tuple[_Value, ...], lists: Lists) -> bool:
    return value is not None and any(_is_meant(str(value), pattern, lists) for pattern in patterns)


def _is_meant(text: str, pattern: _Value, lists: Lists) -> bool:
    match pattern:
        case str():
            return text == pattern
        case ListName():
            return is_listed(text, pattern.name, lists)
        case _:
            return pattern.matches(text)
