"""Every case of tests/cases/graph: a file of flows, and its complete pictures beside it.

`UPDATE_CASES=1 pytest tests/console/test_graph_cases.py` writes the .svg and .mmd files anew: look at what it wrote.
"""

import os
from pathlib import Path

import pytest

from sinchflow.console.graph.build import build_graph
from sinchflow.console.graph.mermaid import draw_mermaid
from sinchflow.console.graph.model import Graph
from sinchflow.console.graph.svg import anchors, draw_svg
from sinchflow.language.build import build_flow
from sinchflow.language.document import compose, documents
from sinchflow.language.shape import Shapes

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "tests" / "cases" / "graph"
CASES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_pictures_are_as_they_were_approved(case):
    graphs = graphs_of(case)
    compare(case.with_suffix(".mmd"), draw_mermaid(graphs))
    compare(case.with_suffix(".svg"), draw_svg(graphs, anchors(graphs).get))


def test_every_picture_belongs_to_a_case():
    pictures = {path.stem for path in FOLDER.iterdir() if path.suffix != ".yaml"}
    assert pictures == {path.stem for path in CASES}


def test_picture_in_the_docs_is_that_of_the_example():
    example = ROOT / "flows" / "appointment-confirm.yaml"
    compare(ROOT / "docs" / "graph.svg", draw_svg(graphs_of(example), {}.get))


def graphs_of(case: Path) -> list[Graph]:
    found = list(documents(case.read_text(encoding="utf-8"), f"flows/{case.name}"))
    assert [finding.message for document in found for finding in compose(document)] == []
    shapes = Shapes()
    assert [finding.message for document in found for finding in shapes.check(document, "flow")] == []
    prefixes = [f"f{at}_" if len(found) > 1 else "" for at in range(len(found))]
    return [build_graph(build_flow(document), prefix) for document, prefix in zip(found, prefixes, strict=True)]


def compare(expected: Path, drawn: str) -> None:
    if os.environ.get("UPDATE_CASES"):
        expected.write_text(drawn, encoding="utf-8")
    assert drawn == expected.read_text(encoding="utf-8")
