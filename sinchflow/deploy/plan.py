"""What must change at the provider so that its webhooks are those wanted. Pure: no calls, no decisions by people.

A webhook is ours when its marker header names this deployment. Nothing else is ever touched, with one exception: a
webhook that calls our very address is adopted when it is as wanted but for our headers (somebody registered it by
hand), or when a person says so by its id. What stands in the way otherwise is a conflict, which is told, not solved.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from sinchflow.deploy.compare import Difference, differences, is_called_at, is_only_unmarked, marker_of
from sinchflow.deploy.desired import Wanted, split_version, with_version
from sinchflow.sinch.webhooks import Webhook

Action = Literal["keep", "create", "update", "replace", "adopt", "delete", "conflict", "foreign"]

#: What `apply` does something about.
_DONE_BY_APPLY = frozenset({"create", "update", "replace", "adopt", "delete"})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one webhook.

    kind: None for foreign ones. url: its address afterwards, or as it is when nothing is done about it.
    found: None for a new one. wanted: None for one that is not wanted.
    """

    action: Action
    kind: str | None = None
    url: str
    found: Webhook | None = None
    wanted: Wanted | None = None
    differences: tuple[Difference, ...] = ()
    note: str = ""  #: what a person should know about it; may hold no secret


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One account's changes: of the wanted webhooks in their order, then deletions, then foreign ones."""

    account: str
    changes: tuple[Change, ...]

    @property
    def to_do(self) -> tuple[Change, ...]:
        """What `apply` would do."""
        return tuple(change for change in self.changes if change.action in _DONE_BY_APPLY)

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """What stands in the way."""
        return tuple(change for change in self.changes if change.action == "conflict")

    @property
    def is_settled(self) -> bool:
        """Whether all is as wanted."""
        return not self.to_do and not self.conflicts


def make_plan(
    account: str, name: str, wanted: Sequence[Wanted], found: Sequence[Webhook], adopted_ids: Iterable[str] = ()
) -> Plan:
    """The changes that make `found`, all webhooks of the account, what is `wanted`.

    name: this deployment's. adopted_ids: of webhooks in conflict that a person gives us.
    """
    planner = _Planner(name, found, frozenset(adopted_ids))
    changes = [change for each in wanted for change in planner.settle(each)]
    return Plan(account=account, changes=(*changes, *planner.deletions(), *planner.others(wanted)))


def plan_removal(account: str, name: str, found: Sequence[Webhook]) -> Plan:
    """The changes that take away all that is ours and leave the rest."""
    planner = _Planner(name, found, frozenset())
    return Plan(account=account, changes=(*planner.deletions("no longer wanted"), *planner.others(())))


class _Planner:
    """One plan in the making: which webhooks have found their place already."""

    def __init__(self, name: str, found: Sequence[Webhook], adopted_ids: frozenset[str]) -> None:
        self._name = name
        self._found = found
        self._adopted_ids = adopted_ids
        self._placed: set[str] = set()

    def settle(self, wanted: Wanted) -> Iterator[Change]:
        """What becomes of one wanted webhook; ours elsewhere stay while it is not known who calls us."""
        mine = [each for each in self._unplaced() if self._kind_of_ours(each) == wanted.kind]
        here = [each for each in mine if split_version(each.url)[0] == wanted.url]
        if here:
            yield self._mend(wanted, min(here, key=lambda each: _cost(wanted, each)))
            return
        there = [each for each in self._unplaced() if self._kind_of_ours(each) is None and is_called_at(each, wanted)]
        if there:
            change = self._take_over(wanted, min(there, key=lambda each: self._reluctance(wanted, each)))
            yield change
            if change.action == "conflict":
                yield from (self._leave(each) for each in mine)
        elif mine:
            yield self._mend(wanted, min(mine, key=lambda each: _cost(wanted, each)))
        else:
            yield Change(action="create", kind=wanted.kind, url=self._free_url(wanted), wanted=wanted)

    def deletions(self, reason: str = "") -> list[Change]:
        """Ours that have found no place."""
        return [
            Change(
                action="delete",
                kind=self._kind_of_ours(each),
                url=each.url,
                found=each,
                note=reason or "a second one of ours for the same events, or for none",
            )
            for each in self._unplaced()
            if self._kind_of_ours(each) is not None
        ]

    def others(self, wanted: Sequence[Wanted]) -> list[Change]:
        """Those that are not ours."""
        return [
            Change(action="foreign", url=each.url, found=each, note=self._note_on_other(each, wanted))
            for each in self._unplaced()
            if self._kind_of_ours(each) is None
        ]

    def _unplaced(self) -> list[Webhook]:
        return [each for each in self._found if each.id not in self._placed]

    def _kind_of_ours(self, webhook: Webhook) -> str | None:
        marker = marker_of(webhook)
        return marker[1] if marker is not None and marker[0] == self._name else None

    def _mend(self, wanted: Wanted, found: Webhook) -> Change:
        """Make one that may be changed what it should be."""
        self._placed.add(found.id)
        different = differences(wanted, found)
        change = Change(
            action="keep", kind=wanted.kind, url=found.url, found=found, wanted=wanted, differences=different
        )
        moves = any(difference.field == "url" for difference in different)
        note = (
            f'its address changes: if another deployment is named "{self._name}" too, this webhook may be its own; '
            "give each its own `webhooks.name`"
            if moves and self._kind_of_ours(found) is not None
            else ""
        )
        if any(difference.forces_replacement for difference in different):
            return msgspec.structs.replace(change, action="replace", url=self._free_url(wanted), note=note)
        if not different:
            return change
        is_blocked = any(
            each.url == found.url and is_called_at(each, wanted) for each in self._found if each is not found
        )
        url = self._free_url(wanted, found) if moves or is_blocked else found.url
        return msgspec.structs.replace(change, action="update", url=url, note=note)

    def _leave(self, found: Webhook) -> Change:
        self._placed.add(found.id)
        note = "stays until the conflict is solved"
        return Change(action="keep", kind=self._kind_of_ours(found), url=found.url, found=found, note=note)

    def _take_over(self, wanted: Wanted, found: Webhook) -> Change:
        """One that calls our address and is not ours."""
        if found.id in self._adopted_ids:
            return self._mend(wanted, found)
        if marker_of(found) is None and is_only_unmarked(wanted, found):
            return msgspec.structs.replace(self._mend(wanted, found), action="adopt")
        self._placed.add(found.id)
        marker = marker_of(found)
        whose = "" if marker is None else f'; its mark says that it belongs to the deployment "{marker[0]}"'
        return Change(
            action="conflict",
            kind=wanted.kind,
            url=found.url,
            found=found,
            wanted=wanted,
            differences=differences(wanted, found),
            note=(
                f"webhook {found.id} calls our address and was not made by this deployment{whose}: take it over with "
                f"`sinchflow apply --adopt {found.id}`, or delete it, or change `webhooks.token`"
            ),
        )

    def _reluctance(self, wanted: Wanted, found: Webhook) -> tuple[bool, bool, int]:
        """Which of several that call our address is looked at first: the chosen one, then one that fits."""
        return (found.id not in self._adopted_ids, not is_only_unmarked(wanted, found), len(differences(wanted, found)))

    def _free_url(self, wanted: Wanted, itself: Webhook | None = None) -> str:
        """Our address in a version that nobody has yet."""
        taken = [
            split_version(each.url)[1] for each in self._found if is_called_at(each, wanted) and each is not itself
        ]
        return with_version(wanted.url, max(taken, default=0) + 1)

    def _note_on_other(self, webhook: Webhook, wanted: Sequence[Wanted]) -> str:
        if any(split_version(webhook.url)[0] == each.url for each in wanted):
            return "it calls our address too, so its events arrive twice"
        marker = marker_of(webhook)
        return "" if marker is None else f'marked as of the deployment "{marker[0]}"'


def _cost(wanted: Wanted, found: Webhook) -> tuple[bool, int, int]:
    """Which of several of ours is kept: one that need not be replaced, needs least changes, is newest."""
    different = differences(wanted, found)
    replaced = any(difference.forces_replacement for difference in different)
    return (replaced, len(different), -split_version(found.url)[1])
