"""The project file's nodes to the model's `Project`; takes checked nodes and checks nothing itself."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from sinchflow.expression.durations import parse_duration
from sinchflow.expression.sizes import parse_size
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, items_of
from sinchflow.language.policy import build_policy
from sinchflow.language.week import build_calendar
from sinchflow.model.flow import Text
from sinchflow.model.origin import Origin
from sinchflow.model.project import (
    DEFAULT_ACCOUNT,
    Account,
    CatchUp,
    Credentials,
    Limits,
    Project,
    Retention,
    Sends,
    Webhooks,
)

#: The project file's name, in the project's root.
PROJECT_FILE = "sinchflow.yaml"


def default_project() -> Project:
    """What a project without a project file has."""
    origin = Origin(PROJECT_FILE, 1, 1)
    return Project(origin=origin, account=Account(origin=origin))


def build_project(document: Document) -> Project:
    """The settings that a checked project document gives."""
    root = cast(Mapping, document.root)
    accounts = cast(Mapping | None, root.get("accounts"))
    return Project(
        origin=document.origin_of(root),
        account=_account(document, DEFAULT_ACCOUNT, root),
        accounts={
            name.text: _account(document, name.text, cast(Mapping, node))
            for name, node in (accounts.entries if accounts else ())
        },
        country=_word(root.get("country")),
        timezone=_word(root.get("timezone")) or "UTC",
        webhooks=_webhooks(document, root.get("webhooks")),
        outbound_allow=_words(_inner(root, "outbound", "allow")),
        env=_words(root.get("env")),
        secrets_dir=_word(root.get("secrets_dir")),
        language=_word(root.get("language")),
        lists={name: _word(node) or "" for name, node in _entries(root.get("lists"))},
        calendars={name: build_calendar(cast(Mapping, node)) for name, node in _entries(root.get("calendars"))},
        policy=build_policy(document, cast(Mapping | None, root.get("policy"))),
        sends=_sends(root.get("sends")),
        retention=_retention(root.get("retention")),
    )


def _account(document: Document, name: str, node: Mapping) -> Account:
    return Account(
        name=name,
        origin=document.origin_of(node),
        service=_word(node.get("service")),
        base_url=_text(document, node.get("base_url")),
        credentials=_credentials(document, node.get("credentials")),
        sub_account=_word(node.get("sub_account")),
        source_number=_word(node.get("source_number")),
        limits=_limits(node.get("limits")),
        catch_up=_catch_up(node.get("catch_up")),
    )


def _credentials(document: Document, node: Node | None) -> Credentials | None:
    if node is None:
        return None
    given = cast(Mapping, node)
    return Credentials(
        api_key=cast(Text, _text(document, given.get("api_key"))),
        api_secret=cast(Text, _text(document, given.get("api_secret"))),
        auth=cast(Any, _word(given.get("auth")) or "basic"),
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


def _sends(node: Node | None) -> Sends:
    default = Sends()
    if node is None:
        return default
    given = cast(Mapping, node)
    return Sends(
        on_unknown=cast(Any, _word(given.get("on_unknown")) or default.on_unknown),
        unknown_after=_duration(given.get("unknown_after"), default.unknown_after),
        settling_time=_duration(given.get("settling_time"), default.settling_time),
        valid_for=_duration(given.get("valid_for"), default.valid_for),
    )


def _retention(node: Node | None) -> Retention:
    default = Retention()
    if node is None:
        return default
    given = cast(Mapping, node)
    size, traces = given.get("max_size"), _value(given.get("traces"), default.traces)
    return Retention(
        events=_duration_or_off(given.get("events"), default.events),
        runs=_duration_or_off(given.get("runs"), default.runs),
        max_size_bytes=parse_size(cast(Scalar, size).text) if size else default.max_size_bytes,
        traces=None if traces == "off" else traces,
    )


def _catch_up(node: Node | None) -> CatchUp | None:
    if node is None:
        return None
    given, default = cast(Mapping, node), CatchUp()
    return CatchUp(
        on_start=_value(given.get("on_start"), default.on_start),
        every=_duration_or_off(given.get("every"), default.every),
        max_age=_duration(given.get("max_age"), default.max_age),
    )


def _webhooks(document: Document, node: Node | None) -> Webhooks:
    default = Webhooks()
    if node is None:
        return default
    given = cast(Mapping, node)
    return Webhooks(
        token=_text(document, given.get("token")),
        secret=_text(document, given.get("secret")),
        public_url=_text(document, given.get("public_url")),
        signature=cast(Any, _word(given.get("signature")) or default.signature),
        name=_word(given.get("name")) or default.name,
        retries=_value(given.get("retries"), default.retries),
        retry_delay=_duration(given.get("retry_delay"), default.retry_delay),
        read_timeout=_duration(given.get("read_timeout"), default.read_timeout),
        drift_every=_duration_or_off(given.get("drift_every"), default.drift_every),
    )


def _inner(root: Mapping, outer: str, key: str) -> Node | None:
    node = root.get(outer)
    return node.get(key) if isinstance(node, Mapping) else None


def _entries(node: Node | None) -> Iterator[tuple[str, Node]]:
    return ((key.text, value) for key, value in (node.entries if isinstance(node, Mapping) else ()))


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


def _duration_or_off(node: Node | None, default: timedelta | None) -> timedelta | None:
    return parse_duration(cast(Scalar, node).text) if node else default  # "off" is no duration: None
