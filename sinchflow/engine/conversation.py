"""Whether a message answers an open wait: which of its categories it fits, and what that captured."""

from typing import Any

import msgspec

from sinchflow.engine.filters import InboundFilter, Message
from sinchflow.expression.answers import fits
from sinchflow.model.event import Event
from sinchflow.model.flow import Category, WaitForReply


class Fit(msgspec.Struct, frozen=True):
    """The first category that a message fits, in the order of the file."""

    category: str
    match: dict[str, Any]


class Answers:
    """One wait's categories, made ready to be asked."""

    def __init__(self, action: WaitForReply) -> None:
        self._categories = [(each, InboundFilter(each.filters)) for each in action.categories]
        #: whether a message that fits no category is for this wait all the same
        self.takes_any = not action.categories or action.otherwise is not None

    def fit(self, event: Event, message: Message | None) -> Fit | None:
        """The category that the message fits, or None."""
        for category, filters in self._categories:
            captured = _captured(category, filters, event, message)
            if captured is not None:
                return Fit(category.name, captured)
        return None


def _captured(
    category: Category, filters: InboundFilter, event: Event, message: Message | None
) -> dict[str, Any] | None:
    """What the category's filters captured, or None when one of them does not pass. `answer` is one more of them."""
    if category.answer and (message is None or not any(fits(message.text, answer) for answer in category.answer)):
        return None
    return filters.passes(event, message, {})  # a category asks about the text alone
