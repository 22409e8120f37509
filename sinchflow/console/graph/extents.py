"""How far the blocks of a picture reach: to the left and to the right of their axis, and down."""

import msgspec

from sinchflow.console.graph.measure import LABEL_SIZE, Card, width_of, wrap
from sinchflow.console.graph.model import Arm, Aside, Block, Box, Fork, One, Row, Stack

GAP = 38.0  #: between blocks one below the other
BESIDE = 32.0  #: between blocks side by side
BUS = 16.0  #: from a node to the line on which edges part, and from where they meet to the next node
LANE = 22.0  #: half the room of an edge that goes past others
BOX = 18.0  #: between a box and what is in it
TITLE = 24.0
ARROW = 18.0  #: between a label and what the arrow below it points to
_WIDEST_LABEL = 170.0
_LABEL_LINE = LABEL_SIZE * 1.35


class Extent(msgspec.Struct, frozen=True):
    """How far a block reaches to the left and to the right of its axis, and down."""

    left: float
    right: float
    height: float


class Extents:
    """Measures blocks, each once. cards: of the nodes, by their ids."""

    def __init__(self, cards: dict[str, Card]) -> None:
        self._cards = cards
        self._known: dict[int, Extent] = {}

    def of(self, block: Block) -> Extent:
        """How far a block reaches."""
        known = self._known.get(id(block))
        if known is None:
            known = self._known[id(block)] = self._measured(block)
        return known

    def _measured(self, block: Block) -> Extent:
        match block:
            case One(node):
                return self._of_card(node)
            case Row(nodes):
                cards = [self._cards[node] for node in nodes]
                half = (sum(each.width for each in cards) + BESIDE * (len(cards) - 1)) / 2
                return Extent(half, half, max(each.height for each in cards))
            case Stack(blocks):
                found = [self.of(each) for each in blocks] or [Extent(LANE, LANE, 0)]
                height = sum(each.height for each in found) + GAP * (len(found) - 1)
                return Extent(max(each.left for each in found), max(each.right for each in found), height)
            case Fork():
                return self._of_fork(block)
            case Box():
                inner = self.of(block.block)
                least = width_of(block.title, LABEL_SIZE, is_bold=True) + 2 * BOX
                return Extent(max(inner.left + BOX, least), inner.right + BOX, inner.height + TITLE + 2 * BOX)
            case Aside():
                main, side = self.of(block.block), self.of_arm(block.arm)
                height = max(main.height, self.drop(block) + side.height)
                return Extent(main.left, main.right + BESIDE + side.left + side.right, height)

    def _of_card(self, node: str) -> Extent:
        found = self._cards[node]
        return Extent(found.width / 2, found.width / 2, found.height)

    def of_arm(self, arm: Arm) -> Extent:
        """How far an arm's block reaches, at least as wide as its label."""
        inner, half = self.of(arm.block), label_width(arm) / 2
        return Extent(max(inner.left, half), max(inner.right, half), inner.height)

    def _of_fork(self, fork: Fork) -> Extent:
        head = self._of_card(fork.node)
        reach = self._arms_reach(fork)
        height = max(self.of(arm.block).height for arm in fork.arms)
        total = head.height + self.below_fork(fork) + height
        return Extent(max(head.left, reach[0]), max(head.right, reach[1]), total)

    def _arms_reach(self, fork: Fork) -> tuple[float, float]:
        """How far all arms together reach to the left and the right of the fork's axis."""
        axes = self.arm_axes(fork)
        first, last = self.of_arm(fork.arms[0]), self.of_arm(fork.arms[-1])
        return first.left - axes[0], axes[-1] + last.right

    def arm_axes(self, fork: Fork) -> list[float]:
        """Where the arms' axes are, from the fork's own."""
        axes, x = [], 0.0
        for arm in fork.arms:
            extent = self.of_arm(arm)
            axes.append(x + extent.left)
            x += extent.left + extent.right + BESIDE
        middle = (axes[0] + axes[-1]) / 2 if fork.straight is None else axes[fork.straight]
        return [axis - middle for axis in axes]

    def below_fork(self, fork: Fork) -> float:
        """Between a fork's node and its arms: where the edges part, the labels, and the heads of the arrows."""
        labels = max(label_height(arm) for arm in fork.arms)
        return GAP if not labels else BUS + 6 + labels + ARROW

    def drop(self, aside: Aside) -> float:
        """From the top of a block to the top of the one beside it."""
        return self._head_below(aside.block) + self._cards[aside.node].height / 2 + 14 + label_height(aside.arm) + ARROW

    def _head_below(self, block: Block) -> float:
        """How far below a block's top its first node begins."""
        return TITLE + BOX if isinstance(block, Box) else 0


def label_lines(arm: Arm) -> list[str]:
    """An arm's label, broken into lines."""
    return wrap(arm.label, LABEL_SIZE, _WIDEST_LABEL) if arm.label else []


def label_width(arm: Arm) -> float:
    """The room that it needs, with some at its sides."""
    return max((width_of(line, LABEL_SIZE) for line in label_lines(arm)), default=0.0) + 12 * bool(arm.label)


def label_height(arm: Arm) -> float:
    """0 where there is none."""
    return len(label_lines(arm)) * _LABEL_LINE
