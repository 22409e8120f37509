"""`delivery_receipt.flow` that names no flow, in whatever files."""

from collections.abc import Iterable, Iterator, Set

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.suggest import did_you_mean
from sinchflow.model.origin import Origin

RULE_ID = "unknown-flow"


class Reference(msgspec.Struct, frozen=True):
    """A flow's name where another flow gives it."""

    name: str
    origin: Origin


def flow_references(outline: Outline) -> Iterator[Reference]:
    """The flows that a flow's triggers name."""
    for trigger in outline.triggers:
        named = trigger.filters.get("flow") if trigger.filters and trigger.kind == "delivery_receipt" else None
        for node in items_of(named):
            if isinstance(node, Scalar) and node.is_text and "{{" not in node.text:
                yield Reference(node.text, outline.document.origin_of(node))


def unknown_flows(references: Iterable[Reference], names: Set[str]) -> Iterator[Diagnostic]:
    """A finding for each name that no flow has; names are compared as they are written."""
    for reference in references:
        if reference.name not in names:
            message = f'no flow is called "{reference.name}", so no receipt would ever fit'
            yield finding(reference.origin, RULE_ID, message, did_you_mean(reference.name, names, "flows"))
