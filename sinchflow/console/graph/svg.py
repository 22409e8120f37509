"""A graph as a picture in one file: SVG without scripts, fonts or anything else to fetch, for light and dark pages.

Everything of the user's is escaped, and was made printable when the graph was built. The same graph gives the same
bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import ceil

from sinchflow.console.graph.layout import MARGIN, Drawing, Frame, Label, Rect, Route, lay_out
from sinchflow.console.graph.measure import BOLD, LABEL_SIZE, SIZES, wrap
from sinchflow.console.graph.model import Graph, Kind, Node
from sinchflow.console.graph.style import STYLE

#: Gives the address of the picture of a flow, by the flow's name; None: there is none.
Link = Callable[[str], str | None]

_BETWEEN = 48.0  #: two flows in one picture
_TITLE_SIZE, _ABOUT_SIZE = 18.0, 13.0
_LEAST_WIDTH = 320.0
_STRIPE = 4
#: Edges turn with round corners.
_RADIUS = 7.0
_ROUND: tuple[Kind, ...] = ("end", "stop", "fail")


def draw_svg(graphs: Sequence[Graph], link: Link) -> str:
    """The flows below each other. link: where the pictures of flows are that a `run_flow` names."""
    drawings = [lay_out(graph) for graph in graphs]
    width = ceil(max([_LEAST_WIDTH, *(each.width for each in drawings)]) + 2 * MARGIN)
    body: list[str] = []
    y = MARGIN
    for graph, drawing in zip(graphs, drawings, strict=True):
        lines, top = _heading(graph, width - 2 * MARGIN)
        body.append(f'<g id="{_anchor(graph)}" transform="translate({_number(MARGIN)} {_number(y)})">')
        body += lines
        body.append(f'<g transform="translate(0 {_number(top)})">')
        body += _drawn(graph, drawing, link)
        body.append("</g></g>")
        y += top + drawing.height + _BETWEEN
    height = ceil(y - _BETWEEN + MARGIN)
    return "\n".join([*_opening(graphs, width, height), *body, "</svg>", ""])


def anchors(graphs: Sequence[Graph]) -> dict[str, str]:
    """Where each flow is within a picture of them all, by name."""
    return {graph.name: f"#{_anchor(graph)}" for graph in graphs}


def _anchor(graph: Graph) -> str:
    return graph.parts[0].id


def _opening(graphs: Sequence[Graph], width: float, height: float) -> Iterator[str]:
    names = ", ".join(graph.name for graph in graphs)
    about = " ".join(f"{graph.name} ({graph.place}). {graph.description}".strip() for graph in graphs)
    size = f'width="{_number(width)}" height="{_number(height)}" viewBox="0 0 {_number(width)} {_number(height)}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" class="sinchflow-graph" role="img" {size}>'
    yield f"<title>{escape(names)}</title>"
    yield f"<desc>{escape(about)}</desc>"
    yield f"<style>\n{STYLE}</style>"
    yield "<defs>"
    for name in ("line", "error"):
        shape = '<path d="M0 0 8 4 0 8z"/>'
        yield (
            f'<marker id="arrow-{name}" class="arrow {name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            f'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">{shape}</marker>'
        )
    yield "</defs>"
    yield '<rect class="page" width="100%" height="100%"/>'


def _heading(graph: Graph, width: float) -> tuple[list[str], float]:
    """The flow's name, what it is for, and where it stands; and where the picture below it begins."""
    lines: list[str] = []
    y = 0.0
    for name, size, text in (
        ("title", _TITLE_SIZE, graph.name),
        ("about", _ABOUT_SIZE, graph.description),
        ("place", SIZES["place"], graph.place),
    ):
        for row in wrap(text, size * 1.05, width) if text else ():
            y += size * 1.4
            lines.append(f'<text class="{name}" x="0" y="{_number(y - size * 0.35)}">{escape(row)}</text>')
    return lines, y + 18


def _drawn(graph: Graph, drawing: Drawing, link: Link) -> Iterator[str]:
    yield from (_frame(each) for each in drawing.frames)
    yield from (_route(each) for each in drawing.routes)
    yield from (line for each in drawing.labels for line in _label(each))
    for node in graph.nodes:
        href = link(node.calls) if node.calls is not None else None
        lines = _node(node, drawing)
        if href is not None:
            yield f'<a href="{escape(href)}">'
        yield from lines
        if href is not None:
            yield "</a>"


def _frame(frame: Frame) -> str:
    kind = "part" if frame.is_part else "box"
    x, y = frame.rect.x + 14, frame.rect.y + 19
    title = f'<text class="frame-title" x="{_number(x)}" y="{_number(y)}">{escape(frame.title)}</text>'
    return f'<rect class="frame {kind}" {_rect(frame.rect)} rx="10"/>{title}'


def _route(route: Route) -> str:
    name = "error" if route.edge.is_error else "line"
    first, *rest = route.points
    path = f"M{_number(first[0])} {_number(first[1])}"
    for at, point in enumerate(rest):
        if at + 1 < len(rest):
            path += _corner(route.points[at], point, rest[at + 1])
        else:
            path += f"L{_number(point[0])} {_number(point[1])}"
    return f'<path class="edge {name}" d="{path}" marker-end="url(#arrow-{name})"/>'


def _corner(before: tuple[float, float], at: tuple[float, float], after: tuple[float, float]) -> str:
    start, end = _towards(at, before), _towards(at, after)
    points = " ".join(_number(each) for each in (*at, *end))
    return f"L{_number(start[0])} {_number(start[1])}Q{points}"


def _towards(at: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The point on the way from one to the other at which a corner's curve begins."""
    across, down = other[0] - at[0], other[1] - at[1]
    length = abs(across) + abs(down)
    part = min(_RADIUS, length / 2) / length if length else 0
    return at[0] + across * part, at[1] + down * part


def _label(label: Label) -> Iterator[str]:
    rect = label.rect
    yield f'<rect class="label-back" {_rect(rect)} rx="4"/>'
    step = rect.height / len(label.lines)
    for at, line in enumerate(label.lines):
        y = rect.y + step * at + LABEL_SIZE * 1.02
        yield f'<text class="label" x="{_number(rect.axis)}" y="{_number(y)}">{escape(line)}</text>'


def _node(node: Node, drawing: Drawing) -> Iterator[str]:
    rect = drawing.nodes[node.id]
    yield f'<g id="{node.id}" class="node {node.kind}">'
    yield _shape(node, rect)
    for row in drawing.cards[node.id].rows:
        is_centred = node.kind == "decision" or node.kind in _ROUND
        x = rect.axis if is_centred else rect.x + row.x
        anchor = ' text-anchor="middle"' if is_centred else ""
        weight = ' font-weight="600"' if row.style in BOLD else ""
        where = f'x="{_number(x)}" y="{_number(rect.y + row.y)}"{anchor}{weight}'
        yield f'<text class="{row.style}" {where} font-size="{_number(SIZES[row.style])}">{escape(row.text)}</text>'
    yield "</g>"


def _shape(node: Node, rect: Rect) -> str:
    if node.kind == "decision":
        middle, point = rect.y + rect.height / 2, min(20.0, rect.height / 2)
        corners = [
            (rect.x, middle), (rect.x + point, rect.y), (rect.right - point, rect.y), (rect.right, middle),
            (rect.right - point, rect.bottom), (rect.x + point, rect.bottom),
        ]  # fmt: skip
        return f'<polygon class="card" points="{" ".join(f"{_number(x)},{_number(y)}" for x, y in corners)}"/>'
    radius = min(rect.height / 2, 18) if node.kind in _ROUND else 7
    card = f'<rect class="card" {_rect(rect)} rx="{_number(radius)}"/>'
    if node.kind in _ROUND or node.kind == "gate":
        return card
    stripe = Rect(rect.x, rect.y + 7, _STRIPE, rect.height - 14)
    return f'{card}<rect class="stripe" {_rect(stripe)} rx="2"/>'


def _rect(rect: Rect) -> str:
    pairs = (("x", rect.x), ("y", rect.y), ("width", rect.width), ("height", rect.height))
    return " ".join(f'{name}="{_number(value)}"' for name, value in pairs)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
