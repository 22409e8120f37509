"""From checked nodes to the model: `Flow` and `Project`.

Takes nodes that the schema and the rules found nothing wrong with; it checks nothing itself. Version 1 of the language:
sources of flows are kept with their runs, so what it reads today it must read for ever.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import PurePath
from typing import Any, cast

from sinchflow.language.build_triggers import build_triggers, inbound_sms
from sinchflow.language.document import compose, documents
from sinchflow.language.languages import is_wording
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.spellings import duration, word, words
from sinchflow.model.flow import (
    Action,
    BasicAuth,
    BearerAuth,
    Branch,
    CancelMessage,
    Category,
    Choose,
    Concurrency,
    Condition,
    Delay,
    Fail,
    Flow,
    ForEach,
    GetMessageStatus,
    GetSenderIds,
    Http,
    Input,
    Log,
    Otherwise,
    Parallel,
    Remember,
    Retry,
    RunFlow,
    SendSms,
    SetOptOut,
    SetVars,
    Step,
    Stop,
    Text,
    Throttle,
    Value,
    WaitForReceipt,
    WaitForReply,
    Wording,
    Words,
)


def flow_from_source(source: str, file: str, line: int) -> Flow:
    """The flow of one stored YAML document, as it was when a run was pinned to it.

    line: the file's line on which the document began, so that places in errors stay true.
    Raises ValueError when the source is no sound document; stored sources are, `Checker` saw to it.
    """
    found = list(documents(source, file, line))
    if len(found) != 1 or compose(found[0]) or not isinstance(found[0].root, Mapping):
        raise ValueError(f"{file}:{line}: the stored source is not one flow")
    return build_flow(found[0])


def build_flow(document: Document) -> Flow:
    """The flow that a checked document describes."""
    return _Builder(document).flow()


def default_name(file: str) -> str:
    """A flow's name when it has none of its own: its file's stem."""
    return PurePath(file).stem


class _Builder:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._actions: dict[str, Callable[[Node, str], Action]] = {
            "reply": lambda node, _: self._send(node, is_reply=True),
            "send_sms": lambda node, _: self._send(node, is_reply=False),
            "get_message_status": lambda node, _: GetMessageStatus(
                message_id=self._text(_main(node, "message_id")), account=_account(node)
            ),
            "get_sender_ids": lambda node, _: GetSenderIds(account=_account(node)),
            "cancel_message": lambda node, _: CancelMessage(
                message_id=self._text(_main(node, "message_id")), account=_account(node)
            ),
            "opt_out": lambda node, _: self._set_opt_out(node, is_opted_out=True),
            "opt_in": lambda node, _: self._set_opt_out(node, is_opted_out=False),
            "http": lambda node, _: self._http(_mapping(node)),
            "set": lambda node, _: SetVars(values=self._values(node)),
            "choose": self._choose,
            "wait_for_reply": lambda node, _: self._wait_for_reply(_mapping(node)),
            "wait_for_receipt": lambda node, _: WaitForReceipt(
                message_id=self._text(_mapping(node).get("message_id")),
                status=words(_mapping(node).get("status")),
                timeout=duration(_mapping(node).get("timeout")),
            ),
            "delay": lambda node, _: self._delay(node),
            "remember": lambda node, _: Remember(values=self._values(node)),
            "for_each": lambda node, address: self._for_each(_mapping(node), address),
            "parallel": lambda node, address: Parallel(
                branches=tuple(
                    self._steps(steps, f"{address}.parallel.{at}.") for at, steps in enumerate(items_of(node))
                )
            ),
            "run_flow": lambda node, _: self._run_flow(node),
            "log": lambda node, _: Log(text=self._text(node)),
            "stop": lambda node, _: Stop(text=self._text(node)),
            "fail": lambda node, _: Fail(text=self._text(node)),
        }

    def flow(self) -> Flow:
        root = _mapping(self._document.root)
        throttle, concurrency = root.get("throttle"), root.get("concurrency")
        name = root.entry("name")
        return Flow(
            name=word(name[1]) if name else default_name(self._document.file),
            digest=self._document.digest,
            origin=self._document.origin_of(name[1] if name else root),
            triggers=tuple(build_triggers(self._document, root.get("on"))),
            steps=self._steps(root.get("steps"), ""),
            description=_word_or_none(root.get("description")),
            enabled=_plain(root.get("enabled"), True),
            priority=_plain(root.get("priority"), 0),
            goes_on=_plain(root.get("continue"), False),
            vars=self._values(root.get("vars")),
            contact=self._text_or_none(root.get("contact")),
            account=_word_or_none(root.get("account")),
            condition=self._condition(root.get("if")),
            throttle=self._throttle(_mapping(throttle)) if throttle else None,
            inputs=self._inputs(root.get("inputs")),
            outputs=self._values(root.get("outputs")),
            concurrency=self._concurrency(_mapping(concurrency)) if concurrency else None,
            timeout=duration(root.get("timeout")) if root.get("timeout") else None,
            on_error=self._steps(root.get("on_error"), "on_error."),
            on_change=cast(Any, _word_or_none(root.get("on_change")) or "finish"),
        )

    def _throttle(self, given: Mapping) -> Throttle:
        return Throttle(
            max=_plain(given.get("max"), 1),
            per=duration(given.get("per")),
            otherwise=self._steps(given.get("otherwise"), "otherwise."),
        )

    def _concurrency(self, given: Mapping) -> Concurrency:
        return Concurrency(
            mode=cast(Any, _word_or_none(given.get("mode"))),
            key=self._text_or_none(given.get("key")),
            max=_plain(given.get("max"), 10),
        )

    def _inputs(self, node: Node | None) -> dict[str, Input]:
        return {key.text: self._input(_mapping(value)) for key, value in _mapping(node).entries} if node else {}

    def _input(self, given: Mapping) -> Input:
        return Input(
            type=cast(Any, _word_or_none(given.get("type")) or "string"),
            value=self._value(given.get("value")),
            has_value=given.entry("value") is not None,
            default=self._value(given.get("default")),
            is_required=given.entry("default") is None,
        )

    # --- steps

    def _steps(self, node: Node | None, prefix: str) -> tuple[Step, ...]:
        return tuple(self._step(_mapping(item), f"{prefix}{at}") for at, item in enumerate(items_of(node)))

    def _step(self, node: Mapping, address: str) -> Step:
        if node.entry("then"):
            return self._if_then(node, address)
        key, value = next(pair for pair in node.entries if pair[0].text in self._actions)
        return self._around(node, key, address, self._actions[key.text](value, address), node.get("if"))

    def _if_then(self, node: Mapping, address: str) -> Step:
        """A step with `if`, `then` and perhaps `else`: a choice of one branch."""
        otherwise = node.get("else")
        arms = [(self._condition(node.get("if")), node.get("then")), *([(None, otherwise)] if otherwise else [])]
        choice = Choose(
            branches=tuple(
                Branch(condition=condition, steps=self._steps(steps, f"{address}.choose.{at}."))
                for at, (condition, steps) in enumerate(arms)
            )
        )
        key = node.by_name["then"][0]
        return self._around(node, key, address, choice, None)

    def _around(self, node: Mapping, key: Scalar, address: str, action: Action, condition: Node | None) -> Step:
        """The step with what stands around its action."""
        name = node.get("name")
        on_error = node.get("on_error")
        return Step(
            address=address,
            origin=self._document.origin_of(key),
            action=action,
            id=_word_or_none(node.get("id")),
            name=word(name) if name else None,
            condition=self._condition(condition),
            timeout=duration(node.get("timeout")) if node.get("timeout") else None,
            retry=_retry(_mapping(node.get("retry"))) if node.get("retry") else None,
            on_error="continue"
            if isinstance(on_error, Scalar)
            else self._steps(on_error, f"{address}.on_error.")
            if on_error
            else None,
        )

    def _choose(self, node: Node, address: str) -> Choose:
        return Choose(
            branches=tuple(
                Branch(
                    condition=self._condition(branch.get("if")),
                    steps=self._steps(branch.get("steps") or branch.get("else"), f"{address}.choose.{at}."),
                )
                for at, branch in enumerate(map(_mapping, items_of(node)))
            )
        )

    def _send(self, node: Node, *, is_reply: bool) -> SendSms:
        given = _mapping(node)
        if isinstance(node, Scalar) or (is_reply and is_wording(given)):
            return SendSms(to=None, message=self._words(node))
        return SendSms(
            to=None if is_reply else self._texts(given.get("to")),
            message=self._words(given.get("message")),
            source_number=self._text_or_none(given.get("source_number")),
            source_number_type=cast(Any, _word_or_none(given.get("source_number_type"))),
            delivery_report=_plain(given.get("delivery_report"), True),
            callback_url=self._text_or_none(given.get("callback_url")),
            metadata=self._text_by_key(given.get("metadata")),
            format=cast(Any, _word_or_none(given.get("format")) or "SMS"),
            media=self._texts(given.get("media")),
            subject=self._text_or_none(given.get("subject")),
            scheduled=self._text_or_none(given.get("scheduled")),
            message_expiry_timestamp=self._text_or_none(given.get("message_expiry_timestamp")),
            account=_account(given),
            urgent=_plain(given.get("urgent"), False),
            on_unknown=cast(Any, _word_or_none(given.get("on_unknown"))),
            unknown_after=_duration_or_none(given.get("unknown_after")),
            valid_for=_duration_or_none(given.get("valid_for")),
        )

    def _wait_for_reply(self, given: Mapping) -> WaitForReply:
        otherwise = given.get("otherwise")
        categories = given.get("categories")
        return WaitForReply(
            timeout=duration(given.get("timeout")),
            from_=self._text_or_none(given.get("from")),
            categories=tuple(
                Category(
                    name=key.text,
                    filters=inbound_sms(self._document.origin_of(key), _mapping(filters)),
                    answer=words(_mapping(filters).get("answer")),
                )
                for key, filters in (_mapping(categories).entries if categories else ())
            ),
            otherwise=Otherwise(
                reply=self._words(_mapping(otherwise).get("reply")),
                attempts=_plain(_mapping(otherwise).get("attempts"), 2),
            )
            if otherwise
            else None,
        )

    def _delay(self, node: Node) -> Delay:
        if isinstance(node, Scalar):
            return Delay(duration=duration(node))
        given = _mapping(node)
        return Delay(
            until=self._text(given.get("until")),
            before=duration(given.get("before")) if given.get("before") else timedelta(),
            after=duration(given.get("after")) if given.get("after") else timedelta(),
            if_past=cast(Any, _word_or_none(given.get("if_past")) or "continue"),
        )

    def _for_each(self, given: Mapping, address: str) -> ForEach:
        return ForEach(
            items=self._value(given.get("items")),
            as_=_word_or_none(given.get("as")) or "item",
            steps=self._steps(given.get("steps"), f"{address}.for_each.0."),
            parallel=_plain(given.get("parallel"), 1),
            until=self._condition(given.get("until")),
            on_item_error=cast(Any, _word_or_none(given.get("on_item_error")) or "stop"),
        )

    def _run_flow(self, node: Node) -> RunFlow:
        if isinstance(node, Scalar):
            return RunFlow(flow=word(node))
        given = _mapping(node)
        return RunFlow(
            flow=word(cast(Node, given.get("flow"))),
            inputs=self._values(given.get("inputs")),
            wait=_plain(given.get("wait"), True),
        )

    def _set_opt_out(self, node: Node, *, is_opted_out: bool) -> SetOptOut:
        number = self._text_or_none(_main(node, "number"))
        return SetOptOut(is_opted_out=is_opted_out, number=number, account=_account(node))

    def _http(self, given: Mapping) -> Http:
        auth, form = given.get("auth"), given.get("form")
        has_body = any(given.entry(key) for key in ("json", "form", "body"))
        return Http(
            method=_word_or_none(given.get("method")) or ("POST" if has_body else "GET"),
            url=self._text(given.get("url")),
            headers=self._text_by_key(given.get("headers")),
            query=self._text_values(given.get("query")),
            json=self._value(given.get("json")),
            has_json=given.entry("json") is not None,
            form=self._text_values(form) if form else None,
            body=self._text_or_none(given.get("body")),
            auth=self._auth(_mapping(auth)) if auth else None,
            expect=words(given.get("expect")) or ("2xx",),
            follow_redirects=_plain(given.get("follow_redirects"), False),
            max_bytes=_plain(given.get("max_bytes"), 1_048_576),
            parse=cast(Any, _word_or_none(given.get("parse")) or "auto"),
            idempotency_key=self._text_or_none(given.get("idempotency_key")),
            on_unknown=cast(Any, _word_or_none(given.get("on_unknown"))),
        )

    def _auth(self, given: Mapping) -> BasicAuth | BearerAuth:
        bearer = given.get("bearer")
        if bearer:
            return BearerAuth(bearer=self._text(bearer))
        return BasicAuth(username=self._text(given.get("username")), password=self._text(given.get("password")))

    # --- texts and values

    def _text(self, node: Node | None) -> Text:
        scalar = cast(Scalar, node)
        return Text(scalar.text, self._document.origin_of(scalar))

    def _words(self, node: Node | None) -> Words:
        """A text, or one for each language."""
        if not isinstance(node, Mapping):
            return self._text(node)
        texts = {key.text.lower(): self._text(value) for key, value in node.entries}
        return Wording(by_language=texts, origin=self._document.origin_of(node))

    def _text_or_none(self, node: Node | None) -> Text | None:
        return None if node is None else self._text(node)

    def _texts(self, node: Node | None) -> tuple[Text, ...]:
        return tuple(self._text(item) for item in items_of(node))

    def _text_by_key(self, node: Node | None) -> dict[str, Text]:
        return {key.text: self._text(value) for key, value in _mapping(node).entries} if node else {}

    def _text_values(self, node: Node | None) -> dict[str, Value]:
        """Texts, or lists of texts, by key; every scalar keeps its spelling."""
        return {
            key.text: self._texts(value) if isinstance(value, Sequence) else self._text(value)
            for key, value in (_mapping(node).entries if node else ())
        }

    def _condition(self, node: Node | None) -> Condition | None:
        return None if node is None else Condition(cast(Scalar, node).text, self._document.origin_of(node))

    def _values(self, node: Node | None) -> dict[str, Value]:
        return {key.text: self._value(value) for key, value in _mapping(node).entries} if node else {}

    def _value(self, node: Node | None) -> Value:
        match node:
            case Scalar():
                return self._text(node) if isinstance(node.value, str) else node.value
            case Sequence():
                return tuple(self._value(item) for item in node.items)
            case Mapping():
                return self._values(node)
            case None:
                return None


def _mapping(node: Node | None) -> Mapping:
    return cast(Mapping, node)


def _word_or_none(node: Node | None) -> str | None:
    return None if node is None else word(node)


def _main(node: Node, key: str) -> Node | None:
    """What an action with a short form is about: the text itself, or the value of the key."""
    if isinstance(node, Scalar):
        return node if node.is_text else None
    return _mapping(node).get(key)


def _duration_or_none(node: Node | None) -> timedelta | None:
    return None if node is None else duration(node)


def _account(node: Node) -> str | None:
    return _word_or_none(node.get("account")) if isinstance(node, Mapping) else None


def _plain(node: Node | None, default: Any) -> Any:
    return default if node is None else cast(Scalar, node).value


def _retry(given: Mapping) -> Retry:
    default = Retry()
    return Retry(
        attempts=_plain(given.get("attempts"), default.attempts),
        delay=duration(given.get("delay")) if given.get("delay") else default.delay,
        backoff=cast(Any, _word_or_none(given.get("backoff")) or default.backoff),
        max_delay=duration(given.get("max_delay")) if given.get("max_delay") else default.max_delay,
        when=words(given.get("when")) or default.when,
    )
