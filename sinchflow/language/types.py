"""The types of all names that a text of a flow may use, as far as the flow tells."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import msgspec

from sinchflow.expression.kinds import (
    A_FILLED_TEXT,
    A_LIST,
    A_MAPPING,
    A_NUMBER,
    A_TEXT,
    A_TRUTH,
    ANY,
    MAPPING,
    NONE,
    Type,
    either,
    list_of,
    mapping_of,
    of_value,
    or_none,
)
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence, plain
from sinchflow.language.outline import Outline, StepView, TextUse
from sinchflow.model.event import EVENT_FIELDS
from sinchflow.model.message import MESSAGE_FIELDS

_TEXT_OR_NONE = or_none(A_TEXT)
#: Texts by keys that nobody knows beforehand.
_TEXTS = Type(frozenset({MAPPING}), item=ANY)
#: What filters catch of a message: words of it, and none for the group of a regex that took no part.
_CAUGHT = Type(frozenset({MAPPING}), item=_TEXT_OR_NONE)
#: Fields of events that are no text; the others are, or none.
_FIELDS: dict[str, Type] = {
    "attachments": or_none(A_LIST), "metadata": or_none(_TEXTS), "query": _TEXTS, "headers": _TEXTS,
    "form": or_none(_TEXTS),
    "json": ANY, "status_code": ANY,
}  # fmt: skip
_MESSAGE: dict[str, Type] = {
    "delivery_report": ANY, "message_flags": A_LIST, "metadata": _TEXTS, "media": A_LIST,
}  # fmt: skip
_INPUTS: dict[str, Type] = {
    "string": A_TEXT, "number": A_NUMBER, "integer": A_NUMBER, "boolean": A_TRUTH, "phone": A_FILLED_TEXT,
    "datetime": A_FILLED_TEXT, "list": A_LIST, "mapping": A_MAPPING,
}  # fmt: skip
_SENT = mapping_of({
    "messages": list_of(ANY), "message_id": _TEXT_OR_NONE, "status": _TEXT_OR_NONE, "sent": A_NUMBER,
    "skipped": A_LIST, "not_sent": A_NUMBER,
})  # fmt: skip
_ROUNDS = mapping_of({"results": A_LIST, "count": A_NUMBER, "failed": A_NUMBER})
_OPTED = mapping_of({"number": A_FILLED_TEXT, "opted_out": A_TRUTH})


def _event(kind: str, *, is_told: bool = False) -> Type:
    fields = {name: _FIELDS.get(name, _TEXT_OR_NONE) for name in EVENT_FIELDS[kind]}
    return mapping_of(fields, is_told=is_told)


_INBOUND = _event("inbound_sms")
_ASKED = mapping_of({name: _MESSAGE.get(name, _TEXT_OR_NONE) for name in MESSAGE_FIELDS})
#: What `steps.ID` is after each action; categories of waits and what a flow puts out are looked up besides.
_OUTPUTS: dict[str, Type] = {
    "reply": _SENT,
    "send_sms": _SENT,
    "opt_out": _OPTED,
    "opt_in": _OPTED,
    "for_each": _ROUNDS,
    "parallel": _ROUNDS,
    "http": mapping_of({
        "status": A_NUMBER, "headers": _TEXTS, "json": ANY, "rows": or_none(A_LIST), "text": _TEXT_OR_NONE,
        "duration": A_NUMBER,
    }),
    "wait_for_reply": mapping_of({"category": A_FILLED_TEXT, "reply": or_none(_INBOUND), "match": or_none(_CAUGHT)}),
    "wait_for_receipt": mapping_of({"status": A_FILLED_TEXT, "receipt": or_none(_event("delivery_receipt"))}),
    "run_flow": mapping_of({"outputs": ANY, "run": ANY, "status": ANY}),
}  # fmt: skip
_ERROR = mapping_of({"kind": A_FILLED_TEXT, "message": A_FILLED_TEXT, "step": ANY, "status": ANY}, is_told=True)
_RUN = mapping_of({"id": ANY, "flow": A_FILLED_TEXT, "started_at": ANY}, is_told=True)


#: Variables set from one another that are followed.
_LONGEST_CHAIN = 20


class Types:
    """Types of one flow's names. infer: what a text that stands in the flow gives, by its scalar."""

    def __init__(self, outline: Outline, infer: Callable[[Scalar], Type]) -> None:
        self._outline = outline
        self._infer = infer
        self._known: dict[str, Type] = {}  #: of variables
        self._open: set[str] = set()  #: variables that are being looked at: one may be set from itself

    def name(self, text: TextUse, name: str) -> Type:
        """What `name` is where the text stands."""
        if name in text.scope.items:
            return ANY
        match name:
            case "event":
                return self._event
            case "contact":
                return ANY
            case "inputs":
                return self._inputs
            case "vars":
                return self._vars
            case "steps":
                return self._steps(text)
            case "run":
                return _RUN
            case "flow":
                return mapping_of({"name": A_FILLED_TEXT}, is_told=True)
            case "error":
                return _ERROR if text.scope.has_error else ANY
            case "our_number":
                return _TEXT_OR_NONE
            case "match" if self._outline.kinds == ("inbound_sms",) and self._outline.has_all_triggers:
                return _CAUGHT
            case "env":
                return _TEXTS
            case _:
                return ANY

    @cached_property
    def _event(self) -> Type:
        """The event's fields; of several triggers, or where the text is before the choice of one, anything."""
        kinds = self._outline.kinds
        if len(kinds) != 1 or not self._outline.has_all_triggers:
            return ANY
        return _event(kinds[0], is_told=True)

    @cached_property
    def _inputs(self) -> Type:
        if not self._outline.has_all_inputs:
            return ANY
        return mapping_of({name: _input(given) for name, given in self._outline.inputs.items()}, is_told=True)

    @cached_property
    def _vars(self) -> Type:
        if not self._outline.has_all_vars:
            return ANY
        return Type(frozenset({MAPPING}), fields=_Lazy(self._assigned, self._variable), is_told=True)

    @cached_property
    def _assigned(self) -> dict[str, list[Node]]:
        """Every value that each variable is given, anywhere in the flow."""
        found: dict[str, list[Node]] = {}
        for values in (self._outline.root.get("vars"), *(value for key, value in self._actions() if key == "set")):
            for key, value in values.entries if isinstance(values, Mapping) else ():
                found.setdefault(key.text, []).append(value)
        return found

    def _actions(self) -> Iterator[tuple[str, Node]]:
        for step in self._outline.steps:
            yield from ((key.text, value) for key, value in step.actions)

    def _variable(self, name: str) -> Type:
        known = self._known.get(name)
        if known is not None:
            return known
        if name in self._open or len(self._open) >= _LONGEST_CHAIN:
            return ANY
        self._open.add(name)
        try:
            found = either(self._value(node) for node in self._assigned[name])
        finally:
            self._open.discard(name)
        # What it was set to is not what it must be: only its kind is told, or every flag would be a constant.
        self._known[name] = Type(found.kinds)
        return self._known[name]

    def _value(self, node: Node) -> Type:
        match node:
            case Scalar() if isinstance(node.value, str) and "{" in node.text:
                return self._infer(node)
            case Scalar():
                return of_value(node.value)
            case Sequence():
                return A_LIST
            case Mapping():
                return A_MAPPING

    def _steps(self, text: TextUse) -> Type:
        """What the steps before have given; of one that may not have run nothing is known."""
        ids, given = self._outline.ids(), text.scope.steps

        def find(name: str) -> Type:
            is_sure = given[name].certainty == "sure" and given[name].action is not None
            return _output(ids.get(name)) if is_sure else ANY

        if not given:
            return ANY
        return Type(frozenset({MAPPING}), is_filled=True, fields=_Lazy(given, find), is_told=True)


class _Lazy(dict[str, Type]):
    """Types by name, each found out when it is asked for."""

    def __init__(self, names: Iterable[str], find: Callable[[str], Type]) -> None:
        super().__init__(dict.fromkeys(names, ANY))
        self._find = find

    def __getitem__(self, name: str) -> Type:
        return self._find(name)


def _output(step: StepView | None) -> Type:
    if step is None or step.action is None:
        return ANY
    if step.action in ("get_message_status", "cancel_message"):
        return _told(_ASKED)
    return _told(_OUTPUTS.get(step.action, ANY))


def _told(given: Type) -> Type:
    return msgspec.structs.replace(given, is_told=True)


def _input(given: Mapping) -> Type:
    kind = given.get("type")
    found = _INPUTS.get(kind.text if isinstance(kind, Scalar) else "string", ANY)
    default = given.get("default")
    if given.entry("default") is None:
        return found
    if isinstance(default, Scalar) and "{" in default.text:
        return ANY
    stands = of_value(plain(default))
    return Type(found.kinds | (stands.kinds if stands.kinds <= {NONE} else frozenset()))
