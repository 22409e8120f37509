"""The vendor's specification, as far as it is kept in data/openapi-*.json: which operation a request is, and whether
request and answer are as documented.

Tests of other folders load this file by its path, as test_specification.py does.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator

DATA = Path(__file__).parent / "data"


class Specification:
    """All parts merged: schemas, responses and operations by their names."""

    def __init__(self) -> None:
        self._components: dict[str, dict[str, Any]] = {}
        self.paths: dict[str, dict[str, Any]] = {}
        for file in sorted(DATA.glob("openapi-*.json")):
            part = json.loads(file.read_text(encoding="utf-8"))
            self.paths |= part.get("paths", {})
            for kind, named in part["components"].items():
                self._components.setdefault(kind, {}).update(named)

    def fits(self, schema: str | dict[str, Any], data: Any) -> None:
        """Raises jsonschema's ValidationError when the data is not as the schema, or the schema of that name, says."""
        chosen = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
        Draft202012Validator({"components": self._components, **chosen}).validate(data)

    def operation(self, method: str, target: str) -> tuple[str, dict[str, Any]]:
        """The documented path, with its parameters' names, and the operation. Raises LookupError."""
        path = target.partition("?")[0]
        found = [known for known in self.paths if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", known), path)]
        if not found:
            raise LookupError(f"no path of the specification is {path}")
        exact = min(found, key=lambda known: known.count("{"))
        if method.lower() not in self.paths[exact]:
            raise LookupError(f"the specification has no {method} of {exact}")
        return exact, self.paths[exact][method.lower()]

    def request_fits(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        """Path, query, headers and body of a request. Header names are in lower case."""
        path, operation = self.operation(method, target)
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
        given = {
            "path": re.fullmatch(pattern, target.partition("?")[0]).groupdict(),  # type: ignore[union-attr]
            "query": dict(parse_qsl(target.partition("?")[2], strict_parsing="?" in target)),
            "header": headers,
        }
        known = {place: set[str]() for place in given}
        for parameter in operation.get("parameters", ()):
            name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
            known[parameter["in"]].add(name)
            value = given[parameter["in"]].get(name)
            assert value is not None or not parameter.get("required"), f"{name} is missing"
            if value is not None:
                self.fits(parameter["schema"], _typed(unquote(value), parameter["schema"]))
        assert set(given["query"]) <= known["query"], "a query parameter that is not documented"
        wanted = operation.get("requestBody")
        assert bool(body) == bool(wanted), "a body where none belongs, or none where one does"
        if wanted:
            assert headers["content-type"] in wanted["content"]
            schema = wanted["content"][headers["content-type"]]["schema"]
            data = json.loads(body)
            self.fits(schema, data)
            strange = list(self._undocumented(schema, data))
            assert not strange, f"members that are not documented: {strange}"

    def answer_fits(self, method: str, target: str, status: int, data: Any) -> None:
        """Status and decoded body of an answer; a body whose schema is not documented may be any."""
        responses = self.operation(method, target)[1]["responses"]
        assert str(status) in responses, f"HTTP {status} is not documented, {', '.join(responses)} are"
        response = self._resolved(responses[str(status)])
        for kind, content in response.get("content", {}).items():
            if kind.startswith("application/json"):
                self.fits(content["schema"], data)

    def _undocumented(self, schema: dict[str, Any], data: Any) -> Iterator[str]:
        """Names of members, at any depth, where the schema lists members and not these."""
        known = self._resolved(schema)
        if isinstance(data, list):
            for item in data:
                yield from self._undocumented(known.get("items", {}), item)
        elif isinstance(data, dict) and "properties" in known:
            yield from set(data) - set(known["properties"])
            for name, member in known["properties"].items():
                yield from self._undocumented(member, data.get(name))

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        _, _, kind, name = part["$ref"].split("/")
        return self._resolved(self._components[kind][name])


def _typed(text: str, schema: dict[str, Any]) -> Any:
    """A parameter's text as what its schema speaks of."""
    match schema.get("type"):
        case "integer":
            return int(text)
        case "boolean":
            return {"true": True, "false": False}[text]
        case "array":
            return text.split(",")
        case _:
            return text
