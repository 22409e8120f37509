"""The project file's nodes to the model's `Project`; takes checked nodes and checks nothing itself."""

from datetime import timedelta
from typing import Any, cast

from sinchflow.language.duration import parse_duration
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, items_of
from sinchflow.model.flow import Text
from sinchflow.model.origin import Origin
from sinchflow.model.project import Account, Brake, Credentials, Limits, Policy, Project, Webhooks

#: The project file's name, in the project's root.
PROJECT_FILE = "sinchflow.yaml"


def default_project() -> Project:
    """What a project without a project file has."""
    origin = Origin(PROJECT_FILE, 1, 1)
    return Project(origin=origin, account=Account(origin=origin))


def build_project(document: Document) -> Project:
    """The settings that a checked project document gives."""
    root = cast(Mapping, document.root)
    return Project(
        origin=document.origin_of(root),
        account=_account(document, root),
        country=_word(root.get("country")),
        timezone=_word(root.get("timezone")) or "UTC",
        webhooks=Webhooks(token=_text(document, _inner(root, "webhooks", "token"))),
        outbound_allow=_words(_inner(root, "outbound", "allow")),
        env=_words(root.get("env")),
        policy=_policy(root.get("policy")),
    )


def _account(document: Document, node: Mapping) -> Account:
    return Account(
        origin=document.origin_of(node),
        service=_word(node.get("service")),
        base_url=_text(document, node.get("base_url")),
        credentials=_credentials(document, node.get("credentials")),
        source_number=_word(node.get("source_number")),
        limits=_limits(node.get("limits")),
    )


def _credentials(document: Document, node: Node | None) -> Credentials | None:
    if node is None:
        return None
    given = cast(Mapping, node)
    return Credentials(
        api_key=cast(Text, _text(document, given.get("api_key"))),
        api_secret=cast(Text, _text(document, given.get("api_secret"))),
    )


def _limits(node: Node | None) -> Limits:
    default = Limits()
    if node is None:
        return default
    given = cast(Mapping, node)
    calls = _value(given.get("calls"), default.calls)
    return Limits(
        calls=None if calls == "off" else calls,
        per=_duration(given.get("per"), default.per),
        batch=_value(given.get("batch"), default.batch),
    )


def _policy(node: Node | None) -> Policy:
    brake = cast(Mapping, node).get("max_sends_per_contact") if node else None
    match brake:
        case None:
            return Policy()
        case Mapping():
            default = Brake()
            limit = Brake(max=_value(brake.get("max"), default.max), per=_duration(brake.get("per"), default.per))
            return Policy(max_sends_per_contact=limit)
        case _:
            return Policy(max_sends_per_contact=None)


def _inner(root: Mapping, outer: str, key: str) -> Node | None:
    node = root.get(outer)
    return node.get(key) if isinstance(node, Mapping) else None


def _word(node: Node | None) -> str | None:
    return None if node is None else cast(Scalar, node).text


def _words(node: Node | None) -> tuple[str, ...]:
    return tuple(cast(Scalar, item).text for item in items_of(node))


def _text(document: Document, node: Node | None) -> Text | None:
    return None if node is None else Text(cast(Scalar, node).text, document.origin_of(node))


def _value(node: Node | None, default: Any) -> Any:
    return default if node is None else cast(Scalar, node).value


def _duration(node: Node | None, default: timedelta) -> timedelta:
    return cast(timedelta, parse_duration(cast(Scalar, node).text)) if node else default
