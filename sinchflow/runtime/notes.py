"""What routing has to say of an event besides the runs that it began, stored with the unit that routes it.

`outcome` is one of

- `wait`: an open wait of `run` took it, as an answer of this `category`; without one, as any answer;
- `policy`: its words are an opt-out, opt-in or call for help (`word`); `again`: it was said before, and not answered;
- `refused`: flows matched and did not begin: `refused` has each with its reason, and until when where that is known;
- `near`: the filters of flows fitted and their `if` did not hold: `near` has each, with the reason where it failed;
- `started`: runs began, and others that matched were refused.

`flow` and `reason` are those of the first. An event of which nothing is said and that began no run was for nobody, or
was fetched too late (`Event.ignored`). Nothing is said where another flow took the event: that costs a row for each.
"""

from datetime import datetime
from typing import Any

from sinchflow.runtime.commits import Commits


class Notes:
    """Gathers what is said of an event until it is routed."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._said: dict[int, dict[str, Any]] = {}

    def near(self, event_id: int, flow: str, reason: str | None = None) -> None:
        """The flow's filters fitted, its `if` was false, or failed for this reason."""
        self._list(event_id, "near").append({"flow": flow} | ({"reason": reason} if reason else {}))

    def refused(self, event_id: int, flow: str, reason: str, until: datetime | None) -> None:
        """The flow matched and did not begin."""
        entry = {"flow": flow, "reason": reason} | ({"until": until.isoformat()} if until else {})
        self._list(event_id, "refused").append(entry)

    def word(self, event_id: int, kind: str, *, again: bool) -> None:
        """Policy took the message."""
        self._said[event_id] = {"outcome": "policy", "word": kind} | ({"again": True} if again else {})

    def answered(self, event_id: int, run_id: int, category: str | None) -> None:
        """A wait took the message."""
        self._said[event_id] = {"outcome": "wait", "run": run_id, "category": category}

    def anew(self, event_id: int) -> None:
        """The event is being routed, perhaps not for the first time."""
        self._said.pop(event_id, None)

    def routed(self, event_id: int, *, has_begun: bool) -> None:
        """The event is routed with the unit that is being gathered. has_begun: whether a run begins with it."""
        said = self._said.pop(event_id, None)
        if said is None:
            return
        if has_begun:
            said.pop("near", None)  # somebody took it
            if not said:
                return
        if "outcome" not in said:
            said["outcome"] = "started" if has_begun else "refused" if "refused" in said else "near"
        first: dict[str, Any] = next(iter(said.get("refused") or said.get("near") or ()), {})
        self._commits.unit.notes.append((event_id, said | {k: first[k] for k in ("flow", "reason") if k in first}))

    def _list(self, event_id: int, name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._said.setdefault(event_id, {}).setdefault(name, [])
        return entries
