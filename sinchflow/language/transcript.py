"""A file of transcript tests as its rules see it: what is given, and the steps of every script in order.

Tolerant as `outline` is: what the schema refused is passed over and noted, so that one mistake has one finding.
"""

from collections.abc import Iterator
from functools import cached_property

import msgspec

from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence, items_of
from sinchflow.model.origin import Origin

#: What a step of a script does. Those that say what must have happened, the rest makes something happen.
EXPECTING = ("out", "http", "run", "silence")
VERBS = ("in", "receipt", "advance", "now", "webhook", "start", "restart", "reload", *EXPECTING)


class ScriptStep(msgspec.Struct, frozen=True):
    """One step: its verb's key, and what stands there."""

    key: Scalar
    value: Node

    @property
    def verb(self) -> str:
        """What it does."""
        return self.key.text

    def get(self, name: str) -> Node | None:
        """A value of the step's mapping; None where there is none, or no mapping."""
        return self.value.get(name) if isinstance(self.value, Mapping) else None

    def texts(self, name: str, short: str = "") -> Iterator[Scalar]:
        """The text under this key, or the step's own where the short form stands for that key."""
        node = self.value if name == short and not isinstance(self.value, Mapping) else self.get(name)
        yield from (item for item in items_of(node) if isinstance(item, Scalar) and item.is_text)

    @property
    def is_expectation(self) -> bool:
        """Whether the test can fail at it."""
        return self.verb in EXPECTING or (self.verb == "webhook" and self.get("status") is not None)


class Transcript(msgspec.Struct, frozen=True):
    """One test. has_all_steps: False when a step could not be read."""

    node: Mapping
    steps: tuple[ScriptStep, ...]
    has_all_steps: bool

    @property
    def head(self) -> Scalar:
        """What to underline when the test as a whole is meant."""
        name = self.node.get("name")
        return name if isinstance(name, Scalar) and name.is_text else self.node.entries[0][0]


class TranscriptFile:
    """The tests of one document that has nodes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root = document.root if isinstance(document.root, Mapping) else Mapping((), 0, 0)
        tests = self.root.get("tests")
        items = tests.items if isinstance(tests, Sequence) else ()
        self.tests = [_transcript(item) for item in items if isinstance(item, Mapping) and item.entries]

    @property
    def flow(self) -> Scalar | None:
        """The name of the flow that the tests are about."""
        node = self.root.get("flow")
        return node if isinstance(node, Scalar) and node.is_text else None

    @property
    def steps(self) -> Iterator[ScriptStep]:
        """The steps of all tests."""
        return (step for test in self.tests for step in test.steps)

    def given(self, name: str) -> Iterator[tuple[Scalar, Node]]:
        """What the file and its tests give under this key: key and value."""
        nodes = (self.root.entry(name), *(test.node.entry(name) for test in self.tests))
        return (pair for pair in nodes if pair is not None)

    def entries(self, name: str) -> Iterator[tuple[Scalar, Node]]:
        """The entries of the mappings that the file and its tests give under this key."""
        return (entry for _, node in self.given(name) if isinstance(node, Mapping) for entry in node.entries)

    @cached_property
    def people(self) -> frozenset[str]:
        """Names of numbers."""
        return frozenset(key.text for key, _ in self.entries("numbers"))

    def at(self, node: Node) -> Origin:
        """The place of a node."""
        return self.document.origin_of(node)


def _transcript(node: Mapping) -> Transcript:
    script = node.get("script")
    steps: list[ScriptStep] = []
    has_all = isinstance(script, Sequence)
    for item in script.items if isinstance(script, Sequence) else ():
        entries = item.entries if isinstance(item, Mapping) else ()
        steps += (ScriptStep(key, value) for key, value in entries if key.text in VERBS)
        has_all &= bool(entries) and all(key.text in VERBS for key, _ in entries)
    return Transcript(node, tuple(steps), has_all)
