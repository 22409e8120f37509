"""`sinchflow schema`: the JSON Schemas that editors use, and the copies of them in a project.

Editors get them with four additions. A title for each key, or they would show the whole schema's everywhere;
`markdownDescription`, as they show a `description` letter by letter; snippets of the words that a key takes, which they
offer by themselves only where `enum` stands on the key itself; and messages in the words of `validate`, as theirs show
regular expressions.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.errors import SinchflowError, UsageError

_MOST_NAMED = 8


class SchemaName(StrEnum):
    """Which kind of file a schema describes."""

    FLOW = "flow"
    PROJECT = "project"
    TEST = "test"


def schema(
    context: typer.Context,
    name: Annotated[
        SchemaName | None,
        typer.Argument(show_default="flow", help="flow: files in flows/; project: sinchflow.yaml; test: *.test.yaml."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Renew the project's copies in .sinchflow/, and say what changed.")
    ] = False,
) -> None:
    """Print the JSON Schema of flows, of sinchflow.yaml or of transcript tests, for editors and other tools.

    `sinchflow init` writes copies of them, which editors find by the first line of each file. After an upgrade,
    `sinchflow schema --write` renews them.

    \b
    Examples:
      sinchflow schema > flow.schema.json
      sinchflow schema project > project.schema.json
      sinchflow schema --write
    """
    if not write:
        print(read_schema(name or SchemaName.FLOW), end="")
        return
    if name is not None:
        raise UsageError("--write renews all schemas; leave out the name")
    for each in SchemaName:
        print(_renew(root_of(context), each))


def read_schema(name: SchemaName) -> str:
    """The schema's text, as editors get it."""
    text = files("sinchflow").joinpath("schemas", f"{name.value}.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    for key, inner in _schemas_in(schema):
        about = inner.get("description", "")
        shown = {"title": inner.get("title", key), "markdownDescription": about} if about else {}
        inner |= shown | _messages(inner)
        if then := inner.get("then"):  # editors explain a word by it first
            inner["defaultSnippets"] = [{"label": word, "body": word, "description": about} for word in then["enum"]]
            then |= shown | ({"errorMessage": then["description"]} if "description" in then else {})
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _messages(schema: dict[str, Any]) -> dict[str, str]:
    """What editors say of a text that does not fit a schema's pattern."""
    from sinchflow.language.shape import pattern_words

    return {"patternErrorMessage": f"expected {pattern_words(schema['pattern'])}"} if "pattern" in schema else {}


def place_of(name: SchemaName) -> str:
    """Where a project keeps its copy."""
    return f".sinchflow/{name.value}.schema.json"


def _renew(root: Path, name: SchemaName) -> str:
    """Writes a project's copy; gives what there is to say of it."""
    path, new = root / place_of(name), read_schema(name)
    try:
        old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if old != new:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(new, encoding="utf-8")
    except OSError as error:
        raise SinchflowError(f"cannot write {error.filename}: {error.strerror}") from error
    return f"{place_of(name)}: {_change(old, new)}"


def _change(old: str, new: str) -> str:
    if old == new:
        return "as it was"
    try:
        before = set(_keys(json.loads(old)))
    except (ValueError, AttributeError):
        return "written"
    after = set(_keys(json.loads(new)))
    parts = [f"{word} {_listed(keys)}" for word, keys in (("new", after - before), ("gone", before - after)) if keys]
    return f"renewed; {'; '.join(parts)}" if parts else "renewed; the same keys"


def _listed(keys: set[str]) -> str:
    shown = sorted(keys)[:_MOST_NAMED]
    return ", ".join(shown) + (f" and {len(keys) - len(shown)} more" if len(keys) > len(shown) else "")


def _keys(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    """Every key that the files may have, with those above it: `http.parse`."""
    for name, inner in schema.get("properties", {}).items():
        yield above + name
        yield from _keys(inner, f"{above}{name}.")
    for name, inner in schema.get("definitions", {}).items():
        yield from _keys(inner, "" if name == "step" else f"{name}.")
    for key in ("items", "additionalProperties"):
        if isinstance(inner := schema.get(key), dict):
            yield from _keys(inner, above)


def _schemas_in(schema: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and all schemas inside of it, each with the key that it is for."""
    if not isinstance(schema, dict):
        return
    yield name, schema
    for key in ("properties", "definitions"):
        for inner_name, inner in schema.get(key, {}).items():
            yield from _schemas_in(inner, inner_name)
    for inner in (schema.get("patternProperties") or {}).values():
        yield from _schemas_in(inner, name)
    for key in ("items", "additionalProperties", "propertyNames", "else"):
        yield from _schemas_in(schema.get(key), name)
