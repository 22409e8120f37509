"""Where everything of a picture stands: blocks below and beside each other, as the steps of the flow nest.

Each block has an axis, on which it is entered at its top, and takes a column of its own: so what leads out of it can go
straight down below it, and no edge crosses a node.
"""

import msgspec

from sinchflow.console.graph.extents import (
    ARROW,
    BESIDE,
    BOX,
    BUS,
    GAP,
    TITLE,
    Extents,
    label_height,
    label_lines,
    label_width,
)
from sinchflow.console.graph.measure import LABEL_SIZE, Card, card, width_of
from sinchflow.console.graph.model import Arm, Aside, Block, Box, Edge, Fork, Graph, One, Part, Row, Stack

MARGIN = 24.0

Point = tuple[float, float]


class Rect(msgspec.Struct, frozen=True):
    """A rectangle, by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def axis(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """The y of its lower edge."""
        return self.y + self.height

    @property
    def right(self) -> float:
        """The x of its right edge."""
        return self.x + self.width


class Frame(msgspec.Struct, frozen=True):
    """A box or a part, with its title."""

    id: str
    title: str
    rect: Rect
    is_part: bool


class Label(msgspec.Struct, frozen=True):
    """The text of an arm, in lines, centred in its rectangle."""

    lines: tuple[str, ...]
    rect: Rect


class Route(msgspec.Struct, frozen=True):
    """An edge as a line."""

    edge: Edge
    points: tuple[Point, ...]


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """A graph laid out; nodes and cards by the ids of nodes."""

    width: float
    height: float
    nodes: dict[str, Rect]
    cards: dict[str, Card]
    frames: tuple[Frame, ...]
    labels: tuple[Label, ...]
    routes: tuple[Route, ...]


def lay_out(graph: Graph) -> Drawing:
    """The flow itself, and its other parts in a column to its right, from the upper left corner on."""
    return _Layout(graph).drawing()


class _Layout:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._cards = {node.id: card(node) for node in graph.nodes}
        self._extents = Extents(self._cards)
        self._nodes: dict[str, Rect] = {}
        self._frames: list[Frame] = []
        self._labels: list[Label] = []
        self._arms: dict[str, float] = {}  #: the x on which an arm runs
        self._entries: dict[str, float] = {}  #: the top of the box whose first node it is

    def drawing(self) -> Drawing:
        first, *others = self._graph.parts
        extent = self._extents.of(first.block)
        self._place(first.block, extent.left, 0)
        left = width = extent.left + extent.right
        below = -BESIDE
        for part in others:
            rect = self._place_part(part, left + BESIDE, below + BESIDE)
            width, below = max(width, rect.right), rect.bottom
        height = max(extent.height, below)
        return Drawing(
            width=width,
            height=height,
            nodes=self._nodes,
            cards=self._cards,
            frames=tuple(self._frames),
            labels=tuple(self._labels),
            routes=tuple(Route(edge, self._points(edge)) for edge in self._graph.edges),
        )

    def _place_part(self, part: Part, left: float, top: float) -> Rect:
        """Place a part in a frame of its own."""
        extent = self._extents.of(part.block)
        least = width_of(part.title, LABEL_SIZE, is_bold=True) + 2 * BOX
        width = max(extent.left + extent.right + 2 * BOX, least)
        rect = Rect(left, top, width, extent.height + TITLE + 2 * BOX)
        self._frames.append(Frame(part.id, part.title, rect, is_part=True))
        self._place(part.block, left + BOX + extent.left, top + TITLE + BOX)
        return rect

    # --- where they stand

    def _place(self, block: Block, axis: float, top: float) -> None:
        match block:
            case One(node):
                self._place_node(node, axis, top)
            case Row(nodes):
                x, height = axis - self._extents.of(block).left, self._extents.of(block).height
                for node in nodes:
                    found = self._cards[node]
                    self._place_node(node, x + found.width / 2, top + height - found.height)
                    x += found.width + BESIDE
            case Stack(blocks):
                for each in blocks:
                    self._place(each, axis, top)
                    top += self._extents.of(each).height + GAP
            case Fork():
                self._place_fork(block, axis, top)
            case Box():
                extent = self._extents.of(block)
                rect = Rect(axis - extent.left, top, extent.left + extent.right, extent.height)
                self._frames.append(Frame(block.id, block.title, rect, is_part=False))
                self._entries[_first(block.block)] = top
                self._place(block.block, axis, top + TITLE + BOX)
            case Aside():
                self._place(block.block, axis, top)
                main, side = self._extents.of(block.block), self._extents.of_arm(block.arm)
                self._place_arm(block.arm, axis + main.right + BESIDE + side.left, top + self._extents.drop(block))

    def _place_node(self, node: str, axis: float, top: float) -> None:
        found = self._cards[node]
        self._nodes[node] = Rect(axis - found.width / 2, top, found.width, found.height)

    def _place_fork(self, fork: Fork, axis: float, top: float) -> None:
        self._place_node(fork.node, axis, top)
        below = self._nodes[fork.node].bottom + self._extents.below_fork(fork)
        for arm, at in zip(fork.arms, self._extents.arm_axes(fork), strict=True):
            self._place_arm(arm, axis + at, below)

    def _place_arm(self, arm: Arm, axis: float, top: float) -> None:
        self._arms[arm.id] = axis
        if arm.label:
            width, height = label_width(arm), label_height(arm)
            rect = Rect(axis - width / 2, top - ARROW - height, width, height)
            self._labels.append(Label(tuple(label_lines(arm)), rect))
        self._place(arm.block, axis, top)

    # --- edges

    def _points(self, edge: Edge) -> tuple[Point, ...]:
        """Down, across to the arm, down, across to the target, down; less where some of these are on one line."""
        source, target = self._nodes[edge.source], self._nodes[edge.target]
        arm = self._arms[edge.arm] if edge.arm is not None else source.axis
        points: list[Point] = [(source.axis, source.bottom)]
        if edge.is_error:
            points = [(source.right, source.y + source.height / 2), (arm, source.y + source.height / 2)]
        elif arm != source.axis:
            points += [(source.axis, source.bottom + BUS), (arm, source.bottom + BUS)]
        if arm != target.axis:
            entry = self._entries.get(edge.target, target.y) - BUS
            points += [(arm, entry), (target.axis, entry)]
        return (*points, (target.axis, target.y))


def _first(block: Block) -> str:
    """The node at which a box's block begins."""
    match block:
        case Stack((first, *_)) | Box(block=first) | Aside(block=first):
            return _first(first)
        case Fork() | One():
            return block.node
        case _:
            raise TypeError("nothing leads into it")
