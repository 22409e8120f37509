"""Pictures of every example flow and of every flow of the run cases: whole, without overlap, and well formed."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from sinchflow.console.graph.build import build_graph
from sinchflow.console.graph.layout import Drawing, Rect, lay_out
from sinchflow.console.graph.mermaid import draw_mermaid
from sinchflow.console.graph.model import Graph
from sinchflow.console.graph.svg import anchors, draw_svg
from sinchflow.console.graph.text import plain, url
from sinchflow.language.build import build_flow, flow_from_source
from sinchflow.language.document import compose, documents
from sinchflow.model.flow import Flow, Step

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted(path for path in (ROOT / "flows").rglob("*.yaml") if not path.name.endswith(".test.yaml"))
RUN_CASES = sorted((ROOT / "tests" / "cases" / "run").glob("*.yaml"))
EDITOR = ROOT / "tests" / "editor"
SVG = "{http://www.w3.org/2000/svg}"
#: Half a pixel of rounding.
NEARLY = 0.6

HOSTILE = {
    "quotes": "\"double\" 'single' `back` ]] ) } |pipe| <b>bold</b>",
    "script": "</text></svg><script>alert(1)</script><!-- ]]> &amp; &#x3C;",
    "emoji": "👍🏽 👩‍👩‍👧 ok ✅ 日本語のテキストはとても長いので折り返されます。",
    "right-to-left": "שלום עולם \u202eevil\u202c مرحبا",
    "line breaks": "one\ntwo\n\n  three\tfour",
    "long word": "x" * 5_000,
    "long text": "word and " * 700,
    "mermaid": "end; subgraph %%{init: {}}%% style a:b#quot; #35; 1. one - two\n--> B click href",
    "markdown": "- item **bold** _it_ # head",
}


def flows_of(path: Path) -> Iterator[Flow]:
    for document in documents(path.read_text(encoding="utf-8"), path.name):
        assert not compose(document)
        if document.root.by_name.keys() >= {"on", "steps"}:
            yield build_flow(document)


class _CaseLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Run cases; the long texts in their events do not matter here."""


_CaseLoader.add_constructor("!long", lambda loader, node: "long")


def flows_of_case(path: Path) -> Iterator[Flow]:
    case = yaml.load(path.read_text(encoding="utf-8"), _CaseLoader)
    for text in case["flow"].split("---\n"):
        yield flow_from_source(text, f"{path.stem}.yaml", 1)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_drawn_whole(path):
    for flow in flows_of(path):
        judge(flow)


@pytest.mark.parametrize("path", RUN_CASES, ids=lambda path: path.stem)
def test_flow_of_a_run_case_is_drawn_whole(path):
    for flow in flows_of_case(path):
        judge(flow)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_stay_in_their_places(text):
    judge(hostile_flow(text))


def hostile_flow(text: str) -> Flow:
    """A flow with this text in many places."""
    word = " ".join(text.split())[:60]
    steps = [
        {"reply": text, "name": text},
        {"http": {"url": f"https://x.example/{text}"}},
        {"id": "w", "wait_for_reply": {"timeout": "1h", "categories": {word: {"keyword": [text]}}}},
        {"choose": [{"if": f"vars.x == {text!r}", "steps": [{"log": text}]}]},
        {"for_each": {"items": [text], "as": "x", "steps": [{"run_flow": word}, {"stop": text}]}},
    ]
    source = {
        "name": word,
        "description": text,
        "on": {"inbound_sms": {"keyword": [text], "from": [text]}},
        "if": f"event.content == {text!r}",
        "steps": steps,
    }
    return flow_from_source(yaml.safe_dump(source, allow_unicode=False), "hostile.yaml", 1)


def judge(flow: Flow) -> None:
    """All that holds of every picture."""
    graph = build_graph(flow)
    assert sorted(step for node in graph.nodes for step in node.steps) == sorted(addresses(flow))
    ids = [node.id for node in graph.nodes]
    assert len(set(ids)) == len(ids)
    assert {end for edge in graph.edges for end in (edge.source, edge.target)} <= set(ids)
    drawing = lay_out(graph)
    assert set(drawing.nodes) == set(ids)
    judge_places(drawing)
    svg = draw_svg([graph], {flow.name: "other.svg"}.get)
    assert svg == draw_svg([build_graph(flow)], {flow.name: "other.svg"}.get)
    judge_svg(svg, graph)
    judge_mermaid(draw_mermaid([graph]), graph)


def addresses(flow: Flow) -> Iterator[str]:
    otherwise = flow.throttle.otherwise if flow.throttle else ()
    for step in (*flow.steps, *otherwise, *flow.on_error):
        yield from _addresses(step)


def _addresses(step: Step) -> Iterator[str]:
    yield step.address
    caught = step.on_error if isinstance(step.on_error, tuple) else ()
    for inner in (*caught, *inner_steps(step)):
        yield from _addresses(inner)


def inner_steps(step: Step) -> Iterator[Step]:
    for branch in getattr(step.action, "branches", ()):
        yield from branch if isinstance(branch, tuple) else branch.steps
    yield from getattr(step.action, "steps", ())


def judge_places(drawing: Drawing) -> None:
    """No two nodes or labels overlap, nothing lies outside, and lines cross no node."""
    placed = [*drawing.nodes.values(), *(label.rect for label in drawing.labels)]
    for one, other in combinations(placed, 2):
        assert not overlap(one, other), (one, other)
    page = Rect(-NEARLY, -NEARLY, drawing.width + 2 * NEARLY, drawing.height + 2 * NEARLY)
    for rect in [*placed, *(frame.rect for frame in drawing.frames)]:
        assert page.x <= rect.x
        assert page.y <= rect.y
        assert rect.right <= page.right
        assert rect.bottom <= page.bottom
    for route in drawing.routes:
        for (x1, y1), (x2, y2) in zip(route.points, route.points[1:], strict=False):
            assert x1 == pytest.approx(x2) or y1 == pytest.approx(y2)
            line = Rect(min(x1, x2), min(y1, y2), abs(x1 - x2), abs(y1 - y2))
            crossed = [name for name, rect in drawing.nodes.items() if overlap(line, rect)]
            assert crossed == [], route.edge
        end = drawing.nodes[route.edge.target]
        assert route.points[-1] == (end.axis, end.y)
    for name, rect in drawing.nodes.items():
        for row in drawing.cards[name].rows:
            assert row.x >= 0
            assert row.x + row.width <= rect.width
            assert 0 <= row.y <= rect.height - 4


def overlap(one: Rect, other: Rect) -> bool:
    return (
        one.x < other.right - NEARLY
        and other.x < one.right - NEARLY
        and one.y < other.bottom - NEARLY
        and other.y < one.bottom - NEARLY
    )


def judge_svg(svg: str, *graphs: Graph) -> None:
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert names <= {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text", "polygon", "a"}
    drawn = [element.get("id") for element in root.iter(f"{SVG}g") if "node" in (element.get("class") or "")]
    assert drawn == [node.id for graph in graphs for node in graph.nodes]
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", svg) is None


_NAME = r"[A-Za-z0-9_]+"
_TEXT = r'"(?:[^"#<`]|#\d+;|<br/>|</?b>)*"'
_SHAPES = (rf"\[{_TEXT}\]", rf"\(\[{_TEXT}\]\)", rf"\{{{_TEXT}\}}", rf"\{{\{{{_TEXT}\}}\}}", rf"\[\[{_TEXT}\]\]")
#: The part of mermaid's grammar that we write.
_LINES = re.compile(
    rf"flowchart TD|%% [^\n]*|subgraph {_NAME}\[{_TEXT}\]|end|{_NAME}(?:{'|'.join(_SHAPES)}):::is-[a-z]+"
    rf"|{_NAME} (?:-->|-\.->)(?:\|{_TEXT}\|)? {_NAME}|class {_NAME}(?:,{_NAME})* is-frame"
    r"|classDef is-[a-z]+ [a-z0-9:#, -]+"
)


def judge_mermaid(text: str, *graphs: Graph) -> None:
    lines = [line.strip() for line in text.splitlines()]
    assert [line for line in lines if not _LINES.fullmatch(line)] == []
    assert sum(line.startswith("subgraph") for line in lines) == lines.count("end")
    declared = [line for line in lines if ":::" in line]
    assert len(declared) == sum(len(graph.nodes) for graph in graphs)


@pytest.mark.skipif(
    not (EDITOR / "node_modules" / "mermaid").is_dir() and os.environ.get("SINCHFLOW_EDITOR_TESTS") != "required",
    reason="run `npm ci --ignore-scripts --prefix tests/editor` first (Node.js 20 or newer)",
)
def test_mermaid_itself_takes_every_picture():
    flows = [(path.stem, flow) for path in EXAMPLES for flow in flows_of(path)]
    flows += [(path.stem, flow) for path in RUN_CASES for flow in flows_of_case(path)]
    flows += [(name, hostile_flow(text)) for name, text in HOSTILE.items()]
    texts = {f"{at} {name}": draw_mermaid([build_graph(flow)]) for at, (name, flow) in enumerate(flows)}
    texts["all"] = draw_mermaid([build_graph(flow, f"f{at}_") for at, (_, flow) in enumerate(flows[:20])])
    node = subprocess.run(
        ["node", "parse_mermaid.mjs"],
        cwd=EDITOR,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(node.stdout) == {}


def test_control_characters_are_left_out():
    assert plain("a\x00b\x1b[31mc\u202ed\ud800") == "a b [31mcd"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://user:pa55@crm.example.com/api?key=abc#part", "crm.example.com/api"),
        ("https://{{ env.HOST }}/orders/{{ inputs.id }}?t={{ secrets.T }}", "{{ env.HOST }}/orders/{{ inputs.id }}"),
        ("{{ secrets.CHAT_WEBHOOK_URL }}", "{{ secrets.CHAT_WEBHOOK_URL }}"),
        ("https://hooks.example.com/T00/B00/XyZ123abcDEF456ghiJKL78", "hooks.example.com/T00/B00/…"),
        ("https://x.example/{{ '?' }}/a", "x.example/{{ '?' }}/a"),
    ],
)
def test_address_is_shown_without_what_is_secret(source, shown):
    assert url(source) == shown


def test_secrets_are_shown_by_name_only():
    source = """
name: secrets
on:
  - webhook: {path: /a, token: "{{ secrets.T }}"}
  - webhook: {path: /b, token: hunter2}
  - webhook: {path: /c, hmac: {secret: hunter2}}
vars: {api_key: hunter2}
steps:
  - set: {token: hunter2, within: {password: hunter2}, shown: "{{ secrets.T }}"}
  - http: {url: https://me:hunter2@x.example/?t=hunter2, headers: {X-Key: hunter2}, auth: {bearer: hunter2}}
"""
    graph = build_graph(flow_from_source(source, "secrets.yaml", 1))
    for drawn in (draw_svg([graph], {}.get), draw_mermaid([graph])):
        assert "hunter2" not in drawn
        assert "secrets.T" in drawn


def test_flows_of_one_picture_link_to_each_other():
    source = "name: first\non: manual\nsteps: [run_flow: second]\n"
    graphs = [
        build_graph(flow_from_source(text, "two.yaml", 1), f"f{at}_")
        for at, text in enumerate((source, source.replace("second", "none").replace("first", "second")))
    ]
    svg = draw_svg(graphs, anchors(graphs).get)
    judge_svg(svg, graphs[0], *graphs[1:])
    assert re.findall(r'<a href="([^"]*)">', svg) == ["#f1_main"]
    assert 'id="f1_main"' in svg
    judge_mermaid(draw_mermaid(graphs), *graphs)
