"""Two webhooks at one address, in whatever files: a call starts one flow only."""

from collections.abc import Iterable, Iterator

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.model.origin import Origin

RULE_ID = "webhook-path"


class Address(msgspec.Struct, frozen=True):
    """A path and a method that a flow's webhook has. place: of its flow's file, for sorting."""

    method: str
    path: str
    origin: Origin

    @property
    def place(self) -> tuple[str, int, int]:
        """File, line and column, for sorting."""
        return self.origin.file, self.origin.line, self.origin.column


def addresses_of(outline: Outline) -> Iterator[Address]:
    """Where the flow can be called, unless it is switched off."""
    enabled = outline.root.get("enabled")
    if isinstance(enabled, Scalar) and enabled.value is False:
        return
    for trigger in outline.triggers:
        path = trigger.filters.get("path") if trigger.filters is not None and trigger.kind == "webhook" else None
        if trigger.filters is None or not isinstance(path, Scalar):
            continue
        methods = [each.text for each in items_of(trigger.filters.get("method")) if isinstance(each, Scalar)]
        for method in methods or ["POST"]:
            yield Address(method, path.text, outline.document.origin_of(path))


def webhook_paths(addresses: Iterable[Address]) -> Iterator[Diagnostic]:
    """A finding for each webhook whose path and method one before it has already."""
    first: dict[tuple[str, str], Address] = {}
    told: set[Origin] = set()
    for address in sorted(addresses, key=lambda each: each.place):
        other = first.setdefault((address.path, address.method), address)
        if other is not address and address.origin not in told:
            told.add(address.origin)
            message = f"{address.method} /flows{address.path} is taken by {other.origin.file}:{other.origin.line}"
            hint = "give it another path or method; a call starts one flow, which can run others with run_flow"
            yield finding(address.origin, RULE_ID, message, hint)
