"""What an editor offers while somebody writes, and what it tells of a word that is there.

`¦` is the cursor.
"""

import json
import re
from itertools import count
from textwrap import indent

import pytest

from sinchflow.cli.schema import SchemaName, read_schema
from sinchflow.language.outline import ACTIONS

FILES = {"flow": "flows/draft{}.yaml", "test": "flows/draft{}.test.yaml", "project": "drafts/draft{}.yaml"}
MODELINE = "# yaml-language-server: $schema=../.sinchflow/{}.schema.json\n"
NUMBERS = count()
EXAMPLE = re.compile(r"Example: `([^`\n]+)`|Example:\n```yaml\n(.*?)\n```", re.S)
FLOW = json.loads(read_schema(SchemaName.FLOW))
STEP = FLOW["definitions"]["step"]["properties"]
TRIGGERS = FLOW["properties"]["on"]["properties"]
FILTERS = FLOW["definitions"]["inbound_sms"]["properties"]
STATUSES = FLOW["definitions"]["delivery_receipt"]["properties"]["status"]["then"]["enum"]


@pytest.fixture
def at_cursor(editor, project):
    """Opens a text in the editor; gives the file, and the line and column of the cursor."""

    def opened(kind, text):
        before, after = (MODELINE.format(kind) + text).split("¦")
        path = editor.open(project / FILES[kind].format(next(NUMBERS)), before + after)
        return path, before.count("\n") + 1, len(before) - before.rfind("\n")

    return opened


@pytest.mark.parametrize(
    ("kind", "text", "offered"),
    [
        ("flow", "¦", FLOW["properties"]),
        ("flow", "name: a\n¦", [key for key in FLOW["properties"] if key != "name"]),
        ("flow", "on:\n  ¦", TRIGGERS),
        ("flow", "on: ¦", TRIGGERS),
        ("flow", "on:\n  inbound_sms:\n    ¦", FILTERS),
        ("flow", "on:\n  inbound_sms: {k¦}", ["keyword"]),
        ("flow", "on:\n  - inbound_sms:\n      ¦", FILTERS),
        ("flow", "on:\n  inbound_sms:\n    - ¦", FILTERS),
        ("flow", "on: manual\nsteps:\n  - ¦", STEP),
        ("flow", "on: manual\nsteps:\n  - id: a\n    ¦", ACTIONS),
        ("flow", "on: manual\nsteps:\n  - choose:\n      - if: 1 > 0\n        steps:\n          - ¦", STEP),
        ("flow", "on: manual\nsteps:\n  - log: x\n    on_error:\n      - ¦", STEP),
        ("flow", "on: manual\nsteps:\n  - send_sms:\n      ¦", STEP["send_sms"]["properties"]),
        ("flow", "on: manual\nsteps:\n  - send_sms: {to: +61491570156, m¦}", ["message"]),
        ("flow", "on: manual\nsteps:\n  - http:\n      ¦", STEP["http"]["properties"]),
        ("flow", "on: manual\nsteps:\n  - log: x\n    retry: {b¦}", ["backoff"]),
        ("project", "¦", ["service", "credentials", "policy", "lists"]),
        ("project", "policy:\n  ¦", ["quiet_hours", "opt_out", "staff"]),
        ("test", "tests:\n  - name: a\n    script:\n      - ¦", ["in", "out", "advance", "silence"]),
    ],
)
def test_keys_are_offered_with_what_they_mean(editor, at_cursor, kind, text, offered):
    found = editor.completions(*at_cursor(kind, text))
    assert {key for key in offered if not found.get(key)} == set()


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("flow", "on:\n  delivery_receipt:\n    status: ¦", STATUSES),
        ("flow", "on:\n  delivery_receipt:\n    status: [failed, ¦]", STATUSES),
        ("flow", "on: {delivery_receipt: {status: ¦}}", STATUSES),
        ("flow", "on: manual\nsteps:\n  - send_sms:\n      format: ¦", ["SMS", "MMS", "TTS"]),
        ("flow", "on: manual\nsteps:\n  - log: x\n    retry: {backoff: ¦}", ["constant", "linear", "exponential"]),
        ("flow", "on: manual\nsteps:\n  - log: x\n    on_error: ¦", ["continue"]),
        ("flow", "on: manual\nsteps:\n  - http:\n      method: ¦", ["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ("flow", "enabled: ¦", ["true", "false"]),
        ("project", "service: ¦", ["messagemedia", "engage_eu", "engage_au", "etxt"]),
        ("project", "policy:\n  opt_out: ¦", ["off"]),
        ("test", "tests:\n  - name: a\n    script:\n      - receipt: ¦", STATUSES),
    ],
)
def test_words_that_a_key_takes_are_offered(editor, at_cursor, kind, text, words):
    found = editor.completions(*at_cursor(kind, text))
    assert {word for word in words if word not in found} == set()
    assert [word for word in words if not found[word]] in ([], ["true", "false"])


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("flow", "na¦me: a", "Example: `name: opening-hours`"),
        ("flow", "¦on: manual", "  inbound_sms:\n    keyword: [HOURS, OPEN]\n"),
        ("flow", "on:\n  inbo¦und_sms:\n    keyword: X", "Example: `inbound_sms: {keyword: [HOURS, OPEN]}`"),
        ("flow", "on:\n  inbound_sms:\n    key¦word: X", "Example: `keyword: [HOURS, OPEN]`"),
        ("flow", "on:\n  - inbound_sms:\n      key¦word: X", "Example: `keyword: [HOURS, OPEN]`"),
        ("flow", "on:\n  delivery_receipt:\n    status: [fai¦led]", "* `failed`"),
        ("flow", "on: {webhook: {path: /x, ded¦upe: x}}", "Example: `dedupe: "),
        ("flow", "on: manual\nthrottle: {max: 1, p¦er: 10m}", "Example: `per: 10m`"),
        ("flow", "on: manual\nsteps:\n  - i¦d: a", "Example: `id: crm`"),
        ("flow", "on: manual\nsteps:\n  - rep¦ly: x", "Gives `steps.ID.messages message_id status sent"),
        ("flow", "on: manual\nsteps:\n  - reply:\n      mess¦age: x", "Example: `message: "),
        ("flow", "on: manual\nsteps:\n  - ht¦tp: {url: 'https://a.example'}", "  url: https://crm"),
        ("flow", "on: manual\nsteps:\n  - log: x\n    retry: {back¦off: linear}", "* `linear`"),
        ("flow", "on: manual\nsteps:\n  - wait_for_reply:\n      time¦out: 1h", "Example: `timeout: "),
        ("flow", "on: manual\ninputs:\n  num¦ber: {type: phone}", "Example: `number: {type: phone, "),
        ("flow", "on: manual\nsteps:\n  - reply: {d¦e: Hallo}", "Example: `reply: {en: "),
        ("flow", "on: manual\nsteps:\n  - wait_for_reply: {categories: {o¦k: {answer: yes}}}", "Example: `confirmed: "),
        (
            "flow",
            "on: manual\nsteps:\n  - log: x\n    on_er¦ror: continue",
            "What happens when the step fails for good",
        ),
        ("project", "time¦zone: UTC", "Example: `timezone: "),
        ("project", "limits: {ca¦lls: off}", "Example: `calls: 50`"),
        ("project", "accounts: {n¦z: {service: engage_au}}", "Example: `nz: {service: "),
        ("project", "calendars: {off¦ice: {weekly: {sat: 09:00-12:00}}}", "Example: `office: {weekly: "),
        ("project", "policy: {quiet_hours: {fr¦om: 21:00}}", "Example: `from: 21:00`"),
        ("test", "tests:\n  - name: a\n    script:\n      - adv¦ance: 1h", "Example: `"),
    ],
)
def test_a_key_says_what_it_is(editor, at_cursor, kind, text, told):
    assert told in editor.hover(*at_cursor(kind, text))


def resolved(schema, part):
    reference = part.get("$ref")
    return schema["definitions"][reference.removeprefix("#/definitions/")] if reference else part


def keys_of(schema, node, above=(), seen=()):
    """Each key that a file may have: those above it (`-` for an item of a list), its name and what is said of it."""
    for name, part in node.get("properties", {}).items():
        inner = resolved(schema, part)
        yield above, name, inner["description"]
        yield from keys_of(schema, inner, (*above, name), seen)
    for key, word in (("items", "-"), ("additionalProperties", "nz")):
        part = node.get(key)
        if isinstance(part, dict) and part.get("$ref") not in seen:
            yield from keys_of(schema, resolved(schema, part), (*above, word), (*seen, part.get("$ref", "")))


def nested(above, name, description):
    """The example of a description below its keys; the cursor stands in the key that it is about."""
    text = next(line or block for line, block in EXAMPLE.findall(description)).removeprefix("- ")
    key = re.search(rf"^{name}:|[ {{]{name}:", text, re.MULTILINE)
    text = f"{text[: key.end() - 2]}¦{text[key.end() - 2 :]}" if key else f"{name}¦:"
    for part in reversed(above):
        inner = indent(text, "  ")
        text = f"- {inner[2:]}" if part == "-" else f"{part}:\n{inner}"
    return text + "\n"


@pytest.mark.parametrize("kind", FILES)
def test_every_key_says_what_it_is_and_shows_an_example_that_is_sound(editor, at_cursor, kind):
    schema = json.loads(read_schema(SchemaName(kind)))
    opened = [(key, at_cursor(kind, nested(*key))) for key in keys_of(schema, schema)]
    wrong = []
    for (above, name, description), place in opened:
        against = {each.message for each in editor.diagnostics_of(place[0])}
        against = {each for each in against if not each.startswith("Missing property ")}  # beside the example's keys
        if description not in editor.hover(*place) or against:
            wrong.append((*above, name, editor.hover(*place), against))
    assert wrong == []
