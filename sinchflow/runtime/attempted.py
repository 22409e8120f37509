"""What one attempt at a command gave, before anybody has decided whether there is another."""

from datetime import timedelta

import msgspec

from sinchflow.model.command import Answered, Failed, Told


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """`retry_after`: the other side's own wish, where it named one."""

    outcome: Answered | Told | Failed
    retry_after: timedelta | None = None
