"""What to do with a refused call: which of its messages are to blame, and which may travel again without them.

A call is atomic, so nothing of it was sent (sinch-api.md section 3.1). Pure; sending is for the callers.
"""

import msgspec

from sinchflow.sinch.failure import with_advice
from sinchflow.sinch.messages import Rejected


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """A refused call, taken apart. Each of its messages is in one part or refused, by its index.

    parts: what may be handed over again, each part in a call of its own. refused: the provider's words for each.
    """

    parts: tuple[range | tuple[int, ...], ...] = ()
    refused: dict[int, str] = {}


def apart(rejected: Rejected, count: int) -> Apart:
    """A refused call of `count` messages: those that are blamed fail alone; where none is, halves find the culprit.

    A refusal that blames the call rather than a message (403, …) refuses them all.
    """
    if rejected.faults:
        refused = {index: words for index, words in sorted(rejected.faults.items()) if index < count}
        good = tuple(index for index in range(count) if index not in refused)
        return Apart(parts=(good,) if good else (), refused=refused)
    if rejected.status == 400 and count > 1:
        middle = count // 2
        return Apart(parts=(range(middle), range(middle, count)))
    return Apart(refused=dict.fromkeys(range(count), _words(rejected)))


def _words(rejected: Rejected) -> str:
    if rejected.status is None or rejected.status <= 400:  # never asked, redirected, or about this very message
        return "; ".join((rejected.message, *rejected.details))
    return with_advice(rejected.status, rejected.message, rejected.details)
