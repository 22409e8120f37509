"""Sentences for what the YAML parser refuses, in the words of someone who wrote a flow.

libyaml says what it was scanning; people want to know which quote is missing where.
"""

import re

import yaml

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Document

_TEMPLATE_VALUE = re.compile(
    r"""^(?P<before>\s*(?:-\s+)*(?:[^\s"'#{}\[\]][^"'#{}\[\]]*?:\s+)?)(?P<value>\{\{.*?)\s*$"""
)
_TEXT_VALUE = re.compile(r"""^(?P<before>\s*(?:-\s+)*(?:[\w.-]+:\s+)?)(?P<value>\S.*?)\s*$""")
_QUOTED_START = re.compile(r"""^\s*(?:-\s+)*(?:[\w.-]+:\s+)?(["'])""")


def unquoted_template(document: Document, at: int) -> Diagnostic:
    """The finding for `{{ … }}` that YAML reads as a mapping, with the line as it should be."""
    line = document.source_line(at)
    origin = document.origin(at)
    rest = line[origin.column - 1 :]
    found = _TEMPLATE_VALUE.match(line)
    if found and len(found["before"]) == origin.column - 1:
        before, value = found["before"], found["value"]
    else:
        close = rest.find("}}")
        before, value = "", rest[: close + 2] if close >= 0 else rest
    if before.split(":")[0].strip(" -") == "if" and re.fullmatch(r"\{\{[^{}]*\}\}", value):
        hint = f"an if takes the expression without braces: {before.strip()} {value[2:-2].strip()}"
    else:
        hint = f"quote this template: {before.strip()} {quoted(value)}".replace(":  ", ": ")
    stop = at + (rest.find("}}") + 2 if "}}" in rest else len(rest))
    message = "YAML reads an unquoted {{ … }} as a mapping"
    return finding(document.origin(at, stop), "unquoted-template", message, hint)


def quoted(text: str) -> str:
    """The text as a quoted YAML scalar on one line."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def explain(document: Document, error: yaml.YAMLError) -> Diagnostic:
    """The finding for what the parser refused, at the place that needs mending."""
    mark = getattr(error, "problem_mark", None)
    at = min(mark.index if mark else 0, len(document.text))
    problem = str(getattr(error, "problem", None) or error)
    context = str(getattr(error, "context", None) or "")
    start = getattr(error, "context_mark", None)
    template = _template_at(document, at)
    if template is not None:
        return template
    line = document.source_line(at)
    char = document.text[at : at + 1]
    where = document.origin(at)

    def syntax(message: str, hint: str = "") -> Diagnostic:
        return finding(where, "yaml-syntax", message, hint)

    if char == "\t" or (line[: where.column - 1].strip() == "" and "\t" in line[: where.column]):
        return syntax("a tab stands where YAML wants spaces", "indent with spaces")
    if "mapping values are not allowed" in problem:
        return syntax('a second ": " on this line cannot be read', _quote_hint(line) or "check the indentation")
    if "cannot start any token" in problem:
        return syntax(f'a text cannot begin with "{char}" unless it is quoted', _quote_hint(line))
    if "anchor" in context or "alias" in context:
        return syntax('a text that begins with "&" or "*" must be quoted', _quote_hint(line))
    if "block sequence entries are not allowed" in problem:
        return syntax(
            "a list item cannot begin here, after the key", 'put "- …" on a line of its own, or quote the text'
        )
    if "quoted scalar" in context:
        return _in_quotes(document, at, problem, start.index if start else at)
    if "block scalar" in context:
        return syntax("the text of a | or > block begins on the next line", "move the text to the next line, indented")
    if "flow sequence" in context or "flow mapping" in context:
        return _unclosed(document, context, start.index if start else at)
    if "directive" in context or "directive" in problem:
        return syntax('a line that begins with "%" is a YAML directive, and none is used here', "delete the line")
    if "could not find expected ':'" in problem:
        where = document.origin(start.index, start.index + 1) if start else where
        return syntax('this line is neither "key: value" nor a continued text', 'is a ":" missing, or an indentation?')
    if "expected key" in problem or "expected '-' indicator" in problem or "<block" in problem:
        return _misplaced(document, at)
    if "node content" in problem:
        return syntax(f'a text cannot begin with "{char}" unless it is quoted', _quote_hint(line))
    return syntax(f"not valid YAML: {problem}", _quote_hint(line))


def _template_at(document: Document, at: int) -> Diagnostic | None:
    """The finding for an unquoted template on the line of the problem, or on the last line with text before it."""
    lines = [document.source_line(at)]
    begin = at - (document.origin(at).column - 1)
    earlier = document.text[:begin].rstrip()
    candidates = [(begin, lines[0])]
    if earlier:
        last = len(earlier) - 1
        candidates.append((last - (document.origin(last).column - 1), document.source_line(last)))
    for first, line in candidates:
        found = _TEMPLATE_VALUE.match(line)
        if found:
            return unquoted_template(document, first + found.start("value"))
    return None


def _quote_hint(line: str) -> str:
    found = _TEXT_VALUE.match(line)
    if not found or not found["before"].strip() or found["value"][0] in "\"'|>#":
        return ""
    return f"quote the text: {found['before'].strip()} {quoted(found['value'])}"


def _in_quotes(document: Document, at: int, problem: str, start: int) -> Diagnostic:
    if "unknown escape" in problem or "escape code" in problem or "hexadecimal" in problem:
        escape = document.text[at : at + 2]
        message = f'"{escape}" is no escape that YAML knows between double quotes'
        hint = "write \\\\ for a backslash, or use single quotes: in them nothing is escaped"
        return finding(document.origin(at, at + 2), "yaml-syntax", message, hint)
    quote = document.text[start : start + 1]
    message = f"the text that begins here with {quote} is never closed"
    hint = f"add the closing {quote}" + ("; inside single quotes an apostrophe is written ''" if quote == "'" else "")
    return finding(document.origin(start), "yaml-syntax", message, hint)


def _unclosed(document: Document, context: str, start: int) -> Diagnostic:
    opened, closing = ("[", "]") if "sequence" in context else ("{", "}")
    message = f'the "{opened}" that stands here is not closed, or a comma is missing in it'
    hint = f'add "{closing}" or ","; a text with {{ }} [ ] , or ": " in it needs quotes here'
    return finding(document.origin(start), "yaml-syntax", message, hint)


def _misplaced(document: Document, at: int) -> Diagnostic:
    """Something else where the next key or item should begin: wrong indentation, or text after a closing quote."""
    line, where = document.source_line(at), document.origin(at)
    before = line[: where.column - 1]
    if before.strip(" -"):
        quote = _QUOTED_START.match(line)
        hint = "put the whole text in quotes"
        if quote:
            hint += "; inside single quotes write ''" if quote[1] == "'" else '; inside double quotes write \\"'
        return finding(where, "yaml-syntax", "text goes on here after its end", hint)
    hint = "keys of one mapping, and items of one list, begin in the same column"
    return finding(where, "yaml-syntax", "this line's indentation fits no line above it", hint)
