"""Transcript tests as they are played: what is given, and the steps of each script with their places.

Only for files that the rules have found nothing wrong with; `transcript` is what the rules look at.
"""

from collections.abc import Mapping as Contents
from typing import Any

import msgspec

from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence, plain
from sinchflow.language.transcript import EXPECTING, TranscriptFile
from sinchflow.model.origin import Origin

#: Members whose values keep their types; everywhere else a scalar is a text.
_TYPED = frozenset({"json", "vars", "outputs", "inputs", "parts", "status", "restart", "reload", "silence"})
_GIVEN = ("now", "contact", "our_number", "numbers", "lists", "opted_out", "secrets", "env", "vars")


class ScriptStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: what it does, and with what. A short form is a text, else a mapping; places: of the mapping's keys."""

    verb: str
    value: Any
    origin: Origin
    places: dict[str, Origin] = {}

    @property
    def is_expectation(self) -> bool:
        """Whether it says what must have happened, and makes nothing happen."""
        return self.verb in EXPECTING and not self.waits

    @property
    def waits(self) -> bool:
        """Whether it is a silence of some length."""
        return self.verb == "silence" and isinstance(self.value, str)

    def get(self, name: str, short: str = "") -> Any:
        """A member; the short form stands for `short`."""
        if isinstance(self.value, Contents):
            return self.value.get(name)
        return self.value if name == short else None

    def place(self, name: str) -> Origin:
        """Where a member stands, else the step."""
        return self.places.get(name, self.origin)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One test. given: what the file and the test give, by name; a test's own goes before the file's."""

    name: str
    origin: Origin
    flow: str | None
    given: dict[str, Any]
    steps: tuple[ScriptStep, ...]

    def __str__(self) -> str:
        return f"{self.origin.file}::{self.name}"


def scripts_of(document: Document) -> list[Script]:
    """The tests of one sound document."""
    file = TranscriptFile(document)
    common = _given(file.root)
    flow = None if file.flow is None else file.flow.text
    found = []
    for test in file.tests:
        own = _given(test.node)
        name = test.node.get("name")
        found.append(
            Script(
                name=name.text if isinstance(name, Scalar) else "",
                origin=document.origin_of(test.head),
                flow=flow,
                given=common | {key: _merged(common.get(key), value) for key, value in own.items()},
                steps=tuple(_step(document, step.key, step.value) for step in test.steps),
            )
        )
    return found


def _given(node: Mapping) -> dict[str, Any]:
    return {name: _data(value, name) for name in _GIVEN if (value := node.get(name)) is not None}


def _merged(common: Any, own: Any) -> Any:
    """A test's names beside the file's; a contact is somebody else altogether."""
    both_name = isinstance(common, dict) and isinstance(own, dict) and "number" not in own
    return common | own if both_name else own


def _step(document: Document, key: Scalar, value: Node) -> ScriptStep:
    places = {}
    if isinstance(value, Mapping):
        places = {name.text: document.origin_of(inner) for name, inner in value.entries}
    return ScriptStep(verb=key.text, value=_data(value, key.text), origin=document.origin_of(key), places=places)


def _data(node: Node, name: str) -> Any:
    """The node's value: typed where a type matters, else with texts for all scalars."""
    if name in _TYPED:
        return _silence(node) if name == "silence" else plain(node)
    match node:
        case Scalar():
            return node.text if node.is_text else None
        case Sequence():
            return [_data(item, "") for item in node.items]
        case Mapping():
            return {key.text: _member(name, key.text, value) for key, value in node.entries}


def _member(parent: str, name: str, node: Node) -> Any:
    """A mapping's member. What a contact is known by keeps its type; a status code of HTTP is a number."""
    if parent == "contact" and name != "number":
        return plain(node)
    if name == "status" and parent not in ("http", "respond", "webhook"):
        return _data(node, "")
    if parent in ("secrets", "env", "numbers", "metadata", "headers", "query", "form"):
        return _data(node, "")
    return _data(node, name)


def _silence(node: Node) -> Any:
    return node.value if isinstance(node, Scalar) else None
