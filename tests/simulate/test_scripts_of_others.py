"""What a script makes others do (another program's message, an opt-out, a second start) and what counts as walked."""

import pytest

from sinchflow.errors import SinchflowError
from sinchflow.simulate.play.coverage import coverage
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject

URL = "https://crm.example.com/x"
HTTP = f'http: {{method: POST, url: "{URL}", json: {{who: "{{{{ contact.number }}}}"}}}}'


@pytest.fixture
def played(tmp_path):
    """`played(flow, script, settings, given)`: why it fails (None: it passes), and words for what is not walked."""

    def play(flow, script, settings="", given=""):
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/sample.yaml").write_text(flow)
        (tmp_path / "sinchflow.yaml").write_text(settings)
        steps = "".join(f"      - {step}\n" for step in script)
        (tmp_path / "sample.test.yaml").write_text(f"{given}tests:\n  - name: sample\n    script:\n{steps}")
        project = TestProject(tmp_path)
        troupe = Troupe(project, walks=True)
        try:
            [result] = troupe.play_all([*project.scripts()])
        finally:
            troupe.close()
        covered = coverage(project.checked.flows, project.policy_points(), troupe.met)
        missing = [point.words for each in covered for point in each.missing]
        return (None if result.failure is None else result.failure.message), missing

    return play


@pytest.mark.parametrize(
    ("receipt", "number"),
    [("metadata: {a: b}", "+61491570156"), ("metadata: {a: b}, to: +61491570158", "+61491570158")],
)
def test_receipt_of_another_programs_message_is_about_somebody(played, receipt, number):
    flow = f"on: {{delivery_receipt: {{status: failed}}}}\nsteps:\n  - {HTTP}\n"
    script = [f"receipt: {{status: failed, {receipt}}}", f'http: {{url: "{URL}", json: {{who: {number}}}}}']
    assert played(flow, script) == (None, [])


def test_opt_out_word_begins_a_flow_that_waits_for_opt_outs(played):
    flow = f"on: opt_out\nsteps:\n  - {HTTP}\n"
    assert played(flow, ["in: STOP", f'http: {{url: "{URL}"}}']) == (None, [])


def test_start_that_is_refused_begins_nothing(played):
    flow = (
        "on: manual\nconcurrency: {key: all, mode: single}\nsteps:\n  - delay: 1m\n"
        '  - send_sms: {to: "+61491570156", message: Hi}\n'
    )
    script = ["start: sample", "start: sample", "advance: 1m", "out: Hi"]
    assert played(flow, script) == (None, [])


@pytest.mark.parametrize(
    ("setting", "missing"),
    [
        ("max_sends_per_run: 100", ["a run may send no more"]),
        ("max_sends_per_run: 5000", []),
        ("max_sends_per_flow: {max: 100, per: 1h}", ["a flow may send no more"]),
        ("max_sends_per_flow: {max: 101, per: 1h}", []),
        ("allowed_countries: [AU]", ["a message to another country is not sent"]),
    ],
)
def test_limit_that_no_test_can_meet_is_not_asked_for(played, setting, missing):
    flow = "on: {inbound_sms: {keyword: HI}}\nsteps:\n  - reply: Hi\n"
    assert played(flow, ["in: hi", "out: Hi"], f"policy: {{{setting}}}\n") == (None, missing)


def test_who_has_opted_out_before_gets_nothing_and_no_flow_is_told(played):
    told = f"on: opt_out\nsteps:\n  - {HTTP}\n"
    sends = (
        "on: manual\nsteps:\n  - id: all\n"
        '    send_sms: {to: ["+61491570157", "+61491570158"], message: Hi}\n'
        "outputs: {skipped: '{{ steps.all.skipped | length }}'}\n"
    )
    given = "numbers: {anna: +61491570157}\nopted_out: [anna]\n"
    script = ["start: sample", "out: {to: +61491570158, text: Hi}", "run: {flow: sample, outputs: {skipped: 1}}"]
    flow = f"name: sample\n{sends}---\nname: told\n{told}"
    assert played(flow, script, given=given) == (None, ["begun by opt_out", "taken"])


def test_opted_out_names_numbers(played):
    with pytest.raises(SinchflowError, match=r'sample.test.yaml:1:13: "ana" is no phone number \[test-value\]'):
        played("on: manual\nsteps:\n  - log: x\n", ["start: sample", "silence: true"], given="opted_out: [ana]\n")
