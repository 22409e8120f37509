# ruff: noqa: E501 (cases are easier to compare when each is on few lines)
"""Each kind of way that a flow can go: not walked, it is listed with its place; walked, it is not."""

import pytest

from sinchflow.simulate.play.coverage import coverage, total
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject

EACH = "  - for_each: {items: [Ann, Bob], as: name, on_item_error: continue, steps: [{reply: '{{ name }}'}]}\n"
TEXT = "on: {inbound_sms: {keyword: GO}}\nsteps:\n"
OUT = "      - out: Done\n"
GO = f"      - in: GO\n{OUT}"


def missing(root, flow, script, settings=""):
    """`line:column words` of what a script does not walk; the flow's name is `flow`."""
    (root / "flows").mkdir(exist_ok=True)
    (root / "flows/flow.yaml").write_text(flow)
    (root / "sinchflow.yaml").write_text(settings)
    (root / "a.test.yaml").write_text(f"tests:\n  - name: a\n    script:\n{script}")
    project = TestProject(root)
    troupe = Troupe(project, walks=True)
    [result] = troupe.play_all([*project.scripts()])
    troupe.close()
    assert result.failure is None, result.failure
    covered = coverage(project.checked.flows, project.policy_points(), troupe.met)
    return [f"{point.origin.line}:{point.origin.column} {point.words}" for each in covered for point in each.missing]


@pytest.mark.parametrize(
    ("flow", "script", "words"),
    [
        pytest.param(TEXT + "  - reply: Done\n", "      - in: HI\n      - silence: true\n",
                     ["1:6 begun by inbound_sms", "3:5 taken"], id="nothing"),
        pytest.param(TEXT + "  - reply: Done\n", GO, [], id="all"),
        pytest.param("on:\n  - inbound_sms: {keyword: GO}\n  - inbound_sms: {keyword: RUN}\nsteps:\n  - reply: Done\n",
                     GO, ["3:5 begun by inbound_sms"], id="another trigger of the same kind"),
        pytest.param("on:\n  - inbound_sms: {keyword: GO}\n  - schedule: {every: 1h}\n  - schedule: {every: 1d}\nsteps:\n"
                     '  - send_sms: {to: "+61491570156", message: Done}\n',
                     f"      - advance: 1h\n{OUT}", ["2:5 begun by inbound_sms", "4:5 begun by schedule"], id="schedules"),
        pytest.param(TEXT + "  - reply: Done\n    if: match.rest == \"\"\n", GO,
                     ["3:5 left out, because `match.rest == \"\"` does not hold"], id="if of a step"),
        pytest.param(f'if: "match.rest == \'\'"\n{TEXT}  - reply: Done\n', GO,
                     ["1:1 passed over, because `match.rest == ''` does not hold"], id="if of the flow"),
        pytest.param(f'if: "match.rest == \'\'"\n{TEXT}  - reply: Done\n', f"{GO}      - in: GO away\n      - silence:\n",
                     [], id="if of the flow, met"),
        pytest.param(TEXT + "  - choose:\n      - if: match.rest == \"\"\n        steps: [{reply: Done}]\n"
                     "      - if: match.rest == \"1\"\n        steps: [{reply: One}]\n", GO,
                     ["3:5 `match.rest == \"1\"` holds", "3:5 no branch holds", "7:18 taken"], id="choose"),
        pytest.param(TEXT + "  - wait_for_reply:\n      timeout: 1h\n      categories: {a: {keyword: A}, b: {keyword: B}}\n"
                     "      otherwise: {reply: Again, attempts: 1}\n  - reply: Done\n", f"      - in: GO\n      - in: A\n{OUT}",
                     ["3:5 answered b", "3:5 asked again, because the answer fits no category",
                      "3:5 given up after answers that fit no category", "3:5 not answered in time"], id="answers"),
        pytest.param(TEXT + "  - wait_for_reply:\n      timeout: 1h\n      categories: {a: {keyword: A}}\n"
                     "      otherwise: {reply: Again, attempts: 1}\n",
                     "      - in: GO\n      - in: B\n      - out: Again\n      - advance: 1h\n",
                     ["3:5 answered a", "3:5 given up after answers that fit no category"], id="asked again"),
        pytest.param(TEXT + "  - http: {method: GET, url: https://x.example.com}\n    on_error: continue\n  - reply: Done\n",
                     f"      - in: GO\n      - http: {{url: https://x.example.com}}\n{OUT}",
                     ["3:5 failed, and the run goes on"], id="on_error continue"),
        pytest.param(TEXT + "  - http: {method: GET, url: https://x.example.com}\n    on_error:\n      - reply: Sorry\n"
                     "  - reply: Done\n", f"      - in: GO\n      - http: {{url: https://x.example.com}}\n{OUT}",
                     ["5:9 taken"], id="on_error steps"),
        pytest.param(TEXT + "  - reply: Done\n    on_error:\n      - reply: Sorry\n",
                     "      - in: GO\n      - out: {text: Done, refused: 'no'}\n      - out: Sorry\n", [], id="message refused"),
        pytest.param(f"{TEXT}{EACH}", "      - in: GO\n      - out: Ann\n      - out: Bob\n",
                     ["3:5 an item fails, and the others are gone on with"], id="items"),
        pytest.param(f"{TEXT}{EACH}", "      - in: GO\n      - out: {text: Ann, refused: 'no'}\n      - out: Bob\n",
                     [], id="an item fails"),
        pytest.param(f"throttle: {{max: 1, per: 1h}}\n{TEXT}  - reply: Done\n", GO, ["1:1 held back by its throttle"],
                     id="throttle"),
        pytest.param(f"throttle: {{max: 1, per: 1h}}\n{TEXT}  - reply: Done\n", f"{GO}      - in: GO\n      - silence:\n", [],
                     id="throttle, met"),
        pytest.param(f"concurrency: {{mode: single}}\n{TEXT}  - reply: Done\n  - delay: 1h\n", f"{GO}      - advance: 1h\n",
                     ["1:1 not begun, because others of its runs are open"], id="concurrency"),
        pytest.param(f"concurrency: {{mode: restart}}\n{TEXT}  - reply: Done\n  - delay: 1h\n", f"{GO}{GO}      - advance: 1h\n",
                     [], id="concurrency restart, met"),
        pytest.param(f"concurrency: {{mode: queued}}\n{TEXT}  - delay: 1h\n  - reply: Done\n",
                     f"      - in: GO\n      - in: GO\n      - advance: 1h\n{OUT}      - advance: 1h\n{OUT}", [],
                     id="concurrency queued, met"),
        pytest.param(f"timeout: 1h\n{TEXT}  - reply: Done\n  - delay: 2h\n", f"{GO}      - advance: 2h\n      - run: {{flow: flow, status: failed}}\n", [],
                     id="timeout, met"),
        pytest.param(f"timeout: 1h\n{TEXT}  - reply: Done\n", GO, ["1:1 ended by its timeout"], id="timeout"),
        pytest.param(TEXT + "  - delay: {until: \"{{ match.rest }}\", if_past: stop}\n  - reply: Done\n",
                     f"      - in: GO 2026-02-01T00:00Z\n      - advance: 30d\n{OUT}", ["3:5 its time is past (stop)"],
                     id="time that is past"),
        pytest.param("vars: {items: []}\n" + TEXT + "  - for_each:\n      items: \"{{ vars.items }}\"\n      as: each\n"
                     "      steps:\n        - log: \"{{ each }}\"\n  - reply: Done\n", GO, ["4:5 for an item", "8:11 taken"], id="loop without items"),
    ],
)  # fmt: skip
def test_ways_of_flows(tmp_path, flow, script, words):
    assert missing(tmp_path, flow, script) == words


@pytest.mark.parametrize(
    ("settings", "script", "words"),
    [
        ("policy: {help: {reply: Call us.}}\n", GO, ["1:10 answered help words"]),
        ("policy: {help: {reply: Call us.}}\n", f"{GO}      - in: HELP\n      - out: Call us.\n", []),
        ("policy: {help: {reply: off}, opt_out: {reply: Bye.}}\n", GO, ["1:30 answered opt-out words"]),
        ("policy: {quiet_hours: {from: 21:00, to: 08:00}}\n", GO, ["1:10 a message is put off in quiet hours"]),
        (
            "policy: {quiet_hours: {from: 21:00, to: 08:00, action: drop}}\n",
            GO,
            ["1:10 a message is not sent in quiet hours"],
        ),
        ("policy: {allowed_countries: [AU]}\n", GO, ["1:10 a message to another country is not sent"]),
        ("policy: {allowed_countries: [NZ]}\n", "      - in: GO\n", []),
        ("policy: {max_sends_per_contact: {max: 1, per: 1h}}\n", f"{GO}      - in: GO\n      - silence:\n", []),
        ("policy: {max_sends_per_day: 1}\n", GO, ["1:10 no more is sent that day"]),
        ("country: AU\n", GO, []),
    ],
)
def test_what_policy_is_told_to_do(tmp_path, settings, script, words):
    script += "" if "silence" in script or "out" in script else "      - silence: true\n"
    assert missing(tmp_path, f"{TEXT}  - reply: Done\n", script, settings) == words


def test_flows_that_are_off_are_left_out_and_nothing_is_whole():
    assert total([]).percent == 100.0
    assert coverage([], [], set()) == []
