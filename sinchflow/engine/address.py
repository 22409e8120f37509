"""Where a step stands in its flow, and which step follows it.

An address is `INDEX` then any number of `.choose.BRANCH.INDEX` and `.on_error.INDEX`. It is stable for one digest.
"""

from sinchflow.model.flow import Choose, Flow, Step


def step_at(flow: Flow, address: str) -> Step:
    """The step at an address of this flow."""
    siblings, index = _place(flow, address)
    return siblings[index]


def following(flow: Flow, address: str | None) -> str | None:
    """The address of the step that comes after, out of all blocks that end here; None at the flow's end."""
    while address is not None:
        siblings, index = _place(flow, address)
        if index + 1 < len(siblings):
            return f"{address[: len(address) - len(str(index))]}{index + 1}"
        address = parent(address)
    return None


def parent(address: str) -> str | None:
    """The step whose block holds this one; None for a step of the flow itself."""
    parts = address.split(".")
    if len(parts) == 1:
        return None
    return ".".join(parts[:-2] if parts[-2] == "on_error" else parts[:-3])


def is_in_on_error(address: str) -> bool:
    """Whether the step stands directly in its parent's `on_error`."""
    return address.split(".")[-2:-1] == ["on_error"]


def _place(flow: Flow, address: str) -> tuple[tuple[Step, ...], int]:
    """The list that holds the step, and its index there."""
    siblings = flow.steps
    if "." not in address:
        return siblings, int(address)
    parts = iter(address.split("."))
    index = int(next(parts))
    for block in parts:
        step = siblings[index]
        if block == "choose" and isinstance(step.action, Choose):
            siblings = step.action.branches[int(next(parts))].steps
        elif block == "on_error" and isinstance(step.on_error, tuple):
            siblings = step.on_error
        else:
            raise LookupError(f"flow {flow.name} has no step {address}")
        index = int(next(parts))
    return siblings, index
