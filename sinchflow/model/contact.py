"""What is known about a person: what flows remember of them, and whether they want no messages.

A person is one number in E.164. Nothing here is loaded as a whole: there may be millions.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One person. values: what flows remember, by name; JSON-like, never None."""

    number: str
    updated_at: datetime
    values: dict[str, Any] = {}
    language: str | None = None
    timezone: str | None = None
    last_inbound_at: datetime | None = None  #: when the person's last message came


class ContactChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is new about a person at `at`.

    values: merged by name, each as a whole; None forgets a name. language, timezone: unset is as before, None is not
    known (any more). last_inbound_at: None is as before, and a time before the known one changes nothing.
    """

    number: str
    at: datetime
    values: dict[str, Any] = {}
    language: str | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET
    last_inbound_at: datetime | None = None

    @property
    def is_touch(self) -> bool:
        """Whether nothing but `last_inbound_at` is new: so with every message that comes in."""
        return not self.values and self.language is UNSET and self.timezone is UNSET


def changed(contact: Contact | None, change: ContactChange) -> Contact:
    """The person after the change; None: not known before."""
    before = contact or Contact(number=change.number, updated_at=change.at)
    values = {**before.values, **change.values}
    inbound = [time for time in (before.last_inbound_at, change.last_inbound_at) if time is not None]
    return Contact(
        number=before.number,
        updated_at=max(before.updated_at, change.at),
        values={name: value for name, value in values.items() if value is not None},
        language=before.language if isinstance(change.language, UnsetType) else change.language,
        timezone=before.timezone if isinstance(change.timezone, UnsetType) else change.timezone,
        last_inbound_at=max(inbound, default=None),
    )


SuppressionSource = Literal[
    "keyword",  #: the person's own word, STOP
    "provider",  #: the provider told us
    "list",  #: it stands on the provider's list: lifted when it does no longer
    "step",  #: a flow's `opt_out`
    "operator",  #: `sinchflow contacts suppress`
]

#: What the name begins with under which the suppression of somebody forgotten is kept.
PSEUDONYM_MARK = "#"


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is sent to this number. Of a person who was forgotten, `number` is a pseudonym (`Journal.pseudonym`)."""

    number: str
    since: datetime
    source: SuppressionSource
    reason: str = ""  #: for people

    @property
    def is_pseudonym(self) -> bool:
        """Whether the number itself is not known any more."""
        return self.number.startswith(PSEUDONYM_MARK)


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    """Messages may be sent to this number again."""

    number: str
