"""The schemas are valid draft-07, teach on hover, and are told apart by nothing that `Forms` does not see."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchflow.language.document import compose
from sinchflow.language.forms import Forms
from sinchflow.language.nodes import Document
from sinchflow.language.shape import read_schema

KINDS = ["flow", "project", "test"]
#: What `Forms` keeps of a value; a keyword that is not here would have to be seen by it.
SEEN = {
    "$schema", "$id", "$ref", "title", "description", "default", "definitions", "type", "enum", "pattern", "minLength",
    "maxLength", "minimum", "maximum", "minItems", "minProperties", "maxProperties", "required", "properties",
    "additionalProperties", "propertyNames", "patternProperties", "items",
    "maxItems", "if", "then", "else",
}  # fmt: skip


def schemas_in(schema):
    """Every schema inside of a schema, itself included, with the name that it has."""
    todo = [("", schema)]
    while todo:
        name, item = todo.pop()
        yield name, item
        for key in ("properties", "patternProperties", "definitions"):
            todo += item.get(key, {}).items()
        inner = [item.get(key) for key in ("items", "additionalProperties", "else")]
        todo += [("", each) for each in inner if isinstance(each, dict)]


@pytest.mark.parametrize("kind", KINDS)
def test_schema_is_valid_draft_07(kind):
    schema = read_schema(kind)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("kind", KINDS)
def test_every_property_has_a_description(kind):
    schema = read_schema(kind)
    bare = [
        name
        for _, item in schemas_in(schema)
        for name, inner in item.get("properties", {}).items()
        if not inner.get("description") and not inner.get("$ref")
    ]
    assert bare == []
    assert [name for name, inner in schema.get("definitions", {}).items() if not inner["description"]] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_property_shows_an_example_that_is_yaml_and_uses_it(kind):
    wrong = []
    for _, item in schemas_in(read_schema(kind)):
        for name, inner in item.get("properties", {}).items():
            examples = re.findall(
                r"Example: `([^`\n]+)`|Example:\n```yaml\n(.*?)\n```", inner.get("description", ""), re.S
            )
            for text in [line or block for line, block in examples] or ([] if "$ref" in inner else [""]):
                document = Document("example", 1, text, "")
                if compose(document) or not re.search(rf"(^|[ {{-]){name}:", text, re.M):
                    wrong.append((name, text))
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_mapping_says_what_other_keys_it_takes(kind):
    open_ = [
        name
        for name, item in schemas_in(read_schema(kind))
        if "object" in item.get("type", []) and "additionalProperties" not in item and "propertyNames" not in item
    ]
    assert open_ == []


@pytest.mark.parametrize("kind", KINDS)
def test_forms_see_all_that_the_schema_looks_at(kind):
    used = {key for _, item in schemas_in(read_schema(kind)) for key in item}
    assert used - SEEN == set()


@pytest.mark.parametrize("kind", KINDS)
def test_schema_file_is_written_as_the_formatter_would(kind):
    path = Path(__file__).parents[2] / "schemas" / f"{kind}.schema.json"
    assert path.read_text(encoding="utf-8") == json.dumps(read_schema(kind), indent=2, ensure_ascii=False) + "\n"


TEXTS = st.sampled_from(
    ["", "a", "5s", "5 s", "GET", "get", "x" * 60, "x" * 61, "5xx", "continue", "manual", "a-b", "1"]
)
VALUES = st.one_of(TEXTS, st.integers(-1, 1000), st.booleans(), st.none())
STEPS = st.dictionaries(
    st.sampled_from(["id", "name", "if", "timeout", "log", "reply", "set", "on_error", "http", "retry"]),
    st.one_of(VALUES, st.lists(VALUES, max_size=2), st.dictionaries(st.sampled_from(["url", "a-b", "a"]), VALUES)),
    max_size=4,
)


@given(st.lists(STEPS, max_size=3), st.lists(STEPS, max_size=3), VALUES, VALUES)
def test_values_of_one_form_pass_or_fail_alike(first, second, name, other):
    schema = read_schema("flow")
    validator = jsonschema.Draft7Validator(schema)
    forms = Forms("flow", schema, set())
    for steps, called in [(first, name), (second, other), (first, other), (second, name)]:
        flow = {"on": "manual", "name": called, "steps": steps}
        parts = forms.of_parts(flow)
        if forms.are_sound(parts):
            assert validator.is_valid(flow)
        elif validator.is_valid(flow):
            forms.remember(parts)
