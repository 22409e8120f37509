"""Where a step stands in its flow, and which step follows it.

An address is `INDEX`, then any number of `.choose.BRANCH.INDEX`, `.on_error.INDEX`, `.for_each.ITERATION.INDEX` and
`.parallel.BRANCH.INDEX`; in the flow's own `on_error` it begins with `on_error.`, in
`throttle.otherwise` with `otherwise.`. It is stable for one digest.
"""

from collections.abc import Iterator, Sequence

import msgspec

from sinchflow.model.flow import Choose, Flow, ForEach, Parallel, Step

#: Blocks whose branches run on their own: nothing follows their last step but the end of the branch.
_FORKS = frozenset({"for_each", "parallel"})


class BranchEnd(msgspec.Struct, frozen=True):
    """The end of one branch of the block step at `block`: an iteration's number, or that of a parallel branch."""

    block: str
    index: int


def step_at(flow: Flow, address: str) -> Step:
    """The step at an address of this flow."""
    siblings, index = _place(flow, address)
    return siblings[index]


def all_steps(steps: Sequence[Step]) -> Iterator[Step]:
    """Every step, those of blocks and `on_error` included."""
    for step in steps:
        yield step
        match step.action:
            case Choose(branches=arms):
                inner = [each for arm in arms for each in arm.steps]
            case ForEach(steps=inner_steps):
                inner = list(inner_steps)
            case Parallel(branches=lists):
                inner = [each for branch in lists for each in branch]
            case _:
                inner = []
        yield from all_steps([*inner, *(step.on_error if isinstance(step.on_error, tuple) else ())])


def following(flow: Flow, address: str) -> str | BranchEnd | None:
    """What comes after the step, out of all blocks that end here; None at the end of the flow or its `on_error`."""
    here: str | None = address
    while here is not None:
        siblings, index = _place(flow, here)
        if index + 1 < len(siblings):
            return f"{here[: len(here) - len(str(index))]}{index + 1}"
        if (branch := branch_of(here)) is not None:
            return branch
        here = parent(here)
    return None


def is_beside(address: str, other: str) -> bool:
    """Whether both steps stand in the same list."""
    return address.rpartition(".")[0] == other.rpartition(".")[0]


def parent(address: str) -> str | None:
    """The step whose block holds this one; None for a step of the flow itself or of its `on_error`."""
    parts = address.split(".")
    if len(parts) == 1 or parts[-2] in ("on_error", "otherwise"):
        return ".".join(parts[:-2]) or None
    return ".".join(parts[:-3])


def branch_of(address: str) -> BranchEnd | None:
    """The branch of its own that the step stands in directly, not through another block."""
    parts = address.split(".")
    if len(parts) > 3 and parts[-3] in _FORKS:
        return BranchEnd(".".join(parts[:-3]), int(parts[-2]))
    return None


def end_of(address: str) -> BranchEnd | None:
    """The end of the iteration at this address; None when it is a step's."""
    block, _, index = address.rpartition(".for_each.")
    return BranchEnd(block, int(index)) if block and index.isdecimal() else None


def is_in_on_error(address: str) -> bool:
    """Whether the step stands directly in its parent's, or the flow's, `on_error`."""
    return address.split(".")[-2:-1] == ["on_error"]


def iterations(address: str) -> Iterator[tuple[str, str]]:
    """The loops around a step, outermost first: the address of the iteration, and that of the loop's step."""
    parts = address.split(".")
    for at, part in enumerate(parts):
        if part == "for_each":
            yield ".".join(parts[: at + 2]), ".".join(parts[:at])


def _place(flow: Flow, address: str) -> tuple[tuple[Step, ...], int]:
    """The list that holds the step, and its index there."""
    siblings = flow.steps
    if "." not in address:
        return siblings, int(address)
    parts = iter(address.split("."))
    first = next(parts)
    if first == "on_error":
        siblings, first = flow.on_error, next(parts)
    elif first == "otherwise" and flow.throttle is not None:
        siblings, first = flow.throttle.otherwise, next(parts)
    index = int(first)
    for block in parts:
        step = siblings[index]
        match block, step.action:
            case "choose", Choose(branches=branches):
                siblings = branches[int(next(parts))].steps
            case "for_each", ForEach(steps=steps):
                next(parts)
                siblings = steps
            case "parallel", Parallel(branches=lists):
                siblings = lists[int(next(parts))]
            case "on_error", _ if isinstance(step.on_error, tuple):
                siblings = step.on_error
            case _:
                raise LookupError(f"flow {flow.name} has no step {address}")
        index = int(next(parts))
    return siblings, index
