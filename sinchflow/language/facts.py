"""What one flow means to the other flows of its project: small enough to be kept on disk for thousands of them.

Rules across files (`rules.rule.SetRule`) see these facts instead of outlines, so a flow whose file has not changed
need not be read again to judge another one by it.
"""

from collections.abc import Iterator

import msgspec

from sinchflow.language.mentions import categories_of, mentions_of
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.traffic import Traffic, traffic_of
from sinchflow.model.origin import Origin

#: Of values that are kept, in characters; longer ones are not judged.
_LONGEST_VALUE = 200

#: What is known of contacts without a flow that remembers it.
_KNOWN_OF_CONTACTS = ("number", "language", "timezone")


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
    """What a flow takes when another one runs it, and gives back; None: not known.

    inputs: name, whether it must be given, and its type.
    """

    is_manual: bool
    inputs: tuple[tuple[str, bool, str], ...] | None
    outputs: tuple[str, ...] | None = ()


class GivenInput(msgspec.Struct, frozen=True, array_like=True):
    """One input of a `run_flow`. value: its text where that is written out, else None; at: its place."""

    name: str
    origin: Origin
    value: str | None = None
    at: Origin | None = None


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """A flow's name where another flow gives it. inputs: those of a `run_flow`, with their places; None: no run."""

    name: str
    origin: Origin
    inputs: tuple[GivenInput, ...] | None = None


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """`steps.ID.outputs.NAME` of a step that runs the flow called `flow`. is_waited: the step waits for its end."""

    flow: str
    output: str
    origin: Origin
    is_waited: bool = True


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
    addresses: where it can be called; none when it is switched off. mentions, categories: see `mentions`.
    readings: the outputs that it takes from the flows that it runs. remembers: names that it keeps with contacts.
    recalls: names of what others have kept with a contact, with the places where they are read.
    priority, goes_on: as the flow's. traffic: what it says and hears.
    """

    named: Named
    is_enabled: bool
    takes: Callable
    references: tuple[Reference, ...] = ()
    addresses: tuple[Address, ...] = ()
    mentions: tuple[str, ...] = ()
    categories: tuple[str, ...] | None = ()
    readings: tuple[Reading, ...] = ()
    remembers: tuple[str, ...] = ()
    recalls: tuple[tuple[str, Origin], ...] = ()
    priority: int = 0
    goes_on: bool = False
    traffic: Traffic = Traffic()


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
        mentions=mentions_of(outline),
        categories=categories_of(outline),
        readings=tuple(_readings(outline)),
        remembers=(remembers := tuple(sorted(_remembers(outline)))),
        recalls=tuple(_recalls(outline, remembers)),
        priority=_whole(outline.root.get("priority")),
        goes_on=_is_true(outline.root.get("continue")),
        traffic=traffic_of(outline),
    )


def _whole(node: Node | None) -> int:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, int) else 0


def _is_true(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.value is True


def _remembers(outline: Outline) -> set[str]:
    values = (value for step in outline.steps for key, value in step.actions if key.text == "remember")
    return {key.text for each in values if isinstance(each, Mapping) for key, _ in each.entries}


def _recalls(outline: Outline, own: tuple[str, ...]) -> Iterator[tuple[str, Origin]]:
    for text, use in outline.uses("contact"):
        if len(use.path) > 1 and use.path[1] not in _KNOWN_OF_CONTACTS and use.path[1] not in own:
            yield use.path[1], outline.at_part(text, use, 1)


def _callable(outline: Outline) -> Callable:
    inputs = tuple((name, given.entry("default") is None, _type(given)) for name, given in outline.inputs.items())
    gives = outline.root.get("outputs")
    outputs = tuple(key.text for key, _ in gives.entries) if isinstance(gives, Mapping) else ()
    is_manual = "manual" in outline.kinds or not outline.has_all_triggers
    is_known = gives is None or isinstance(gives, Mapping)
    return Callable(is_manual, inputs if outline.has_all_inputs else None, outputs if is_known else None)


def _type(given: Mapping) -> str:
    """An input's type; empty where none is to be judged by."""
    node = given.get("type")
    return "string" if node is None else node.text if isinstance(node, Scalar) else ""


def _given(document: Document, name: Scalar, node: Node) -> GivenInput:
    is_plain = isinstance(node, Scalar) and node.is_text and "{{" not in node.text and "{%" not in node.text
    if not isinstance(node, Scalar) or not is_plain or len(node.text) > _LONGEST_VALUE:
        return GivenInput(name.text, document.origin_of(name))
    return GivenInput(name.text, document.origin_of(name), node.text, document.origin_of(node))


def _readings(outline: Outline) -> Iterator[Reading]:
    """Only of steps whose id, flow and wait are plain."""
    runs = {
        step.id.text: (name, _is_waited(step.actions[0][1]))
        for step in outline.steps
        if step.action == "run_flow" and step.id
        for name in [_flow_run(step.actions[0][1])]
        if name
    }
    for text, use in outline.uses("steps") if runs else ():
        if len(use.path) > 3 and use.path[2] == "outputs" and use.path[1] in runs:
            name, is_waited = runs[use.path[1]]
            yield Reading(name, use.path[3], outline.at_part(text, use, 3), is_waited)


def _is_waited(node: Node) -> bool:
    wait = node.get("wait") if isinstance(node, Mapping) else None
    return not (isinstance(wait, Scalar) and wait.value is False)


def _flow_run(node: Node) -> str | None:
    name = node.get("flow") if isinstance(node, Mapping) else node
    return name.text if isinstance(name, Scalar) and name.is_text and "{{" not in name.text else None


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
                inputs = tuple(_given(outline.document, each, value) for each, value in entries)
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
