"""`sinchflow graph`: flows as pictures."""

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.errors import SinchflowError, UsageError

if TYPE_CHECKING:
    from sinchflow.console.graph.model import Graph
    from sinchflow.language.check import Checked
    from sinchflow.language.diagnostic import Diagnostic
    from sinchflow.language.nodes import Document
    from sinchflow.model.flow import Flow


class Format(StrEnum):
    """How a picture is written."""

    SVG = "svg"
    MERMAID = "mermaid"


_BY_ENDING = {".svg": Format.SVG, ".mmd": Format.MERMAID, ".md": Format.MERMAID}
_ENDINGS = {Format.SVG: ".svg", Format.MERMAID: ".mmd"}
_UNSAFE = re.compile(r"[^\w.-]+")


def graph(
    context: typer.Context,
    flow: Annotated[
        str | None, typer.Argument(metavar="[FLOW]", help="A flow's name, or the path of a flow file: all its flows.")
    ] = None,
    output: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Without it the ending of -o decides: .svg, or .mmd or .md for mermaid.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it; with --all a folder.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="One file for each flow of the project.")] = False,
) -> None:
    """Draw a flow, so that a reviewer can follow it: as a picture (SVG), or as text for mermaid, which GitHub draws.

    Without -o, mermaid is printed unless --format says otherwise. In a .md file it stands in a fenced block.
    With --all, pictures are SVG unless --format says otherwise, and a `run_flow` links to the picture of its flow.
    Secrets are shown by name only, and other texts are shortened.
    Exit code 1 when the flow has errors: they are printed as `sinchflow validate` prints them.

    \b
    Examples:
      sinchflow graph survey
      sinchflow graph survey -o survey.svg
      sinchflow graph flows/menu.yaml -o menu.md
      sinchflow graph --all -o pictures
    """
    root = root_of(context)
    if every:
        if flow is not None or to is None:
            raise UsageError("--all draws every flow into a folder: `sinchflow graph --all -o DIR`, without FLOW")
        _write_all(_flows(root, None), output or Format.SVG, to)
        return
    if flow is None:
        raise UsageError("which flow? `sinchflow graph FLOW`, or `sinchflow graph --all -o DIR` for all of them")
    chosen = output or _format_of(to)
    text = _drawn(_flows(root, flow), chosen)
    if to is None:
        sys.stdout.write(text)
    else:
        _write(to, f"```mermaid\n{text}```\n" if to.suffix == ".md" and chosen is Format.MERMAID else text)


def _format_of(to: Path | None) -> Format:
    if to is None:
        return Format.MERMAID
    if to.suffix not in _BY_ENDING:
        raise UsageError(f"-o {to}: name a file that ends in {', '.join(_BY_ENDING)}, or say --format")
    return _BY_ENDING[to.suffix]


def _flows(root: Path, asked: str | None) -> "list[Flow]":
    """The flows to draw: of a name, of a file, or all; ends the command when they have errors."""
    from sinchflow.cli.crew import judge_files
    from sinchflow.cli.kept import CACHE, Kept
    from sinchflow.language.build import build_flow
    from sinchflow.language.check import Checker

    path = Path(asked) if asked is not None and asked.endswith((".yaml", ".yml")) else None
    if path is not None and not (root / path).is_file():
        raise UsageError(f"{path}: no such file; a flow file or a flow's name is wanted")
    kept = Kept(root / CACHE)
    checker = Checker(builds=False, judge_files=judge_files, kept=kept, sound_forms=kept.forms)
    checked = checker.check(root, [path] if path is not None else [])
    if checked.texts:
        kept.save()
    if asked is not None and path is None:
        return _named(checked, asked)
    _stop_at(checked, [each for each in checked.diagnostics if each.severity == "error"])
    flows = [build_flow(each) for each, _ in _documents(checked, {facts.named.origin.file for facts in checked.facts})]
    if not flows:
        raise UsageError(f"{path or 'the project'} holds no flows")
    return flows


def _named(checked: "Checked", name: str) -> "list[Flow]":
    """The flow of this name; errors elsewhere do not matter to it."""
    from sinchflow.language.build import build_flow
    from sinchflow.language.suggest import did_you_mean

    errors = [each for each in checked.diagnostics if each.severity == "error"]
    places = [facts.named.origin for facts in checked.facts if facts.named.name == name]
    if not places:
        _stop_at(checked, [each for each in errors if Path(each.file).stem == name])  # it could not be read
        hint = did_you_mean(name, (facts.named.name for facts in checked.facts), "flows here")
        raise UsageError(f'no flow is called "{name}"{f": {hint}" if hint else ""}')
    found = _documents(checked, {places[0].file})
    document, lines = next(each for each in found if places[0].line in each[1])
    _stop_at(checked, [each for each in errors if each.file == document.file and each.line in lines])
    return [build_flow(document)]


def _stop_at(checked: "Checked", errors: "Sequence[Diagnostic]") -> None:
    from sinchflow.language.diagnostic import present_text

    if errors:
        print(present_text(errors, checked.texts), end="")
        raise typer.Exit(1)


def _documents(checked: "Checked", files: Collection[str]) -> "Iterator[tuple[Document, range]]":
    """The documents of these files that can be read, and the lines on which each stands."""
    from sinchflow.language.document import compose, documents

    for file in sorted(files):
        found = list(documents(checked.texts[file], file))
        ends = [*(each.line for each in found[1:]), sys.maxsize]
        yield from ((each, range(each.line, end)) for each, end in zip(found, ends, strict=True) if not compose(each))


def _drawn(flows: "Sequence[Flow]", output: Format) -> str:
    """One picture of these flows; those that run each other link to each other."""
    from sinchflow.console.graph.build import build_graph

    graphs = [build_graph(flow, f"f{at}_" if len(flows) > 1 else "") for at, flow in enumerate(flows)]
    if output is Format.MERMAID:
        return _mermaid(graphs)
    from sinchflow.console.graph.svg import anchors, draw_svg

    return draw_svg(graphs, anchors(graphs).get)


def _mermaid(graphs: "Sequence[Graph]") -> str:
    from sinchflow.console.graph.mermaid import draw_mermaid

    return draw_mermaid(graphs)


def _write_all(flows: "Sequence[Flow]", output: Format, folder: Path) -> None:
    from sinchflow.console.graph.build import build_graph
    from sinchflow.console.graph.svg import draw_svg

    files = _file_names([flow.name for flow in flows], _ENDINGS[output])
    links = {name: quote(file) for name, file in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinchflowError(f"cannot make {folder}: {error.strerror}") from error
    for flow in flows:
        picture = build_graph(flow)
        text = draw_svg([picture], links.get) if output is Format.SVG else _mermaid([picture])
        _write(folder / files[flow.name], text)
    print(f"Wrote {len(flows)} picture{'s' * (len(flows) != 1)} to {folder}.")


def _file_names(names: Sequence[str], ending: str) -> dict[str, str]:
    """A file for each flow: its name, as far as files may be called so, and a number where two would be the same."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        stem = first = _UNSAFE.sub("-", name).strip(".-") or "flow"
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{first}-{number}"
        taken.add(stem.casefold())
        found[name] = stem + ending
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SinchflowError(f"cannot write {path}: {error.strerror}") from error
