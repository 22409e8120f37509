"""Flows that other flows name, in whatever files: whether they are there, and can be run with what they are given."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping as MappingNode
from sinchflow.language.nodes import Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.suggest import did_you_mean
from sinchflow.model.origin import Origin

RULE_ID = "unknown-flow"


class Callable(msgspec.Struct, frozen=True):
    """What a flow takes when another one runs it. inputs: by name, and whether each must be given; None: not known."""

    is_manual: bool
    inputs: tuple[tuple[str, bool], ...] | None


class Reference(msgspec.Struct, frozen=True):
    """A flow's name where another flow gives it. inputs: those of a `run_flow`, with their places; None: no run."""

    name: str
    origin: Origin
    inputs: tuple[tuple[str, Origin], ...] | None = None


def callable_of(outline: Outline) -> Callable:
    """What this flow takes."""
    inputs = tuple((name, given.entry("default") is None) for name, given in outline.inputs.items())
    is_manual = "manual" in outline.kinds or not outline.has_all_triggers
    return Callable(is_manual, inputs if outline.has_all_inputs else None)


def flow_references(outline: Outline) -> Iterator[Reference]:
    """The flows that a flow's triggers and steps name."""
    for trigger in outline.triggers:
        named = trigger.filters.get("flow") if trigger.filters and trigger.kind == "delivery_receipt" else None
        for node in items_of(named):
            if isinstance(node, Scalar) and node.is_text and "{{" not in node.text:
                yield Reference(node.text, outline.document.origin_of(node))
    for step in outline.steps:
        for key, node in step.actions:
            name = node.get("flow") if isinstance(node, MappingNode) else node
            if key.text == "run_flow" and isinstance(name, Scalar) and name.is_text and "{{" not in name.text:
                given = node.get("inputs") if isinstance(node, MappingNode) else None
                entries = given.entries if isinstance(given, MappingNode) else ()
                inputs = tuple((each.text, outline.document.origin_of(each)) for each, _ in entries)
                yield Reference(name.text, outline.document.origin_of(name), inputs)


def unknown_flows(references: Iterable[Reference], flows: Mapping[str, Callable | None]) -> Iterator[Diagnostic]:
    """Findings about names that no flow has, and about runs that would fail; names are compared as they are written.

    flows: by name; None: what it takes is not known.
    """
    for reference in references:
        if reference.name not in flows:
            so = "so no receipt would ever fit" if reference.inputs is None else "so nothing can be run"
            message = f'no flow is called "{reference.name}", {so}'
            yield finding(reference.origin, RULE_ID, message, did_you_mean(reference.name, flows, "flows"))
        elif reference.inputs is not None and (called := flows[reference.name]) is not None:
            yield from _run(reference, called, reference.inputs)


def _run(reference: Reference, called: Callable, given: tuple[tuple[str, Origin], ...]) -> Iterator[Diagnostic]:
    if not called.is_manual:
        message = f'the flow "{reference.name}" cannot be run by another one: it is not on: manual'
        yield finding(
            reference.origin, RULE_ID, message, "add manual to its on:, for example: on: [manual, inbound_sms]"
        )
    if called.inputs is None:
        return
    known, names = dict(called.inputs), {name for name, _ in given}
    for name, origin in given:
        if name not in known:
            message = f'the flow "{reference.name}" has no input "{name}"'
            hint = did_you_mean(name, known, "it has") if known else "it takes none"
            yield finding(origin, RULE_ID, message, hint)
    missing = [name for name, is_required in called.inputs if is_required and name not in names]
    if missing:
        message = f'the flow "{reference.name}" needs the input "{missing[0]}"'
        yield finding(reference.origin, RULE_ID, message, f"add it: inputs: {{{missing[0]}: …}}")
