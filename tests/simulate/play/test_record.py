# ruff: noqa: E501 (recordings have long lines)
"""What scripts do, recorded from a journal on disk, is a test that passes, with nobody's real number or name in it."""

import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sinchflow.errors import SinchflowError
from sinchflow.simulate.play.disguise import Disguise
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject
from sinchflow.simulate.play.record import record
from tests.simulate.play.taping import write

FLOWS = Path(__file__).parents[3] / "flows"
ROOTS = [FLOWS.parent, *sorted(path.parent for path in FLOWS.glob("*/sinchflow.yaml"))]
#: Runs that the policy begins.
POLICY = "policy: "


def recorded(project, script, run, path):
    """What is recorded of a run of a script, with the lists that the script has."""
    checked = replace(project.checked, lists=dict(project.catalog(script).facts.lists))
    return record(path, run.id, checked)


@pytest.mark.parametrize("root", ROOTS, ids=lambda path: path.name)
def test_runs_of_the_examples_are_recorded_as_tests_that_pass(root, tmp_path, taped):
    project = TestProject(root)
    troupe = Troupe(project)
    wrong, count = [], 0
    for at, script in enumerate(project.scripts()):
        (tmp_path / str(at)).mkdir()
        _, played = troupe.played(script)
        path = write(taped[-1].tape, tmp_path / str(at))
        for run in played.runs:
            if not run.flow.startswith(POLICY):
                recording = recorded(project, script, run, path)
                again, _ = troupe.played(project.written_here("recorded.test.yaml", recording.text))
                wrong += [] if again.failure is None else [(str(script), again.failure, recording.text)]
                count += 1
    troupe.close()
    assert wrong == []
    assert count >= 3


FLOW = """\
name: visit
on:
  inbound_sms: {keyword: VISIT}
steps:
  - id: known
    http: {method: GET, url: "https://crm.example.com/people/{{ contact.number | urlencode }}"}
  - reply: "Hi {{ contact.first_name | default('you') }} {{ steps.known.json.phone }} {{ contact.number in lists.vip }}"
  - id: answer
    wait_for_reply: {timeout: 1h, categories: {gold: {keyword: GOLD}}}
  - run_flow: {flow: tell, inputs: {words: "{{ contact.first_name|default(0) }} said {{ steps.answer.reply.content }}"}}
---
name: tell
on: manual
inputs: {words: {type: string}}
steps:
  - send_sms: {to: "+61400000009", message: "{{ inputs.words }}"}
---
name: also
on:
  inbound_sms: {keyword: VISIT}
continue: true
steps:
  - http: {method: POST, url: "https://log.example.com", json: {who: "{{ contact.number }}"}}
"""
TEST = """\
contact: {number: +61400000001, first_name: Zebediah, plan: GOLD}
lists: {vip: [{number: +61400000001, name: Zebediah Quux}, {number: +61400000002, name: Ophelia}]}
tests:
  - name: all of it
    script:
      - in: "VISIT for Zebediah, 0400 000 001 or zeb@quux.example"
      - http: {url: "https://log.example.com"}
      - http:
          url: https://crm.example.com/people/%2B61400000001
          respond: {json: {phone: 0400000001, name: Zebediah Quux, mail: zeb@quux.example}}
      - out: {contains: "0400000001 true"}
      - advance: 30m
      - in: gold, says Zebediah
      - out: {to: +61400000009, contains: Zebediah said gold}
"""


@pytest.fixture
def visit(tmp_path, taped):
    """A project with one script played, and its journal's path."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/visit.yaml").write_text(FLOW)
    (tmp_path / "sinchflow.yaml").write_text("country: AU\nlists: {vip: vip.csv}\n")
    (tmp_path / "vip.csv").write_text("number,name\n+61400000003,Nobody\n")
    (tmp_path / "visit.test.yaml").write_text(TEST)
    project = TestProject(tmp_path)
    troupe = Troupe(project)
    [script] = project.scripts()
    result, played = troupe.played(script)
    assert result.failure is None, result.failure
    path = write(taped[-1].tape, tmp_path)
    yield project, troupe, script, played, path
    troupe.close()


def test_nobody_is_known_again_and_the_test_passes_with_all_that_the_event_began(visit):
    project, troupe, script, played, path = visit
    run = next(each for each in played.runs if each.flow == "visit")
    text = recorded(project, script, run, path).text
    assert text == (
        """\
flow: visit
now: '2026-01-05T09:00:00+00:00'
contact: {number: '+61491570156', first_name: Robin, plan: GOLD}
lists: {vip: [{number: '+61491570156', name: Alex}, {number: '+61491570157', name: Kim}]}

tests:
  - name: as in run 3 of 05 January 2026
    script:
      - in: 'VISIT for Robin, 0491 570 156 or sam@example.com'
      - http: {method: POST, url: 'https://log.example.com', json: {who: '+61491570156'}}
      - http: {method: GET, url: 'https://crm.example.com/people/%2B61491570156', respond: {json: {phone: '0491570156', name: Alex, mail: sam@example.com}}}
      - out: Hi Robin 0491570156 true
      - advance: 30m
      - in: 'gold, says Robin'
      - out: {text: 'Robin said gold, says Robin', to: '+61400000009'}
      - run: {status: completed, category: gold}
"""
    )
    again, _ = troupe.played(project.written_here("recorded.test.yaml", text))
    assert again.failure is None


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (None, "there is no run 999999: `sinchflow runs list` shows those that there are"),
        ("slim", "run 2 ended well and its trace is no longer kept: take a newer one"),
    ],
)
def test_too_little_is_known(visit, flow, words, monkeypatch):
    project, _, _, played, path = visit
    if flow == "slim":
        monkeypatch.setattr("sinchflow.model.run.Run.is_slim", True)
    with pytest.raises(SinchflowError, match=re.escape(words)):
        record(path, played.runs[0].id if flow else 999_999, project.checked)


def test_what_was_not_looked_at_is_told(visit, monkeypatch):
    project, _, _, played, path = visit
    run = next(each for each in played.runs if each.flow == "visit")
    assert record(path, run.id, project.checked).gaps == ()
    monkeypatch.setattr("sinchflow.journal.aftermath.MOST_LOOKED_AT", 0)
    recording = record(path, run.id, project.checked)
    assert recording.gaps == ("not all that came in since was looked at: answers, receipts or runs may be missing",)
    assert "in: gold" not in recording.text


def test_what_had_filled_the_throttle_is_told_to_be_missing(tmp_path, taped):
    (tmp_path / "flows").mkdir()
    head = "name: hi\non: {inbound_sms: {keyword: HI}}\nthrottle: {max: 1, per: 1h, otherwise: [{reply: Later}]}\n"
    (tmp_path / "flows/hi.yaml").write_text(f"{head}steps: [{{reply: Hello}}]\n")
    script = "[{in: HI}, {out: Hello}, {in: HI}, {out: Later}]"
    (tmp_path / "a.test.yaml").write_text(f"tests: [{{name: a, script: {script}}}]\n")
    project = TestProject(tmp_path)
    troupe = Troupe(project)
    [written] = project.scripts()
    _, played = troupe.played(written)
    troupe.close()
    path = write(taped[-1].tape, tmp_path)
    first, second = (record(path, run.id, project.checked).gaps for run in played.runs)
    words = f"run {played.runs[1].id} was throttled: what had filled the throttle before it is missing"
    assert (first, second) == ((), (words,))


def test_runs_of_the_policy_are_refused_in_words(tmp_path, taped):
    (tmp_path / "flows").mkdir()
    (tmp_path / "sinchflow.yaml").write_text("policy: {help: {reply: Call us.}}\n")
    (tmp_path / "a.test.yaml").write_text("tests: [{name: help, script: [{in: HELP}, {out: Call us.}]}]\n")
    project = TestProject(tmp_path)
    troupe = Troupe(project)
    [script] = project.scripts()
    _, played = troupe.played(script)
    troupe.close()
    path = write(taped[-1].tape, tmp_path)
    with pytest.raises(SinchflowError) as refused:
        record(path, played.runs[0].id, project.checked)
    assert str(refused.value) == (
        "run 2 is of the policy (help), not of a flow that could have a test: "
        "record another run of the same event (`sinchflow why 1`)"
    )


NAMES = st.sampled_from(["Zoë Ångström", "Bo", "O'Brien", "X Æ", "María-José", "李雷"])
NUMBERS = st.integers(400_000_000, 499_999_999).map(lambda digits: f"+61{digits}")
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)


@settings(max_examples=60, deadline=None)
@given(name=NAMES, number=NUMBERS, before=TEXTS, after=TEXTS)
def test_no_form_of_a_number_or_name_stays(name, number, before, after):
    national = f"0{number[3:]}"
    spaced = f"{national[:4]} {national[4:7]} {national[7:]}"
    disguise = Disguise("AU", "name: flow")
    disguise.number("+61491570999")  # somebody else comes first
    disguise.personal({"first_name": name, "phone": national})
    forms = [number, number[1:], f"%2B{number[1:]}", national, spaced, name, quote(name), quote_plus(name)]
    for form in forms:
        text = f"{before} {form} {after}"
        shown = disguise.text(text)
        assert form not in shown.removeprefix(before).removesuffix(after)
        alone = shown.removeprefix(f"{before} ").removesuffix(f" {after}")
        key = form if form.isidentifier() else alone  # words may be names of steps and members, too
        assert disguise.data({"a": [form], form: 1}) == {"a": [alone], key: 1}


def test_words_of_the_flows_and_parts_of_other_words_stay():
    disguise = Disguise(None, "categories: {gold: {keyword: GOLD}}")
    disguise.personal({"name": "Ann", "plan_name": "GOLD"})
    assert disguise.text("Ann: Annual plan GOLD") == "Sam: Annual plan GOLD"


def test_words_that_nothing_tells_apart_do_not_stay():
    disguise = Disguise(None, "")
    disguise.personal({"name": "李雷"})
    assert disguise.text("我叫李雷。李雷雷") == "我叫Sam。Sam雷"


ACCOUNTS = """\
service: messagemedia
source_number: "+61491593156"
timezone: Australia/Melbourne
credentials: {api_key: "{{ secrets.KEY }}", api_secret: "{{ secrets.KEY }}"}
accounts:
  nz:
    service: etxt
    source_number: "+6421555000"
    credentials: {api_key: "{{ secrets.KEY }}", api_secret: "{{ secrets.KEY }}"}
"""


@pytest.mark.parametrize(
    ("settings", "flow", "script", "expected"),
    [
        pytest.param(
            "timezone: Australia/Melbourne\n",
            "name: f\non: {schedule: {cron: '0 9 * * *'}}\nsteps: [{send_sms: {to: '+61400000001', message: Morning}}]\n",
            ["now: 2026-01-06T09:00", "out: {to: +61400000001, text: Morning}"],
            "- now: '2026-01-06T09:00:00+11:00'",
            id="schedule",
        ),
        pytest.param(
            ACCOUNTS,
            "name: f\naccount: nz\non: {inbound_sms: {type: MMS}}\nsteps: [{reply: Thanks}]\n",
            ["in: {text: look, type: MMS, account: nz}", "out: {text: Thanks, account: nz}"],
            "- in: {text: look, type: MMS, account: nz}",
            id="picture to another account",
        ),
        pytest.param(
            "policy: {quiet_hours: {from: 21:00, to: 08:00}}\n",
            "name: f\non: {webhook: {path: /late}}\ncontact: '+61400000001'\nsteps: [{reply: Hello}]\n",
            ["now: 2026-01-05T22:00", "webhook: {path: /late}", "advance: 10h", "out: {text: Hello, to: +61400000001}"],
            "- advance: 10h",
            id="put off by quiet hours",
        ),
        pytest.param(
            "",
            "name: f\non: {inbound_sms: {keyword: ALL}}\nsteps:\n  - for_each:\n      items: ['+61400000001', '+61400000002']\n"
            "      as: each\n      parallel: 2\n      steps:\n        - send_sms: {to: '{{ each }}', message: 'Y or N?'}\n"
            "        - id: said\n          wait_for_reply: {from: '{{ each }}', timeout: 1h}\n"
            "        - if: steps.said.category == 'reply'\n          send_sms: {to: '{{ each }}', message: Noted}\n",
            ["in: ALL", "out: {to: +61400000001, text: Y or N?}", "out: {to: +61400000002, text: Y or N?}",
             "in: {text: 'N', from: +61400000002}", "out: {to: +61400000002, text: Noted}", "advance: 1h"],
            "from: '+61400000002'",
            id="loop with answers",
        ),
        pytest.param(
            "",
            "name: f\non: {inbound_sms: {keyword: GO}}\nconcurrency: {mode: restart}\nsteps: [{delay: 1h}, {reply: Late}]\n",
            ["in: GO", "advance: 10m", "in: GO", "advance: 1h", "out: Late"],
            "- run: running",
            id="cancelled by a newer one",
        ),
        pytest.param(
            "",
            "name: f\non: {inbound_sms: {keyword: GO}}\nsteps:\n  - parallel:\n"
            "      - - http: {method: POST, url: 'https://a.example.com'}\n        - reply: A\n"
            "      - - http: {method: POST, url: 'https://b.example.com'}\n        - delay: 1m\n        - reply: B\n",
            ["in: GO", "http: {url: https://a.example.com}", "http: {url: https://b.example.com}", "out: A", "restart:",
             "advance: 1m", "out: B"],
            "- out: B",
            id="parallel, with a restart",
        ),
        pytest.param(
            "",
            "name: f\non: {inbound_sms: {keyword: GO}}\nsteps:\n  - id: one\n    reply: One\n"
            "  - wait_for_receipt: {message_id: '{{ steps.one.message_id }}', timeout: 1h}\n  - reply: Three\n",
            ["in: GO", "out: One", "receipt: delivered", "out: Three"],
            "- receipt: delivered",
            id="receipt",
        ),
        pytest.param(
            "",
            "name: f\non: {inbound_sms: {keyword: GO}}\nsteps:\n  - send_sms: {to: '+61400000001', message: Look}\n"
            "    on_error: [{reply: 'Not sent: {{ error.message }}'}]\n",
            ["in: GO", "out: {to: +61400000001, text: Look, refused: 'no such number: +61400000001'}", "out: {contains: +61400000001}"],
            "refused: 'no such number: +61400000001'",
            id="refused",
        ),
        pytest.param(
            "",
            "name: f\non: {inbound_sms: {keyword: GO}}\nsteps: [{reply: One}, {send_sms: {to: '+61400000001', message: Staff}}, "
            "{reply: Two}]\n---\nname: g\non: {delivery_receipt: {status: failed}}\nsteps: [{log: failed}]\n",
            ["in: GO", "out: One", "out: {to: +61400000001, text: Staff}", "out: Two", "receipt: {status: failed, text: One}",
             "receipt: {status: failed, to: +61400000001}", "receipt: failed"],
            "- receipt: {status: failed, to: '+61491570156', text: One}\n      - receipt: {status: failed, to: '+61400000001'}\n"
            "      - receipt: failed\n",
            id="receipts of earlier messages",
        ),
        pytest.param(
            "",
            "name: f\ncontinue: true\non: {inbound_sms: {keyword: GO}}\nsteps: [{reply: Yes}]\n---\n"
            "name: g\non: {inbound_sms: {keyword: GO}}\nsteps: [{fail: broken}]\n",
            ["in: GO", "out: 'Yes'", "run: {flow: g, status: failed}"],
            "- run: {flow: g, status: failed}\n      - run: completed",
            id="another flow fails",
        ),
        pytest.param(
            "",
            "name: f\non: {inbound_sms: {keyword: HI}}\nsteps:\n  - choose:\n      - if: contact.nick is defined\n"
            "        steps: [{reply: 'Again {{ contact.nick }} {{ contact.visits | default(0) }}'}]\n"
            "      - else:\n          - reply: Who are you?\n          - id: who\n            wait_for_reply: {timeout: 1h}\n"
            "  - remember: {nick: \"{{ contact.nick | default(steps.who.reply.content) }}\", visits: \"{{ contact.visits | default(0) + 1 }}\"}\n",
            ["in: HI", "out: Who are you?", "in: Quux", "in: HI", "out: Again Quux 1"],
            "contact: '+61491570156'",
            id="remembered since",
        ),
    ],
)  # fmt: skip
def test_other_runs_are_recorded_as_tests_that_pass(tmp_path, taped, settings, flow, script, expected):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/f.yaml").write_text(flow)
    (tmp_path / "sinchflow.yaml").write_text(settings)
    steps = "".join(f"      - {step}\n" for step in script)
    (tmp_path / "a.test.yaml").write_text(f"tests:\n  - name: a\n    script:\n{steps}")
    project = TestProject(tmp_path)
    troupe = Troupe(project)
    [written] = project.scripts()
    result, played = troupe.played(written)
    assert result.failure is None, result.failure
    path = write(taped[-1].tape, tmp_path)
    texts = []
    for run in played.runs:
        texts.append(recorded(project, written, run, path).text)
        again, _ = troupe.played(project.written_here("recorded.test.yaml", texts[-1]))
        assert again.failure is None, (again.failure, texts[-1])
    troupe.close()
    assert expected in texts[0]
