"""A document as the rules see it: its triggers, its steps in order, and every text with what is known where it stands.

Tolerant by design: nodes that the schema refused are passed over, and what could have named something there is noted
(`has_all_…`), so that one mistake does not bring a second finding with it.
"""

from collections.abc import Callable
from collections.abc import Sequence as Series
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec

from sinchflow.expression.inspection import Inspection, Use
from sinchflow.language.inspector import Inspector, says_all
from sinchflow.language.nodes import Document, Mapping, Node, Scalar
from sinchflow.language.scalars import place
from sinchflow.model.origin import Origin

if TYPE_CHECKING:
    import jinja2

    from sinchflow.expression.inference import Remark

#: Keys of a step that name its action.
ACTIONS = (
    "reply", "send_sms", "wait_for_reply", "wait_for_receipt", "http", "choose", "then", "for_each", "parallel",
    "run_flow", "delay", "set", "remember", "get_message_status", "get_sender_ids", "cancel_message", "opt_out",
    "opt_in", "log", "stop", "fail",
)  # fmt: skip
TRIGGERS = ("inbound_sms", "delivery_receipt", "opt_out", "schedule", "webhook", "manual")
#: Triggers of events that are about nobody by themselves.
ABOUT_NOBODY = ("schedule", "webhook", "manual")
#: Actions that ask the provider something, and what their short form stands for; None: a text is no form of it.
ASKS = {
    "get_message_status": "message_id", "get_sender_ids": None, "cancel_message": "message_id",
    "opt_out": "number", "opt_in": "number",
}  # fmt: skip

#: sure: the step has run by then. failed: unless it failed. skipped: unless its `if` or its branch was not taken.
Certainty = Literal["sure", "failed", "skipped"]

#: Places whose texts are rendered in the project file; elsewhere in it, and in `_PLAIN`, a template stays as it stands.
_RENDERED_SETTINGS = frozenset(
    {
        "base_url", "credentials.api_key", "credentials.api_secret", "webhooks.token", "webhooks.secret",
        "webhooks.public_url",
    }
)  # fmt: skip
_PLAIN = frozenset(
    {
        "name", "description", "account", "ask.account", "send.account", "http.method", "http.expect",
        "http.follow_redirects", "http.max_bytes", "http.parse", "send.source_number_type",
        "send.delivery_report", "send.format", "send.urgent", "send.on_unknown", "send.unknown_after",
        "send.valid_for", "http.on_unknown", "receipt.status", "receipt.timeout", "wait.timeout",
        "delay", "delay.before", "delay.after", "delay.if_past", "for_each.as", "for_each.parallel",
        "for_each.on_item_error", "run_flow.flow", "run_flow.wait", "inputs.type", "concurrency.mode",
        "concurrency.max",
    }
)  # fmt: skip
#: What is rendered of a trigger's settings.
_RENDERED_TRIGGERS = frozenset({"webhook.token", "webhook.hmac.secret", "webhook.dedupe"})
_AROUND = frozenset({"id", "name", "if", "timeout", "retry", "on_error", "else"})
_CONDITIONS = ("if", "flow.if", "for_each.until")


class Given(msgspec.Struct, frozen=True):
    """What a step before this place gives: by which action, how surely, None for an action that is not known."""

    action: str | None
    certainty: Certainty


class Scope(msgspec.Struct, frozen=True):
    """What a text may refer to. phase: `match` while flows are being chosen, `begin` for `vars`, then `step`."""

    phase: Literal["match", "begin", "step", "project"]
    steps: dict[str, Given] = {}
    vars: frozenset[str] = frozenset()
    remembered: frozenset[str] = frozenset()  #: what a `remember` before has given the contact
    items: frozenset[str] = frozenset()  #: names of the items of the loops around
    has_inputs: bool = False
    conditions: tuple[str, ...] = ()  #: of the branches and steps around
    passed: tuple[str, ...] = ()  #: of the branches of a `choose` that were not taken before these
    has_error: bool = False  #: inside of an `on_error`


class TextUse(msgspec.Struct, frozen=True):
    """A scalar and where it stands: `reply`, `http.url`, `set`, `if`, `inbound_sms.keyword`, …

    A setting's place is its path; one of `accounts.NAME` has the place that it would have at the top level, for the
    same is true of it.
    """

    scalar: Scalar
    place: str
    scope: Scope
    key: Scalar | None = None
    account: str | None = None  #: the account of `accounts` that the setting belongs to

    @property
    def is_condition(self) -> bool:
        """Whether it is a bare expression."""
        return self.place in _CONDITIONS

    @property
    def is_rendered(self) -> bool:
        """Whether templates in it are filled in when the flow runs."""
        if self.scope.phase == "project":
            return self.place in _RENDERED_SETTINGS
        return self.place not in _PLAIN and not self.is_filter

    @property
    def is_filter(self) -> bool:
        """Whether it belongs to a trigger's filter, or to that of a wait's category."""
        trigger, dot, _ = self.place.partition(".")
        return bool(dot) and trigger in (*TRIGGERS, "category") and self.place not in _RENDERED_TRIGGERS

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
    is_last: bool = False  #: nothing stands below it in its list

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
        self.wordings: list[Mapping] = []  #: texts in several languages
        self.vars: set[str] = set()
        self.inputs: dict[str, Mapping] = {}  #: what is declared, by name
        self.has_all_triggers = True  #: False when a trigger could not be read
        self.has_all_steps = True  #: False when a step, its id or its action could not be read
        self.has_all_vars = True  #: False when some `vars` or `set` could not be read
        self.has_all_inputs = True  #: False when `inputs` could not be read
        self._inspector = inspector

    @cached_property
    def inspections(self) -> list[tuple[TextUse, Inspection]]:
        """What stands inside of every condition and every rendered template."""
        return [
            (text, inspect(text.scalar.text)) for text in self.texts if (inspect := self._inspect_as(text)) is not None
        ]

    @cached_property
    def inspected(self) -> dict[int, tuple[TextUse, Inspection]]:
        """The same by the `id` of the scalar; the first of those that share one."""
        return {id(text.scalar): (text, inspection) for text, inspection in reversed(self.inspections)}

    @cached_property
    def loops(self) -> list[Mapping]:
        """What every `for_each` says."""
        found = [node for step in self.steps for key, node in step.actions if key.text == "for_each"]
        return [node for node in found if isinstance(node, Mapping)]

    def trees(self, source: str, *, is_condition: bool) -> "list[jinja2.nodes.Node]":
        """The syntax trees of a template or a condition, to look at."""
        return self._inspector.trees(source, is_condition=is_condition)

    @cached_property
    def remarks(self) -> "list[tuple[TextUse, Remark]]":
        """What the types of names say of the texts that use them, in order of place."""
        if all(not text.is_condition and says_all(text.scalar.text) for text, _ in self.inspections):
            return []
        from sinchflow.language.remarks import Remarks  # with Jinja, which takes long to import

        return list(Remarks(self).all())

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

    @cached_property
    def accounts(self) -> dict[str, Mapping]:
        """The project file's further accounts, by name."""
        node = self.root.get("accounts")
        entries = node.entries if isinstance(node, Mapping) else ()
        return {key.text: value for key, value in entries if isinstance(value, Mapping)}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The triggers that can start the flow."""
        return tuple(dict.fromkeys(trigger.kind for trigger in self.triggers))

    def ids(self) -> dict[str, StepView]:
        """All steps that have an id, the first of each."""
        return self._ids

    @cached_property
    def _ids(self) -> dict[str, StepView]:
        found: dict[str, StepView] = {}
        for step in self.steps:
            if step.id:
                found.setdefault(step.id.text, step)
        return found
