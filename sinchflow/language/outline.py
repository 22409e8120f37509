"""A document as the rules see it: its triggers, its steps in order, and every text with what is known where it stands.

Tolerant by design: nodes that the schema refused are passed over, and what could have named something there is noted
(`is_whole`), so that one mistake does not bring a second finding with it.
"""

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Series
from functools import cached_property
from typing import Literal

import msgspec

from sinchflow.expression.inspect import Inspection, Use
from sinchflow.language.inspector import Inspector
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.scalars import place
from sinchflow.model.origin import Origin

#: Keys of a step that name its action.
ACTIONS = ("reply", "send_sms", "http", "set", "choose", "log", "stop", "fail")
TRIGGERS = ("inbound_sms", "delivery_receipt", "manual")

#: sure: the step has run by then. failed: unless it failed. skipped: unless its `if` or its branch was not taken.
Certainty = Literal["sure", "failed", "skipped"]

#: Places whose texts are rendered in the project file; elsewhere in it, and in `_PLAIN`, a template stays as it stands.
_RENDERED_SETTINGS = frozenset({"base_url", "credentials.api_key", "credentials.api_secret", "webhooks.token"})
_PLAIN = frozenset(
    {
        "name", "description", "http.method", "http.expect", "http.follow_redirects", "http.max_bytes", "http.parse",
        "send.source_number_type", "send.delivery_report", "send.format",
    }
)  # fmt: skip
_AROUND = frozenset({"id", "name", "if", "timeout", "retry", "on_error"})


class Given(msgspec.Struct, frozen=True):
    """What a step before this place gives: by which action, how surely, None for an action that is not known."""

    action: str | None
    certainty: Certainty


class Scope(msgspec.Struct, frozen=True):
    """What a text may refer to. phase: `match` while flows are being chosen, `begin` for `vars`, then `step`."""

    phase: Literal["match", "begin", "step", "project"]
    steps: dict[str, Given] = {}
    vars: frozenset[str] = frozenset()
    conditions: tuple[str, ...] = ()  #: of the branches and steps around
    has_error: bool = False  #: inside of an `on_error`


class TextUse(msgspec.Struct, frozen=True):
    """A scalar and where it stands: `reply`, `http.url`, `set`, `if`, `inbound_sms.keyword`, …"""

    scalar: Scalar
    place: str
    scope: Scope
    key: Scalar | None = None

    @property
    def is_condition(self) -> bool:
        """Whether it is a bare expression."""
        return self.place in ("if", "flow.if")

    @property
    def is_rendered(self) -> bool:
        """Whether templates in it are filled in when the flow runs."""
        if self.scope.phase == "project":
            return self.place in _RENDERED_SETTINGS
        return self.place not in _PLAIN and not self.place.startswith(TRIGGERS)

    @property
    def is_template(self) -> bool:
        """Whether the text has something in braces."""
        return any(mark in self.scalar.text for mark in ("{{", "{%", "{#"))


class TriggerView(msgspec.Struct, frozen=True):
    """One trigger with one set of filters (None: it takes none or they are of a wrong shape)."""

    kind: str
    key: Scalar
    filters: Mapping | None


class StepView(msgspec.Struct, frozen=True):
    """One step; `actions` are the keys that name one, exactly one where nothing is wrong."""

    node: Mapping
    actions: tuple[tuple[Scalar, Node], ...]
    scope: Scope
    follows: str | None = None  #: `stop` or `fail` when the step before it in its list ends the run

    @property
    def action(self) -> str | None:
        """The action's name, None when it has none or two."""
        return self.actions[0][0].text if len(self.actions) == 1 else None

    @property
    def id(self) -> Scalar | None:
        """The step's id, when it is a text."""
        node = self.node.get("id")
        return node if isinstance(node, Scalar) and isinstance(node.value, str) else None

    @property
    def head(self) -> Scalar:
        """What to underline when the step as a whole is meant."""
        return self.actions[0][0] if self.actions else self.node.entries[0][0]

    @property
    def unknown_keys(self) -> tuple[Scalar, ...]:
        """Keys that are neither actions nor allowed around one."""
        return tuple(key for key, _ in self.node.entries if key.text not in ACTIONS and key.text not in _AROUND)


class Outline:
    """One flow document, or the project file, laid out for the rules."""

    def __init__(self, document: Document, inspector: Inspector) -> None:
        self.document = document
        self.root = document.root if isinstance(document.root, Mapping) else Mapping((), 0, 0)
        self.triggers: list[TriggerView] = []
        self.steps: list[StepView] = []
        self.texts: list[TextUse] = []
        self.vars: set[str] = set()
        self.has_all_triggers = True  #: False when a trigger could not be read
        self.has_all_steps = True  #: False when a step, its id or its action could not be read
        self.has_all_vars = True  #: False when some `vars` or `set` could not be read
        self._inspector = inspector

    @cached_property
    def inspections(self) -> list[tuple[TextUse, Inspection]]:
        """What stands inside of every condition and every rendered template."""
        return [
            (text, inspect(text.scalar.text)) for text in self.texts if (inspect := self._inspect_as(text)) is not None
        ]

    def _inspect_as(self, text: TextUse) -> Callable[[str], Inspection] | None:
        if text.is_condition:
            return self._inspector.condition
        return self._inspector.template if text.is_template and text.is_rendered else None

    def uses(self, name: str) -> Series[tuple[TextUse, Use]]:
        """Where one of the names that templates see is used."""
        return self._uses.get(name, ())

    @cached_property
    def _uses(self) -> dict[str, list[tuple[TextUse, Use]]]:
        found: dict[str, list[tuple[TextUse, Use]]] = {}
        for text, inspection in self.inspections:
            for use in inspection.uses:
                found.setdefault(use.path[0], []).append((text, use))
        return found

    def at(self, text: TextUse, offset: int, length: int) -> Origin:
        """The place in the file of some characters of a text."""
        return place(self.document, text.scalar, offset, length)

    def at_part(self, text: TextUse, use: Use, index: int) -> Origin:
        """The place of one part of a dotted name: 0 is the name itself."""
        source, at = text.scalar.text, use.offset
        for part in use.path[:index]:
            at = max(source.find(part, at), at) + len(part)
        found = source.find(use.path[index], at)
        return self.at(text, *((found, len(use.path[index])) if found >= 0 else (use.offset, use.length)))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The triggers that can start the flow."""
        return tuple(dict.fromkeys(trigger.kind for trigger in self.triggers))

    def ids(self) -> dict[str, StepView]:
        """All steps that have an id, the first of each."""
        found: dict[str, StepView] = {}
        for step in self.steps:
            if step.id:
                found.setdefault(step.id.text, step)
        return found


def outline_flow(document: Document, inspector: Inspector) -> Outline:
    """The outline of a flow document that has nodes."""
    outline = Outline(document, inspector)
    _Walk(outline).flow()
    return outline


def outline_project(document: Document, inspector: Inspector) -> Outline:
    """The outline of the project file: its texts, by their path."""
    outline = Outline(document, inspector)
    for path, key, scalar in _leaves(outline.root, ""):
        outline.texts.append(TextUse(scalar, path, Scope("project"), key))
    return outline


def _leaves(node: Mapping, prefix: str) -> Iterator[tuple[str, Scalar, Scalar]]:
    for key, value in node.entries:
        path = f"{prefix}{key.text}"
        if isinstance(value, Mapping):
            yield from _leaves(value, path + ".")
        else:
            yield from ((path, key, item) for item in items_of(value) if isinstance(item, Scalar) and item.is_text)


class _Walk:
    """Goes through a flow once, in the order in which it runs."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline

    def flow(self) -> None:
        root = self._outline.root
        self._triggers(root.get("on"))
        match = Scope("match")
        for key in ("name", "description"):
            self._text(root.entry(key), key, match)
        self._text(root.entry("if"), "flow.if", match)
        begin = Scope("begin", vars=self._names(root.get("vars"), frozenset()))
        self._values(root.entry("vars"), "vars", Scope("begin"))
        self._text(root.entry("contact"), "contact", Scope("match"))
        known: dict[str, Given] = {}
        self._steps(root.get("steps"), msgspec.structs.replace(begin, phase="step"), known)

    # --- triggers

    def _triggers(self, on: Node | None) -> None:
        for item in items_of(on):
            match item:
                case Mapping():
                    for kind, filters in item.entries:
                        for one in filters.items if isinstance(filters, Sequence) else (filters,):
                            self._trigger(kind, one if isinstance(one, Mapping) else None)
                case Scalar():
                    self._trigger(item, None)
                case _:
                    self._outline.has_all_triggers = False
        self._outline.has_all_triggers &= on is not None

    def _trigger(self, kind: Scalar, filters: Mapping | None) -> None:
        if kind.text not in TRIGGERS:
            self._outline.has_all_triggers = False
            return
        self._outline.triggers.append(TriggerView(kind.text, kind, filters))
        for key, value in filters.entries if filters else ():
            self._values((key, value), f"{kind.text}.{key.text}", Scope("match"))

    # --- steps

    def _steps(self, node: Node | None, scope: Scope, known: dict[str, Given]) -> Scope:
        """Walk a list of steps; `known` grows by what they give. Returns the scope after them."""
        if node is not None and not isinstance(node, Sequence):
            self._outline.has_all_steps = False
            return scope
        ended: str | None = None
        for item in items_of(node):
            if not isinstance(item, Mapping) or not item.entries:
                self._outline.has_all_steps = False
                continue
            scope = self._step(item, msgspec.structs.replace(scope, steps=dict(known)), known, ended)
            ended = ended or _ending(item)
        return scope

    def _step(self, node: Mapping, scope: Scope, known: dict[str, Given], ended: str | None) -> Scope:
        actions = tuple(pair for pair in node.entries if pair[0].text in ACTIONS)
        step = StepView(node, actions, scope, ended)
        self._outline.steps.append(step)
        if step.action is None or step.unknown_keys or (node.entry("id") and step.id is None):
            self._outline.has_all_steps = False
        self._text(node.entry("name"), "name", scope)
        condition = self._text(node.entry("if"), "if", scope)
        inner = _under(scope, condition)
        after = inner.vars
        for key, value in actions:
            after |= self._action(key, value, inner, known)
        self._on_error(node.get("on_error"), inner, known)
        if step.id:
            known[step.id.text] = Given(step.action, _certainty(node))
        return msgspec.structs.replace(scope, vars=after)

    def _on_error(self, node: Node | None, scope: Scope, known: dict[str, Given]) -> None:
        if isinstance(node, Sequence):
            inner = dict(known)
            self._steps(node, msgspec.structs.replace(scope, has_error=True), inner)
            _learn(known, inner)

    def _action(self, key: Scalar, value: Node, scope: Scope, known: dict[str, Given]) -> frozenset[str]:
        """Note the action's texts; returns the variables it may set."""
        match key.text:
            case "choose":
                return self._choose(value, scope, known)
            case "set":
                return self._set(value, scope)
            case "http" if isinstance(value, Mapping):
                for inner, node in value.entries:
                    self._values((inner, node), f"http.{inner.text}", scope)
            case "reply" | "send_sms" if isinstance(value, Mapping):
                for inner, node in value.entries:
                    self._values((inner, node), "message" if inner.text == "message" else f"send.{inner.text}", scope)
            case _:
                self._text((key, value), key.text, scope)
        return frozenset()

    def _choose(self, value: Node, scope: Scope, known: dict[str, Given]) -> frozenset[str]:
        names: frozenset[str] = frozenset()
        learned = dict(known)
        for branch in items_of(value):
            if not isinstance(branch, Mapping):
                self._outline.has_all_steps = False
                continue
            condition = self._text(branch.entry("if"), "if", scope)
            arm = _under(scope, condition or Scalar("else", "else", "", 0, 0))
            for key in ("steps", "else"):
                inner = dict(known)
                names |= self._steps(branch.get(key), arm, inner).vars
                _learn(learned, inner)
        known.update(learned)
        return names

    def _set(self, value: Node, scope: Scope) -> frozenset[str]:
        if not isinstance(value, Mapping):
            self._outline.has_all_vars = False
            return frozenset()
        names: frozenset[str] = frozenset()
        for pair in value.entries:
            self._values(pair, "set", msgspec.structs.replace(scope, vars=scope.vars | names))
            names |= {pair[0].text}
            self._outline.vars.add(pair[0].text)
        return names

    # --- texts

    def _names(self, node: Node | None, before: frozenset[str]) -> frozenset[str]:
        if node is not None and not isinstance(node, Mapping):
            self._outline.has_all_vars = False
        names = frozenset(key.text for key, _ in node.entries) if isinstance(node, Mapping) else frozenset()
        self._outline.vars |= names
        return before | names

    def _text(self, pair: tuple[Scalar, Node] | None, place: str, scope: Scope) -> Scalar | None:
        if pair is None or not isinstance(pair[1], Scalar) or not pair[1].is_text:
            return None
        self._outline.texts.append(TextUse(pair[1], place, scope, pair[0]))
        return pair[1]

    def _values(self, pair: tuple[Scalar, Node] | None, place: str, scope: Scope) -> None:
        """Every scalar of a tree."""
        if pair is None:
            return
        key, node = pair
        match node:
            case Scalar():
                self._text(pair, place, scope)
            case Sequence():
                for item in node.items:
                    self._values((key, item), place, scope)
            case Mapping():
                for inner in node.entries:
                    self._values(inner, place, scope)


def _under(scope: Scope, condition: Scalar | None) -> Scope:
    if condition is None:
        return scope
    return msgspec.structs.replace(scope, conditions=(*scope.conditions, condition.text))


def _learn(known: dict[str, Given], inner: dict[str, Given]) -> None:
    """Take over what a branch gave; outside of it that is not sure."""
    for name, given in inner.items():
        if name not in known:
            known[name] = Given(given.action, "skipped")


def _certainty(step: Mapping) -> Certainty:
    """How sure it is that the step gave something, for the steps after it."""
    on_error = step.get("on_error")
    if on_error is not None and not (isinstance(on_error, Sequence) and _ends_run(on_error)):
        return "failed"
    return "skipped" if step.entry("if") else "sure"


def _ends_run(steps: Sequence) -> bool:
    return any(isinstance(item, Mapping) and _ending(item) for item in steps.items)


def _ending(step: Mapping) -> str | None:
    """`stop` or `fail` when the step always ends the run."""
    if step.entry("if"):
        return None
    return next((name for name in ("stop", "fail") if step.entry(name)), None)
