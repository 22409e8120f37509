"""`policy` of the project file: its nodes to the model's `Policy`. Takes checked nodes."""

from typing import Any, cast

from sinchflow.language.nodes import Document, Mapping, Node, Scalar
from sinchflow.language.spellings import duration, word, words
from sinchflow.language.week import read_time
from sinchflow.model.flow import Text, Wording, Words
from sinchflow.model.project import Brake, Budget, KeywordPolicy, Policy, QuietHours


def build_policy(document: Document, node: Mapping | None) -> Policy:
    """The policy that a checked mapping describes; the default one where there is none."""
    default = Policy()
    if node is None:
        return default
    staff = node.get("staff")
    return Policy(
        max_sends_per_contact=_brake(node.get("max_sends_per_contact")),
        opt_out=_keywords(document, node.get("opt_out")),
        opt_in=_keywords(document, node.get("opt_in")),
        help=_keywords(document, node.get("help")),
        quiet_hours=_quiet_hours(cast(Mapping | None, node.get("quiet_hours"))),
        staff=() if isinstance(staff, Mapping) else words(staff),
        staff_list=word(cast(Node, staff.get("list"))) if isinstance(staff, Mapping) else None,
        max_sends_per_run=_value(node.get("max_sends_per_run"), default.max_sends_per_run),
        max_sends_per_flow=_budget(cast(Mapping | None, node.get("max_sends_per_flow"))),
        max_sends_per_day=_value(node.get("max_sends_per_day"), None),
        allowed_countries=words(node.get("allowed_countries")),
    )


def _keywords(document: Document, node: Node | None) -> KeywordPolicy | None:
    if isinstance(node, Scalar):
        return None  # off
    given = cast(Mapping | None, node)
    keywords = given.get("keywords") if given else None
    is_default = keywords is None or (isinstance(keywords, Scalar) and keywords.text == "default")
    return KeywordPolicy(
        keywords=None if is_default else words(keywords),
        reply=_reply(document, given.get("reply")) if given else None,
    )


def _reply(document: Document, node: Node | None) -> Words | None:
    match node:
        case Mapping():
            texts = {key.text.lower(): _text(document, cast(Scalar, text)) for key, text in node.entries}
            return Wording(texts, document.origin_of(node))
        case Scalar() if node.text != "off":
            return _text(document, node)
        case _:
            return None


def _text(document: Document, node: Scalar) -> Text:
    return Text(node.text, document.origin_of(node))


def _quiet_hours(node: Mapping | None) -> QuietHours | None:
    if node is None:
        return None
    begin, end, action = (node.get(key) for key in ("from", "to", "action"))
    return QuietHours(
        from_=read_time(word(cast(Node, begin))),
        to=read_time(word(cast(Node, end))),
        action=cast(Any, word(action)) if action else "defer",
    )


def _brake(node: Node | None) -> Brake | None:
    default = Brake()
    match node:
        case None:
            return default
        case Mapping():
            return Brake(max=_value(node.get("max"), default.max), per=duration(node.get("per")))
        case _:
            return None  # off


def _budget(node: Mapping | None) -> Budget | None:
    return None if node is None else Budget(max=_value(node.get("max"), None), per=duration(node.get("per")))


def _value(node: Node | None, default: Any) -> Any:
    return default if node is None else cast(Scalar, node).value
