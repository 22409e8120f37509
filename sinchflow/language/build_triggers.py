"""From checked nodes to a flow's triggers."""

from collections.abc import Iterator
from typing import Any, cast

from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.spellings import duration, word, words
from sinchflow.model.flow import (
    DeliveryReceipt,
    Hmac,
    InboundSms,
    ListName,
    Manual,
    NumberFilter,
    OptOut,
    Schedule,
    Text,
    Trigger,
    Webhook,
)
from sinchflow.model.origin import Origin


def build_triggers(document: Document, node: Node | None) -> Iterator[Trigger]:
    """The triggers under `on:`, in order; each set of filters is one."""
    for item in items_of(node):
        if isinstance(item, Mapping):
            for kind, value in item.entries:
                for one in value.items if isinstance(value, Sequence) else (value,):
                    yield _trigger(document, kind, one)
        else:
            yield _trigger(document, cast(Scalar, item), item)


def _trigger(document: Document, kind: Scalar, filters: Node) -> Trigger:
    origin = document.origin_of(kind)
    given = filters if isinstance(filters, Mapping) else Mapping((), kind.start, kind.end)
    match kind.text:
        case "inbound_sms":
            return inbound_sms(origin, given)
        case "delivery_receipt":
            return DeliveryReceipt(
                origin=origin,
                status=words(given.get("status")),
                status_code=words(given.get("status_code")),
                from_=_alternatives(given.get("from")),
                to=_alternatives(given.get("to")),
                metadata=_filters_by_key(given.get("metadata")),
                flow=words(given.get("flow")),
            )
        case "opt_out":
            return OptOut(origin=origin, from_=_alternatives(given.get("from")), to=_alternatives(given.get("to")))
        case "schedule":
            return Schedule(
                origin=origin,
                cron=_word_or_none(given.get("cron")),
                timezone=_word_or_none(given.get("timezone")),
                every=duration(given.get("every")) if given.get("every") else None,
                missed=cast(Any, _word_or_none(given.get("missed")) or "once"),
            )
        case "webhook":
            return _webhook(document, origin, given)
        case _:
            return Manual(origin=origin)


def inbound_sms(origin: Origin, given: Mapping) -> InboundSms:
    """Filters on an inbound message: a trigger's, or those of a wait's category."""
    return InboundSms(
        origin=origin,
        keyword=words(given.get("keyword")),
        exact=words(given.get("exact")),
        contains=words(given.get("contains")),
        starts_with=words(given.get("starts_with")),
        regex=words(given.get("regex")),
        from_=_alternatives(given.get("from")),
        to=_alternatives(given.get("to")),
        type=words(given.get("type")),
        metadata=_filters_by_key(given.get("metadata")),
    )


def _webhook(document: Document, origin: Origin, given: Mapping) -> Webhook:
    hmac = given.get("hmac")
    return Webhook(
        origin=origin,
        path=word(cast(Node, given.get("path"))),
        method=words(given.get("method")) or ("POST",),
        token=_text_or_none(document, given.get("token")),
        hmac=_hmac(document, cast(Mapping, hmac)) if hmac else None,
        dedupe=_text_or_none(document, given.get("dedupe")),
    )


def _hmac(document: Document, given: Mapping) -> Hmac:
    secret = cast(Scalar, given.get("secret"))
    return Hmac(
        secret=Text(secret.text, document.origin_of(secret)),
        header=_word_or_none(given.get("header")) or "X-Signature",
        algorithm=cast(Any, _word_or_none(given.get("algorithm")) or "sha256"),
    )


def _alternatives(node: Node | None) -> tuple[NumberFilter, ...]:
    return tuple(
        ListName(word(cast(Node, item.get("list")))) if isinstance(item, Mapping) else word(item)
        for item in items_of(node)
    )


def _filters_by_key(node: Node | None) -> dict[str, tuple[NumberFilter, ...]]:
    return {key.text: _alternatives(value) for key, value in cast(Mapping, node).entries} if node else {}


def _word_or_none(node: Node | None) -> str | None:
    return None if node is None else word(node)


def _text_or_none(document: Document, node: Node | None) -> Text | None:
    return None if node is None else Text(cast(Scalar, node).text, document.origin_of(node))
