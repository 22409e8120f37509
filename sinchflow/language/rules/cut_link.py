"""Links in texts that look cut, or that a phone will not make tappable."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.inbound import Inbound
from sinchflow.language.messages import Message, messages_of
from sinchflow.language.nodes import Document
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.scalars import offsets, place

#: What makes looking worthwhile.
_SIGNS = ("//", "www.", "htt", "htp", "HTTP", "WWW.")
#: What there still is of it where no link is written right.
_LEFT = ("//", ":/", "htt", "htp", ":\\", "HTTP")
#: A hole counts as part of a link; `x` stands for each of its characters while links are looked for.
_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_LINK = re.compile(r"\bhttps?://[^\s<>\"]*", re.IGNORECASE)
_MISSPELT = re.compile(
    r"\b(?:(?!https?://)h?t{1,3}p{1,2}s{0,2}://|https?:/(?!/)(?=\S)|https?//|https?;//|https?:\\\\|https?\.//)\S*",
    re.IGNORECASE,
)
_WWW = re.compile(r"(?<![/\w.])www\.[\w-]+(?=\s|$|[,;!?)])", re.IGNORECASE)
_RUN_ON = re.compile(r"[a-z0-9/](?:[,;!)](?=[A-Za-z]{2})|[.?](?=[A-Z][a-z]*$))")
#: Where a link cannot end.
_OPEN_END = tuple("-_=&%#")
_HOST = re.compile(r"https?://([^/?#:]*)", re.IGNORECASE)


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for message in messages_of(outline):
        source = message.scalar.text
        if not any(sign in source for sign in _SIGNS):
            continue
        plain = _HOLE.sub(lambda hole: "x" * len(hole[0]), source) if message.is_templated else source
        for start, length, said, hint in (
            *_links(outline.document, message, plain),
            *_foreign(outline, message, plain),
        ):
            where = place(outline.document, message.scalar, start, length)
            yield finding(where, RULE.id, said, hint, "warning")


#: Where and how long, what is wrong, and how to mend it.
_Found = tuple[int, int, str, str]


def _links(document: Document, message: Message, plain: str) -> Iterator[_Found]:
    source = message.scalar.text
    left = plain.replace("https://", "").replace("http://", "")
    for wrong in _MISSPELT.finditer(plain) if any(sign in left for sign in _LEFT) else ():
        shown = source[wrong.start() : wrong.end()]
        yield wrong.start(), len(shown), f'"{shown}" is no link', "a link begins with https://"
    for www in _WWW.finditer(plain) if "www." in plain or "WWW." in plain else ():
        yield www.start(), len(www[0]), f'"{www[0]}" looks cut: no .com or the like follows', "write the whole address"
    for link in _LINK.finditer(plain):
        shown = source[link.start() : link.end()]
        fault = _fault(document, message, plain, link)
        if fault:
            yield link.start(), len(shown), *fault


def _fault(document: Document, message: Message, plain: str, link: re.Match[str]) -> tuple[str, str] | None:
    source, text = message.scalar.text, link[0]
    shown = source[link.start() : link.end()]
    address = text.rstrip(".,;:!)]}'*")
    host = (_HOST.match(text) or re.match("()", text))[1]  # type: ignore[index]
    if not host.strip(".,;:!?)'"):
        return f'"{shown}" ends before its address', "write the address on the same line, without a space in it"
    if text.endswith(("...", "…")) or "…" in host:
        return f'"{shown}" is a shortened link', "write the whole address: nobody can tap what is left out"
    run_on = _RUN_ON.search(text)
    if run_on and not (text[run_on.end() - 1] == ")" and "(" in text[: run_on.start()]):
        at = run_on.start() + 1
        return f'the text after "{shown[:at]}" becomes part of the link', "put a space behind the link"
    if _is_folded(document, message, link.end(), address, plain):
        return f'"{shown}" ends with its line: a space follows it', "write the whole link on one line"
    if "." not in host and "x" * 4 not in host and host.lower() != "localhost" and "[" not in host:
        return (
            f'"{shown}" looks cut: its host has no dot',
            "write the whole address, for example https://acme.example/b",
        )
    return None


def _is_folded(document: Document, message: Message, end: int, address: str, plain: str) -> bool:
    """Whether the link goes on in the next line of the file, which YAML joins with a space."""
    if plain[end : end + 1] not in (" ", "\n") or message.scalar.style == "|":
        return False
    following = plain[end + 1 :].split(maxsplit=1)
    if not following or plain[end + 1].isspace():
        return False
    is_cut = address.endswith(_OPEN_END)
    if not is_cut and not (address.endswith(("/", "?")) and re.search(r"[/?=&_]", following[0])):
        return False
    marks = offsets(document, message.scalar)
    return len(marks) > end and document.text[marks[end]] in "\r\n"


def _foreign(outline: Outline, message: Message, plain: str) -> Iterator[_Found]:
    """Holes in links that a stranger fills: a space in them ends the link."""
    source = message.scalar.text
    links = [link.span() for link in _LINK.finditer(plain) if "{{" in source[link.start() : link.end()]]
    text = next((each for each in outline.texts if each.scalar is message.scalar), None) if links else None
    if text is None:
        return
    for hole in Inbound(outline).holes(text):
        if any(start < hole.start < end for start, end in links):
            said = f"{hole.name} is part of a link, and a space in it ends the link"
            yield hole.use.offset, hole.use.length, said, f"write {{{{ {hole.name} | urlencode }}}}"


RULE = Rule(
    id="cut-link",
    reason="A phone makes a link of what begins with https:// up to the next space. What is cut cannot be tapped.",
    failing="""\
on: inbound_sms
steps:
  - reply: >-
      Pick another time: https://acme.example/book?
      week=next
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: >-
      Pick another time:
      https://acme.example/book?week=next
""",
    check=_check,
    applies_to="both",
)
