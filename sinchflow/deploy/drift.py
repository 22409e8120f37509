"""Whether the webhooks at the provider are still what the project wants, as lines for people and the daemon's log."""

from collections.abc import Sequence

from sinchflow.deploy.desired import wanted_webhooks
from sinchflow.deploy.mask import Mask
from sinchflow.deploy.plan import Change, Plan, make_plan
from sinchflow.deploy.show import difference_words
from sinchflow.errors import CannotStart
from sinchflow.model.project import Webhooks
from sinchflow.runtime.connections import Hooks
from sinchflow.sinch.client import Calls
from sinchflow.sinch.webhooks import list_webhooks


async def drifted(calls: Calls, hooks: Hooks, webhooks: Webhooks, account: str) -> Sequence[str]:
    """What differs, one line each, without secrets. Raises CallFailed when the provider does not say what it has.

    Without a public address the project registers no webhooks, and nothing can differ; one of no use is a difference.
    """
    if hooks.public_url is None:
        return ()
    try:
        wanted = wanted_webhooks(hooks, webhooks, account)
    except CannotStart as error:
        return (str(error),)
    plan = make_plan(account, webhooks.name, wanted, await list_webhooks(calls))
    return drift_lines(plan, Mask(hooks))


def drift_lines(plan: Plan, mask: Mask) -> list[str]:
    """The differences of a plan; webhooks of others are none."""
    return [line for change in (*plan.to_do, *plan.conflicts) for line in _lines(change, mask)]


def _lines(change: Change, mask: Mask) -> list[str]:
    match change.action:
        case "create":
            return [f"{change.kind}: not registered"]
        case "delete":
            return [f"{change.kind}: {change.found.id if change.found else ''} is not wanted, {change.note}"]
        case "conflict":
            return [f"{change.kind}: {mask.text(change.note)}"]
        case _:
            return [f"{change.kind}: {difference_words(each, mask)}" for each in change.differences]
