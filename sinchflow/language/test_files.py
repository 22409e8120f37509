"""Transcript tests, `*.test.yaml`, wherever they lie in a project: found, and checked against the project's flows.

A mistake in a test keeps no flow from being loaded: only `validate` asks for these findings, the daemon never does.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.document import compose, decode, documents
from sinchflow.language.facts import Facts
from sinchflow.language.files import TESTS, cannot_take
from sinchflow.language.nodes import Document, Mapping
from sinchflow.language.rules import TRANSCRIPT_RULES
from sinchflow.language.rules.rule import Settings, Stage
from sinchflow.language.settings import PROJECT_FILE
from sinchflow.language.shape import Shapes
from sinchflow.language.transcript import TranscriptFile
from sinchflow.model.origin import Origin

#: Folders of other tools, which may be large.
_NOT_OURS = frozenset({"node_modules", "__pycache__"})


class FoundInTests(msgspec.Struct, frozen=True):
    """What a check of tests found.

    texts: whole content of the files by name, for `present_text`. documents: those that can be read, by file.
    """

    findings: tuple[Diagnostic, ...] = ()
    texts: dict[str, str] = {}
    documents: dict[str, Document] = {}


def transcript_files(root: Path, paths: Sequence[Path] = ()) -> Iterator[Path]:
    """The test files that `paths` mean, a file itself or those of a folder; without paths those of the project.

    Hidden files and folders, and folders that are projects of their own, are passed over. Links to folders are
    followed, but a folder that several paths lead to is looked into once.
    """
    seen: set[str] = set()
    for path in paths or (Path(),):
        whole = root / path
        if os.path.isdir(whole):
            yield from _below(whole, seen)
        elif whole.name.endswith(TESTS) and (real := os.path.realpath(whole)) not in seen:
            seen.add(real)
            yield whole


def _below(folder: Path, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as found:
            children = sorted(found, key=lambda each: each.name)
    except OSError:
        return  # who may not look into a folder has no tests of this project there
    for child in children:
        if child.name.startswith(".") or child.name in _NOT_OURS:
            continue
        if not child.is_dir():
            whole = os.path.realpath(child.path)
            if child.name.endswith(TESTS) and whole not in seen:
                seen.add(whole)
                yield folder / child.name
        elif not any(os.path.lexists(os.path.join(child.path, mark)) for mark in (PROJECT_FILE, "pyvenv.cfg")):
            yield from _below(folder / child.name, seen)


def check_tests(
    files: Iterator[tuple[str, bytes | str]],
    flows: Sequence[Facts],
    is_complete: bool,
    settings: Settings,
    shapes: Shapes,
) -> FoundInTests:
    """What is wrong with the files: of each its name and its bytes, or why it cannot be read.

    flows, is_complete, settings: of the whole project, see `Survey`.
    """
    stage: Stage | None = None
    findings: list[Diagnostic] = []
    texts: dict[str, str] = {}
    composed: dict[str, Document] = {}
    for name, data in files:
        stage = stage or _stage(flows, is_complete, settings)
        if name not in texts:
            texts[name], found = ("", [cannot_take(name, data)]) if isinstance(data, str) else decode(data, name)
            findings += found or _check(texts[name], name, stage, shapes, composed)
    return FoundInTests(tuple(findings), texts, composed)


def _stage(flows: Sequence[Facts], is_complete: bool, settings: Settings) -> Stage:
    return Stage(
        flows={flow.named.name: flow for flow in flows},
        is_complete=is_complete,
        settings=settings,
        mentions=frozenset(mention for flow in flows for mention in flow.mentions),
        paths=frozenset(address.path for flow in flows for address in flow.addresses),
    )


def _check(text: str, name: str, stage: Stage, shapes: Shapes, composed: dict[str, Document]) -> Iterator[Diagnostic]:
    found = list(documents(text, name))
    if not found:
        yield finding(
            Origin(name, 1, 1), "no-test", "the file holds no test", "write one, or delete the file", "warning"
        )
    for document in found[:1]:
        syntax = compose(document)
        yield from syntax
        if not syntax:
            composed[name] = document
            yield from shapes.check(document, "test")
            if isinstance(document.root, Mapping):
                tests = TranscriptFile(document)
                for rule in TRANSCRIPT_RULES:
                    yield from rule.check(tests, stage)
    if len(found) > 1:
        message, hint = "a test file holds one document only", "list all tests under tests:"
        yield finding(found[1].origin(0), "several-documents", message, hint)
