"""Texts with holes and bare conditions, compiled lazily and evaluated over a scope.

Pure: the same source and scope always give the same result. `Templates` only remembers what it compiled.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context

from sinchflow.expression import filters
from sinchflow.expression.sandbox import MOST_ROUNDS, ROUNDS, Sandbox
from sinchflow.model.flow import Condition, Text, Value
from sinchflow.model.origin import Origin

_Scope = Mapping[str, Any]
_Evaluate = Callable[[_Scope], Any]

#: What evaluating can raise for its data's sake; anything else would be a fault of ours.
_FAULTS = (
    jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError,
    SyntaxError, AssertionError,
)  # fmt: skip

#: `{{-` and `-}}` take the white space around a hole away.
_WHITE_SPACE_MARK = re.compile(r"^[-+]|[-+]$")

#: Python's names of types, as its errors quote them.
_TYPES = {
    "str": "a text", "int": "a number", "float": "a number", "bool": "true or false", "list": "a list",
    "tuple": "a list", "dict": "a mapping", "NoneType": "none", "datetime.datetime": "a time",
    "datetime.timedelta": "a length of time",
}  # fmt: skip
_PYTHON_TYPE = re.compile(rf"""['"]?\b({"|".join(map(re.escape, _TYPES))})\b['"]?(?! object)""")


class ExpressionError(Exception):
    """An expression has no value for this scope. `message` is one sentence that quotes it.

    is_missing: because something that it names is not there.
    """

    def __init__(self, message: str, origin: Origin | None = None, *, is_missing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.origin = origin
        self.is_missing = is_missing


class Templates:
    """Evaluates templates and conditions. Compiled ones are kept by their source, at most `capacity` of each kind.

    Everything raises ExpressionError where an expression has no value, is not of the language, or gives none where a
    text is needed.
    """

    def __init__(self, capacity: int = 50_000) -> None:
        self._sandbox = Sandbox()
        self._capacity = capacity
        self._texts: dict[str, _Evaluate] = {}
        self._values: dict[str, _Evaluate] = {}
        self._conditions: dict[str, _Evaluate] = {}

    def text(self, text: Text, scope: _Scope) -> str:
        """The text, rendered. None or something undefined in a hole is an error."""
        source = text.source
        if "{" not in source:
            return source
        evaluate = self._texts.get(source) or self._compile(self._texts, text, self._text)
        try:
            rendered: str = evaluate(scope)
            rendered.isascii() or rendered.encode()  # half a surrogate pair can neither be stored nor sent
        except _FAULTS as fault:
            raise self._explain(text, scope, fault) from fault
        if len(rendered) > filters.LONGEST_TEXT:
            raise ExpressionError(f"a text grows over {filters.LONGEST_TEXT} characters", text.origin)
        return rendered

    def value(self, text: Text, scope: _Scope, largest: int = filters.LARGEST_VALUE) -> Any:
        """As `text`, but what is exactly one `{{ hole }}` keeps its value's type. largest: as in `filters.plain`."""
        source = text.source
        if "{" not in source:
            return source
        evaluate = self._values.get(source) or self._compile(self._values, text, self._value)
        try:
            return filters.plain(evaluate(scope), largest)
        except _FAULTS as fault:
            raise self._explain(text, scope, fault) from fault

    def data(self, value: Value, scope: _Scope) -> Any:
        """JSON-like data with every text evaluated as `value` does."""
        match value:
            case Text():
                return self.value(value, scope)
            case dict():
                return {key: self.data(item, scope) for key, item in value.items()}
            case tuple():
                return [self.data(item, scope) for item in value]
            case _:
                return value

    def holds(self, condition: Condition, scope: _Scope) -> bool:
        """Whether a condition is true. None counts as false, something undefined is an error."""
        source = condition.source
        evaluate = self._conditions.get(source) or self._compile(self._conditions, condition, self._condition)
        try:
            return bool(evaluate(scope))
        except _FAULTS as fault:
            raise ExpressionError(f"`{_quoted(source)}` has no value: {_words(fault)}", condition.origin) from fault

    def _compile(
        self, known: dict[str, _Evaluate], text: Text | Condition, make: Callable[[str], _Evaluate]
    ) -> _Evaluate:
        if len(known) >= self._capacity:
            known.clear()
        try:
            evaluate = known[text.source] = make(text.source)
        except _FAULTS as fault:
            raise ExpressionError(f"`{_quoted(text.source)}` is no template: {_words(fault)}", text.origin) from fault
        return evaluate

    def _text(self, source: str) -> _Evaluate:
        tree = self._sandbox.parse_text(source)
        has_loops = tree.find(nodes.For) is not None
        template = self._sandbox.from_string(tree)
        return _counted(template) if has_loops else _joined(template)

    def _value(self, source: str) -> _Evaluate:
        tree = self._sandbox.parse_text(source)
        match tree.body:
            case [nodes.Output(nodes=[nodes.Expr() as only])] if not isinstance(only, nodes.TemplateData):
                return self._expression(only)
        return _limited(self._text(source))

    def _condition(self, source: str) -> _Evaluate:
        return self._expression(self._sandbox.parse_condition(source))

    def _expression(self, expression: nodes.Expr) -> _Evaluate:
        """An expression's value, taken from a template that assigns it to a name."""
        body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)]
        template = self._sandbox.from_string(nodes.Template(body, lineno=1))
        render, context = template.root_render_func, _context(template)

        def evaluate(scope: _Scope) -> Any:
            context.parent = scope  # type: ignore[assignment]
            for _ in render(context):
                pass
            return context.vars.pop("result")

        return evaluate

    def _explain(self, text: Text, scope: _Scope, fault: Exception) -> ExpressionError:
        """The error of a text, quoting the hole that is to blame."""
        try:
            tree = self._sandbox.parse_text(text.source)
        except jinja2.TemplateError:
            return ExpressionError(f"`{_quoted(text.source)}` has no value: {_words(fault)}", text.origin)
        holes = [
            each
            for output in tree.body
            if isinstance(output, nodes.Output)
            for each in output.nodes
            if not isinstance(each, nodes.TemplateData)
        ]
        sources = _holes(text.source)
        for index, hole in enumerate(holes):
            try:
                filters.as_text(self._expression(hole)(scope))
            except _FAULTS as cause:
                quoted = sources[index] if len(sources) == len(holes) else text.source
                message = f"`{_quoted(quoted)}` has no value: {_words(cause)}"
                return ExpressionError(message, text.origin, is_missing=isinstance(cause, jinja2.UndefinedError))
        return ExpressionError(f"`{_quoted(text.source)}` has no value: {_words(fault)}", text.origin)


def _joined(template: jinja2.Template) -> _Evaluate:
    render, context = template.root_render_func, _context(template)

    def evaluate(scope: _Scope) -> str:
        context.parent = scope  # type: ignore[assignment]
        return "".join(render(context))

    return evaluate


def _limited(evaluate: _Evaluate) -> _Evaluate:
    """A text as a value is no longer than any other text."""

    def limited(scope: _Scope) -> str:
        rendered: str = evaluate(scope)
        if len(rendered) > filters.LONGEST_TEXT:
            raise jinja2.TemplateRuntimeError(f"a text grows over {filters.LONGEST_TEXT} characters")
        return rendered

    return limited


def _context(template: jinja2.Template) -> Context:
    """A context to use again and again: making one costs as much as rendering a short text.

    Our templates assign nothing that outlives a rendering, and one is never rendered while it renders.
    """
    return template.new_context({}, shared=True)


def _counted(template: jinja2.Template) -> _Evaluate:
    """With rounds to spend, and stopped when the text has grown too long."""
    render, context_of = template.root_render_func, template.new_context

    def evaluate(scope: _Scope) -> str:
        parts: list[str] = []
        size = 0
        for part in render(context_of({**scope, ROUNDS: [MOST_ROUNDS]}, True)):
            size += len(part)
            if size > filters.LONGEST_TEXT:
                raise jinja2.TemplateRuntimeError(f"a text grows over {filters.LONGEST_TEXT} characters")
            parts.append(part)
        return "".join(parts)

    return evaluate


def _holes(source: str) -> list[str]:
    """The expressions of a text's `{{ }}`, as written."""
    inner = [part.split("}}", 1)[0] for part in source.split("{{")[1:]]
    return [_WHITE_SPACE_MARK.sub("", each).strip() for each in inner]


def _quoted(source: str) -> str:
    shortened = " ".join(source.split())
    return shortened if len(shortened) <= 80 else f"{shortened[:79]}…"


def _words(fault: Exception) -> str:
    if isinstance(fault, UnicodeError):
        return "it holds half a character (a lone surrogate)"
    message = str(fault.message if isinstance(fault, jinja2.TemplateError) else fault)
    if isinstance(fault, jinja2.UndefinedError):
        return f"{message}; use `default` to say what stands there then"
    if isinstance(fault, TypeError):
        message = _PYTHON_TYPE.sub(lambda found: _TYPES[found[1]], message)
    return message or type(fault).__name__
