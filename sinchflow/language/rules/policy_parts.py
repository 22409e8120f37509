"""Settings of `policy` that cannot be meant: quiet hours without length, words that are none or stand for two things,
answers in languages that there are not."""

from collections.abc import Iterator

from sinchflow.expression.keywords import KEYWORDS, Kind
from sinchflow.expression.pattern import whole
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.languages import is_language
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.week import read_time

_KINDS: tuple[Kind, ...] = ("opt_out", "opt_in", "help")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    policy = outline.root.get("policy")
    if isinstance(policy, Mapping):
        yield from _quiet_hours(outline, policy.get("quiet_hours"))
        yield from _words(outline, policy)
        for kind in _KINDS:
            node = policy.get(kind)
            if isinstance(node, Mapping) and isinstance(reply := node.get("reply"), Mapping) and reply.entries:
                yield from _languages(outline, reply, settings.language)


def _quiet_hours(outline: Outline, node: Node | None) -> Iterator[Diagnostic]:
    begin, end = (node.get("from"), node.get("to")) if isinstance(node, Mapping) else (None, None)
    if isinstance(begin, Scalar) and isinstance(end, Scalar) and _minutes(begin) == _minutes(end) is not None:
        message = f"quiet hours from {begin.text} to {end.text} have no length"
        hint = "write another time, or leave quiet_hours out; pausing all messages is `sinchflow pause`"
        yield finding(outline.document.origin_of(end), RULE.id, message, hint)


def _minutes(node: Scalar) -> int | None:
    hours, colon, minutes = node.text.partition(":")
    return read_time(node.text) if colon and hours.isdecimal() and minutes.isdecimal() else None


def _words(outline: Outline, policy: Mapping) -> Iterator[Diagnostic]:
    """Words that are blank, or that another kind has already. `default` alone stands for the defaults."""
    taken: dict[str, Kind] = {}
    given = {kind: list(_keywords(policy.get(kind))) for kind in _KINDS}
    for kind in _KINDS:
        if not given[kind] and not _is_off(policy.get(kind)):
            taken |= {whole(word): kind for words in KEYWORDS[kind].values() for word in words}
    for kind, keywords in given.items():
        is_list = len(keywords) > 1
        for keyword in keywords:
            where = outline.document.origin_of(keyword)
            folded = whole(keyword.text)
            if keyword.text.isspace():
                yield finding(where, RULE.id, "this keyword is empty", "write the word that people send, such as STOP")
            elif is_list and keyword.text == "default":
                hint = "`default` stands alone; beside words of your own, write those of the defaults that you want"
                yield finding(where, RULE.id, '"default" would be a keyword here', hint)
            elif taken.setdefault(folded, kind) != kind:
                message = f'"{keyword.text}" is a keyword of {taken[folded]} already'
                hint = f"leave it out here, or list the keywords of {taken[folded]} without it"
                yield finding(where, RULE.id, message, hint)


def _keywords(node: Node | None) -> Iterator[Scalar]:
    """The words that the project gives itself."""
    keywords = node.get("keywords") if isinstance(node, Mapping) else None
    if isinstance(keywords, Sequence) or (isinstance(keywords, Scalar) and keywords.text != "default"):
        yield from (item for item in items_of(keywords) if isinstance(item, Scalar) and item.is_text)


def _is_off(node: Node | None) -> bool:
    return isinstance(node, Scalar)


def _languages(outline: Outline, reply: Mapping, language: str | None) -> Iterator[Diagnostic]:
    for key, _ in reply.entries:
        if not is_language(key.text):
            hint = "use the two letters of ISO 639, such as en or de"
            yield finding(outline.document.origin_of(key), RULE.id, f'there is no language "{key.text}"', hint)
    given = {key.text.lower() for key, _ in reply.entries}
    if language is not None and not given & {language.lower(), language.lower().partition("-")[0]}:
        where = outline.document.origin_of(reply.entries[0][0])
        message = f"this text has no {language}, the project's language"
        yield finding(where, RULE.id, message, f"add {language}: …")


RULE = Rule(
    id="policy-parts",
    reason="Policy decides before every flow; a slip in it silences everybody, or nobody.",
    failing="policy: {quiet_hours: {from: 21:00, to: 21:00}}\n",
    corrected="policy: {quiet_hours: {from: 21:00, to: 08:00}}\n",
    check=_check,
    applies_to="project",
)
