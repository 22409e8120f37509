"""What a template or condition gives, and what in it cannot work, from what is known of the names that it uses.

Nothing is evaluated. Whatever is not known for certain may be anything, and then nothing is said about it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import msgspec
from jinja2 import nodes

from sinchflow.expression import signatures
from sinchflow.expression.kinds import (
    A_LENGTH,
    A_NUMBER,
    A_TEXT,
    A_TIME,
    A_TRUTH,
    ALWAYS,
    ANY,
    LENGTH,
    LIST,
    MAPPING,
    NEVER,
    NONE,
    NUMBER,
    OTHER,
    TEXT,
    TIME,
    TRUTH,
    Type,
    either,
    list_of,
    mapping_of,
    mixes,
    of_value,
    shown,
    there,
    truth,
    words,
)
from sinchflow.expression.placed import last_word, span

Names = Callable[[str], Type]

_NUMBERS = (NUMBER, TRUTH)
_TIME_PARTS = ("year", "month", "day", "hour", "minute", "second", "weekday")
_LOOP = mapping_of({"index": A_NUMBER, "index0": A_NUMBER, "first": A_TRUTH, "last": A_TRUTH, "length": A_NUMBER})
_ORDERED = {"gt": ">", "lt": "<", "gteq": ">=", "lteq": "<="}
_CLASHING = ((TEXT,), _NUMBERS, (TIME,), (LENGTH,), (LIST,), (MAPPING,))


class Remark(msgspec.Struct, frozen=True):
    """Something that cannot work (`filter-type`, `operand-type`, `unknown-item`) or is always so (`constant`),
    or nothing where it is to be sent (`no-else`).

    start and end: of what is meant, in characters of the source. known: the items that there are.
    """

    rule: str
    message: str
    hint: str
    start: int
    end: int
    known: tuple[str, ...] = ()


class Inference:
    """Infers over one source text; `remarks` grows."""

    def __init__(self, source: str, names: Names) -> None:
        self._source = source
        self._names = names
        self._own: dict[str, Type] = {}  #: what loops name
        self.remarks: list[Remark] = []
        self._stood_in: nodes.Node | None = None  #: what a `default` stands beside

    def condition(self, node: nodes.Expr) -> Type:
        """A condition as a whole: its type, and whether it or a part of it is always so."""
        found = self._decided(node)
        self._judge(node, found)
        return found

    def _decided(self, node: nodes.Node) -> Type:
        """The type of a condition; its parts are conditions too."""
        if isinstance(node, (nodes.And, nodes.Or)):
            return self._both(node)
        return self._not(node) if isinstance(node, nodes.Not) else self.infer(node)

    def template(self, body: list[nodes.Node]) -> None:
        """A template's parts, in order."""
        for node in body:
            match node:
                case nodes.Output():
                    for each in node.nodes:
                        if not isinstance(each, nodes.TemplateData):
                            self.infer(each)
                case nodes.If():
                    self.condition(cast(nodes.Expr, node.test))
                    self.template([*node.body, *node.elif_, *node.else_])
                case nodes.For():
                    self._loop(node)
                case _:
                    pass

    def infer(self, node: nodes.Node) -> Type:
        """The type of an expression."""
        look = _LOOKS.get(type(node))
        return ANY if look is None else look(self, node)

    def _const(self, node: nodes.Const) -> Type:
        return of_value(node.value)

    def _name(self, node: nodes.Name) -> Type:
        return self._own.get(node.name) or self._names(node.name)

    def _getattr(self, node: nodes.Getattr) -> Type:
        return self._item(node, self.infer(node.node), node.attr)

    def _not(self, node: nodes.Not) -> Type:
        held = truth(self._decided(node.node))
        return A_TRUTH if held is None else NEVER if held else ALWAYS

    def _choice(self, node: nodes.CondExpr) -> Type:
        self.condition(node.test)
        if node.expr2 is None and node is not self._stood_in:
            message = "without an else this has no value when its condition is false, and the step fails"
            self._remark("no-else", message, "end it with: else ''", node)
        return either([self.infer(node.expr1), self.infer(node.expr2) if node.expr2 else ANY])

    def _concat(self, node: nodes.Concat) -> Type:
        for each in node.nodes:
            self.infer(each)
        return A_TEXT

    def _sign(self, node: nodes.UnaryExpr) -> Type:
        found = self.infer(node.node)
        self._refuse(node, found, (*_NUMBERS, LENGTH), f"{node.operator} takes a number")
        return A_NUMBER if found.only(*_NUMBERS) else ANY

    def _list(self, node: nodes.List | nodes.Tuple) -> Type:
        items = [self.infer(each) for each in node.items]
        return list_of(either(items)) if items else Type(frozenset({LIST}), frozenset({()}))

    # --- names and items

    def _item(self, node: nodes.Node, owner: Type, name: str) -> Type:
        """`owner.name`, or `owner['name']`."""
        if owner.fields is not None and owner.only(MAPPING, NONE):
            if name in owner.fields:
                return owner.fields[name]
            if not owner.is_told:
                known = tuple(sorted(owner.fields))
                self._remark("unknown-item", f'there is no "{name}" in it', "", node, last_word(node, name), known)
            return ANY
        if owner.only(TIME) and name in _TIME_PARTS:
            return A_NUMBER
        if owner.only(TEXT, NUMBER, TRUTH, TIME, LENGTH, NONE) or (owner.only(LIST, NONE) and not name.isdigit()):
            hint = f"take one of its items first: [0].{name}" if owner.may_be(LIST) else ""
            message = f'{words(there(owner)) or "none"} has no "{name}"'
            self._remark("unknown-item", message, hint, node, last_word(node, name))
            return ANY
        return owner.item or ANY if owner.only(MAPPING, NONE) else ANY

    def _subscript(self, node: nodes.Getitem) -> Type:
        owner = self.infer(node.node)
        if isinstance(node.arg, nodes.Slice):
            return msgspec.structs.replace(owner, values=None, is_filled=False) if owner.only(TEXT, LIST) else ANY
        given = self.infer(node.arg)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._item(node, owner, node.arg.value)
        if owner.only(LIST) and given.only(NUMBER):
            return owner.item or ANY
        return A_TEXT if owner.only(TEXT) and given.only(NUMBER) else ANY

    def _mapping(self, node: nodes.Dict) -> Type:
        fields = {}
        for pair in node.items:
            value = self.infer(pair.value)
            if not isinstance(pair.key, nodes.Const):
                return Type(frozenset({MAPPING}))
            fields[str(pair.key.value)] = value
        return mapping_of(fields)

    def _call(self, node: nodes.Call) -> Type:
        called = node.node
        if isinstance(called, nodes.Name):
            return A_TIME if called.name == "now" else ANY
        if isinstance(called, nodes.Getattr):
            return {"is_open": A_TRUTH, "next_open": A_TIME}.get(called.attr, ANY)
        return ANY

    def _loop(self, node: nodes.For) -> None:
        items = self.infer(node.iter)
        self._refuse(node.iter, items, (LIST, MAPPING, TEXT, OTHER), "a loop goes through a list")
        before = dict(self._own)
        targets: list[nodes.Node] = [*node.target.find_all(nodes.Name)] or [node.target]
        item = (items.item or ANY) if items.only(LIST) else ANY
        for target in targets:
            self._own[getattr(target, "name", "")] = item if isinstance(node.target, nodes.Name) else ANY
        self._own["loop"] = _LOOP
        self.template([*node.body, *node.else_])
        self._own = before

    # --- filters and tests

    def _filter(self, node: nodes.Filter) -> Type:
        self._stood_in = node.node if node.name in ("default", "d") else None
        given = self.infer(node.node) if node.node is not None else ANY
        arguments = [self.infer(each) for each in node.args]
        keyed = {str(each.key): self.infer(each.value) for each in node.kwargs}
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            return ANY
        if node.name in ("default", "d"):
            return self._default(given, arguments, keyed)
        signature = signatures.SIGNATURES.get(node.name)
        if signature is None:
            return ANY
        bound = signatures.bind(node.name, len(arguments), list(keyed))
        if isinstance(bound, str):
            self._remark("filter-type", f"{node.name} is not given what it takes", f"it is written {bound}", node)
            return signature.gives or ANY
        for name, kinds in signature.arguments.items():
            at = bound.get(name)
            argument = keyed[name] if isinstance(at, str) else arguments[at] if at is not None else ANY
            if not argument.may_be(*kinds, NONE):
                message = f"{node.name} takes {_listed(kinds)} as its {name}, not {shown(argument)}"
                self._remark("filter-type", message, "", node)
        if not given.may_be(*signature.takes):
            hint = _way_out(given, node.name)
            self._remark("filter-type", f"{node.name} takes {_listed(signature.takes)}, not {words(given)}", hint, node)
        if signature.gives is not None:
            return signature.gives
        return msgspec.structs.replace(given, values=None)

    def _default(self, given: Type, arguments: list[Type], keyed: Mapping[str, Type]) -> Type:
        instead = arguments[0] if arguments else keyed.get("instead", of_value(""))
        if not given.is_known:
            return ANY
        held = there(given)
        return either([held, instead]) if held.kinds else instead

    def _test(self, node: nodes.Test) -> Type:
        given = self.infer(node.node)
        for each in node.args:
            self.infer(each)
        if node.name == "none" and given.is_known and (given.only(NONE) or not given.may_be(NONE)):
            return ALWAYS if given.only(NONE) else NEVER
        kinds = {"string": (TEXT,), "number": (NUMBER,), "mapping": (MAPPING,), "boolean": (TRUTH,)}.get(node.name)
        if kinds and given.is_known and (given.only(*kinds) or not given.may_be(*kinds)):
            return ALWAYS if given.only(*kinds) else NEVER
        return A_TRUTH

    # --- operators

    def _compare(self, node: nodes.Compare) -> Type:
        left, result = self.infer(node.expr), A_TRUTH
        for operand in node.ops:
            right = self.infer(operand.expr)
            held = self._holds(node, operand.op, left, right)
            result = A_TRUTH if held is None or len(node.ops) > 1 else ALWAYS if held else NEVER
            left = right
        return result

    def _holds(self, node: nodes.Compare, operator: str, left: Type, right: Type) -> bool | None:
        if operator in ("eq", "ne"):
            same = _same(left, right)
            return same if same is None or operator == "eq" else not same
        if operator in _ORDERED:
            self._ordered(node, _ORDERED[operator], left, right)
            return None
        return self._contained(node, operator == "in", left, right)

    def _ordered(self, node: nodes.Node, sign: str, left: Type, right: Type) -> None:
        if any(left.may_be(*kinds) and right.may_be(*kinds) for kinds in _CLASHING if kinds != (MAPPING,)):
            return
        hint = "make a number of the text first: | int(0)" if mixes(left, right, TEXT, NUMBER) else ""
        if mixes(left, right, TEXT, TIME):
            hint = "compare what both are in seconds: … | timestamp"
        message = f"{sign} cannot compare {words(left)} with {words(right)}"
        self._remark("operand-type", message, hint, node)

    def _contained(self, node: nodes.Compare, is_in: bool, left: Type, right: Type) -> bool | None:
        if right.only(TEXT) and not left.may_be(TEXT):
            hint = "make a text of it first: | string"
            self._remark("operand-type", f"in a text there are texts only, not {words(left)}", hint, node)
        elif right.only(NUMBER, TRUTH, TIME, LENGTH):
            self._remark("operand-type", f"{words(right)} has nothing in it", "compare with ==", node)
        elif right.only(LIST) and right.item is not None and _same(left, right.item) is False:
            return not is_in
        return None

    def _both(self, node: nodes.And | nodes.Or) -> Type:
        """`and` and `or`: a part that is always so decides, or says nothing; either is a slip."""
        for part in (node.left, node.right):
            found = self._decided(part)
            if not isinstance(part, (nodes.And, nodes.Or)):
                self._judge(part, found, node)
        return A_TRUTH

    def _either(self, node: nodes.And | nodes.Or) -> Type:
        """The same as a value: `vars.name or 'there'` gives one of the two."""
        if isinstance(node.left, (nodes.Compare, nodes.Test, nodes.Not)):
            return self._both(node)  # a comparison is no value to fall back from
        left = self.infer(node.left)
        return either([there(left) if isinstance(node, nodes.Or) else left, self.infer(node.right)])

    def _arithmetic(self, node: nodes.BinExpr) -> Type:
        left, right = self.infer(node.left), self.infer(node.right)
        if not (left.is_known and right.is_known):
            return ANY
        sign = node.operator
        if NONE in left.kinds | right.kinds and not (left.only(NONE) or right.only(NONE)):
            left, right = there(left), there(right)
        results = [gives for takes_left, takes_right, gives in _RESULTS.get(sign, _NUMERIC)
                   if left.may_be(*takes_left) and right.may_be(*takes_right)]  # fmt: skip
        if results:
            return either(results)
        hint = ""
        if mixes(left, right, TEXT, NUMBER):
            hint = "join texts with ~, or make a number of the text: | int(0)" if sign == "+" else "| int(0) first"
        elif sign in "+-" and (left.may_be(TIME) or right.may_be(TIME)):
            hint = "move a time with | plus('24h') or | minus('24h')"
        message = f"{sign} does not work with {words(left)} and {words(right)}"
        self._remark("operand-type", message, hint, node)
        return ANY

    # --- remarks

    def _judge(self, node: nodes.Node, found: Type, around: nodes.Node | None = None) -> None:
        """A remark when the condition `node`, perhaps a part of `around`, always holds or never does."""
        held = truth(found)
        if held is None or isinstance(node, (nodes.And, nodes.Or)):
            return
        told = {(each.start, each.end) for each in self.remarks}
        start, end = span(node, self._source)
        if any(start <= at and to <= end for at, to in told):
            return  # what is wrong inside of it says more
        hint = ""
        if isinstance(node, nodes.Const) and isinstance(node.value, str) and isinstance(around, nodes.Or):
            hint = f'compare each: … == "…" or … == "{node.value}", or write … in ["…", "{node.value}"]'
        elif not isinstance(node, (nodes.Compare, nodes.Const, nodes.Test)) and held:
            hint = f"{words(found)} that is there always counts as true; compare it with something"
        elif isinstance(node, nodes.Compare) and len(node.ops) == 1:
            hint = self._why(node)
        self.remarks.append(Remark("constant", f"this is always {'true' if held else 'false'}", hint, start, end))

    def _why(self, node: nodes.Compare) -> str:
        sides = Inference(self._source, lambda name: self._own.get(name) or self._names(name))
        left, right = sides.infer(node.expr), sides.infer(node.ops[0].expr)
        if node.ops[0].op in ("in", "notin"):
            right = right.item or ANY
        if right.is_known and left.kinds.isdisjoint(right.kinds):
            return f"{words(left)} never equals {words(right)}"
        return ""

    def _refuse(self, node: nodes.Node, found: Type, takes: tuple[str, ...], message: str) -> None:
        if not found.may_be(*takes):
            self._remark("operand-type", f"{message}, not {words(found)}", "", node)

    def _remark(
        self, rule: str, message: str, hint: str, node: nodes.Node, at: tuple[int, int] | None = None,
        known: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        if isinstance(node, nodes.Filter):
            at = (node.lineno, node.lineno + len(node.name))
        start, end = at or span(node, self._source)
        self.remarks.append(Remark(rule, message, hint, start, end, known))


#: How each kind of node is looked at; of the others nothing is known.
_LOOKS: dict[type[nodes.Node], Callable[[Inference, Any], Type]] = {
    nodes.Const: Inference._const,
    nodes.Name: Inference._name,
    nodes.Getattr: Inference._getattr,
    nodes.Getitem: Inference._subscript,
    nodes.Filter: Inference._filter,
    nodes.Test: Inference._test,
    nodes.Compare: Inference._compare,
    nodes.And: Inference._either,
    nodes.Or: Inference._either,
    nodes.Not: Inference._not,
    nodes.CondExpr: Inference._choice,
    nodes.Concat: Inference._concat,
    nodes.Neg: Inference._sign,
    nodes.Pos: Inference._sign,
    nodes.List: Inference._list,
    nodes.Tuple: Inference._list,
    nodes.Dict: Inference._mapping,
    nodes.Call: Inference._call,
    **dict.fromkeys(
        (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow), Inference._arithmetic
    ),
}

_NUMERIC: tuple[tuple[tuple[str, ...], tuple[str, ...], Type], ...] = ((_NUMBERS, _NUMBERS, A_NUMBER),)
#: What operators make of which kinds; the others take numbers alone.
_RESULTS: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...], Type], ...]] = {
    "+": (*_NUMERIC, ((TEXT,), (TEXT,), A_TEXT), ((LIST,), (LIST,), list_of(ANY)), ((TIME,), (LENGTH,), A_TIME),
          ((LENGTH,), (TIME,), A_TIME), ((LENGTH,), (LENGTH,), A_LENGTH)),
    "-": (*_NUMERIC, ((TIME,), (TIME,), A_LENGTH), ((TIME,), (LENGTH,), A_TIME), ((LENGTH,), (LENGTH,), A_LENGTH)),
    "*": (*_NUMERIC, ((TEXT,), _NUMBERS, A_TEXT), (_NUMBERS, (TEXT,), A_TEXT), ((LENGTH,), _NUMBERS, A_LENGTH),
          (_NUMBERS, (LENGTH,), A_LENGTH)),
    "/": (*_NUMERIC, ((LENGTH,), _NUMBERS, A_LENGTH), ((LENGTH,), (LENGTH,), A_NUMBER)),
    "//": (*_NUMERIC, ((LENGTH,), _NUMBERS, A_LENGTH), ((LENGTH,), (LENGTH,), A_NUMBER)),
    "%": (*_NUMERIC, ((LENGTH,), (LENGTH,), A_LENGTH)),
}  # fmt: skip


def _same(left: Type, right: Type) -> bool | None:
    """Whether two values are equal: False for sure, True for sure, or None."""
    if not (left.is_known and right.is_known):
        return None
    if not any(left.may_be(*kinds) and right.may_be(*kinds) for kinds in (*_CLASHING, (NONE,), (OTHER,))):
        return False
    if left.values is None or right.values is None or NONE in left.kinds & right.kinds:
        return None
    if left.values.isdisjoint(right.values):
        return False if NONE not in left.kinds & right.kinds else None
    return True if left.values == right.values and len(left.values) == 1 and left.kinds == right.kinds else None


def _listed(kinds: tuple[str, ...]) -> str:
    hidden = (OTHER, LENGTH, TRUTH) if NUMBER in kinds else (OTHER, LENGTH)  # flags count as numbers by accident only
    named = [kind for kind in kinds if kind not in hidden]
    if len(named) > 4:
        return "anything but none"
    return f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else named[0]


def _way_out(given: Type, name: str) -> str:
    if given.only(TEXT) and name in ("abs", "round"):
        return f"make a number of it first: | float | {name}"
    if given.only(NUMBER) and name in ("first", "last", "length"):
        return f"make a text of it first: | string | {name}"
    return ""


def remarks_of(body: list[nodes.Node], source: str, names: Names, *, is_condition: bool) -> Iterator[Remark]:
    """What is to be said of a template's parts, or of a condition."""
    inference = Inference(source, names)
    if is_condition:
        for node in body:
            inference.condition(cast(nodes.Expr, node))
    else:
        inference.template(body)
    yield from inference.remarks
