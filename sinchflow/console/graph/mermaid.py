"""A graph as text for mermaid, which GitHub, GitLab and many editors draw.

Texts are written with entities (`#34;`) for all that mermaid, Markdown or HTML would take for more than a letter. The
same graph gives the same text.
"""

import re
from collections.abc import Iterator, Sequence

from sinchflow.console.graph.model import Aside, Block, Box, Edge, Fork, Graph, Kind, Node, One, Part, Row, Stack

_OPENING: dict[Kind, str] = {
    "trigger": '(["', "decision": '{"', "wait": '{{"', "flow": '[["', "end": '(["', "stop": '(["', "fail": '(["',
}  # fmt: skip
_CLOSING: dict[Kind, str] = {
    "trigger": '"])', "decision": '"}', "wait": '"}}', "flow": '"]]', "end": '"])', "stop": '"])', "fail": '"])',
}  # fmt: skip
_CLASSES: dict[Kind, str] = {
    "trigger": "fill:#e6f4ee,stroke:#18794e,color:#12392a",
    "gate": "fill:#f5f7fa,stroke:#8794a3,color:#34465c,stroke-dasharray:5 4",
    "send": "fill:#e8f1fa,stroke:#1767b3,color:#10324f",
    "call": "fill:#f3ecf9,stroke:#7a3fb0,color:#3b1d57",
    "wait": "fill:#fbf1e0,stroke:#9a5b00,color:#4a2c00",
    "data": "fill:#eef2f4,stroke:#48606f,color:#25333c",
    "decision": "fill:#eef1f5,stroke:#34465c,color:#1c2530",
    "control": "fill:#eef1f5,stroke:#34465c,color:#1c2530",
    "flow": "fill:#eceefb,stroke:#3f4fb5,color:#1f2862",
    "end": "fill:#eef1f5,stroke:#8794a3,color:#1c2530",
    "stop": "fill:#ffffff,stroke:#34465c,color:#1c2530",
    "fail": "fill:#fbeceb,stroke:#b3362b,color:#611a14",
}

_FRAME = "fill:transparent,stroke:#8794a3"

#: What stays as it is; letters and digits of all languages do too.
_HARMLESS = frozenset("_ ,.:/?!=()'…·—–“”+-→")
#: At the beginning of a line Markdown would make a list or a heading of it.
_LIST = re.compile(r"\d+[.)]|[-+]")
#: Markdown makes nothing of an underscore between letters.
_WITHIN = re.compile(r"[A-Za-z0-9]_[A-Za-z0-9]")
#: Mermaid cuts the last `;` of an entity on lines in which one of these words is followed by a colon.
_STYLED = re.compile(r"style|classDef")


def draw_mermaid(graphs: Sequence[Graph]) -> str:
    """The flows as one flowchart; several ones each in a frame of their own."""
    lines = ["flowchart TD"]
    for graph in graphs:
        if len(graphs) == 1:
            lines += [f"%% {_comment(f'{graph.name} ({graph.place})')}", *_graph_lines(graph, "  ")]
        else:
            lines += [
                f"  subgraph {graph.parts[0].id}_flow[{_text(graph.name)}]",
                *_graph_lines(graph, "    "),
                "  end",
            ]
    for graph in graphs:
        lines += [f"  {_edge(edge)}" for edge in graph.edges]
    frames = [line.split("[")[0].split()[1] for line in lines if line.lstrip().startswith("subgraph ")]
    lines += [f"  class {','.join(frames)} is-frame", f"  classDef is-frame {_FRAME}"] if frames else []
    kinds = {node.kind for graph in graphs for node in graph.nodes}
    lines += [f"  classDef {_class(kind)} {style}" for kind, style in _CLASSES.items() if kind in kinds]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(char for char in text if char not in "{}%")


def _graph_lines(graph: Graph, indent: str) -> Iterator[str]:
    nodes = {node.id: node for node in graph.nodes}
    for part in graph.parts:
        yield from _part_lines(part, nodes, indent)


def _part_lines(part: Part, nodes: dict[str, Node], indent: str) -> Iterator[str]:
    if not part.title:
        yield from _block_lines(part.block, nodes, indent)
        return
    yield f"{indent}subgraph {part.id}[{_text(part.title)}]"
    yield from _block_lines(part.block, nodes, f"{indent}  ")
    yield f"{indent}end"


def _block_lines(block: Block, nodes: dict[str, Node], indent: str) -> Iterator[str]:
    """The nodes of a block, with a subgraph for each box."""
    inner: Sequence[Block]
    match block:
        case One(node):
            yield f"{indent}{_node(nodes[node])}"
            return
        case Row(names):
            yield from (f"{indent}{_node(nodes[name])}" for name in names)
            return
        case Box():
            yield f"{indent}subgraph {block.id}[{_text(block.title)}]"
            yield from _block_lines(block.block, nodes, f"{indent}  ")
            yield f"{indent}end"
            return
        case Stack(blocks):
            inner = blocks
        case Fork():
            yield f"{indent}{_node(nodes[block.node])}"
            inner = [arm.block for arm in block.arms]
        case Aside():
            inner = [block.block, block.arm.block]
    for each in inner:
        yield from _block_lines(each, nodes, indent)


def _node(node: Node) -> str:
    texts = [(_escaped(line.text), line.style in ("kind", "name")) for line in node.lines]
    lines = [f"<b>{text}</b>" if is_bold else text for text, is_bold in texts]
    opening, closing = _OPENING.get(node.kind, '["'), _CLOSING.get(node.kind, '"]')
    return f"{node.id}{opening}{'<br/>'.join(lines)}{closing}:::{_class(node.kind)}"


def _class(kind: Kind) -> str:
    """`end` is a word of mermaid's own."""
    return f"is-{kind}"


def _edge(edge: Edge) -> str:
    arrow = "-.->" if edge.is_error else "-->"
    label = f"|{_text(edge.label)}|" if edge.label else ""
    return f"{edge.source} {arrow}{label} {edge.target}"


def _text(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """The text such that nothing in it means anything to mermaid."""
    sign = _LIST.match(text)
    escapes = {sign.end() - 1} if sign else set()
    escapes |= {at for at, char in enumerate(text) if char == "_" and not _WITHIN.match(text[max(at - 1, 0) : at + 2])}
    is_styled = _STYLED.search(text) is not None
    return "".join(
        char if at not in escapes and _is_harmless(char, is_styled) else f"#{ord(char)};"
        for at, char in enumerate(text)
    )


def _is_harmless(char: str, is_styled: bool) -> bool:
    return char.isalnum() or (char in _HARMLESS and not (is_styled and char == ":"))
