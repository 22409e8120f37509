"""What a picture of a flow consists of: nodes, edges between them, and blocks that say how they are laid out.

A flow is a structured program, so the blocks nest as its steps do: one after the other, side by side, in a box, or
aside. Knows neither flows nor pixels.
"""

from typing import Literal

import msgspec

#: What a line of a node is: what kind of step, its name, what it does, notes about it, and where it stands.
Style = Literal["kind", "name", "text", "note", "place"]

#: What a node is, which decides its shape and colour.
Kind = Literal["trigger", "gate", "send", "call", "wait", "data", "decision", "control", "flow", "end", "stop", "fail"]


class Line(msgspec.Struct, frozen=True):
    """One paragraph of a node, in plain text."""

    text: str
    style: Style = "text"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """steps: addresses of the steps that it stands for. calls: the flow that it runs."""

    id: str
    kind: Kind
    lines: tuple[Line, ...]
    steps: tuple[str, ...] = ()
    calls: str | None = None


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """From one node to another. arm: the id of the arm that it begins, or runs through where the arm is empty."""

    source: str
    target: str
    label: str = ""
    arm: str | None = None
    is_error: bool = False


class One(msgspec.Struct, frozen=True):
    """A single node."""

    node: str


class Row(msgspec.Struct, frozen=True):
    """Single nodes side by side."""

    nodes: tuple[str, ...]


class Stack(msgspec.Struct, frozen=True):
    """Blocks one below the other."""

    blocks: tuple["Block", ...] = ()


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A way out of a fork; with an empty stack it leads straight on."""

    id: str
    label: str
    block: "Block"


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """A node whose arms stand side by side below it. straight: the arm right below it; None: in their middle."""

    node: str
    arms: tuple[Arm, ...]
    straight: int | None = None


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A frame around a block."""

    id: str
    title: str
    block: "Block"


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A block with another one to its right, which an error leads to. node: where that edge begins."""

    node: str
    block: "Block"
    arm: Arm


Block = One | Row | Stack | Fork | Box | Aside


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that are drawn apart. title: why they run; empty: they are the flow itself."""

    id: str
    title: str
    block: Block


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as a picture. The first of `parts` is the flow itself."""

    name: str
    description: str
    place: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    parts: tuple[Part, ...]
