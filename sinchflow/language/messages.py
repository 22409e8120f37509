"""The texts that a document has for people: `reply`, `send_sms`, questions that are asked again, policy's own."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from sinchflow.language.languages import is_wording
from sinchflow.language.nodes import Mapping, Node, Scalar
from sinchflow.language.outline import Outline

Sender = Literal["reply", "otherwise", "send_sms", "policy"]


class Message(msgspec.Struct, frozen=True):
    """One text. language: its key where it is written in several. format: SMS, MMS or TTS."""

    scalar: Scalar
    sender: Sender
    language: str | None = None
    format: str = "SMS"

    @property
    def is_templated(self) -> bool:
        """Whether it may become another text each time."""
        return any(mark in self.scalar.text for mark in ("{{", "{%", "{#"))


def messages_of(outline: Outline) -> Iterator[Message]:
    """Every text that can be sent, in the order of the steps; for the project file, what policy answers."""
    for step in outline.steps:
        for key, node in step.actions:
            match key.text:
                case "reply" | "send_sms" as sender:
                    yield from _sent(node, sender)
                case "wait_for_reply" if isinstance(node, Mapping):
                    otherwise = node.get("otherwise")
                    yield from _texts(otherwise.get("reply") if isinstance(otherwise, Mapping) else None, "otherwise")
    policy = outline.root.get("policy") if not outline.steps else None
    for words in ("opt_out", "opt_in", "help") if isinstance(policy, Mapping) else ():
        given = policy.get(words) if isinstance(policy, Mapping) else None
        reply = given.get("reply") if isinstance(given, Mapping) else None
        if not (isinstance(reply, Scalar) and reply.text == "off"):
            yield from _texts(reply, "policy")


def _sent(node: Node, sender: Sender) -> Iterator[Message]:
    if isinstance(node, Mapping) and not is_wording(node):
        given = node.get("format")
        yield from _texts(node.get("message"), sender, given.text if isinstance(given, Scalar) else "SMS")
    else:
        yield from _texts(node, sender)


def _texts(node: Node | None, sender: Sender, format: str = "SMS") -> Iterator[Message]:
    if isinstance(node, Scalar) and node.is_text:
        yield Message(node, sender, None, format)
    elif isinstance(node, Mapping):
        for key, value in node.entries:
            if isinstance(value, Scalar) and value.is_text:
                yield Message(value, sender, key.text, format)
