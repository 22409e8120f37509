# ruff: noqa: E501 (data)
"""Sound inputs to begin with, and words of each language, for what is fuzzed (`_fuzzed`)."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def as_json(*values: Any) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


INBOUND = {
    "reply_id": "r1", "message_id": "m1", "source_address": "61491570156", "destination_address": "+61491593156",
    "content": "Yes", "date_received": "2026-03-02T22:30:00Z", "metadata": {"a": "b"}, "status_code": "220",
    "attachments": [{"attachment_type": "image/png", "attachment_content": "aGk=", "attachment_name": "a.png"}],
}  # fmt: skip
BODIES = as_json(
    INBOUND,
    {**INBOUND, "event": "inbound", "metadata": [{"metadata_key": "a", "metadata_value": "b"}]},
    {"delivery_report_id": "d1", "message_id": "m1", "status": "delivered", "source_number": "+61491570156",
     "original_text": "Hi", "metadata": {"sinchflow_id": "1"}, "submitted_date": "2026-03-02T22:30:00Z"},
    {"notification_id": "n1", "source_address": "+61491570156", "destination_address": "+61491593156",
    "content": "STOP"},
)  # fmt: skip


TEMPLATES = [
    b"Hello {{ event.content | upper }}, {{ vars.n + 1 }}", b"{% for a in event.l %}{{ a }}{% endfor %}",
    b"{{ now() }}",
    b"{{ event.m.a['b'][1:3] | default('x') | truncate(5) }}",
    b"{% if event.content in ['a'] %}x{% else %}y{% endif %}",
    b"{{ 'a' * 100 }}", b"{{ 2 ** 10 }}", b"{{ '%05d' % 3 }}", b"{{ event.content | regex_replace('a', 'b') }}",
    b"{{ event.l | map(attribute='a') | join(',') }}", b"{{ event.t | date('%d.%m.%Y') }}", b"{{ vars | tojson }}",
    b"{{ (1 if event.n is none else 2) ~ 'x' }}", b"{{ event.content | phone('AU') }}", b"{{ [1, 2, 3] | sum }}",
]  # fmt: skip
TEMPLATE_PIECES = [
    b"{{ ", b" }}", b"{% for x in ", b" %}", b"{% endfor %}", b"{% if ", b"{% endif %}", b"event.content", b"event.l",
    b"vars.big",
    b"event.m", b" * ", b" ** ", b" ~ ", b" | ", b"(", b")", b"[", b"]", b"9999999", b"10**9", b"'%1000000000d' % 1",
    b"range(10**9)",
    b"'x' * 9999", b"now()", b"|join", b"|length", b"|tojson", b"|int", b"|float", b"|round(9999)",
    b"|date('%Y' * 999)",
    b"|replace('', 'x' * 999)", b"|sort", b"|unique", b"|batch(1)", b"|format(10**9)", b"|center(10**9)",
    b"|indent(10**9)",
    b"|wordwrap(1)", b"|add_months(10**9)", b"|duration", b"|default(", b"loop.index", b"-", b"not ", b" in ", b":",
    b",",
]  # fmt: skip


def files(*patterns: str, most: int = 60_000) -> list[bytes]:
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [data for path in found if len(data := path.read_bytes()) < most]


def lines(bodies: Iterable[bytes], *heads: bytes) -> list[bytes]:
    return [head + b"\n" + body for body in bodies for head in heads]


YAML_PIECES = [
    b"  ", b"\n  - ", b": ", b"steps:\n", b"on: ", b"&a ", b"*a", b"<<: *a", b"| ", b"> ", b"!!int ", b"\n---\n",
    b"{", b"}", b"[",
    b"]", b"1e999999", b"{{ ", b" }}", b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: [*d,*d]\n",
    b"if: ", b"2026-01-01",
    b"99999999999999d", b"1d", b"+61491570156", b"\x85", b"'", b'"', b"#", b"# sinchflow: ignore ",
    b"repeat: {times: 99999999999}\n",
]  # fmt: skip
ANSWERS = [
    b"200\nContent-Type: application/json\nRetry-After: 7\n\n" + b'{"id": 5, "list": [1, {"a": null}], "s3cr3t": "s3cr3t"}',
    b"503\nContent-Type: text/html; charset=iso-8859-1\nRetry-After: Mon, 02 Mar 2026 22:31:00 GMT\n\n<html>s3cr3t</html>",
    b"200\nContent-Type: text/csv\n\nnumber,name\n+61491570156,Jo\n", b"302\nLocation: https://b.example/x\n\n",
    b"200\nContent-Encoding: gzip\n\n" + base64.b64decode("H4sIAAAAAAACA8tIzcnJBwCGphA2BQAAAA=="), b"404\n\n%73%33cr3t",
]  # fmt: skip
ANSWER_PIECES = [
    b"\nContent-Encoding: gzip", b"\nContent-Encoding: deflate", b"\nContent-Type: text/plain; charset=", b"punycode", b"utf-7", b"utf-16",
    b"idna", b"hz", b"\nRetry-After: ", b"\nLocation: ", b"http://[::1", b"//", b"\nContent-Length: 99", b"unicode_escape", b"; charset=\"",
    b"Mon, 99 Foo 99999999999999999 99:99:99 +9999", b"https://s3cr3t@x/", b"charset*=utf-8''x", b"mbcs", b"base64", b"\xff\xfe",
]  # fmt: skip
SHAPES = [
    {"messages": [{"message_id": "m1", "status": "queued"}, {"message_id": "m2", "status": "queued"}]},
    {"message": "Bad", "details": ["/messages/0/content: may not be empty", "messages[1].x: no"]},
    {"title": "x", "detail": "y", "invalidFields": [{"name": "a", "reason": "b"}]},
    {"replies": [INBOUND], "delivery_reports": [{"delivery_report_id": "1"}]}, [{"key_id": "k", "digest": "SHA512", "cipher": "RSA"}],
    {"page": 0, "pageSize": 10, "pageData": [{"id": "1", "url": "https://x", "method": "POST", "events": ["A"], "headers": {}, "template": "x"}]},
    {"properties": {}, "pagination": {"page": "2", "next_uri": "x"}, "numbers": ["61491570156", {"number": "1", "authorised": True}],
     "data": [{"number": {"phone_number": "+6140", "capabilities": ["SMS"]}, "source_address": "x", "usage_type": "ALPHANUMERIC"}]},
    {"properties": {}, "pagination": {"page": 1, "page_size": 100, "total_count": 1, "page_count": 1},
     "data": [{"id": "m1", "status": "delivered", "metadata": [{"key": "sinchflow_id", "value": "1"}], "timestamp": "2026-03-02T22:30:00Z"}]},
    {"key_id": "k", "public_key": "TUlJ", "digest": "SHA512", "cipher": "RSA", "created": "x", "enabled": True},
]  # fmt: skip

FLOWS = """\
name: asked
on: [manual, {webhook: {path: /asked}}]
inputs: {number: {type: phone, default: '+61491570156'}, people: {type: integer, default: 1}, more: {type: list, default: []}}
steps: [{log: "{{ inputs.people }} {{ inputs.more }}"}]
---
name: greet
on: {inbound_sms: {keyword: [yes, no], from: "+61*"}}
steps: [{remember: {word: "{{ event.content }}"}}, {log: x}]
"""
REQUESTS = [
    *(b"POST /hooks/TOKEN/%s\ncontent-type: application/json\n\n%s" % (kind, body)
      for kind in (b"inbound", b"receipts", b"opt-outs", b"callback") for body in BODIES),
    *(b"POST /flows/asked?a=b\ncontent-type: %s\n\n%s" % pair for pair in (
        (b"application/json", b'{"number": "+61491570156", "people": 2}'), (b"application/x-www-form-urlencoded", b"a=b"))),
    *(b"GET %s\n\n\n" % path for path in (
        b"/health", b"/metrics", b"/api/sends?state=held&limit=5", b"/api/runs?status=failed&flow=a&limit=5&since=2026-01-01T00:00:00Z",
        b"/api/runs/1", b"/api/runs/changes?after=5", b"/api/contacts?limit=5&after=x", b"/api/contacts/%2B61491570156", b"/api/events/1",
        b"/api/events?kind=inbound_sms&limit=5&before=7", b"/api/events/quarantined?limit=5", b"/api/restored", b"/api/status", b"/api/flows",
        b"/api/why?number=%2B61491570156&text=yes", b"/hooks/TOKEN/inbound", b"/api/why?event=5")),
    *(b"POST %s\ncontent-type: application/json\n\n%s" % pair for pair in (
        (b"/api/flows/asked/start", b'{"inputs": {"number": "+61491570156", "people": 2, "more": [1, {"a": 2}]}}'),
        (b"/api/flows/asked/dry-run", b'{"inputs": {"number": "+61491570156"}}'), (b"/api/flows/greet/start", b"{}"),
        (b"/api/runs/1/retry", b"{}"), (b"/api/runs/retry", b'{"flow": "a", "since": "2026-01-01T00:00:00Z"}'),
        (b"/api/runs/cancel", b'{"ids": [1, 2], "who": "me"}'), (b"/api/runs/1/cancel", b'{"who": "me"}'),
        (b"/api/runs/1/resolve", b'{"as": "done"}'), (b"/api/sends/1/resolve", b'{"as": "sent", "who": "me"}'),
        (b"/api/contacts/%2B61491570156/suppress", b'{"reason": "x"}'), (b"/api/contacts/%2B61491570156/allow", b"{}"),
        (b"/api/contacts/%2B61491570156/forget", b"{}"), (b"/api/events/reparse", b'{"ids": [1]}'), (b"/api/events/discard", b'{"ids": [1]}'),
        (b"/api/restored/hold", b"{}"), (b"/api/pause", b'{"reason": "x", "who": "y"}'), (b"/api/resume", b"{}"), (b"/api/reload", b""))),
]  # fmt: skip
REQUEST_PIECES = [
    b"&limit=", b"9" * 5_000, b"-1", b"%00", b"%ff", b"%ed%a0%80", b"&since=", b"9999-12-31T23:59:59+23:59", b"0001-01-01T00:00:00-23:59",
    b"/api/", b"&a=b" * 300, b"1e9", b"NaN", b"\ntraceparent: 00-", b"\nexpect: 100-continue", b'"ids": ', b"[" * 900, b'{"inputs": {"more": ',
    b"%2B", b"%F0%9F", b"&state=", b"&status=", b"\ncontent-encoding: gzip", b"\norigin: http://evil.example", b"?", b"&", b"=",
]  # fmt: skip
PROJECTS = [
    *files("tests/cases/validate/*/*/sinchflow.yaml", "flows/*/sinchflow.yaml"),
    b"credentials: {api_key: key, api_secret: '{{ secrets.A }}'}\nwebhooks: {token: x, public_url: 'https://a.example'}\n"
    b"policy: {quiet_hours: {from: '21:00', to: '8:00'}, max_sends_per_contact: {max: 5, per: 1h}}\nlists: {vip: vip.csv}\n"
    b"calendars: {office: {timezone: Australia/Melbourne, hours: {mon-fri: '9:00-17:00'}, closed: [2026-01-01]}}\n"
    b"env: {A: b}\nretention: {runs: 30d}\nlimits: {calls: 100}\noutbound: {allow: [10.0.0.0/8]}\n",
]
