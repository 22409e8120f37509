"""A message as the connector shows it: the output of sends and of questions about messages."""

from collections.abc import Mapping
from typing import Any

#: The connector's output fields of "Send Text Message" and "Get message status" (sinch-api.md 16.1 and 16.2).
MESSAGE_FIELDS = (
    "callback_url", "delivery_report", "destination_number", "format", "message_expiry_timestamp", "message_flags",
    "message_id", "metadata", "scheduled", "source_number", "status", "content", "media", "subject",
)  # fmt: skip

_EMPTY: dict[str, Any] = {"message_flags": [], "metadata": {}, "media": []}


def as_message(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The provider's Message with every field of the connector's, absent ones None (an empty list or mapping for
    `message_flags`, `media` and `metadata`). What else the provider sent stays."""
    shaped = {name: answer.get(name) for name in MESSAGE_FIELDS}
    for name, empty in _EMPTY.items():
        if shaped[name] is None:
            shaped[name] = empty.copy()
    return {**answer, **shaped}
