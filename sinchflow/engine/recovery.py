"""Where a run goes on after a step has failed: whose `on_error` has its turn, and what is given up on the way."""

import msgspec

from sinchflow.engine.address import BranchEnd, branch_of, following, is_in_on_error, parent, step_at
from sinchflow.model.flow import Flow, ForEach


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """at: the step to go on at, or the end of a branch. item: the iteration that ends as failed, its loop going on.

    Both None: nothing in the flow's steps takes the failure. given_up: blocks whose other branches come to nothing.
    is_end: `at` is the end of the flow.
    """

    at: str | BranchEnd | None = None
    item: BranchEnd | None = None
    given_up: tuple[str, ...] = ()
    is_end: bool = False


def recover(flow: Flow, failed: str) -> Recovery:
    """Who takes the failure of the step at this address: its own `on_error`, else that of a block around it."""
    given_up: list[str] = []
    address: str | None = failed
    while address is not None:
        handler = step_at(flow, address).on_error
        if handler == "continue":
            place = following(flow, address)
            return Recovery(at=place, given_up=tuple(given_up), is_end=place is None)
        if handler:
            return Recovery(at=f"{address}.on_error.0", given_up=tuple(given_up))
        while address is not None and is_in_on_error(address):
            address = parent(address)  # a failure inside `on_error` is not that step's own again
        if address is None:
            break
        if (end := branch_of(address)) is not None:
            block = step_at(flow, end.block)
            if isinstance(block.action, ForEach) and block.action.on_item_error == "continue":
                return Recovery(item=end, given_up=tuple(given_up))
            given_up.append(end.block)
        address = parent(address)
    return Recovery(given_up=tuple(given_up))
