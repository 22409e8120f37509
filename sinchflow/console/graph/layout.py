"""Where everything of a picture stands: blocks below and beside each other, as the steps of the flow nest.

Each block has an axis, on which it is entered at its top, and takes a column of its own: so what leads out of it can go
straight down below it, and no edge crosses a node. Two passes: how far blocks reach, then where they stand.
"""

import msgspec

from sinchflow.console.graph.measure import LABEL_SIZE, Card, card, width_of, wrap
from sinchflow.console.graph.model import Arm, Aside, Block, Box, Edge, Fork, Graph, One, Part, Row, Stack

MARGIN = 24.0
_GAP = 38.0  #: between blocks one below the other
_BESIDE = 32.0  #: between blocks side by side
_BUS = 16.0  #: from a node to the line on which edges part, and from where they meet to the next node
_LANE = 22.0  #: half the room of an edge that goes past others
_BOX = 18.0  #: between a box and what is in it
_TITLE = 24.0
_WIDEST_LABEL = 170.0
_LABEL_LINE = LABEL_SIZE * 1.35

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


class _Extent(msgspec.Struct, frozen=True):
    """How far a block reaches to the left and to the right of its axis, and down."""

    left: float
    right: float
    height: float


class _Layout:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._cards = {node.id: card(node) for node in graph.nodes}
        self._extents: dict[int, _Extent] = {}
        self._nodes: dict[str, Rect] = {}
        self._frames: list[Frame] = []
        self._labels: list[Label] = []
        self._arms: dict[str, float] = {}  #: the x on which an arm runs
        self._entries: dict[str, float] = {}  #: the top of the box whose first node it is

    def drawing(self) -> Drawing:
        first, *others = self._graph.parts
        extent = self._extent(first.block)
        self._place(first.block, extent.left, 0)
        left = width = extent.left + extent.right
        below = -_BESIDE
        for part in others:
            rect = self._place_part(part, left + _BESIDE, below + _BESIDE)
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
        extent = self._extent(part.block)
        least = width_of(part.title, LABEL_SIZE, is_bold=True) + 2 * _BOX
        width = max(extent.left + extent.right + 2 * _BOX, least)
        rect = Rect(left, top, width, extent.height + _TITLE + 2 * _BOX)
        self._frames.append(Frame(part.id, part.title, rect, is_part=True))
        self._place(part.block, left + _BOX + extent.left, top + _TITLE + _BOX)
        return rect

    # --- how far blocks reach

    def _extent(self, block: Block) -> _Extent:
        known = self._extents.get(id(block))
        if known is None:
            known = self._extents[id(block)] = self._measured(block)
        return known

    def _measured(self, block: Block) -> _Extent:
        match block:
            case One(node):
                return self._card_extent(node)
            case Row(nodes):
                cards = [self._cards[node] for node in nodes]
                half = (sum(each.width for each in cards) + _BESIDE * (len(cards) - 1)) / 2
                return _Extent(half, half, max(each.height for each in cards))
            case Stack(blocks):
                found = [self._extent(each) for each in blocks] or [_Extent(_LANE, _LANE, 0)]
                height = sum(each.height for each in found) + _GAP * (len(found) - 1)
                return _Extent(max(each.left for each in found), max(each.right for each in found), height)
            case Fork():
                return self._fork_extent(block)
            case Box():
                inner = self._extent(block.block)
                least = width_of(block.title, LABEL_SIZE, is_bold=True) + 2 * _BOX
                return _Extent(max(inner.left + _BOX, least), inner.right + _BOX, inner.height + _TITLE + 2 * _BOX)
            case Aside():
                main, side = self._extent(block.block), self._arm_extent(block.arm)
                height = max(main.height, self._drop(block) + side.height)
                return _Extent(main.left, main.right + _BESIDE + side.left + side.right, height)

    def _card_extent(self, node: str) -> _Extent:
        found = self._cards[node]
        return _Extent(found.width / 2, found.width / 2, found.height)

    def _arm_extent(self, arm: Arm) -> _Extent:
        """Of an arm's block, at least as wide as its label."""
        inner, half = self._extent(arm.block), _label_width(arm) / 2
        return _Extent(max(inner.left, half), max(inner.right, half), inner.height)

    def _fork_extent(self, fork: Fork) -> _Extent:
        head = self._card_extent(fork.node)
        reach = self._arms_reach(fork)
        height = max(self._extent(arm.block).height for arm in fork.arms)
        total = head.height + self._fork_gap(fork) + height
        return _Extent(max(head.left, reach[0]), max(head.right, reach[1]), total)

    def _arms_reach(self, fork: Fork) -> tuple[float, float]:
        """How far all arms together reach to the left and the right of the fork's axis."""
        axes = self._arm_axes(fork)
        first, last = self._arm_extent(fork.arms[0]), self._arm_extent(fork.arms[-1])
        return first.left - axes[0], axes[-1] + last.right

    def _arm_axes(self, fork: Fork) -> list[float]:
        """Where the arms' axes are, from the fork's own."""
        axes, x = [], 0.0
        for arm in fork.arms:
            extent = self._arm_extent(arm)
            axes.append(x + extent.left)
            x += extent.left + extent.right + _BESIDE
        middle = (axes[0] + axes[-1]) / 2 if fork.straight is None else axes[fork.straight]
        return [axis - middle for axis in axes]

    def _fork_gap(self, fork: Fork) -> float:
        """Between a fork's node and its arms: where the edges part, the labels, and the heads of the arrows."""
        labels = max(_label_height(arm) for arm in fork.arms)
        return _GAP if not labels else _BUS + 6 + labels + 18

    def _drop(self, aside: Aside) -> float:
        """From the top of a block to the top of the one beside it."""
        return self._head_below(aside.block) + self._cards[aside.node].height / 2 + 14 + _label_height(aside.arm) + 18

    def _head_below(self, block: Block) -> float:
        """How far below a block's top its first node begins."""
        return _TITLE + _BOX if isinstance(block, Box) else 0

    # --- where they stand

    def _place(self, block: Block, axis: float, top: float) -> None:
        match block:
            case One(node):
                self._place_node(node, axis, top)
            case Row(nodes):
                x, height = axis - self._extent(block).left, self._extent(block).height
                for node in nodes:
                    found = self._cards[node]
                    self._place_node(node, x + found.width / 2, top + height - found.height)
                    x += found.width + _BESIDE
            case Stack(blocks):
                for each in blocks:
                    self._place(each, axis, top)
                    top += self._extent(each).height + _GAP
            case Fork():
                self._place_fork(block, axis, top)
            case Box():
                extent = self._extent(block)
                rect = Rect(axis - extent.left, top, extent.left + extent.right, extent.height)
                self._frames.append(Frame(block.id, block.title, rect, is_part=False))
                self._entries[_first(block.block)] = top
                self._place(block.block, axis, top + _TITLE + _BOX)
            case Aside():
                self._place(block.block, axis, top)
                main, side = self._extent(block.block), self._arm_extent(block.arm)
                self._place_arm(block.arm, axis + main.right + _BESIDE + side.left, top + self._drop(block))

    def _place_node(self, node: str, axis: float, top: float) -> None:
        found = self._cards[node]
        self._nodes[node] = Rect(axis - found.width / 2, top, found.width, found.height)

    def _place_fork(self, fork: Fork, axis: float, top: float) -> None:
        self._place_node(fork.node, axis, top)
        below = self._nodes[fork.node].bottom + self._fork_gap(fork)
        for arm, at in zip(fork.arms, self._arm_axes(fork), strict=True):
            self._place_arm(arm, axis + at, below)

    def _place_arm(self, arm: Arm, axis: float, top: float) -> None:
        self._arms[arm.id] = axis
        if arm.label:
            width, height = _label_width(arm), _label_height(arm)
            rect = Rect(axis - width / 2, top - 18 - height, width, height)
            self._labels.append(Label(tuple(_label_lines(arm)), rect))
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
            points += [(source.axis, source.bottom + _BUS), (arm, source.bottom + _BUS)]
        if arm != target.axis:
            entry = self._entries.get(edge.target, target.y) - _BUS
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


def _label_lines(arm: Arm) -> list[str]:
    return wrap(arm.label, LABEL_SIZE, _WIDEST_LABEL) if arm.label else []


def _label_width(arm: Arm) -> float:
    return max((width_of(line, LABEL_SIZE) for line in _label_lines(arm)), default=0.0) + 12 * bool(arm.label)


def _label_height(arm: Arm) -> float:
    return len(_label_lines(arm)) * _LABEL_LINE
