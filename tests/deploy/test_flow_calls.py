"""How people are told where a flow's webhook is called."""

import pytest

from sinchflow.deploy.flow_calls import flow_call_lines
from sinchflow.model.flow import Flow, Hmac, Text, Webhook
from sinchflow.model.origin import Origin

ORIGIN = Origin(file="flows/a.yaml", line=3, column=5)
TOKEN = Text("{{ secrets.TOKEN }}", ORIGIN)


def flow(enabled=True, **fields):
    trigger = Webhook(origin=ORIGIN, path="/bookings", **fields)
    return Flow(name="a", digest="", origin=ORIGIN, triggers=(trigger,), steps=(), enabled=enabled)


@pytest.mark.parametrize(
    ("flow", "public_url", "lines"),
    [
        (
            flow(token=TOKEN),
            "https://sms.example.com",
            [
                "webhook of a: POST https://sms.example.com/flows/bookings",
                "  with the header X-Token: {{ secrets.TOKEN }}",
                "  curl -H 'X-Token: …' -H 'Content-Type: application/json' -d '{}' "
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
