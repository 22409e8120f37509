"""Edits that mend a finding, made where the finding is made: only what is beyond doubt gets one.

Owns how a word or a text is put in place of another in somebody's YAML so that nothing around it changes. It refuses to
judge whether a mend is right; `mend` tries each before it is kept. No edit ever changes the number of lines.
"""

import re
from collections.abc import Collection, Iterable

from sinchflow.language.diagnostic import Edit
from sinchflow.language.nodes import Document, Mapping, Node, Scalar
from sinchflow.language.scalars import resolve
from sinchflow.language.suggest import sure
from sinchflow.model.origin import Origin

#: Lines and expressions that are longer are left to people: nobody wrote them by hand.
_LONGEST = 4_000
#: Words that mean the same with and without quotes.
_WORD = re.compile(r"[A-Za-z0-9_+/][A-Za-z0-9_+./-]*")
#: What may stand before a value that goes on to the end of its line.
_BEFORE = re.compile(r"""\s*(?:-\s+)*(?:[^\s"'#{}\[\],&*!|>%@`-][^"'#{}\[\]]*?:\s+)?""")
#: `Order #1` and `Order #{{ id }}` are text, `# one` is a comment, and `#one` may be either.
_NUMBER_SIGN = re.compile(r"\s+#(?P<number>\d|\{\{)?(?P<comment>[\s#]|\Z)?")
#: An expression that YAML reads as a text of its own without quotes.
_PLAIN = re.compile(r"""(?:not |[A-Za-z_(])(?:[^:#{}\[\],]|:(?!\s|\Z)|(?<!\s)#)*""")
_LEFT_OPEN = re.compile(r"""(?:,[^,:{}\[\]"'#\r\n]*)*(?=\s*(?:\}|,\s*[A-Za-z_][\w-]*:\s))""")
#: Keys whose text people read: a comma in it is a comma, not the beginning of another key.
_SPOKEN = frozenset({"reply", "message", "log", "stop", "fail", "subject", "description"})
#: A text with templates in a flow mapping, up to the next key or the end.
_HOLED = re.compile(
    r"""(?<=[{,\s])(?P<key>[A-Za-z_]\w*):[ ]+
    (?P<value>[^\s"'{}\[\],:#](?:[^"'{}\[\],:#\n]|:(?!\s)|,(?!\s*[A-Za-z_]\w*:\s)|\{\{[^{}\n]*\}\})*)
    (?=\}|,)""",
    re.VERBOSE,
)
_BACKSLASH = re.compile(r'\\(?:.|\r\n|[\r\n])|"', re.DOTALL)
_ESCAPE = re.compile(r"""\\(?:[0abtnvfre"/\\N_LP \t\r\n]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})""")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_DASHED = re.compile(r"-[A-Za-z_]")
_PAIR = re.compile(r"(?P<name>[A-Za-z_][\w-]*):(?![\s/:])\S")
_OPERATORS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?P<found>&&|\|\||(?<![=!<>])=(?!=)|[()])""")
_INSTEAD = {"=": "==", "&&": "and", "||": "or"}

_TRUTH = {
    "yes": "true", "on": "true", "true": "true", "1": "true",
    "no": "false", "off": "false", "false": "false", "0": "false",
}  # fmt: skip
_SPAN = re.compile(r"([0-9]+) ?([a-z]+)\.?")
_UNITS = {
    name: unit
    for unit, names in {
        "ms": "ms milliseconds millisecond millis msec msecs",
        "s": "s sec secs second seconds",
        "m": "m min mins minute minutes",
        "h": "h hr hrs hour hours",
        "d": "d day days",
    }.items()
    for name in names.split()
}


def quoted(text: str) -> str:
    """The text as a quoted YAML scalar on one line."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def bare(expression: str) -> str:
    """A condition as it stands after `if:`, without quotes where it can."""
    return expression if _PLAIN.fullmatch(expression) else quoted(expression)


def replaced(origin: Origin, text: str) -> tuple[Edit, ...]:
    """All that is marked gives way to the text."""
    return (Edit(origin.line, origin.column, origin.length, text),)


def respelled(origin: Origin, old: str, new: str | None) -> tuple[Edit, ...]:
    """A word gives way to another one, inside of its quotes if it has any; nothing when either is no plain word.

    origin: of the word or of the scalar that it is.
    """
    if not new or not _WORD.fullmatch(new) or new in ("null", "~"):
        return ()
    return put(origin, old, new)


def meant(origin: Origin, word: str, known: Iterable[str]) -> tuple[Edit, ...]:
    """A word gives way to the only known one that is very near, if there is one."""
    return respelled(origin, word, sure(word, known))


def braced(origin: Origin, expression: str, *, is_plain: bool) -> tuple[Edit, ...]:
    """A text that is an expression becomes a template."""
    template = f"{{{{ {expression} }}}}"
    if is_plain:
        return replaced(origin, quoted(template)) if origin.length == len(expression) else ()
    return put(origin, expression, template)


def put(origin: Origin, old: str, new: str) -> tuple[Edit, ...]:
    """An edit of the text, whose quotes, if it has any, are marked too; an escape in it shows in its length."""
    quotes = (origin.length - len(old)) // 2
    if origin.length not in (len(old), len(old) + 2):
        return ()
    return (Edit(origin.line, origin.column + quotes, len(old), new),)


def rewritten(document: Document, scalar: Scalar, text: str) -> tuple[Edit, ...]:
    """A scalar on one line gives way to the text as it stands; what was quoted loses its quotes."""
    raw = document.text[scalar.start : scalar.end]
    if scalar.style in ("|", ">") or not raw or "\n" in raw or "\r" in raw:
        return ()
    return replaced(document.origin(scalar.start, scalar.end), text)


def renamed(document: Document, mapping: Mapping, key: Scalar, known: Iterable[str]) -> tuple[Edit, ...]:
    """An unknown key becomes the known one that is very near, if that does not stand in the mapping already."""
    name = sure(key.text, known)
    return respelled(document.origin_of(key), key.text, name) if name and mapping.entry(name) is None else ()


def retyped(document: Document, types: Collection[str], node: Node | None) -> tuple[Edit, ...]:
    """A value of the type that is wanted, where only its spelling stands in the way."""
    match node:
        case Scalar(text=text) if "boolean" in types and "string" not in types and text.lower() in _TRUTH:
            return rewritten(document, node, _TRUTH[text.lower()])
        case Scalar(text=text) if "string" not in types and node.style and _fits(text, types):
            return rewritten(document, node, text)
        case Scalar() if "object" in types and "string" not in types and not node.style:
            return spaced_pair(document, node.start)
        case Mapping(entries=((key, _), *_)) if "array" in types:
            return spaced_dashes(document, key)
        case _:
            return ()


def _fits(text: str, types: Collection[str]) -> bool:
    value = resolve(text)
    wanted = (int, float) if "number" in types else int if "integer" in types else ()
    return isinstance(value, wanted) and not isinstance(value, bool)


def as_truth(text: str) -> str | None:
    """`yes` as `true`, `off` as `false`."""
    return _TRUTH.get(text.lower())


def as_duration(text: str) -> str:
    """`10 minutes` as `10m`; empty when it is no duration in words."""
    found = _SPAN.fullmatch(text.strip().lower())
    return f"{found[1]}{_UNITS[found[2]]}" if found and found[2] in _UNITS else ""


def as_language(text: str) -> str:
    """`EN_gb` as `en-GB`; empty when it has another form."""
    language, _, country = text.replace("_", "-").partition("-")
    return f"{language.lower()}-{country.upper()}" if language and country else ""


def inserted(document: Document, at: int, text: str) -> tuple[Edit, ...]:
    """Some characters more."""
    origin = document.origin(at)
    return (Edit(origin.line, origin.column, 0, text),)


def quoted_rest(document: Document, at: int) -> tuple[Edit, ...]:
    """Quotes around a value that takes up the rest of its line; a comment behind it stays one.

    Nothing when it does not stand behind a key or a dash, or where it may be a comment or its text.
    """
    found = value_on_line(document, at)
    return replaced(document.origin(at, at + len(found)), quoted(found)) if found else ()


def doubled_backslashes(document: Document, start: int) -> tuple[Edit, ...]:
    """A second backslash where one begins no escape, in the text in double quotes that begins here."""
    edits: tuple[Edit, ...] = ()
    for found in _BACKSLASH.finditer(document.text, start + 1):
        if found[0] == '"':
            return edits
        if not _ESCAPE.match(document.text, found.start()):
            edits += inserted(document, found.start(), "\\")
    return ()


def quoted_tag(document: Document, at: int) -> tuple[Edit, ...]:
    """Quotes around `!important call us`; `!secret token` and `!!str a` are other tools' and mean something else."""
    is_text = len(value_on_line(document, at).split()) > 2 and not document.text.startswith("!!", at)
    return quoted_rest(document, at) if is_text else ()


def value_on_line(document: Document, at: int) -> str:
    """The value that begins here and takes up the rest of its line but for a comment; empty when that is in doubt."""
    column = document.origin(at).column - 1
    line = document.source_line(at)
    before, rest = line[:column], line[column:].rstrip()
    if (
        len(line) > _LONGEST
        or not _BEFORE.fullmatch(before)
        or not before.strip()
        or rest[:1] in ("", '"', "'", "[", "|", ">", "#")
    ):
        return ""
    for sign in _NUMBER_SIGN.finditer(rest):
        if sign["number"] is None:
            return "" if sign["comment"] is None else rest[: sign.start()]
    return rest


def with_number_sign(document: Document, scalar: Scalar) -> tuple[Edit, ...]:
    """Quotes around an unquoted text of one line together with the `#1 …` that YAML takes for a comment."""
    whole = value_on_line(document, scalar.start)
    return quoted_rest(document, scalar.start) if len(whole) > scalar.end - scalar.start else ()


def with_commas(document: Document, key: Scalar, value: Node, lone: Scalar) -> tuple[Edit, ...]:
    """Quotes around a text of a flow mapping that was cut at its comma. lone: what was read as the next key."""
    if key.text not in _SPOKEN or not isinstance(value, Scalar) or value.style or not isinstance(value.value, str):
        return ()
    rest = _LEFT_OPEN.match(document.text, lone.end)
    end = rest.end() if rest else lone.end
    whole = document.text[value.start : end].rstrip()
    if rest is None or any(mark in whole for mark in ("\n", "\r", " #")):
        return ()
    return replaced(document.origin(value.start, value.start + len(whole)), quoted(whole))


def with_templates(document: Document, start: int) -> tuple[Edit, ...]:
    """Quotes around every text with a template in it of the flow mapping that begins here: `{reply: Hi {{ x }}}`."""
    edits: tuple[Edit, ...] = ()
    end = start + len(document.source_line(start)) - document.origin(start).column + 1
    for found in _HOLED.finditer(document.text, start, end):
        if "{{" in found["value"] and (found["key"] in _SPOKEN or found["key"] == "url"):
            whole = found["value"].rstrip()
            first = found.start("value")
            edits += replaced(document.origin(first, first + len(whole)), quoted(whole))
    return edits


def spaced_pair(document: Document, start: int) -> tuple[Edit, ...]:
    """A space after the colon of `key:value`."""
    found = _PAIR.match(document.text, start)
    return inserted(document, start + len(found["name"]) + 1, " ") if found else ()


def spaced_dashes(document: Document, first: Scalar) -> tuple[Edit, ...]:
    """A space after the dash of `-key:`, and of the others below it that begin in its column."""
    column = document.origin(first.start).column - 1
    begin = first.start - column
    if first.style or first.text[:1] != "-" or document.text[begin : first.start].strip(" "):
        return ()
    edits: list[Edit] = []
    for line in _LINE.finditer(document.text, begin):
        written = line[0].lstrip(" ")
        indent = len(line[0]) - len(written)
        if indent == column and _DASHED.match(written):
            edits += inserted(document, line.start() + indent + 1, " ")
        elif indent < column and written.strip() and written[0] != "#":
            break
    return tuple(edits)


def operators(source: str) -> list[tuple[int, str, str]]:
    """Where an expression has operators of other languages, what they are, and what is written for them here."""
    found: list[tuple[int, str, str]] = []
    depth = 0
    for each in _OPERATORS.finditer(source if len(source) <= _LONGEST else ""):
        sign = each["found"]
        depth += {"(": 1, ")": -1}.get(sign or "", 0)
        if sign not in _INSTEAD or (sign == "=" and depth):  # `f(x=1)` names an argument
            continue
        word = _INSTEAD[sign]
        if sign != "=":
            word = f"{'' if source[each.start() - 1 : each.start()].isspace() else ' '}{word}"
            word = f"{word}{'' if source[each.end() : each.end() + 1].isspace() else ' '}"
        found.append((each.start(), sign, word))
    return found
