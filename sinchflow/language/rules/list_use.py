"""Columns that a list does not have, and a contact, instead of its number, looked up in a list."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import respelled
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean, sure
from sinchflow.language.walk import DEFAULT_ITEM

if TYPE_CHECKING:
    from jinja2 import nodes

#: What a value is: a list of the project's by this name, or one of its rows.
_Value = tuple[Literal["list", "row"], str]
#: A loop: its item's name, where that holds, and what it is.
_Loop = tuple[str, Mapping, _Value | None]
_KEEPING = ("sort", "unique", "reverse", "list")
_TAKING = ("first", "last")
_GUARDS = ("default", "d", "defined", "undefined", "none")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    uses = outline.uses("lists")
    if not uses:
        return
    columns = dict(settings.columns)
    loops = _loops(outline)
    texts = {id(text): text for text, _ in uses}
    for name in {name for name, *_ in loops}:
        texts |= {id(text): text for text, _ in outline.uses(name)}
    for text in texts.values():
        look = _Look(columns, _items(text.scalar, loops))
        for tree in outline.trees(text.scalar.text, is_condition=text.is_condition):
            look.at(tree)
        yield from look.findings(outline, text)


def _loops(outline: Outline) -> list[_Loop]:
    """The loops of the flow, outer ones first."""
    found: list[_Loop] = []
    for step in outline.steps:
        for key, value in step.actions:
            if key.text == "for_each" and isinstance(value, Mapping):
                name, items = value.get("as"), value.get("items")
                given = _looped(outline, items, found) if isinstance(items, Scalar) else None
                item: _Value | None = ("row", given[1]) if given and given[0] == "list" else None
                found.append((name.text if isinstance(name, Scalar) else DEFAULT_ITEM, value, item))
    return found


def _looped(outline: Outline, items: Scalar, loops: list[_Loop]) -> _Value | None:
    source = items.text.strip()
    if not (source.startswith("{{") and source.endswith("}}") and source.count("{{") == 1):
        return None
    trees = outline.trees(source[2:-2].strip("-+ \n"), is_condition=True)
    return _Look({}, _items(items, loops)).at(trees[0]) if trees else None


def _items(scalar: Scalar, loops: list[_Loop]) -> dict[str, _Value | None]:
    """The items of the loops around a text; of two of one name the inner one's."""
    return {name: item for name, node, item in loops if node.start <= scalar.start < node.end}


class _Look:
    """Goes through the expressions of one text."""

    def __init__(self, columns: dict[str, tuple[str, ...]], names: dict[str, _Value | None]) -> None:
        self._columns = columns
        self._names = names
        self._found: list[tuple[int, int, str, str, str | None]] = []

    def findings(self, outline: Outline, text: TextUse) -> Iterator[Diagnostic]:
        """What was found, at its place."""
        for start, length, message, hint, meant in self._found:
            where = outline.at(text, start, length)
            edits = respelled(where, text.scalar.text[start : start + length], meant)
            yield finding(where, RULE.id, message, hint, edits=edits)

    def at(self, node: "nodes.Node") -> _Value | None:
        """What a node is, as far as it is of a list."""
        from jinja2 import nodes

        match node:
            case nodes.Name():
                return self._names.get(node.name)
            case nodes.Getattr() | nodes.Getitem():
                return self._item(node)
            case nodes.Filter(node=inner) if inner is not None:
                return self._filter(node, inner)
            case nodes.Test(node=nodes.Getattr() | nodes.Getitem() as inner) if node.name in _GUARDS:
                self.at(inner.node)
                return None
            case nodes.For():
                self._loop(node)
                return None
            case nodes.Compare(expr=nodes.Name(name="contact")):
                self._contact(node)
        for child in node.iter_child_nodes():
            self.at(child)
        return None

    def _item(self, node: "nodes.Getattr | nodes.Getitem") -> _Value | None:
        from jinja2 import nodes

        name, start = _constant(node)
        if isinstance(node.node, nodes.Name) and node.node.name == "lists" and "lists" not in self._names:
            return ("list", name) if name else None
        owner = self.at(node.node)
        if owner is None or (isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice)):
            return owner
        if owner[0] == "list":
            if name and not name.isdigit():
                self._add_rows(start, name, owner[1])
            return None if name else ("row", owner[1])
        known = self._columns.get(owner[1])
        if name and known is not None and name not in known:
            self._add_column(start, name, owner[1], known)
        return None

    def _add_column(self, start: int, name: str, owner: str, known: tuple[str, ...]) -> None:
        message = f'the list "{owner}" has no column "{name}"'
        self._found.append((start, len(name), message, did_you_mean(name, known, "columns"), sure(name, known)))

    def _add_rows(self, start: int, name: str, owner: str) -> None:
        message = f'the list "{owner}" has rows, and no "{name}" of its own'
        hint = f"take a row first: lists.{owner}[0].{name}, or go through them with for_each"
        if name in ("number", "numbers"):
            hint = f"a number is looked up in the list itself: contact.number in lists.{owner}"
        self._found.append((start, len(name), message, hint, None))

    def _filter(self, node: "nodes.Filter", inner: "nodes.Expr") -> _Value | None:
        from jinja2 import nodes

        if node.name in _GUARDS and isinstance(inner, nodes.Getattr | nodes.Getitem):
            owner = self.at(inner.node)
            return None if owner and owner[0] == "row" else self.at(inner)
        given = self.at(inner)
        for each in (*node.args, *(pair.value for pair in node.kwargs)):
            self.at(each)
        if given is None or given[0] != "list":
            return None
        known = self._columns.get(given[1])
        for pair in node.kwargs if known is not None else ():
            name = pair.value.value if pair.key == "attribute" and isinstance(pair.value, nodes.Const) else None
            if known is not None and isinstance(name, str) and name.isidentifier() and name not in known:
                self._add_column(pair.value.lineno + 1, name, given[1], known)
        return given if node.name in _KEEPING else ("row", given[1]) if node.name in _TAKING else None

    def _loop(self, node: "nodes.For") -> None:
        from jinja2 import nodes

        given = self.at(node.iter)
        before = self._names
        targets = [
            each.name for each in (node.target, *node.target.find_all(nodes.Name)) if isinstance(each, nodes.Name)
        ]
        is_row = given is not None and given[0] == "list" and isinstance(node.target, nodes.Name)
        self._names = before | dict.fromkeys(targets, ("row", given[1]) if is_row and given else None)
        for child in (*node.body, *node.else_, *([node.test] if node.test else [])):
            self.at(child)
        self._names = before

    def _contact(self, node: "nodes.Compare") -> None:
        """A contact is a mapping, and a list holds numbers."""
        if "contact" not in self._names and node.ops and node.ops[0].op in ("in", "notin"):
            given = self.at(node.ops[0].expr)
            if given and given[0] == "list":
                so = "false" if node.ops[0].op == "in" else "true"
                message = f"a list knows numbers, not contacts: this is always {so}"
                hint = f"write contact.number in lists.{given[1]}"
                self._found.append((node.expr.lineno, 7, message, hint, "contact.number"))


def _constant(node: "nodes.Getattr | nodes.Getitem") -> tuple[str, int]:
    """The name of an item that is written out, and where it stands; an empty one where it is not."""
    from jinja2 import nodes

    if isinstance(node, nodes.Getattr):
        return node.attr, node.lineno + 1
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value, node.arg.lineno + 1
    return "", 0


_PROJECT = """\
# file: sinchflow.yaml
lists: {oncall: lists/oncall.csv}
# file: lists/oncall.csv
number,name
+61491570156,Joe
# file: flows/alert.yaml
on: manual
steps:
  - for_each:
      items: "{{ lists.oncall }}"
      steps:
"""

RULE = Rule(
    id="list-use",
    reason="A column that a list does not have fails the step; and a list holds numbers, not contacts.",
    failing=_PROJECT + '        - send_sms: {to: "{{ item.number }}", message: "Wake up, {{ item.first_name }}!"}\n',
    corrected=_PROJECT + '        - send_sms: {to: "{{ item.number }}", message: "Wake up, {{ item.name }}!"}\n',
    check=_check,
)
