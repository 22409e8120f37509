"""`sinchflow schema`: the JSON Schemas that editors use."""

from enum import StrEnum
from importlib.resources import files
from typing import Annotated

import typer


class SchemaName(StrEnum):
    """Which kind of file a schema describes."""

    FLOW = "flow"
    PROJECT = "project"
    TEST = "test"


def schema(
    name: Annotated[
        SchemaName, typer.Argument(help="flow: files in flows/; project: sinchflow.yaml; test: *.test.yaml.")
    ] = SchemaName.FLOW,
) -> None:
    """Print the JSON Schema of flows, of sinchflow.yaml or of transcript tests, for editors and other tools.

    \b
    Examples:
      sinchflow schema > flow.schema.json
      sinchflow schema project > project.schema.json
      sinchflow schema test > test.schema.json
    """
    print(read_schema(name.value), end="")


def read_schema(name: str) -> str:
    """The schema's text; `name` is `flow`, `project` or `test`."""
    return files("sinchflow").joinpath("schemas", f"{name}.schema.json").read_text(encoding="utf-8")
