"""Lays out a flow, or the project file, for the rules: goes through its nodes once, in the order in which it runs."""

from collections.abc import Container, Iterator

from msgspec.structs import replace

from sinchflow.language.inspector import Inspector
from sinchflow.language.languages import is_wording
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

#: The name of a loop's item where it has none of its own.
DEFAULT_ITEM = "item"


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
        for name in ("name", "description", "account"):
            self._text(root.entry(name), name, match)
        self._text(root.entry("if"), "flow.if", match)
        self._inputs(root.entry("inputs"))
        self._text(root.entry("contact"), "contact", Scope("match", has_inputs=True))
        begin = Scope("begin", has_inputs=True)
        self._values(root.entry("vars"), "vars", begin)
        begin = replace(begin, vars=self._names(root.get("vars"), frozenset()))
        for key, value in _entries(root.get("concurrency")):
            self._text((key, value), f"concurrency.{key.text}", begin)
        step = replace(begin, phase="step")
        known: dict[str, Given] = {}
        throttle = root.get("throttle")
        if isinstance(throttle, Mapping):
            self._steps(throttle.get("otherwise"), step, {})
        after = self._steps(root.get("steps"), step, known)
        self._values(root.entry("outputs"), "outputs", replace(after, steps=dict(known)))
        recovering: dict[str, Given] = {}
        _learn(recovering, known)
        self._steps(root.get("on_error"), replace(after, has_error=True), recovering)

    def _inputs(self, pair: tuple[Scalar, Node] | None) -> None:
        if pair is not None and not isinstance(pair[1], Mapping):
            self._outline.has_all_inputs = False
        for name, declared in _entries(pair[1] if pair else None):
            given = declared if isinstance(declared, Mapping) else Mapping((), name.start, name.end)
            for key, value in given.entries:
                has_default = key.text == "value" and given.entry("default")
                place = "inputs.value_or_default" if has_default else f"inputs.{key.text}"
                self._values((key, value), place, Scope("begin", has_inputs=True))  # those before it are known
            self._outline.inputs[name.text] = given

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
            self._filter((key, value), f"{kind.text}.{key.text}")

    def _filter(self, pair: tuple[Scalar, Node], place: str) -> None:
        """One filter of a trigger; of mappings inside it, the place is that of the key: `inbound_sms.from.list`."""
        key, value = pair
        for item in items_of(value):
            if isinstance(item, Mapping) and not place.endswith(".metadata"):
                for inner in item.entries:
                    self._filter(inner, f"{place}.{inner[0].text}")
            elif isinstance(item, Mapping):
                for inner in item.entries:
                    self._filter(inner, f"{place.removesuffix('.metadata')}.value")
            else:
                self._values((key, item), place, Scope("match"))

    # --- steps

    def _steps(self, node: Node | None, scope: Scope, known: dict[str, Given]) -> Scope:
        """Walk a list of steps; `known` grows by what they give. Returns the scope after them."""
        if node is not None and not isinstance(node, Sequence):
            self._outline.has_all_steps = False
            return scope
        ended: str | None = None
        last = node.items[-1] if node is not None and node.items else None
        for item in items_of(node):
            if not isinstance(item, Mapping) or not item.entries:
                self._outline.has_all_steps = False
                continue
            scope = self._step(item, replace(scope, steps=dict(known)), known, ended, item is last)
            ended = ended or _ending(item)
        return scope

    def _step(self, node: Mapping, scope: Scope, known: dict[str, Given], ended: str | None, is_last: bool) -> Scope:
        actions = tuple(pair for pair in node.entries if pair[0].text in ACTIONS)
        step = StepView(node, actions, scope, ended, is_last)
        self._outline.steps.append(step)
        if step.action is None or step.unknown_keys or (node.entry("id") and step.id is None):
            self._outline.has_all_steps = False
        self._text(node.entry("name"), "name", scope)
        condition = self._text(node.entry("if"), "if", scope)
        inner = _under(scope, condition)
        after = scope
        for key, value in actions:
            after = _joined(after, self._action(key, value, node, inner, known))
        self._on_error(node.get("on_error"), inner, known)
        if step.id:
            known[step.id.text] = Given(step.action, _certainty(node))
        return after

    def _on_error(self, node: Node | None, scope: Scope, known: dict[str, Given]) -> None:
        if isinstance(node, Sequence):
            inner = dict(known)
            self._steps(node, replace(scope, has_error=True), inner)
            _learn(known, inner)

    def _action(self, key: Scalar, value: Node, step: Mapping, scope: Scope, known: dict[str, Given]) -> Scope:
        """Note the action's texts; returns the scope after it, with the names that it may have given."""
        match key.text:
            case "choose":
                return self._choose(value, scope, known)
            case "then":
                return self._arms([(scope, value), (scope, step.get("else"))], scope, known)
            case "for_each" if isinstance(value, Mapping):
                return self._for_each(value, scope, known)
            case "parallel":
                return self._parallel(value, step, scope, known)
            case "set":
                return self._set(value, scope)
            case "remember":
                self._values((key, value), "remember", scope)
                names = frozenset(name.text for name, given in _entries(value) if not _is_null(given))
                return replace(scope, remembered=scope.remembered | names)
            case "wait_for_reply" if isinstance(value, Mapping):
                self._wait_for_reply(value, scope)
            case "wait_for_receipt" if isinstance(value, Mapping):
                for inner, node in value.entries:
                    self._values((inner, node), f"receipt.{inner.text}", scope)
            case "delay":
                for inner, node in _entries(value):
                    self._values((inner, node), f"delay.{inner.text}", scope)
            case "run_flow":
                self._text((key, value), "run_flow.flow", scope)
                for inner, node in _entries(value):
                    self._values((inner, node), f"run_flow.{inner.text}", scope)
            case "reply" if isinstance(value, Mapping) and is_wording(value):
                self._message((key, value), scope)
            case "http" if isinstance(value, Mapping):
                for inner, node in value.entries:
                    self._values((inner, node), f"http.{inner.text}", scope)
            case "reply" | "send_sms" if isinstance(value, Mapping):
                self._message(value.entry("message"), scope)
                for inner, node in value.entries:
                    if inner.text != "message":
                        self._values((inner, node), f"send.{inner.text}", scope)
            case name if name in ASKS and isinstance(value, Mapping):
                for inner, node in value.entries:
                    self._values((inner, node), f"ask.{inner.text}", scope)
            case name if name in ASKS:
                self._text((key, value), f"ask.{ASKS[name]}", scope)
            case _:
                self._text((key, value), key.text, scope)
        return scope

    def _choose(self, value: Node, scope: Scope, known: dict[str, Given]) -> Scope:
        arms: list[tuple[Scope, Node | None]] = []
        whole = scope
        for branch in items_of(value):
            if not isinstance(branch, Mapping):
                self._outline.has_all_steps = False
                continue
            condition = self._text(branch.entry("if"), "if", scope)
            arm = _under(scope, condition or Scalar("else", "else", "", 0, 0))
            arms += [(arm, branch.get("steps")), (arm, branch.get("else"))]
            if condition is not None:
                scope = replace(scope, passed=(*scope.passed, condition.text))
        return self._arms(arms, whole, known)

    def _arms(self, arms: list[tuple[Scope, Node | None]], scope: Scope, known: dict[str, Given]) -> Scope:
        """Branches one of which may be taken; after them nothing that they gave is sure."""
        learned, after = dict(known), scope
        for arm, steps in arms:
            inner = dict(known)
            after = _joined(after, self._steps(steps, arm, inner))
            _learn(learned, inner)
        known.update(learned)
        return after

    def _for_each(self, value: Mapping, scope: Scope, known: dict[str, Given]) -> Scope:
        """A loop: what its steps give is for the steps of the same item."""
        self._values(value.entry("items"), "for_each.items", scope)
        for key in ("as", "parallel", "on_item_error"):
            self._text(value.entry(key), f"for_each.{key}", scope)
        name = value.get("as")
        item = name.text if isinstance(name, Scalar) else DEFAULT_ITEM
        inner, inside = dict(known), replace(scope, items=scope.items | {item})
        after = self._steps(value.get("steps"), inside, inner)
        until = replace(after, steps=dict(inner), items=inside.items)
        self._text(value.entry("until"), "for_each.until", until)
        return replace(_joined(scope, after), items=scope.items)

    def _parallel(self, value: Node, step: Mapping, scope: Scope, known: dict[str, Given]) -> Scope:
        """Branches that are all taken; none of them sees what the others give."""
        after, learned = scope, dict[str, Given]()
        for branch in items_of(value):
            inner = dict(known)
            after = _joined(after, self._steps(branch, scope, inner))
            learned |= {name: given for name, given in inner.items() if name not in known}
        if _certainty(step) == "sure":
            known.update(learned)
        else:
            _learn(known, learned)
        return after

    def _wait_for_reply(self, value: Mapping, scope: Scope) -> None:
        self._text(value.entry("from"), "wait.from", scope)
        for _, filters in _entries(value.get("categories")):
            for key, node in _entries(filters):
                self._values((key, node), f"category.{key.text}", scope)
        otherwise = value.get("otherwise")
        self._message(otherwise.entry("reply") if isinstance(otherwise, Mapping) else None, scope)

    def _message(self, pair: tuple[Scalar, Node] | None, scope: Scope) -> None:
        """A text for people, in one language or in several."""
        if pair is not None and isinstance(pair[1], Mapping) and pair[1].entries:
            self._outline.wordings.append(pair[1])
        self._values(pair, "message", scope)

    def _set(self, value: Node, scope: Scope) -> Scope:
        if not isinstance(value, Mapping):
            self._outline.has_all_vars = False
        for pair in _entries(value):
            self._values(pair, "set", scope)
            scope = replace(scope, vars=scope.vars | {pair[0].text})
            self._outline.vars.add(pair[0].text)
        return scope

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


def _entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    return node.entries if isinstance(node, Mapping) else ()


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _joined(scope: Scope, after: Scope) -> Scope:
    """The scope, with the names that steps inside may have given."""
    return replace(scope, vars=scope.vars | after.vars, remembered=scope.remembered | after.remembered)


def _under(scope: Scope, condition: Scalar | None) -> Scope:
    if condition is None:
        return scope
    return replace(scope, conditions=(*scope.conditions, condition.text))


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
