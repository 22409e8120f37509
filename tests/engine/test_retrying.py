"""Going on with runs that failed: what the cases in tests/cases/run cannot show."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from sinchflow.engine.interpreter import advance, awaits, cancel, retry, start
from sinchflow.engine.retrying import CannotRetry, why_not
from sinchflow.expression.template import Templates
from sinchflow.language.build import flow_from_source
from sinchflow.model.codec import decode_run, encode
from sinchflow.model.command import Answered, Failed, Sent, Woken
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.model.run import Facts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATES = Templates()
EVENT = Event(
    id=1, kind="inbound_sms", key="k", received_at=NOW, contact="+61491570156",
    fields=dict.fromkeys(EVENT_FIELDS["inbound_sms"]) | {"content": "go", "metadata": {}},
)  # fmt: skip
TWO = """\
name: a
on: inbound_sms
timeout: 1h
vars: {to: ["+61491570110", "+61491570156", "+61491570157"]}
steps:
  - parallel:
      - - send_sms: {to: "{{ vars.to + (contact.more | default([])) }}", message: hello}
      - - wait_for_reply: {timeout: 2h}
      - - http: {url: https://x.example}
"""


def begun(source, text="go"):
    flow, event = flow_from_source(source, "a.yaml", 1), replace(EVENT, fields={**EVENT.fields, "content": text})
    return flow, start(flow, 7, event, {}, Facts(), NOW, TEMPLATES)


def on(flow, run, outcome, now=NOW):
    return advance(flow, decode_run(encode(run)), EVENT, outcome, Facts(), now, TEMPLATES)


def again(flow, run, **how):
    now = how.pop("now", NOW)
    return retry(flow, decode_run(encode(run)), EVENT, how.pop("facts", Facts()), now, TEMPLATES, **how)


def failed(flow, run):
    run = on(flow, run, Failed(command=f"{run.asks_as}:0.parallel.2.0:0", kind="status", message="no")).run
    assert run.status == "failed"
    return run


def test_outcomes_of_the_first_try_mean_nothing_to_the_second():
    flow, transition = begun(TWO)
    first = [command.id for command in transition.commands]
    run = again(flow, failed(flow, transition.run), now=NOW + timedelta(minutes=30)).run
    assert run.retries == 1
    for command in first:
        late = [
            Sent(command=command, message={}),
            Woken(command=command),
            Failed(command=command, kind="x", message=""),
        ]
        for outcome in [*late, Answered(command=command, status=200, headers={}, text="")]:
            assert not awaits(run, command)
            assert on(flow, run, outcome, NOW + timedelta(hours=1)).run == run


def test_row_of_a_run_that_has_not_failed_is_no_larger():
    flow, transition = begun(TWO)
    assert not any(name in encode(transition.run) for name in (b"stand", b"retr", b"lost"))
    run = failed(flow, transition.run)
    assert len(encode(run)) < len(encode(transition.run)) + 700


def test_people_who_have_their_message_are_known_by_who_they_are():
    flow, transition = begun(TWO)
    run = on(flow, transition.run, Sent(command="7:0.parallel.0.0:1", message={"message_id": "m"})).run
    run = failed(flow, run)
    commands = again(flow, run).commands
    assert [command.to for command in commands[:2]] == ["+61491570110", "+61491570157"]
    more = Facts(contact={"number": "+61491570156", "more": ["+61491570158"]})
    with pytest.raises(CannotRetry, match="whom it sends to has changed since"):
        again(flow, run, facts=more)


@pytest.mark.parametrize("change", ["cancelled", "old", "open"])
def test_run_that_cannot_go_on_says_why(change):
    flow, transition = begun(TWO)
    run, words = transition.run, "has not ended"
    if change == "cancelled":
        run, words = cancel(run, "no", NOW).run, "was cancelled"
    elif change == "old":
        run, words = replace(failed(flow, run), stand=None), "where it stood is not kept"
    assert words in why_not(run)
    with pytest.raises(CannotRetry, match=words):
        again(flow, run)


def test_cancelling_what_was_bound_to_fail_keeps_nothing_for_a_retry():
    _, transition = begun(
        "name: a\non: inbound_sms\nsteps: [{fail: no}]\non_error: [{wait_for_reply: {timeout: 1h}}]\n"
    )
    assert transition.run.stand is not None
    assert cancel(transition.run, "enough", NOW).run.stand is None


def test_what_a_retry_needs_gives_way_to_what_the_run_needs():
    _, transition = begun(
        'name: a\non: inbound_sms\nvars: {big: "{{ event.content }}"}\nsteps: [{fail: no}]\n'
        'on_error:\n  - set: {one: "{{ vars.big }}"}\n  - set: {two: "{{ vars.big }}"}\n',
        "x" * 60_000,
    )
    run = transition.run
    assert (run.status, run.reason, len(run.vars["two"]), run.stand) == ("failed", "no", 60_000, None)


def test_long_trace_keeps_how_the_run_began_and_how_it_ended():
    steps = "".join(f"  - log: line {n}\n" for n in range(500)) + "  - fail: at last\n"
    _, transition = begun(f"name: a\non: inbound_sms\nsteps:\n{steps}")
    trace = transition.run.trace
    assert (len(trace), trace[0].detail, trace[60].what, trace[60].detail) == (200, "line 0", "left_out", 302)
    assert [record.detail for record in trace[-2:]] == ["line 499", "at last"]
