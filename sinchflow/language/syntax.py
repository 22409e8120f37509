"""Sentences for what the YAML parser refuses, in the words of someone who wrote a flow.

libyaml says what it was scanning; people want to know which quote is missing where.
"""

import re

import msgspec
import yaml

from sinchflow.language.diagnostic import Diagnostic, Edit, finding
from sinchflow.language.fix import (
    bare,
    doubled_backslashes,
    quoted,
    quoted_rest,
    replaced,
    spaced_pair,
    value_on_line,
    with_templates,
)
from sinchflow.language.nodes import Document

_TEMPLATE_VALUE = re.compile(
    r"""^(?P<before>\s*(?:-\s+)*(?:[^\s"'#{}\[\]][^"'#{}\[\]]*?:\s+)?)(?P<value>\{\{.*?)\s*$"""
)
_TEXT_VALUE = re.compile(r"""^(?P<before>\s*(?:-\s+)*(?:[\w.-]+:\s+)?)(?P<value>\S.*?)\s*$""")
_QUOTED_START = re.compile(r"""^\s*(?:-\s+)*(?:[\w.-]+:\s+)?(["'])""")
#: A template that is nothing else.
_ALONE = re.compile(r"\{\{-?([^{}]*)\}\}")
#: A text in single quotes with apostrophes in it that are not written twice.
_APOSTROPHES = re.compile(r"'((?:[^']|(?<=\w)'(?=\w))*)'\s*(?:\s#.*)?")


class Fault(msgspec.Struct, frozen=True):
    """A finding, and the text that is at fault by itself (start and end): without it the rest may be read."""

    finding: Diagnostic
    culprit: tuple[int, int] | None = None


def unquoted_template(document: Document, at: int) -> Fault:
    """The finding for `{{ … }}` that YAML reads as a mapping, with the line as it should be."""
    line = document.source_line(at)
    origin = document.origin(at)
    rest = line[origin.column - 1 :]
    found = _TEMPLATE_VALUE.match(line)
    close = rest.find("}}") + 2 if "}}" in rest else len(rest)
    if found and len(found["before"]) == origin.column - 1:
        before, value = found["before"], found["value"]
    else:
        before, value = "", rest[:close]
    key = before.split(":")[0].strip(" -")
    edits = _quoted_template(document, at, at + close) if "}}" in rest else ()
    if key in ("if", "until") and (inner := _ALONE.fullmatch(value_on_line(document, at))):
        edits = replaced(document.origin(at, at + len(inner[0])), bare(inner[1].removesuffix("-").strip()))
    if key == "if" and re.fullmatch(r"\{\{[^{}]*\}\}", value):
        hint = f"an if takes the expression without braces: {before.strip()} {value[2:-2].strip()}"
    else:
        hint = f"quote this template: {before.strip()} {quoted(value)}".replace(":  ", ": ")
    message = "YAML reads an unquoted {{ … }} as a mapping"
    where = document.origin(at, at + close)
    return Fault(finding(where, "unquoted-template", message, hint, edits=edits), (at, at + len(value)))


def _quoted_template(document: Document, at: int, end: int) -> tuple[Edit, ...]:
    """Quotes around a template: to the end of its line behind a key or a dash, alone between brackets."""
    if edits := quoted_rest(document, at):
        return edits
    first = at - (document.origin(at).column - 1)
    before, after = document.text[first:at].rstrip()[-1:], document.text[end:].lstrip(" \t")[:1]
    is_alone = before in (":", ",", "[", "{") and after in (",", "]", "}")
    return replaced(document.origin(at, end), quoted(document.text[at:end])) if is_alone else ()


def explain(document: Document, error: yaml.YAMLError) -> Fault:
    """The finding for what the parser refused, at the place that needs mending."""
    mark = getattr(error, "problem_mark", None)
    at = min(mark.index if mark else 0, len(document.text))
    problem = str(getattr(error, "problem", None) or error)
    context = str(getattr(error, "context", None) or "")
    start = getattr(error, "context_mark", None)
    template = _template_at(document, at)
    if template is not None:
        return template
    if "alias" in context or "anchor" in context:
        at = start.index if start else at
    return _unquoted_text(document, at, problem, context) or Fault(
        _misread(document, at, problem, context, start.index if start else at)
    )


def _unquoted_text(document: Document, at: int, problem: str, context: str) -> Fault | None:
    """The fault of a text that only needs quotes, if it is one."""
    line, where = document.source_line(at), document.origin(at)
    char = document.text[at : at + 1]
    found = _TEXT_VALUE.match(line)
    if char == "\t" or not found or not found["before"].strip() or found["value"][0] in "\"'|>#{[":
        return None
    if "mapping values are not allowed" in problem and where.column > found.start("value"):
        message = 'a second ": " on this line cannot be read'
    elif any(part in problem for part in ("cannot start any token", "node content")):
        message = f'a text cannot begin with "{char}" unless it is quoted'
    elif "alias" in context or "anchor" in context:
        message = 'a text that begins with "&" or "*" must be quoted'
    else:
        return None
    hint = f"quote the text: {found['before'].strip()} {quoted(found['value'])}"
    first = at - (where.column - 1)
    culprit = (first + found.start("value"), first + found.end("value"))
    edits = quoted_rest(document, culprit[0])
    return Fault(finding(where, "yaml-syntax", message, hint, edits=edits), culprit)


def _misread(document: Document, at: int, problem: str, context: str, start: int) -> Diagnostic:
    """The finding for everything else; start: where what the parser was reading began."""
    line, where = document.source_line(at), document.origin(at)
    char = document.text[at : at + 1]

    def syntax(message: str, hint: str = "") -> Diagnostic:
        return finding(where, "yaml-syntax", message, hint)

    if char == "\t" or (line[: where.column - 1].strip() == "" and "\t" in line[: where.column]):
        return syntax("a tab stands where YAML wants spaces", "indent with spaces")
    if "mapping values are not allowed" in problem:
        return syntax("a key cannot stand here", "the line above is no key; check the indentation, or quote the text")
    if "sequence entries are not allowed" in problem:
        hint = 'put "- …" on a line of its own, or quote the text'
        return syntax("a list item cannot begin here, after the key", hint)
    if "quoted scalar" in context:
        return _in_quotes(document, at, problem, start)
    if "block scalar" in context:
        return syntax("the text of a | or > block begins on the next line", "move the text to the next line, indented")
    if "flow sequence" in context or "flow mapping" in context:
        return _unclosed(document, context, start)
    if "directive" in context or "document start" in problem:
        found = re.search(r"^%", document.text, re.MULTILINE)
        where = document.origin(found.start()) if found else where
        return syntax('a line that begins with "%" is a YAML directive, and none is used here', "delete the line")
    if "could not find expected ':'" in problem:
        where = document.origin(start, start + 1)
        message, hint = 'this line is neither "key: value" nor a continued text', 'is a ":" missing, or an indentation?'
        return finding(where, "yaml-syntax", message, hint, edits=spaced_pair(document, start))
    if any(part in problem for part in ("expected key", "expected '-' indicator", "<block end>")):
        return _misplaced(document, at)
    if "cannot start any token" in problem or "node content" in problem:
        return syntax(f'"{char}" cannot stand here', "a text that begins with it needs quotes")
    return syntax(f"this cannot be read as YAML: {problem}")


def _template_at(document: Document, at: int) -> Fault | None:
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


def _in_quotes(document: Document, at: int, problem: str, start: int) -> Diagnostic:
    if "unknown escape" in problem or "escape code" in problem or "hexadecimal" in problem:
        escape = document.text[at : at + 2]
        message = f'"{escape}" is no escape that YAML knows between double quotes'
        hint = "write \\\\ for a backslash, or use single quotes: in them nothing is escaped"
        edits = doubled_backslashes(document, start)
        return finding(document.origin(at, at + 2), "yaml-syntax", message, hint, edits=edits)
    quote = document.text[start : start + 1]
    message = f"the text that begins here with {quote} is never closed"
    hint = f"add the closing {quote}" + ("; inside single quotes an apostrophe is written ''" if quote == "'" else "")
    return finding(document.origin(start), "yaml-syntax", message, hint)


def _unclosed(document: Document, context: str, start: int) -> Diagnostic:
    opened, closing = ("[", "]") if "sequence" in context else ("{", "}")
    message = f'the "{opened}" that stands here is not closed, or a comma is missing in it'
    hint = f'add "{closing}" or ","; a text with {{ }} [ ] , or ": " in it needs quotes here'
    return finding(document.origin(start), "yaml-syntax", message, hint, edits=with_templates(document, start))


def _misplaced(document: Document, at: int) -> Diagnostic:
    """Something else where the next key or item should begin: wrong indentation, or text after a closing quote."""
    line, where = document.source_line(at), document.origin(at)
    before = line[: where.column - 1]
    if before.strip(" -"):
        quote = _QUOTED_START.match(line)
        hint = "put the whole text in quotes"
        if quote:
            hint += "; inside single quotes write ''" if quote[1] == "'" else '; inside double quotes write \\"'
        edits = _apostrophes(document, at - len(before) + quote.start(1)) if quote else ()
        return finding(where, "yaml-syntax", "text goes on here after its end", hint, edits=edits)
    hint = "keys of one mapping, and items of one list, begin in the same column"
    return finding(where, "yaml-syntax", "this line's indentation fits no line above it", hint)


def _apostrophes(document: Document, start: int) -> tuple[Edit, ...]:
    """`'it's fine'` in other quotes."""
    line = document.source_line(start)
    found = _APOSTROPHES.fullmatch(line, document.origin(start).column - 1)
    if found is None:
        return ()
    return replaced(document.origin(start, start + len(found[1]) + 2), quoted(found[1]))
