"""Carries out a plan: creates first, deletes last, so that no event finds nobody; stops at the first failure.

Whatever is left undone shows in the next plan, so an apply that was cut short is simply run again.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from sinchflow.deploy.compare import is_called_at
from sinchflow.deploy.desired import Wanted
from sinchflow.deploy.mask import Mask
from sinchflow.deploy.plan import Change, Plan, make_plan
from sinchflow.deploy.show import difference_words, shown_url
from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed
from sinchflow.sinch.webhooks import create_webhook, delete_webhook, list_webhooks, update_webhook

_PAST = {"create": "created", "update": "updated", "delete": "deleted"}


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a plan; all texts are masked lines.

    failed: why it stopped, or what the provider stored otherwise; None when all is as wanted.
    is_refusal: whether the provider or the network failed, rather than what is registered there.
    """

    account: str
    done: tuple[str, ...] = ()
    failed: str | None = None
    is_refusal: bool = False
    not_done: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True):
    """One call that changes something."""

    verb: Literal["create", "update", "delete"]
    change: Change


class InTheWay(Exception):
    """The provider says that the address is taken. Its text tells by which webhook."""


async def apply(calls: Calls, plan: Plan, name: str, mask: Mask) -> Applied:
    """Do what the plan says, then read back whether it is so. name: this deployment's. Never raises CallFailed."""
    steps = list(in_order(plan))
    done: list[str] = []
    failed, is_refusal = None, False
    for step in steps:
        try:
            await _take(calls, step, name, mask)
        except CallFailed as failure:
            failed, is_refusal = mask.text(failure.message), True
            break
        except InTheWay as trouble:
            failed = str(trouble)
            break
        done.append(step_words(step, mask, _PAST[step.verb]))
    if failed is None and steps:
        try:
            failed = await _read_back(calls, plan, name, mask)
        except CallFailed as failure:
            failed, is_refusal = f"what is registered could not be read back: {mask.text(failure.message)}", True
    return Applied(
        account=plan.account,
        done=tuple(done),
        failed=failed,
        is_refusal=is_refusal,
        not_done=tuple(step_words(step, mask) for step in steps[len(done) :]),
    )


def in_order(plan: Plan) -> Iterator[Step]:
    """The plan's calls in a safe order."""
    to_do = plan.to_do
    yield from (Step("create", change) for change in to_do if change.action in ("create", "replace"))
    yield from (Step("update", change) for change in to_do if change.action in ("update", "adopt"))
    yield from (Step("delete", change) for change in to_do if change.action in ("replace", "delete"))


def step_words(step: Step, mask: Mask, verb: str | None = None) -> str:
    """A step as a masked line. verb: instead of the step's own."""
    found = step.change.found if step.verb != "create" else None
    url = step.change.url if found is None or step.verb == "update" else found.url
    return f"{verb or step.verb} {step.change.kind} {mask.url(url)}" + ("" if found is None else f" ({found.id})")


async def _take(calls: Calls, step: Step, name: str, mask: Mask) -> None:
    wanted, found = step.change.wanted, step.change.found
    if step.verb == "create" and wanted is not None:
        try:
            await create_webhook(calls, _definition(wanted, step.change.url))
        except CallFailed as failure:
            if failure.status != 409:
                raise
            await _settle_taken(calls, wanted, step.change, name, mask)
    elif step.verb == "update" and found is not None:
        await update_webhook(calls, found.id, _patch(step.change))
    elif found is not None:
        try:
            await delete_webhook(calls, found.id)
        except CallFailed as failure:
            if failure.status != 404:  # gone already is as good
                raise


async def _settle_taken(calls: Calls, wanted: Wanted, change: Change, name: str, mask: Mask) -> None:
    """The address was taken meanwhile: by ourselves, by one that can be adopted, or by somebody. Raises InTheWay."""
    found = await list_webhooks(calls)
    old = change.found
    now = make_plan("", name, [wanted], [each for each in found if old is None or each.id != old.id]).changes[0]
    if now.action == "keep":
        return
    if now.action in ("adopt", "update") and now.found is not None:
        await update_webhook(calls, now.found.id, _patch(now))
        return
    holder = next((each for each in found if each.url == change.url and is_called_at(each, wanted)), None)
    if now.note:
        raise InTheWay(f"{wanted.kind}: {mask.text(now.note)} ({shown_url(now, mask)})")
    if holder is not None:
        raise InTheWay(f"{wanted.kind}: webhook {holder.id} has taken {mask.url(holder.url)} meanwhile: run it again")
    raise InTheWay(
        f"{wanted.kind}: Sinch says that a webhook with the address {mask.url(change.url)} exists, but does not list "
        "it: another account or sub-account may have it; delete it there, or change `webhooks.token`"
    )


async def _read_back(calls: Calls, plan: Plan, name: str, mask: Mask) -> str | None:
    """What the provider stored otherwise than it was told."""
    wanted = [change.wanted for change in plan.changes if change.wanted is not None]
    in_conflict = {change.kind for change in plan.conflicts}
    now = make_plan(plan.account, name, wanted, await list_webhooks(calls))
    for change in now.changes:
        if change.action in ("keep", "foreign") or (change.action == "conflict" and change.kind in in_conflict):
            continue
        different = "; ".join(difference_words(each, mask) for each in change.differences)
        return (
            f"{change.kind} read back is not what was registered ({different or change.action}): see `sinchflow plan`"
        )
    return None


def _definition(wanted: Wanted, url: str) -> dict[str, Any]:
    """The body that creates a webhook."""
    definition = msgspec.to_builtins(msgspec.structs.replace(wanted, url=url))
    del definition["kind"]
    return dict(definition)


def _patch(change: Change) -> dict[str, Any]:
    """The members to change: headers go as a whole."""
    wanted = change.wanted
    assert wanted is not None, "only what is wanted is changed"
    assert change.found is not None, "and only what is there"
    fields = {
        "headers" if each.field.startswith("header ") else each.field
        for each in change.differences
        if not each.forces_replacement
    }
    if change.url != change.found.url:
        fields.add("url")
    return {name: value for name, value in _definition(wanted, change.url).items() if name in fields}
