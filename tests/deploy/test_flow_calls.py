"""How people are told where a flow's webhook is called."""

import pytest

from sinchflow.deploy.flow_calls import flow_call_lines, rehearsal_lines
from sinchflow.model.flow import Flow, Hmac, Input, Text, Webhook
from sinchflow.model.origin import Origin

ORIGIN = Origin(file="flows/a.yaml", line=3, column=5)
TOKEN = Text("{{ secrets.TOKEN }}", ORIGIN)


def flow(enabled=True, inputs=None, **fields):
    trigger = Webhook(origin=ORIGIN, path="/bookings", **fields)
    return Flow(name="a", digest="", origin=ORIGIN, triggers=(trigger,), steps=(), enabled=enabled, inputs=inputs or {})


@pytest.mark.parametrize(
    ("flow", "public_url", "lines"),
    [
        (
            flow(token=TOKEN),
            "https://sms.example.com",
            [
                "webhook of a: POST https://sms.example.com/flows/bookings",
                "  with the header X-Token: {{ secrets.TOKEN }}",
                "  curl -H \"X-Token: $SINCHFLOW_SECRET_TOKEN\" -H 'Content-Type: application/json' -d '{}' "
                "https://sms.example.com/flows/bookings",
            ],
        ),
        (
            flow(method=("GET",), hmac=Hmac(secret=Text("written out", ORIGIN), algorithm="sha1")),
            None,
            [
                "webhook of a: GET https://PUBLIC-ADDRESS/flows/bookings",
                "  with the header X-Signature: HMAC-SHA1 of the body with the secret (see flows/a.yaml:3:5)",
                "  curl -X GET -H 'X-Signature: …' https://PUBLIC-ADDRESS/flows/bookings",
            ],
        ),
        (flow(enabled=False, token=TOKEN), None, []),
    ],
)
def test_address_header_and_a_line_to_try(flow, public_url, lines):
    assert list(flow_call_lines([flow], public_url)) == lines


@pytest.mark.parametrize(
    ("sources", "body"),
    [
        (
            [("phone", "{{ event.json.who.phone }}"), ("integer", "{{ event.json.people | default(1) }}")],
            """-H 'Content-Type: application/json' -d '{"id": "id", "who": {"phone": "+61491570156"}, "people": 1}'""",
        ),
        ([("string", "{{ event.json.who }}"), ("string", "{{ event.json.who.name }}")], None),
    ],
)
def test_body_to_try_has_the_fields_that_the_flow_asks_for(sources, body):
    inputs = {
        f"n{index}": Input(type=kind, value=Text(source, ORIGIN), has_value=True)
        for index, (kind, source) in enumerate(sources)
    }
    asked = flow(token=TOKEN, inputs=inputs, dedupe=Text("{{ event.json.id }}", ORIGIN))
    lines = list(rehearsal_lines([asked], "http://127.0.0.1:8080", {"TOKEN": "made-up"}))
    assert lines[0].startswith('curl -H "X-Token: made-up" ')
    if body:
        assert lines == [f'curl -H "X-Token: made-up" {body} http://127.0.0.1:8080/flows/bookings']


def test_body_to_try_is_a_form_where_the_flow_reads_one():
    inputs = {"n": Input(type="phone", value=Text("{{ event.form.From }}", ORIGIN), has_value=True)}
    assert list(rehearsal_lines([flow(inputs=inputs)], "http://x", {})) == [
        "curl -d 'From=+61491570156' http://x/flows/bookings"
    ]
