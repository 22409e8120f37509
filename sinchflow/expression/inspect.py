"""What the validator asks about a template or condition: what is wrong with it, and which names it uses where.

Works on Jinja's own tokens, whose texts add up to the source, so that every finding has its place to the character.
"""

import difflib
import re
from collections.abc import Callable, Iterator

import jinja2
import msgspec

from sinchflow.expression import filters
from sinchflow.expression.inspection import Fault, Inspection, Use
from sinchflow.expression.sandbox import FUNCTIONS, NotAllowed, Sandbox

_SANDBOX = Sandbox()
_JINJA = frozenset(jinja2.filters.FILTERS)
_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)

#: Words of the language that are no names.
_KEYWORDS = frozenset({
    "and", "or", "not", "in", "is", "if", "else", "elif", "endif", "for", "endfor", "recursive", "true", "false",
    "none", "True", "False", "None",
})  # fmt: skip


#: `status is "open"`: meant as ==.
_IS_VALUE = re.compile(r"""\bis\s+(?:not\s+)?["'\d]""")
#: Words that make one part of an expression depend on another.
_ASKING = frozenset({"and", "or", "if", "elif"})


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    offset: int


def inspect_template(source: str) -> Inspection:
    """A text with holes. When it does not parse as a whole, each hole is looked at on its own."""
    if "{" not in source:
        return Inspection()
    try:
        tokens = _tokens(source)
        _SANDBOX.parse_text(source)
    except jinja2.TemplateSyntaxError as error:
        return _piecewise(source, error)
    except RecursionError:
        return Inspection(faults=(_too_deep(source),))
    return Inspection(faults=tuple(_unknown(tokens)), uses=_guarded(tokens))


def inspect_condition(source: str) -> Inspection:
    """A bare expression."""
    if "{{" in source or "{%" in source:
        hint = f"write it without braces: {source.replace('{{', '').replace('}}', '').strip()}"
        fault = Fault(
            rule="template-syntax", message="a condition is a bare expression, without {{ }}", hint=hint, offset=0,
            length=max(len(source), 1),
        )  # fmt: skip
        return Inspection(faults=(fault,))
    return _expression(source, 0, _SANDBOX.parse_condition)


def _expression(source: str, offset: int, parse: Callable[[str], object]) -> Inspection:
    """An expression that begins at `offset` of the user's text."""
    try:
        tokens = [
            _Token(token.kind, token.text, token.offset - 2 + offset)
            for token in _tokens(f"{{{{{source}}}}}")
            if token.kind not in {"variable_begin", "variable_end"}
        ]
    except jinja2.TemplateSyntaxError as error:
        return Inspection(faults=(_syntax(error, source, offset),))
    faults = list(_unknown(tokens))
    if not faults:
        try:
            parse(source)
        except jinja2.TemplateSyntaxError as error:
            faults.append(_syntax(error, source, offset))
        except RecursionError:
            faults.append(_too_deep(source))
    return Inspection(faults=tuple(faults), uses=() if faults else _guarded(tokens))


def _piecewise(source: str, error: jinja2.TemplateSyntaxError) -> Inspection:
    """Each hole alone; what cannot be blamed on one is blamed on the tag or the whole."""
    faults: list[Fault] = []
    uses: list[Use] = []
    for match in _HOLE.finditer(source):
        if match[0].startswith("{{"):
            inner = match[0][2:-2].strip("-")
            if not inner.strip():
                hint = "write what stands there, for example {{ event.content }}"
                faults.append(_fault("template-syntax", "the hole is empty", hint, match.start(), len(match[0])))
                continue
            found = _expression(inner, match.start() + match[0].index(inner, 2), _parse_hole)
            faults += found.faults
            uses += found.uses
        elif isinstance(error, NotAllowed) or "tag" in (error.message or ""):
            word = match[0].strip("{}%- \n").split(maxsplit=1)[:1]
            if word and word[0] not in _KEYWORDS:
                hint = "templates know {{ value }}, {% if %} and {% for %}"
                message = error.message or f'unknown tag "{word[0]}"'
                faults.append(_fault("template-not-allowed", message, hint, match.start(), len(match[0])))
    if not faults:
        opened = source.rfind("{{") if source.count("{{") > source.count("}}") else -1
        offset = max(opened, 0)
        length = len(source) - offset if opened >= 0 else len(source)
        faults.append(_syntax(error, source[offset:], offset, length))
    return Inspection(faults=tuple(faults), uses=tuple(uses))


def _parse_hole(source: str) -> object:
    return _SANDBOX.parse_text(f"{{{{{source}}}}}")


def _fault(rule: str, message: str, hint: str, offset: int, length: int) -> Fault:
    return Fault(rule=rule, message=message, hint=hint, offset=offset, length=max(length, 1))


def _syntax(error: jinja2.TemplateSyntaxError, source: str, offset: int, length: int | None = None) -> Fault:
    message = error.message or "not a template"
    lead = len(source) - len(source.lstrip()) if length is None else 0
    length = len(source.strip()) if length is None else length
    if isinstance(error, NotAllowed):
        return _fault(
            "template-not-allowed", message, "see the list of what templates know in the docs", offset + lead, length
        )
    if message.endswith(("got '='", 'found "="')):
        hint = "compare with =="
    elif "expected token 'name'" in message and _IS_VALUE.search(source):
        message, hint = '"is" takes a test such as defined or none, not a value', "compare with == or !="
    elif "&" in message or ("|" in message and "unexpected" in message):
        hint = "write `and`, `or`, `not`"
    elif "comment" in message:
        hint = "{# begins a comment that ends with #}; for these characters write {{ '{#' }}"
    elif "end of template" in message or "unclosed" in message or "unexpected end" in message:
        hint = "something is missing at the end, or a hole is not closed with }}"
    else:
        hint = "a hole holds one expression, for example {{ contact.first_name | default('there') }}"
    return _fault("template-syntax", message, hint, offset + lead, length)


def _too_deep(source: str) -> Fault:
    return _fault("template-syntax", "the expression is nested too deeply", "split it with `set` steps", 0, len(source))


def _tokens(source: str) -> list[_Token]:
    """Jinja's tokens with their places, without white space and comments. Raises jinja2.TemplateSyntaxError."""
    tokens = []
    offset = 0
    for _, kind, text in _SANDBOX.lex(source):
        found = source.find(text, offset) if text else offset
        offset = found if found >= 0 else offset
        if kind not in {"whitespace", "data"} and not kind.startswith("comment"):
            tokens.append(_Token(kind, text, offset))
        offset += len(text)
    return tokens


def _text(tokens: list[_Token], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _unknown(tokens: list[_Token]) -> Iterator[Fault]:
    """Filters and tests that do not exist."""
    for index, token in enumerate(tokens):
        if token.kind != "name":
            continue
        before, further = _text(tokens, index - 1), _text(tokens, index - 2)
        is_filter = before == "|"
        is_test = (before == "is" or (before == "not" and further == "is")) and token.text != "not"
        if (is_filter or is_test) and _text(tokens, index + 1) == ".":
            what, sign = ("filter", "|") if is_filter else ("test", "is")
            item = _text(tokens, index + 2)
            hint = f"for an item of what it gives, write (… {sign} {token.text}).{item}"
            message = f'unknown {what} "{token.text}.{item}"'
            yield _fault(f"unknown-{what}", message, hint, token.offset, len(token.text) + 1 + len(item))
        elif is_filter and token.text not in _SANDBOX.filters:
            yield _unknown_name("unknown-filter", "filter", token, sorted(filters.NAMES))
        elif is_test and token.text not in _SANDBOX.tests:
            yield _unknown_name("unknown-test", "test", token, sorted(filters.TESTS))


def _unknown_name(rule: str, what: str, token: _Token, known: list[str]) -> Fault:
    # One of Jinja's that templates here do not have is no slip of the pen.
    close = () if token.text in _JINJA else difflib.get_close_matches(token.text, known, n=1)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    listed = ", ".join(known)
    return _fault(rule, f'unknown {what} "{token.text}"', f"{hint}{what}s: {listed}", token.offset, len(token.text))


def _guarded(tokens: list[_Token]) -> tuple[Use, ...]:
    """Every use; one is guarded too where a condition in the same text asks first: `a.b if a is defined else 'c'`."""
    uses = tuple(_uses(tokens))
    asks = any(token.kind == "name" and token.text in _ASKING for token in tokens)
    known = {use.path for use in uses if use.guarded and len(use.path) > 1} if asks else set()
    if not known:
        return uses
    return tuple(
        msgspec.structs.replace(use, guarded=use.guarded or any(use.path[:size] in known for size in range(2, 5)))
        for use in uses
    )


def _uses(tokens: list[_Token]) -> Iterator[Use]:
    """Every name that the scope has to supply."""
    own = _loop_names(tokens)
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind != "name" or token.text in _KEYWORDS or token.text in own or not _is_name(tokens, index):
            index += 1
            continue
        path, after = _path(tokens, index)
        last = tokens[after - 1]
        follows = _text(tokens, after)
        is_test = follows == "is"
        filter_name = _text(tokens, after + 1) if follows == "|" else ""
        tested = _text(tokens, after + 2) if _text(tokens, after + 1) == "not" else _text(tokens, after + 1)
        yield Use(
            path=path,
            offset=token.offset,
            length=last.offset + len(last.text) - token.offset,
            guarded=filter_name in {"default", "d"} or (is_test and tested in {"defined", "undefined", "none"}),
            filtered=follows == "|",
        )
        index = after


def _is_name(tokens: list[_Token], index: int) -> bool:
    """Whether a name token names something of the scope: no attribute, filter, test, tag or keyword argument."""
    before, further, after = _text(tokens, index - 1), _text(tokens, index - 2), _text(tokens, index + 1)
    if before in {".", "|", "is"} or (before == "not" and further == "is"):
        return False
    if tokens[index - 1].kind == "block_begin" if index else False:
        return False
    return not (after == "=" and before in {"(", ","})


def _loop_names(tokens: list[_Token]) -> set[str]:
    """Names that `for` introduces."""
    own: set[str] = set()
    for index, token in enumerate(tokens):
        if token.text == "for" and token.kind == "name" and index and tokens[index - 1].kind == "block_begin":
            own.add("loop")
            follower = index + 1
            while follower < len(tokens) and tokens[follower].text != "in":
                if tokens[follower].kind == "name":
                    own.add(tokens[follower].text)
                follower += 1
    return own


def _path(tokens: list[_Token], index: int) -> tuple[tuple[str, ...], int]:
    """The name with its constant items, and the index after it."""
    path = [tokens[index].text]
    index += 1
    while True:
        if _text(tokens, index) == "." and index + 1 < len(tokens) and tokens[index + 1].kind in {"name", "integer"}:
            path.append(tokens[index + 1].text)
            index += 2
        elif (
            _text(tokens, index) == "["
            and index + 2 < len(tokens)
            and tokens[index + 1].kind == "string"
            and tokens[index + 2].text == "]"
        ):
            path.append(tokens[index + 1].text[1:-1])
            index += 3
        else:
            if path[0] in FUNCTIONS and _text(tokens, index) == "(" and _text(tokens, index + 1) == ")":
                index += 2
            return tuple(path), index
