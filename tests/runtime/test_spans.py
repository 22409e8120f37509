"""Spans are derived from nothing but a run's own records: segments between waits, their steps, and what is linked."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from sinchflow.engine.interpreter import advance, cancel, retry, start
from sinchflow.engine.trace import with_attempt
from sinchflow.expression.template import Templates
from sinchflow.language.build import flow_from_source
from sinchflow.model.codec import decode_run, encode
from sinchflow.model.command import Answered, Attempt, Failed, Replied, RunEnded, Sent, Skipped, Woken
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.model.run import Facts
from sinchflow.runtime.spans import Spans, Spot, read_traceparent

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATES = Templates()
EVENT = Event(
    id=1, kind="inbound_sms", key="k", received_at=NOW, contact="+61491570156",
    fields=dict.fromkeys(EVENT_FIELDS["inbound_sms"]) | {"content": "go", "metadata": {}},
)  # fmt: skip
SPANS = Spans("a1b2c3d4")
SENDER = Spot(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)


class Story:
    """One run, moved on by hand; every state goes through the codec, as a restart would have it."""

    def __init__(self, source: str, **how) -> None:
        self.flow = flow_from_source(source, "a.yaml", 1)
        self.now = NOW
        self.before = None
        self.spans = []
        self.commands = []
        self._go(start(self.flow, 7, EVENT, {}, Facts(), NOW, TEMPLATES, **how))

    def _go(self, transition):
        self.commands = [command.id for command in transition.commands]
        after = decode_run(encode(transition.run))
        found = SPANS.of_step_of(self.before, after, self.flow)
        self.spans += found
        self.run = self.before = after
        return found

    def on(self, seconds, outcome):
        """What comes so many seconds after the run began."""
        self.now = NOW + timedelta(seconds=seconds)
        return self._go(advance(self.flow, self.run, EVENT, outcome, Facts(), self.now, TEMPLATES))

    def sent(self, seconds, command="7:0:0", message_id="m1"):
        return self.on(seconds, Sent(command=command, message={"message_id": message_id}))

    def told(self) -> list[str]:
        """Each span in a line: name, seconds, segment, outcome, links."""
        names = {span.spot: f"{span.name}@{at(span.start)}" for span in self.spans}
        lines = []
        for span in self.spans:
            outcome = span.attributes.get("sinchflow.outcome", span.attributes.get("sinchflow.status"))
            inside = f" in {names[span.parent]}" if span.parent is not None else ""
            links = "".join(f" <- {names.get(link, 'other')}" for link in span.links)
            problem = f" !{span.problem}" if span.problem else ""
            lines.append(f"{span.name} {at(span.start)}-{at(span.end)} {outcome}{inside}{links}{problem}")
        return lines


def at(when: datetime) -> str:
    return f"{(when - NOW).total_seconds():g}"


ASK = """\
name: a
on: inbound_sms
steps:
  - {id: ask, reply: Y or N?}
  - id: answer
    wait_for_reply:
      timeout: 1h
      categories: {fine: {answer: yes}}
      otherwise: {reply: "Y or N, please.", attempts: 2}
  - {id: note, log: done}
"""


def test_run_without_a_wait_is_one_segment_with_its_steps():
    story = Story("name: a\non: inbound_sms\nsteps:\n  - reply: Hello.\n  - log: x\n")
    assert story.spans == []
    story.sent(2)
    assert story.told() == [
        "run a 0-2 completed",
        "reply 0 0-2 sent in run a@0",
        "log 1 2-2 done in run a@0",
    ]
    reply = story.spans[1].attributes
    assert (reply["sinchflow.message_id"], reply["sinchflow.contact"]) == ("m1", "+6149•••••156")


def test_wait_belongs_to_the_segment_where_it_began_and_the_next_one_is_linked():
    story = Story(ASK)
    story.sent(1)
    story.on(60, Replied(command="7:1:0", event=9, fields={"content": "yes"}, category="fine"))
    assert story.told() == [
        "run a 0-1 running",
        "reply ask 0-1 sent in run a@0",
        "run a 60-60 completed <- run a@0",
        "wait_for_reply answer 1-60 fine in run a@0",
        "log note 60-60 done in run a@60",
    ]
    assert "yes" not in str(story.spans)


def test_wait_that_asks_again_is_one_step_over_several_segments():
    story = Story(ASK)
    story.sent(1)
    story.on(10, Replied(command="7:1:0", event=9, fields={"content": "what?"}))
    (asked,) = story.commands
    story.sent(12, asked, "m2")
    (wait,) = story.commands
    story.on(20, Replied(command=wait, event=10, fields={"content": "yes"}, category="fine"))
    assert story.told() == [
        "run a 0-1 running",
        "reply ask 0-1 sent in run a@0",
        "run a 10-12 running <- run a@0",
        "run a 20-20 completed <- run a@10",
        "wait_for_reply answer 1-20 fine in run a@0",
        "log note 20-20 done in run a@20",
    ]


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Woken(command="7:1:0"), "wait_for_reply answer 1-3600 timeout in run a@0"),
        (Replied(command="7:1:0", event=9, fields={}, category="fine"), "wait_for_reply answer 1-3600 fine in run a@0"),
    ],
)
def test_what_a_wait_came_to(outcome, line):
    story = Story(ASK)
    story.sent(1)
    story.on(3600, outcome)
    assert line in story.told()


def test_segment_goes_on_while_another_branch_is_at_work():
    story = Story(
        "name: a\non: inbound_sms\nsteps:\n  - parallel:\n"
        "      - - {id: w, wait_for_reply: {timeout: 1h}}\n"
        "      - - {id: h, http: {url: 'https://u:p@x.example/c/+61491570156?k=s#f'}}\n"
        "        - {id: d, delay: 10m}\n"
    )
    run = with_attempt(story.run, "7:0.parallel.1.0:0", Attempt(number=2), "timed out", NOW + timedelta(seconds=3))
    story.run = story.before = run
    assert story.on(5, Answered(command="7:0.parallel.1.0:0", status=200, headers={}, text=""))
    story.on(605, Woken(command="7:0.parallel.1.1:0"))
    story.on(700, Woken(command="7:0.parallel.0.0:0"))
    assert story.told() == [
        "run a 0-5 running",
        "http h 0-5 done in run a@0",
        "run a 605-605 running <- run a@0",
        "delay d 5-605 done in run a@0",
        "run a 700-700 completed <- run a@605",
        "wait_for_reply w 0-700 timeout in run a@0",
    ]
    call = story.spans[1]
    assert call.kind == "client"
    assert {name: value for name, value in call.attributes.items() if "http" in name or "url" in name} == {
        "http.request.method": "GET", "url.full": "https://x.example/c/+6149•••••156", "http.response.status_code": 200,
    }  # fmt: skip
    assert call.attributes["sinchflow.attempts"] == 2


def test_failed_step_says_why_and_a_retry_is_another_segment_of_the_trace():
    story = Story("name: a\non: inbound_sms\nsteps:\n  - {id: h, http: {url: https://x.example}}\n  - log: x\n")
    story.on(1, Failed(command="7:0:0", kind="status", message="GET https://x.example answered 500: +61491570156"))
    again = retry(story.flow, story.run, EVENT, Facts(), NOW + timedelta(hours=1), TEMPLATES)
    story._go(again)
    story.on(3601, Answered(command="7~1:0:0", status=200, headers={}, text=""))
    why = "!GET https://x.example answered 500: +6149•••••156"
    assert story.told() == [
        f"run a 0-1 failed {why.replace('!', '!step h: ')}",
        f"http h 0-1 failed in run a@0 {why}",
        "run a 3600-3601 completed <- run a@0",
        "http h 3600-3601 done in run a@3600",
        "log 1 3601-3601 done in run a@3600",
    ]
    assert story.spans[1].spot != story.spans[3].spot
    assert SPANS.of_command("7~1:0:0") == story.spans[3].spot


def test_run_that_is_cancelled_while_it_waits_ends_with_a_segment():
    story = Story(ASK)
    story.sent(1)
    story._go(cancel(story.run, "no more", NOW + timedelta(seconds=9)))
    assert story.told()[2:] == [
        "run a 9-9 cancelled <- run a@0",
    ]


def test_message_that_policy_refused_is_told_as_skipped():
    story = Story("name: a\non: inbound_sms\nsteps:\n  - reply: Hello.\n  - {if: 'false', log: x}\n")
    story.on(0, Skipped(command="7:0:0", to="+61491570156", reason="this contact opted out"))
    assert story.told() == [
        "run a 0-0 completed",
        "reply 0 0-0 skipped in run a@0",
        "log 1 0-0 skipped in run a@0",
    ]


def test_runs_that_begin_each_other_are_linked_both_ways():
    parent = Story("name: a\non: inbound_sms\nsteps:\n  - {id: c, run_flow: {flow: b}}\n")
    child = start(
        flow_from_source("name: b\non: manual\nsteps: [{log: x}]\n", "b.yaml", 1), 8, EVENT, {}, Facts(), NOW,
        TEMPLATES, parent_command="7:0:0", depth=1,
    ).run  # fmt: skip
    (begun, _) = SPANS.of_step_of(None, child, None)
    (_, step) = parent.on(5, RunEnded(command="7:0:0", run=8, status="completed"))
    assert step.attributes["sinchflow.outcome"] == "completed"
    assert begun.links == (step.spot,)
    assert step.links == (begun.spot,)


def test_long_trace_with_a_gap_in_it_still_makes_spans():
    items = ", ".join(map(str, range(300)))
    story = Story(
        f"name: a\non: inbound_sms\nsteps:\n  - for_each: {{items: [{items}], as: i, steps: [{{log: x}}]}}\n"
        "  - {id: w, delay: 1h}\n"
    )
    story.on(3600, Woken(command="7:1:0"))
    segments = [span for span in story.spans if span.name == "run a"]
    assert [(at(span.start), at(span.end)) for span in segments] == [("0", "0"), ("3600", "3600")]
    assert segments[1].links == (segments[0].spot,)
    assert {"sinchflow.step": "w", "sinchflow.outcome": "done"}.items() <= story.spans[-1].attributes.items()


def test_nothing_new_is_no_span():
    story = Story(ASK)
    story.sent(1)
    assert SPANS.of_step_of(story.run, story.run, story.flow) == []
    assert SPANS.of_step_of(story.run, replace(story.run, receipts=({},)), story.flow) == []


def test_names_differ_between_journals_runs_and_steps_and_never_change():
    assert SPANS.of_command("7:0:0") == Spot(16280238999299791840054385211765251267, 12639921487011540228)
    others = [SPANS.of_command(each) for each in ("7:0:0", "7:1:0", "7~1:0:0", "8:0:0")]
    others.append(Spans("another1").of_command("7:0:0"))
    assert len({spot.span_id for spot in others}) == 5
    assert len({spot.trace_id for spot in others}) == 3


@pytest.mark.parametrize(
    ("text", "spot"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", SENDER),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", SENDER),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", None),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("", None),
        (None, None),
        (["x"], None),
    ],
)  # fmt: skip
def test_traceparent_is_read_as_the_standard_says(text, spot):
    assert read_traceparent(text) == spot
