"""What one flow means to the other flows of its project: small enough to be kept on disk for thousands of them.

Rules across files (`rules.rule.SetRule`) see these facts instead of outlines, so a flow whose file has not changed
need not be read again to judge another one by it.
"""

from collections.abc import Iterator

import msgspec

from sinchflow.language.nodes import Document, Mapping, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.model.origin import Origin


class Named(msgspec.Struct, frozen=True, array_like=True):
    """A flow's name and where it comes from; without a `name:` it is the file's stem."""

    name: str
    origin: Origin
    is_written: bool

    @property
    def place(self) -> tuple[str, int]:
        """File and line, for sorting."""
        return self.origin.file, self.origin.line


class Callable(msgspec.Struct, frozen=True, array_like=True):
    """What a flow takes when another one runs it. inputs: by name, and whether each must be given; None: not known."""

    is_manual: bool
    inputs: tuple[tuple[str, bool], ...] | None


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """A flow's name where another flow gives it. inputs: those of a `run_flow`, with their places; None: no run."""

    name: str
    origin: Origin
    inputs: tuple[tuple[str, Origin], ...] | None = None


class Address(msgspec.Struct, frozen=True, array_like=True):
    """A path and a method that a flow's webhook has. place: of its flow's file, for sorting."""

    method: str
    path: str
    origin: Origin

    @property
    def place(self) -> tuple[str, int, int]:
        """File, line and column, for sorting."""
        return self.origin.file, self.origin.line, self.origin.column


class Facts(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One flow as the others' rules see it.

    is_enabled: not switched off. takes: when another flow runs it. references: the flows that it names.
    addresses: where it can be called; none when it is switched off.
    """

    named: Named
    is_enabled: bool
    takes: Callable
    references: tuple[Reference, ...] = ()
    addresses: tuple[Address, ...] = ()


def facts_of(outline: Outline, named: Named) -> Facts:
    """The facts of one flow, as far as its document could be read."""
    enabled = outline.root.get("enabled")
    is_enabled = not (isinstance(enabled, Scalar) and enabled.value is False)
    return Facts(
        named=named,
        is_enabled=is_enabled,
        takes=_callable(outline),
        references=tuple(_references(outline)),
        addresses=tuple(_addresses(outline)) if is_enabled else (),
    )


def _callable(outline: Outline) -> Callable:
    inputs = tuple((name, given.entry("default") is None) for name, given in outline.inputs.items())
    is_manual = "manual" in outline.kinds or not outline.has_all_triggers
    return Callable(is_manual, inputs if outline.has_all_inputs else None)


def _references(outline: Outline) -> Iterator[Reference]:
    for trigger in outline.triggers:
        named = trigger.filters.get("flow") if trigger.filters and trigger.kind == "delivery_receipt" else None
        for node in items_of(named):
            if isinstance(node, Scalar) and node.is_text and "{{" not in node.text:
                yield Reference(node.text, outline.document.origin_of(node))
    for step in outline.steps:
        for key, node in step.actions:
            name = node.get("flow") if isinstance(node, Mapping) else node
            if key.text == "run_flow" and isinstance(name, Scalar) and name.is_text and "{{" not in name.text:
                given = node.get("inputs") if isinstance(node, Mapping) else None
                entries = given.entries if isinstance(given, Mapping) else ()
                inputs = tuple((each.text, outline.document.origin_of(each)) for each, _ in entries)
                yield Reference(name.text, outline.document.origin_of(name), inputs)


def _addresses(outline: Outline) -> Iterator[Address]:
    for trigger in outline.triggers:
        path = trigger.filters.get("path") if trigger.filters is not None and trigger.kind == "webhook" else None
        if trigger.filters is None or not isinstance(path, Scalar):
            continue
        methods = [each.text for each in items_of(trigger.filters.get("method")) if isinstance(each, Scalar)]
        for method in methods or ["POST"]:
            yield Address(method, path.text, outline.document.origin_of(path))


def name_of(document: Document, root: Mapping, default: str) -> Named:
    """A flow's name: the one that its document gives it, else `default`."""
    node = root.get("name")
    if isinstance(node, Scalar) and node.is_text:
        return Named(node.text, document.origin_of(node), True)
    first = root.entries[0][0] if root.entries else root
    return Named(default, document.origin_of(first), False)
