"""From a flow to its picture: a pure function, which asks nothing but the flow.

Steps become blocks as they nest. What is not yet connected is handed on as exits, until a node takes them in: so steps
that cannot be reached have no edge to them, and a branch without steps is an edge that goes past.
"""

from collections.abc import Sequence

import msgspec

from sinchflow.console.graph.model import (
    Arm,
    Aside,
    Block,
    Box,
    Edge,
    Fork,
    Graph,
    Kind,
    Line,
    Node,
    One,
    Part,
    Row,
    Stack,
)
from sinchflow.console.graph.outcomes import Way, ways
from sinchflow.console.graph.text import condition, listed, plain
from sinchflow.console.graph.triggers import gate_lines, trigger_lines
from sinchflow.console.graph.words import place_line, step_lines, told
from sinchflow.model.flow import Choose, Fail, Flow, ForEach, Parallel, RunFlow, Step, Stop

_LONGEST_DESCRIPTION = 300


def build_graph(flow: Flow, prefix: str = "") -> Graph:
    """The picture of a flow. prefix: of all its ids, so that several flows fit into one picture."""
    return _Builder(prefix).graph(flow)


class _Exit(msgspec.Struct, frozen=True, kw_only=True):
    """An edge that has a beginning only."""

    source: str
    label: str = ""
    arm: str | None = None
    is_error: bool = False


_Found = tuple[Block, list[_Exit]]


class _Builder:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._nodes: list[Node] = []
        self._edges: list[Edge] = []

    def graph(self, flow: Flow) -> Graph:
        parts = [Part(id=f"{self._prefix}main", title="", block=self._main(flow))]
        for name, title, steps, end in (
            ("throttled", "when throttled", flow.throttle.otherwise if flow.throttle else (), "end"),
            ("failed", "when the run fails", flow.on_error, "the run has failed"),
        ):
            if steps:
                block, exits = self._stack(steps, [])
                parts.append(Part(id=self._prefix + name, title=title, block=self._ended(block, exits, name, end)))
        return Graph(
            name=plain(flow.name),
            description=plain(flow.description or "", _LONGEST_DESCRIPTION),
            place=f"{plain(flow.origin.file, 200)}:{flow.origin.line}",
            nodes=tuple(self._nodes),
            edges=tuple(self._edges),
            parts=tuple(parts),
        )

    def _main(self, flow: Flow) -> Block:
        triggers = [
            self._node(f"trigger{at}", "trigger", trigger_lines(trigger), [])
            for at, trigger in enumerate(flow.triggers)
        ]
        blocks: list[Block] = [Row(tuple(triggers))]
        exits = [_Exit(source=trigger) for trigger in triggers]
        gate = gate_lines(flow)
        if gate:
            blocks.append(One(self._node("gate", "gate", gate, exits)))
            exits = [_Exit(source=f"{self._prefix}gate")]
        steps, exits = self._stack(flow.steps, exits)
        outputs = [f"outputs: {listed(list(flow.outputs))}"] if flow.outputs else []
        return self._ended(Stack((*blocks, *steps.blocks)), exits, "main", "end", *outputs)

    def _ended(self, block: Block, exits: list[_Exit], name: str, *words: str) -> Block:
        """With a node for where the run is at its end, when it can come there."""
        if not exits:
            return block
        return Stack((block, One(self._node(f"done_{name}", "end", [Line(each) for each in words], exits))))

    def _stack(self, steps: Sequence[Step], exits: list[_Exit]) -> tuple[Stack, list[_Exit]]:
        blocks: list[Block] = []
        left = list(steps)
        while left:
            step = left.pop(0)
            apart = ways(step, left[0]) if left else None
            block, exits = self._step(step, exits) if apart is None else self._wait(step, left.pop(0), apart, exits)
            blocks.append(block)
        return Stack(tuple(blocks)), exits

    def _step(self, step: Step, exits: list[_Exit]) -> _Found:
        match step.action:
            case Choose():
                node, (block, out) = self._choose(step, step.action, exits)
            case ForEach() | Parallel():
                node, (block, out) = self._box(step, step.action, exits)
            case Stop() | Fail() if step.condition:
                asked = [Line(f"if {condition(step.condition.source)}")]
                node = self._node(f"if_{step.address}", "decision", asked, exits)
                block, out = self._fork(node, [Way(label="no"), Way(label="yes", steps=(step,), is_end=True)], 0)
            case _:
                node = self._leaf(step, exits)
                block, out = One(node), [] if isinstance(step.action, Stop | Fail) else [_Exit(source=node)]
        if not isinstance(step.on_error, tuple) or not step.on_error:
            return block, out
        arm = f"{node}_error"
        caught, more = self._stack(step.on_error, [_Exit(source=node, label="on error", arm=arm, is_error=True)])
        return Aside(node=node, block=block, arm=Arm(id=arm, label="on error", block=caught)), [*out, *more]

    def _leaf(self, step: Step, exits: list[_Exit]) -> str:
        kind, verb, about = told(step.action)
        calls = step.action.flow if isinstance(step.action, RunFlow) else None
        return self._node(f"s{step.address}", kind, step_lines(step, verb, about), exits, (step.address,), calls)

    def _wait(self, wait: Step, following: Step, apart: list[Way], exits: list[_Exit]) -> _Found:
        """A wait and the step that goes by its outcome, as one fork."""
        kind, verb, about = told(wait.action)
        lines, steps = step_lines(wait, verb, about), [wait.address]
        is_end = any(way.is_end for way in apart)
        if not is_end:
            name = [Line(plain(following.name, 80), "name")] if following.name else []
            lines, steps = (*lines[:-1], *name, place_line(wait, following)), [wait.address, following.address]
        node = self._node(f"s{wait.address}", kind, lines, exits, steps)
        return self._fork(node, apart, 0 if is_end else None)

    def _choose(self, step: Step, choose: Choose, exits: list[_Exit]) -> tuple[str, _Found]:
        first, *others = choose.branches
        is_if = first.condition is not None and all(each.condition is None for each in others)
        found: list[Way] = []
        for branch in choose.branches:
            label = condition(branch.condition.source) if branch.condition else "otherwise"
            found.append(Way(label=("yes" if branch.condition else "no") if is_if else label, steps=branch.steps))
        if choose.branches[-1].condition is not None:
            found.append(Way(label="no" if is_if else "none of these"))
        if step.condition is not None:
            found.append(Way(label="not asked"))
        verb = "if" if is_if else "choose the first that holds"
        about = [condition(first.condition.source)] if is_if and first.condition else []
        lines = step_lines(step, verb, about)
        node = self._node(f"s{step.address}", "decision", lines, exits, (step.address,))
        return node, self._fork(node, found)

    def _fork(self, node: str, found: Sequence[Way], straight: int | None = None) -> tuple[Fork, list[_Exit]]:
        arms, out = [], []
        for at, way in enumerate(found):
            arm = f"{node}_{at}"
            exits = [_Exit(source=node, label=way.label, arm=arm)]
            if way.is_end:
                block: Block = One(self._leaf(msgspec.structs.replace(way.steps[0], condition=None), exits))
                exits = []
            else:
                block, exits = self._stack(way.steps, exits)
            arms.append(Arm(id=arm, label=way.label, block=block))
            out += exits
        return Fork(node=node, arms=tuple(arms), straight=straight), out

    def _box(self, step: Step, action: ForEach | Parallel, exits: list[_Exit]) -> tuple[str, _Found]:
        node = self._leaf(step, exits)
        if isinstance(action, ForEach):
            title, end = "loop", f"next {plain(action.as_, 40)}, or on after the last"
            inner, out = self._fork(node, [Way(label="", steps=action.steps)])
            if not out:  # every item ends the run, so only a list without items leads on
                arm = Arm(id=f"{node}_none", label="no items", block=Stack())
                inner = Fork(node=node, arms=(*inner.arms, arm))
                out = [_Exit(source=node, label=arm.label, arm=arm.id)]
        else:
            title, end = "in parallel", "when all have ended"
            inner, out = self._fork(node, [Way(label="", steps=steps) for steps in action.branches])
        block: Block = inner
        if out:
            last = self._node(f"last_{step.address}", "end", [Line(end)], out)
            block, out = Stack((inner, One(last))), [_Exit(source=last)]
        return node, (Box(id=f"{node}_box", title=title, block=block), out)

    def _node(
        self,
        name: str,
        kind: Kind,
        lines: Sequence[Line],
        exits: Sequence[_Exit],
        steps: Sequence[str] = (),
        calls: str | None = None,
    ) -> str:
        """A new node that takes in these exits; returns its id."""
        id_ = self._prefix + name.replace(".", "_")
        self._nodes.append(Node(id=id_, kind=kind, lines=tuple(lines), steps=tuple(steps), calls=calls))
        self._edges += [
            Edge(source=each.source, target=id_, label=each.label, arm=each.arm, is_error=each.is_error)
            for each in exits
        ]
        return id_
