"""What the schema can see, the editor shows where `sinchflow validate` shows it; sound files it leaves alone.

Every case of tests/cases/validate/err with a finding of the schema is opened in the real server.
"""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import Diagnostic
from sinchflow.language.document import compose, documents
from sinchflow.language.nodes import Document, Mapping, Node, Sequence
from sinchflow.model.origin import Origin

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "validate"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Place = tuple[int, int]
MODELINE = "# yaml-language-server: $schema="

#: The rules that are the schema's.
SHAPE = {"unknown-key", "missing-key", "type", "value"}
#: Rules of YAML itself: the server reads the file otherwise from there on, so such files are not compared.
YAML = {"duplicate-key", "encoding", "merge-key", "unquoted-template", "yaml-key", "yaml-syntax", "yaml-tag"}
#: What the server says against a mapping beside what both say of a misspelt key in it.
LACKS = re.compile(r'Missing property "(.+)"\.')


def kind_of(path: Path) -> str:
    if path.name == "sinchflow.yaml":
        return "project"
    return "test" if path.name.endswith(".test.yaml") else "flow"


def with_modelines(text: str, modeline: str) -> str:
    """A modeline above every document: the server takes each for itself."""
    first, *rest = text.split("\n---\n")
    return "\n---\n".join([f"{modeline}\n{first}", *(f"{modeline}\n{each}" for each in rest)])


def lay_out(case: Path, folder: Path, schemas: Path) -> list[Path]:
    """Makes a project of a case; gives its files that the schemas are for."""
    if case.is_dir():
        shutil.copytree(case, folder)
    else:
        (folder / "flows").mkdir(parents=True)
        shutil.copy(case, folder / "flows")
    (folder / ".sinchflow").symlink_to(schemas)
    found = [path for path in (folder / "sinchflow.yaml", *sorted((folder / "flows").rglob("*.yaml"))) if path.exists()]
    for path in found:
        up = "../" * (len(path.relative_to(folder).parts) - 1)
        modeline = f"{MODELINE}{up}.sinchflow/{kind_of(path)}.schema.json"
        try:
            path.write_text(with_modelines(path.read_text(encoding="utf-8"), modeline), encoding="utf-8")
        except UnicodeDecodeError:
            return []  # cases about encodings
    return found


@cache
def checked(folder: Path):
    return Checker().check(folder, now=NOW, tests=True).diagnostics


@cache
def names(kind: str) -> tuple[str, ...]:
    """Sound cases, or those whose expected output names a rule of the schema."""
    paths = sorted(path for path in (CASES / kind).iterdir() if path.suffix != ".out")
    return tuple(path.name for path in paths if kind == "ok" or is_of_schema(path.with_suffix(".out")))


def is_of_schema(expected: Path) -> bool:
    return expected.is_file() and any(f"[{rule}]" in expected.read_text(encoding="utf-8") for rule in SHAPE)


@pytest.fixture(scope="module")
def opened(editor, project):
    """Every case as a project of its own, all of its files open."""
    found = {}
    for kind in ("err", "ok"):
        for name in names(kind):
            folder = project / kind / name.removesuffix(".yaml")
            files = lay_out(CASES / kind / name, folder, project / ".sinchflow")
            found[kind, name] = (folder, [editor.open(path) for path in files])
    return found


def values_of(node: Node | None, document: Document) -> Iterator[tuple[Place, Place]]:
    """Where each key of a document begins, and where its value does."""
    match node:
        case Mapping():
            for key, value in node.entries:
                yield place_of(document.origin_of(key)), place_of(document.origin(value.start))
                yield from values_of(value, document)
        case Sequence():
            for item in node.items:
                yield from values_of(item, document)


def keys_of(node: Node | None, document: Document, above: Place) -> Iterator[tuple[Place, set[Place]]]:
    """Where the server speaks of each mapping as a whole, at its key or else where it begins, and of its own keys."""
    match node:
        case Mapping():
            places = [place_of(document.origin_of(key)) for key, _ in node.entries]
            yield above, set(places)
            for place, (_, value) in zip(places, node.entries, strict=True):
                yield from keys_of(value, document, place)
        case Sequence():
            for item in node.items:
                yield from keys_of(item, document, place_of(document.origin(item.start)))


def composed(path: Path) -> Iterator[Document]:
    for document in documents(path.read_text(encoding="utf-8"), path.name):
        compose(document)
        yield document


def place_of(origin: Origin) -> Place:
    return origin.line, origin.column


def place_of_values(path: Path) -> dict[Place, Place]:
    """`validate` underlines the key of a list, a mapping or nothing, the server all of its lines: where these begin."""
    return {key: value for each in composed(path) for key, value in values_of(each.root, each)}


def mappings_of(path: Path) -> dict[Place, set[Place]]:
    found = defaultdict(set)
    for each in composed(path):
        for place, keys in keys_of(each.root, each, place_of(each.origin(each.root.start))):
            found[place] |= keys  # a document and the value of its first key share their place
    return found


def is_within(finding: Diagnostic, squiggle) -> bool:
    """Of equal messages on one line the server shows one, which reaches from one to the other, either way round."""
    first, last = sorted(squiggle[:2])
    return (
        first[0] == last[0]
        and first <= (finding.line, finding.column + finding.length)
        and (finding.line, finding.column) <= last
    )


def is_misspelt(squiggle, ours: dict[Place, Diagnostic], mappings: dict[Place, set[Place]]) -> bool:
    """Whether a key that the server misses is there, but misspelt; `validate` says that once, at the misspelt key."""
    lacks = LACKS.fullmatch(squiggle.message)
    said = f'did you mean "{lacks[1]}"?' if lacks else "nothing"
    here = mappings.get(squiggle.start, set())
    return any(ours[place].hint.startswith(said) for place in ours.keys() & here)


@pytest.mark.parametrize("name", names("err"))
def test_editor_and_validate_find_the_same_at_the_same_place(editor, opened, name):
    folder, files = opened["err", name]
    for path in files:
        file = path.relative_to(folder).as_posix()
        findings = [each for each in checked(folder) if each.file == file]
        if YAML & {each.rule for each in findings}:
            continue
        values = place_of_values(path)
        squiggles = editor.diagnostics_of(path)
        starts = {each.start for each in squiggles}
        ours = {(each.line, each.column): each for each in findings if each.rule in SHAPE}
        seen = {place for place in ours if {place, values.get(place)} & starts}
        seen |= {place for place, each in ours.items() if any(is_within(each, squiggle) for squiggle in squiggles)}
        assert [str(ours[place]) for place in sorted(ours.keys() - seen)] == []
        known = ours.keys() | {values.get(place) for place in ours}
        others = [each for each in squiggles if each.start not in known]
        assert [each for each in others if not is_misspelt(each, ours, mappings_of(path))] == []


def test_editor_says_what_a_text_must_be_in_the_words_of_validate(editor, opened):
    compared = []
    for folder, files in [opened["err", name] for name in names("err")]:
        for path in files:
            said = {each.start: each.message for each in editor.diagnostics_of(path)}
            for each in checked(folder):
                wrong, words, expected = each.message.partition("; expected ")
                at = each.line, each.column
                if words and " cannot be " in wrong and each.file == path.relative_to(folder).as_posix() and at in said:
                    compared.append((said[at], f"expected {expected}"))
    assert len(compared) > 10
    assert [(editors, ours) for editors, ours in compared if editors != ours] == []


@pytest.mark.parametrize("name", names("ok"))
def test_sound_cases_have_no_squiggle(editor, opened, name):
    _, files = opened["ok", name]
    assert [(path.name, *each) for path in files for each in editor.diagnostics_of(path)] == []


def test_projects_of_init_have_no_squiggle(editor, project):
    files = [editor.open(path) for path in (project / "sinchflow.yaml", *sorted((project / "flows").glob("*.yaml")))]
    assert len(files) > 10
    assert [(path.name, *each) for path in files for each in editor.diagnostics_of(path)] == []


def test_examples_and_their_tests_have_no_squiggle(editor):
    files = [editor.open(path) for path in sorted((ROOT / "flows").rglob("*.yaml"))]
    assert [path for path in files if path.name.endswith(".test.yaml")]
    assert [(path.name, *each) for path in files for each in editor.diagnostics_of(path)] == []


def test_words_that_yaml_1_1_would_misread_are_texts(editor, project):
    flow = f"""\
{MODELINE}../.sinchflow/flow.schema.json
on:
  inbound_sms: {{keyword: [YES, NO, ON, Off, 12], from: +614*, to: [+61491570156, 0491570156]}}
steps:
  - send_sms: {{to: +61491570156, message: 5.10, source_number: 0x1F}}
  - reply: yes
  - delay: {{until: 21:00}}
"""
    path = editor.open(project / "flows" / "words.yaml", flow)
    assert editor.diagnostics_of(path) == []


@pytest.mark.parametrize(
    ("name", "text", "squiggles"),
    [
        ("flows/new.yaml", "on: manual\nsteps:\n  - log: a\n---\non: manual\nsteps:\n  - lag: b\n", [(7, 5)]),
        ("flows/deep/new.yaml", "on: manual\nsteps:\n  - log: a\n    timeout: 5\n", [(4, 14)]),
        ("flows/new.test.yaml", "tests:\n  - name: a\n    script:\n      - inn: Hello\n", [(4, 9)]),
        ("tests/new.test.yaml", "flow: a\ntests: []\n", [(2, 8)]),
        ("sinchflow.yaml", "timezone: UTC\ncountry: au\n", [(2, 10)]),
        ("docker-compose.yaml", "services: {}\n", []),
    ],
)
def test_vscode_knows_files_without_modelines(vscode, project, name, text, squiggles):
    path = vscode.open(project / name, text)
    assert [each.start for each in vscode.diagnostics_of(path)] == squiggles
