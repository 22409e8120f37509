"""The switch that stops all sends at once, and lets them go on. It outlives the daemon.

Only messages to customers stop: webhooks are accepted, runs begin and go on, `http` steps and questions are performed.
A message of a batch whose call has begun cannot be called back.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from sinchflow.journal.journal import Act, Journal
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.stats import Stats

_SETTING = "paused"
#: Under which subject a pause is among the troubles.
TROUBLE = "paused"


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """Since when nothing is sent, who wanted it, and why (empty: they did not say)."""

    since: datetime
    by: str = ""
    reason: str = ""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        who = f" by {self.by}" if self.by else ""
        return f"sends are paused since {self.since:%Y-%m-%d %H:%M:%S} UTC{who}{why}"


class Switch:
    """See the module's text. On the loop's thread only."""

    def __init__(self, *, journal: Journal, commits: Commits, stats: Stats) -> None:
        self._journal = journal
        self._commits = commits
        self._stats = stats
        kept = journal.setting(_SETTING)
        self.paused: Paused | None = None if kept is None else msgspec.json.decode(kept, type=Paused)
        self._note()
        #: called when sends may leave again
        self.on_resume: list[Callable[[], None]] = []

    def pause(self, reason: str, by: str, now: datetime) -> bool:
        """Let nothing leave from now on; False when that is so already, which stays as it is."""
        if self.paused is not None:
            return False
        self.paused = Paused(since=now, by=by, reason=reason)
        self._keep("pause", reason, by, now)
        return True

    def resume(self, by: str, now: datetime) -> bool:
        """Let sends leave again; False when nothing stops them."""
        if self.paused is None:
            return False
        self.paused = None
        self._keep("resume", "", by, now)
        for tell in self.on_resume:
            tell()
        return True

    def _keep(self, what: str, detail: str, by: str, now: datetime) -> None:
        self._note()
        unit = self._commits.unit
        value = None if self.paused is None else msgspec.json.encode(self.paused).decode()
        unit.settings.append((_SETTING, value))
        unit.acts.append(Act(id=self._journal.new_id(), at=now, what=what, subject=by, detail=detail))
        self._commits.flush_soon()

    def _note(self) -> None:
        if self.paused is None:
            self._stats.troubles.pop(TROUBLE, None)
        else:
            self._stats.troubles[TROUBLE] = f"{self.paused}; `sinchflow resume` lets them leave"
