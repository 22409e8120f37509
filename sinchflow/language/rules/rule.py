"""What a rule is: an id, a reason, samples, and a check over the outline of one flow or of the project file."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

import msgspec

from sinchflow.language.diagnostic import Diagnostic
from sinchflow.language.outline import Outline
from sinchflow.model.project import DEFAULT_ACCOUNT


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at of the project file, and when. Names (`env`, `accounts`, `lists`, `calendars`) are None when
    the file could not be read: they are not judged. `now` is None when times are not judged. The words of policy are
    empty where they are the defaults, None where it takes none.
    """

    env: frozenset[str] | None = frozenset()
    accounts: frozenset[str] | None = frozenset({DEFAULT_ACCOUNT})
    lists: frozenset[str] | None = frozenset()
    calendars: frozenset[str] | None = frozenset()
    country: str | None = None
    language: str | None = None
    opt_out_words: tuple[str, ...] | None = ()
    help_words: tuple[str, ...] | None = None
    now: datetime | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the validator; its texts are its documentation page.

    failing and corrected are whole YAML documents: the first gives a finding of this rule, the second gives none.
    """

    id: str
    reason: str
    failing: str
    corrected: str
    check: Callable[[Outline, Settings], Iterable[Diagnostic]]
    applies_to: Literal["flow", "project", "both"] = "flow"
