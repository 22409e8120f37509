"""The language of templates and conditions: Jinja, cut down to what cannot do harm.

Names, items, operators, `if`, `for`, and the filters and tests listed here; no macros, imports or method calls but a
calendar's two, and the only function is `now()`. On mappings `a.b` means the item. Work is bounded by counting, never
by a clock, so that a template fails its step at the same point every time.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sinchflow.expression import filters
from sinchflow.expression.calendars import METHODS, OpenHours
from sinchflow.expression.lists import ListData

#: Rounds of all loops of one rendering together.
MOST_ROUNDS = 10_000
#: Characters that one repetition of a text (`*`) may give.
LONGEST_REPEAT = 10_000
_LARGEST_POWER = 64
#: Python takes 200 nested parentheses and 20 nested loops in what Jinja compiles to; both are far from any real text.
_DEEPEST = 80
_DEEPEST_BLOCK = 10

#: Where the scope keeps the rounds that are left; templates cannot name it.
ROUNDS = "__rounds"

FUNCTIONS = frozenset({"now"})
#: The one name whose items can be asked something.
_CALENDARS = "calendars"
#: Filters that only `_checked` puts into a tree.
_COUNTED, _TEXT = "__counted", "__text"
_DATETIME_PARTS = frozenset({"year", "month", "day", "hour", "minute", "second"})
_LOOP_PARTS = frozenset({"index", "index0", "first", "last", "length"})
_ROWS = (list, tuple, str, ListData)  #: what has items by number

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat,
    nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr, nodes.If, nodes.For, nodes.Keyword,
)  # fmt: skip
#: Names that mean something to Jinja itself.
_JINJA_NAMES = frozenset({"self", "super", "caller", "varargs", "kwargs"})
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Macro: "macros",
    nodes.CallBlock: "call blocks",
    nodes.FilterBlock: "filter blocks",
    nodes.Assign: "`set`: use a `set` step",
    nodes.AssignBlock: "`set`: use a `set` step",
    nodes.Include: "includes",
    nodes.Import: "imports",
    nodes.FromImport: "imports",
    nodes.Extends: "extends",
    nodes.Block: "blocks",
    nodes.With: "`with`",
}


class NotAllowed(jinja2.TemplateSyntaxError):
    """The template uses something that this language leaves out; `message` says what."""


class Missing(jinja2.StrictUndefined):
    """A name or item that does not exist. Using it in any way but `default` or `is defined` is an error."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_name is None:
            return self._undefined_hint or "it is missing"
        return f'"{self._undefined_name}" is missing'


class _Generator(CodeGenerator):
    """Jinja's compiler, but slices too ask `Sandbox.getitem`; Jinja's own bypass every check."""

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 (Jinja's name)
        """The code for `node[arg]`."""
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.getitem(")
        self.visit(node.node, frame)
        self.write(", slice(")
        for part in (node.arg.start, node.arg.stop, node.arg.step):
            self.visit(part or nodes.Const(None), frame)
            self.write(", ")
        self.write("))")


@contextmanager
def _readable_numbers() -> Iterator[None]:
    """Python reads no number of more than 4,300 digits (sys.set_int_max_str_digits); jinja2 lets its error through."""
    try:
        yield
    except ValueError as error:
        raise jinja2.TemplateSyntaxError("a number has too many digits", 1) from error


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment that all templates compile in. Holds no state of theirs."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing, autoescape=False, keep_trailing_newline=True, cache_size=0)
        self.finalize = _as_text
        self.globals = {}
        self.filters = {**filters.FILTERS, _COUNTED: _counted, _TEXT: filters.as_text}
        self.tests = {name: self.tests[name] for name in filters.TESTS}

    def parse_text(self, source: str) -> nodes.Template:
        """A text with holes. Raises jinja2.TemplateSyntaxError, or NotAllowed."""
        with _readable_numbers():
            tree = self._parse(source, None, None)
        return self._checked(tree)

    def parse_condition(self, source: str) -> nodes.Expr:
        """A bare expression. Raises as `parse_text`."""
        with _readable_numbers():
            parser = jinja2.parser.Parser(self, source, state="variable")
            expression: nodes.Expr = parser.parse_expression()
        if not parser.stream.eos:
            raise jinja2.TemplateSyntaxError(
                f'expected the end of the condition, found "{parser.stream.current.value}"',
                parser.stream.current.lineno,
            )
        expression.set_environment(self)
        self._checked(nodes.Template([nodes.Output([expression], lineno=1)], lineno=1))
        return expression

    def _checked(self, tree: nodes.Template) -> nodes.Template:
        """The tree with its loops counted and what `~` joins made text, if it holds nothing that is not allowed."""
        for node, depth, blocks in _walk(tree):
            if depth > _DEEPEST or blocks > _DEEPEST_BLOCK:
                raise NotAllowed("this is nested too deeply; split it with `set` steps", node.lineno)
            _check(node)
        _check_calendars(tree)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _filtered(cast(nodes.Expr, loop.iter), _COUNTED)
        for concat in list(tree.find_all(nodes.Concat)):
            concat.nodes = [_filtered(each, _TEXT) for each in concat.nodes]
        for call in list(tree.find_all(nodes.Call)):
            if _calendars_of(call) is not None and not call.args:  # .is_open() is .is_open(now())
                now = nodes.Name("now", "load", lineno=call.lineno)
                call.args = [nodes.Call(now, [], [], None, None, lineno=call.lineno)]
        tree.set_environment(self)
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The item of a mapping, a part of a time, a loop's state, a calendar's question; else undefined."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As `getattr`; also items of lists and texts by number."""
        if isinstance(obj, jinja2.Undefined):
            return obj  # the first name that is missing is the one to speak of
        if isinstance(argument, slice) and not isinstance(obj, _ROWS):
            return self.undefined("it is none" if obj is None else f"{filters.kind(obj)} has no parts to cut out")
        if isinstance(obj, Mapping):
            try:
                return obj[argument]
            except (KeyError, TypeError):
                return self.undefined(obj=obj, name=str(argument))
        if isinstance(obj, datetime) and argument in _DATETIME_PARTS:
            return getattr(obj, argument)
        if isinstance(obj, datetime) and argument == "weekday":
            return obj.isoweekday()
        if isinstance(obj, LoopContext) and argument in _LOOP_PARTS:
            return getattr(obj, argument)
        if isinstance(obj, OpenHours) and argument in METHODS:
            return getattr(obj, argument)
        if isinstance(obj, _ROWS) and isinstance(argument, (int, slice)):
            try:
                return obj[argument]
            except IndexError:
                return self.undefined(obj=obj, name=str(argument))
        return self.undefined(obj=obj, name=str(argument))

    def is_safe_callable(self, obj: Any) -> bool:
        """Only functions that the scope itself offers are reachable by name; `_check` has seen to the names."""
        return True

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what could make something huge out of something small."""
        if operator == "%" and isinstance(left, str):
            raise jinja2.TemplateRuntimeError("% does not format texts: write them with {{ }}")
        if operator == "*":
            for sequence, times in ((left, right), (right, left)):
                if isinstance(sequence, (list, tuple)):
                    raise jinja2.TemplateRuntimeError("lists are not repeated")
                if isinstance(sequence, str) and isinstance(times, int) and len(sequence) * times > LONGEST_REPEAT:
                    raise jinja2.TemplateRuntimeError(f"a repetition gives more than {LONGEST_REPEAT} characters")
        if operator == "**" and (abs(right) > _LARGEST_POWER or abs(left) > 1_000_000):
            raise jinja2.TemplateRuntimeError("a power is too large")
        return super().call_binop(context, operator, left, right)


def _walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, int, int]]:
    """Every node with how deep it lies, and in how many blocks."""
    waiting = [(tree, 0, 0)]
    while waiting:
        node, depth, blocks = waiting.pop()
        yield node, depth, blocks
        blocks += isinstance(node, (nodes.If, nodes.For))
        waiting += [(child, depth + 1, blocks) for child in node.iter_child_nodes()]


def is_too_deep(source: str, parsed: list[nodes.Node]) -> bool:
    """Whether what was parsed of the source goes deeper than any template may."""
    if len(source) <= _DEEPEST:  # a level takes a character at least
        return False
    return any(depth > _DEEPEST for tree in parsed for _, depth, _ in _walk(tree))


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _check(node: nodes.Node) -> None:
    line = node.lineno
    if isinstance(node, nodes.Call):
        called = node.node
        if isinstance(called, nodes.Name) and called.name in FUNCTIONS and not (node.args or node.kwargs):
            return
        name = getattr(called, "name", None) or getattr(called, "attr", "…")
        if _calendars_of(node) is not None:
            if len(node.args) <= 1 and not (node.kwargs or node.dyn_args or node.dyn_kwargs):
                return
            raise NotAllowed(f"`{name}(…)` takes one time, for example {name}(now())", line)
        if isinstance(called, nodes.Getattr) and _calendars_in(called.node):
            raise NotAllowed(
                f"a calendar is asked is_open or next_open, not {name}: calendars.NAME.is_open(now())", line
            )
        if name in METHODS:
            raise NotAllowed(f"only calendars are asked `{name}(…)`: calendars.NAME.{name}(now())", line)
        hint = f": use the filter, `| {name}`" if name in filters.NAMES else ""
        raise NotAllowed(f"`{name}(…)` cannot be called; the only function is now(){hint}", line)
    if type(node) in _WORDS:
        raise NotAllowed(f"templates have no {_WORDS[type(node)]}", line)
    if not isinstance(node, _ALLOWED):
        raise NotAllowed(f"templates have no {type(node).__name__.lower()}", line)
    if isinstance(node, (nodes.Name, nodes.Filter, nodes.Test)) and node.name.startswith("_"):
        raise NotAllowed(f'"{node.name}": names do not begin with _', line)
    if isinstance(node, nodes.Name) and node.name in _JINJA_NAMES:
        raise NotAllowed(f'templates have no "{node.name}"', line)
    if isinstance(node, nodes.Const) and isinstance(node.value, (int, float)) and abs(node.value) > 1e300:
        raise NotAllowed("a number is too large", line)
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise NotAllowed(f'"{node.attr}": names do not begin with _', line)
    if isinstance(node, (nodes.Filter, nodes.Test)):
        keys = [argument.key for argument in node.kwargs]
        for key in keys:
            if keys.count(key) > 1:
                raise NotAllowed(f'"{key}" is given twice', line)
    if isinstance(node, nodes.For) and node.recursive:
        raise NotAllowed("loops are not recursive", line)


def _calendars_of(call: nodes.Call) -> nodes.Name | None:
    """The name `calendars` in `calendars.NAME.is_open(…)` and `calendars[NAME].next_open(…)`; None in other calls."""
    called = call.node
    if isinstance(called, nodes.Getattr) and called.attr in METHODS:
        return _calendars_in(called.node)
    return None


def _calendars_in(node: nodes.Node) -> nodes.Name | None:
    """The name `calendars` in `calendars.NAME` and `calendars[NAME]`; None for anything else."""
    if isinstance(node, (nodes.Getattr, nodes.Getitem)) and isinstance(node.node, nodes.Name):
        return node.node if node.node.name == _CALENDARS else None
    return None


def _check_calendars(tree: nodes.Node) -> None:
    """Calendars stand nowhere but in a call: a condition with one alone, or with a question not asked, always holds."""
    asked = {id(_calendars_of(call)) for call in tree.find_all(nodes.Call)}
    for name in tree.find_all(nodes.Name):
        if name.name == _CALENDARS and id(name) not in asked:
            message = "a calendar is asked is_open or next_open, with parentheses: calendars.NAME.is_open(now())"
            raise NotAllowed(message, name.lineno)


def _as_text(value: Any) -> str:
    """How a hole's value stands in a text. Undefined and none are refused: never an SMS with a hole in it."""
    if type(value) is str:
        return value
    return filters.as_text(value)


@jinja2.pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    """The items, as long as rounds are left."""
    if items is None:
        raise jinja2.UndefinedError("what the loop goes through is none")
    rounds: list[int] = context[ROUNDS]
    for item in items:
        rounds[0] -= 1
        if rounds[0] < 0:
            raise jinja2.TemplateRuntimeError(f"more than {MOST_ROUNDS} rounds of loops")
        yield item
