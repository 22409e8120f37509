"""What a run may grow to, and that it always fits its row."""

from datetime import UTC, datetime

from sinchflow.engine.draft import LARGEST_STATE_BYTES
from sinchflow.engine.interpreter import advance, start
from sinchflow.expression.template import Templates
from sinchflow.language.build import flow_from_source
from sinchflow.model.codec import encode
from sinchflow.model.command import Sent, Woken
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.model.run import Facts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATES = Templates()


def started(source: str, text: str = "go", event: Event | None = None):
    flow = flow_from_source(source, "a.yaml", 1)
    event = event or Event(
        id=1,
        kind="inbound_sms",
        key="k",
        received_at=NOW,
        contact="+61491570156",
        fields=dict.fromkeys(EVENT_FIELDS["inbound_sms"]) | {"content": text, "metadata": {}},
    )
    return flow, event, start(flow, 7, event, {}, Facts(), NOW, TEMPLATES)


def test_long_run_lets_others_have_their_turn():
    steps = "".join(f"  - log: line {n}\n" for n in range(1_500))
    flow, event, transition = started(f"name: a\non: inbound_sms\nsteps:\n{steps}")
    *lines, pause = transition.commands
    assert (len(lines), transition.run.steps_taken, pause.until) == (1_000, 1_000, NOW)
    transition = advance(flow, transition.run, event, Woken(command=pause.id), Facts(), NOW, TEMPLATES)
    assert (transition.run.status, transition.run.steps_taken, len(transition.commands)) == ("completed", 1_500, 500)


def test_trace_stays_small():
    steps = "".join("  - log: \"{{ 'ж' * 9000 }}\"\n" for _ in range(300))
    _, _, transition = started(f"name: a\non: inbound_sms\nsteps:\n{steps}")
    assert len(transition.run.trace) == 200
    assert len(transition.run.trace[0].detail) == 500
    assert len(encode(transition.run)) < 40_000


def test_run_at_every_limit_fits_its_row():
    source = """
name: a
on: inbound_sms
vars: {big: "{{ event.content ~ event.content }}"}
steps:
  - log: "{{ 'ж' * 9000 }}"
    on_error: continue
  - id: s
    send_sms:
      to: "{{ vars.numbers | default('') | split }}"
      message: hello
    on_error: continue
  - send_sms: {to: ["+61491570100", "+61491570101", "+61491570102"], message: "{{ 'ж' * 5000 }}"}
"""
    flow, event, transition = started(source, "x" * 60_000)
    assert transition.run.status == "running"
    for command in transition.commands[1:]:
        message = {"message_id": "m" * 36, "status": "queued", "content": command.body["content"]}
        assert len(encode(transition.run)) < 256 * 1024
        transition = advance(
            flow, transition.run, event, Sent(command=command.id, message=message), Facts(), NOW, TEMPLATES
        )
    assert transition.run.status == "completed"
    assert LARGEST_STATE_BYTES < 256 * 1024


def test_long_reason_is_cut():
    _, _, transition = started("name: a\non: inbound_sms\nsteps:\n  - fail: \"{{ 'x' * 9999 }}\"\n")
    assert transition.run.status == "failed"
    assert len(transition.run.reason) == 2_000
    assert len(transition.run.error.message) == 2_000
