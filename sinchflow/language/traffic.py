"""What a flow says to people and hears from them, as far as other flows may be in its way."""

from collections.abc import Iterator

import msgspec

from sinchflow.language.invitations import invitations
from sinchflow.language.messages import messages_of
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, items_of, plain
from sinchflow.language.outline import Outline, StepView, TriggerView
from sinchflow.language.taking import TEXT_FILTERS, Vocabulary, Word
from sinchflow.model.origin import Origin


class Catch(msgspec.Struct, frozen=True, array_like=True):
    """One inbound trigger.

    words: of its filters on texts; without any it takes every text. has_several: filters on texts, all of which must
    fit. guard: what else must be so, in words to compare; empty when nothing must.
    """

    origin: Origin
    words: tuple[Word, ...]
    has_several: bool
    guard: str


class Traffic(msgspec.Struct, frozen=True, array_like=True):
    """What a flow says and hears.

    catches: its inbound triggers. has_others: it can be started in another way too. asked: what its waits take.
    invited: words that its texts ask people to send, and that no wait of its own takes.
    receipts_of: flows whose receipts start it; empty for those of any, None when none do, or not of every message.
    receipts_at: that trigger. reported: it sends messages of which receipts come. runs: flows that it runs whatever
    happens. recipients: numbers written out that it sends to. may_be_reported: as `reported`, also of questions that
    are asked again, and where not all could be read.
    """

    catches: tuple[Catch, ...] = ()
    has_others: bool = False
    asked: tuple[Word, ...] = ()
    invited: tuple[tuple[str, Origin], ...] = ()
    receipts_of: tuple[str, ...] | None = None
    receipts_at: Origin | None = None
    reported: bool = False
    runs: tuple[tuple[str, Origin], ...] = ()
    recipients: tuple[tuple[str, Origin], ...] = ()
    may_be_reported: bool = False


#: Actions after which time has passed, or somebody has answered.
_PAUSES = ("wait_for_reply", "wait_for_receipt", "delay")
_LOOSE = ("to", "from", "type", "metadata")
#: What means something else in each flow, so that conditions with it compare with none.
_OF_THE_FLOW = ("flow.", "match")


def traffic_of(outline: Outline) -> Traffic:
    """What the flow says and hears, as far as it could be read."""
    asked = tuple(_asked(outline))
    receipts_of, receipts_at = _receipts(outline)
    reported = any(_is_reported(key.text, node) for step in outline.steps for key, node in step.actions)
    return Traffic(
        catches=tuple(_catches(outline)),
        has_others=not outline.has_all_triggers or any(kind != "inbound_sms" for kind in outline.kinds),
        asked=asked,
        invited=tuple(_invited(outline, asked)),
        receipts_of=receipts_of,
        receipts_at=receipts_at,
        reported=reported,
        runs=tuple(_runs(outline)),
        recipients=tuple(_recipients(outline)),
        may_be_reported=reported or not outline.has_all_steps or _asks_again(outline),
    )


def _catches(outline: Outline) -> Iterator[Catch]:
    for trigger in outline.triggers:
        if trigger.kind == "inbound_sms":
            filters = trigger.filters
            words = list(_words(outline.document, filters)) if filters is not None else []
            has_several = len({word.kind for word in words}) > 1
            origin = outline.document.origin_of(trigger.key)
            yield Catch(origin, tuple(words), has_several, _guard(outline, trigger))


def _words(document: Document, filters: Mapping) -> Iterator[Word]:
    for key, node in filters.entries:
        if key.text in TEXT_FILTERS:
            for item in items_of(node):
                if isinstance(item, Scalar) and item.is_text:
                    yield Word(key.text, item.text, document.origin_of(item))


def _guard(outline: Outline, trigger: TriggerView) -> str:
    """What else a message must be for this trigger: of its other filters, and around the flow."""
    held = [(key, plain(trigger.filters.get(key))) for key in _LOOSE if trigger.filters and trigger.filters.get(key)]
    held += [(key, plain(outline.root.get(key))) for key in ("if", "account") if outline.root.get(key)]
    condition = outline.root.get("if")
    if isinstance(condition, Scalar) and any(name in condition.text for name in _OF_THE_FLOW):
        held.append(("at", f"{outline.document.file}:{outline.document.line}"))
    return repr(held) if held else ""


def _asked(outline: Outline) -> Iterator[Word]:
    """What the flow's waits take; a wait without categories takes anything: a word of the kind `any`."""
    for step in outline.steps:
        for key, node in step.actions:
            if key.text != "wait_for_reply" or not isinstance(node, Mapping):
                continue
            categories = node.get("categories")
            if not isinstance(categories, Mapping) or not categories.entries:
                yield Word("any", "", outline.document.origin_of(key))
                continue
            for _, filters in categories.entries:
                found = list(_words(outline.document, filters)) if isinstance(filters, Mapping) else []
                yield from found or [Word("any", "", outline.document.origin_of(key))]


def _invited(outline: Outline, asked: tuple[Word, ...]) -> Iterator[tuple[str, Origin]]:
    if not outline.has_all_steps:
        return
    known: Vocabulary | None = None  # made for the first word that is asked for: most texts ask for none
    for message in messages_of(outline):
        for word, offset in invitations(message.scalar.text):
            known = known or Vocabulary(asked)
            if not known.may_take(word):
                yield word, _place(outline, message.scalar, offset, len(word))


def _place(outline: Outline, scalar: Scalar, offset: int, length: int) -> Origin:
    from sinchflow.language.scalars import place

    return place(outline.document, scalar, offset, length)


def _receipts(outline: Outline) -> tuple[tuple[str, ...] | None, Origin | None]:
    """Whose receipts start the flow again and again: None where something keeps it from that."""
    if outline.root.get("if") or outline.root.get("throttle"):
        return None, None
    for trigger in outline.triggers:
        if trigger.kind != "delivery_receipt":
            continue
        filters = trigger.filters
        if filters is not None and any(filters.get(key) for key in _LOOSE):
            continue
        named = filters.get("flow") if filters is not None else None
        return tuple(_scalars(named)), outline.document.origin_of(trigger.key)
    return None, None


def _is_reported(action: str, node: Node) -> bool:
    """Whether receipts come of the messages of a step."""
    if action not in ("reply", "send_sms"):
        return False
    given = node.get("delivery_report") if isinstance(node, Mapping) else None
    return not (isinstance(given, Scalar) and given.value is False)


def _asks_again(outline: Outline) -> bool:
    nodes = (node for step in outline.steps for key, node in step.actions if key.text == "wait_for_reply")
    return any(isinstance(node, Mapping) and node.entry("otherwise") for node in nodes)


def _runs(outline: Outline) -> Iterator[tuple[str, Origin]]:
    """Flows that it runs in any case and at once: before a wait, not in a branch, whatever a step's `if` says."""
    for step in outline.steps:
        if step.action in _PAUSES:
            return
        if step.action == "run_flow" and _is_certain(step):
            node = step.actions[0][1]
            name = node.get("flow") if isinstance(node, Mapping) else node
            if isinstance(name, Scalar) and "{{" not in name.text:
                yield name.text, outline.document.origin_of(name)


def _is_certain(step: StepView) -> bool:
    scope = step.scope
    return not (scope.conditions or scope.items or scope.has_error or step.node.get("if") or step.follows)


def _recipients(outline: Outline) -> Iterator[tuple[str, Origin]]:
    for text in outline.texts:
        if text.place == "send.to" and "{{" not in text.scalar.text:
            yield text.scalar.text, outline.document.origin_of(text.scalar)


def _scalars(node: Node | None) -> Iterator[str]:
    return (item.text for item in items_of(node) if isinstance(item, Scalar))
