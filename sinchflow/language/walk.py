"""Lays out a flow, or the project file, for the rules: goes through its nodes once, in the order in which it runs."""

from collections.abc import Container, Iterator

import msgspec

from sinchflow.language.inspector import Inspector
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.outline import (
    ACTIONS,
    ASKS,
    TRIGGERS,
    Certainty,
    Given,
    Outline,
    Scope,
    StepView,
    TextUse,
    TriggerView,
)


def outline_flow(document: Document, inspector: Inspector) -> Outline:
    """The outline of a flow document that has nodes."""
    outline = Outline(document, inspector)
    _Walk(outline).flow()
    return outline


def outline_project(document: Document, inspector: Inspector) -> Outline:
    """The outline of the project file: its texts, by their path."""
    outline = Outline(document, inspector)
    accounts = outline.accounts
    for path, key, scalar in _leaves(outline.root, ""):
        place, account = _owner(path, accounts)
        outline.texts.append(TextUse(scalar, place, Scope("project"), key, account))
    return outline


def _owner(path: str, accounts: Container[str]) -> tuple[str, str | None]:
    """The place of a setting, and which of the further accounts has it."""
    outer, _, inner = path.partition(".")
    name, dot, place = inner.partition(".")
    return (place, name) if outer == "accounts" and dot and name in accounts else (path, None)


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
        for key in ("name", "description", "account"):
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
            case name if name in ASKS and isinstance(value, Mapping):
                for inner, node in value.entries:
                    self._values((inner, node), f"ask.{inner.text}", scope)
            case name if name in ASKS:
                self._text((key, value), f"ask.{ASKS[name]}", scope)
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
