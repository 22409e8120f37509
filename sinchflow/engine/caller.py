"""Who asks for a command, and what asking can come to."""

from collections.abc import Mapping
from datetime import datetime

import msgspec


class ActionError(Exception):
    """The action cannot be carried out with what its templates gave; the message says what and why."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the run as far as commands need to know it, and the project's settings for them.

    run_id: as the run asks (`Run.asks_as`). source_numbers: the number or name that each account sends from.
    timezone: how times without an offset are read.
    most_metadata: pairs that a message may have of the provider's ten, of which sinchflow needs one for a run's sends.
    """

    run_id: str
    account: str
    contact: str | None
    our_number: str | None
    country: str | None
    source_numbers: Mapping[str, str]
    timezone: str
    languages: tuple[str, ...] = ()
    now: datetime
    most_metadata: int = 9
