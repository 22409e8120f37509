"""A project checked: which files are read, what is reported, what a second check costs."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checker
from sinchflow.language.test_files import transcript_files

FLOW = "on: manual\nsteps:\n  - log: hello\n"
BROKEN = "on: manual\nsteps:\n  - lgo: hello\n"


def write(root, **files):
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(checked):
    return [(item.file, item.rule) for item in checked.diagnostics]


def test_empty_folder_is_a_project_of_defaults(tmp_path):
    checked = Checker().check(tmp_path)
    assert (checked.flows, checked.diagnostics, checked.has_errors) == ((), (), False)
    assert (checked.project.timezone, checked.project.account.limits.calls) == ("UTC", 100)


def test_flows_come_from_all_folders_but_not_from_tests_and_hidden_files(tmp_path):
    write(tmp_path, flows__b=FLOW, flows__deep__a=FLOW, other=BROKEN)
    for name in ("x.test.yaml", ".hidden.yaml", "notes.txt"):
        (tmp_path / "flows" / name).write_text(BROKEN)
    (tmp_path / "flows" / "c.yml").write_text(FLOW)
    checked = Checker().check(tmp_path)
    assert [flow.name for flow in checked.flows] == ["b", "c", "a"]
    assert checked.diagnostics == ()


def test_folder_with_a_project_file_is_another_project(tmp_path):
    write(tmp_path, flows__a=FLOW, flows__other__sinchflow="", flows__other__flows__b=BROKEN)
    checked = Checker().check(tmp_path)
    assert ([flow.name for flow in checked.flows], checked.diagnostics) == (["a"], ())
    assert found(Checker().check(tmp_path / "flows/other")) == [("flows/b.yaml", "unknown-key")]


def test_named_paths_narrow_what_is_reported_and_may_lie_elsewhere(tmp_path):
    write(tmp_path, flows__a=BROKEN, flows__b=BROKEN, elsewhere__c=BROKEN)
    checker = Checker()
    assert found(checker.check(tmp_path, [tmp_path / "flows" / "b.yaml"])) == [("flows/b.yaml", "unknown-key")]
    checked = checker.check(tmp_path, [tmp_path / "elsewhere"])
    assert found(checked) == [("elsewhere/c.yaml", "unknown-key")]
    assert len(checker.check(tmp_path).diagnostics) == 2


def test_named_path_is_compared_with_the_names_of_all_flows(tmp_path):
    write(tmp_path, flows__a="name: same\n" + FLOW, flows__b="name: same\n" + FLOW, flows__c=BROKEN)
    for name in ("a", "b"):
        checked = Checker().check(tmp_path, [tmp_path / "flows" / f"{name}.yaml"])
        assert found(checked) == [(f"flows/{name}.yaml", "duplicate-flow")]
        assert [flow.origin.file for flow in checked.flows] == [f"flows/{name}.yaml"]


def test_project_file_can_be_named_alone(tmp_path):
    write(tmp_path, flows__a=BROKEN, sinchflow="contry: AU\n")
    checked = Checker().check(tmp_path, [tmp_path / "sinchflow.yaml"])
    assert found(checked) == [("sinchflow.yaml", "unknown-key")]


def test_missing_path_is_a_finding(tmp_path):
    write(tmp_path, flows__a=FLOW)
    assert found(Checker().check(tmp_path, [tmp_path / "no.yaml"])) == [("no.yaml", "file")]


def test_transcript_tests_are_checked_where_they_are_wanted(tmp_path):
    write(tmp_path, flows__a="name: a\n" + FLOW, flows__b=BROKEN)
    for folder in ("flows", "tests/more", ".hidden", "node_modules", "nested"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "a.test.yaml").write_text("flow: b\n")
    (tmp_path / "nested" / "sinchflow.yaml").touch()
    names = ["flows/a.test.yaml", "tests/more/a.test.yaml"]
    checker = Checker()
    assert {item.file for item in checker.check(tmp_path, tests=True).diagnostics} == {*names, "flows/b.yaml"}
    assert {item.file for item in checker.check(tmp_path).diagnostics} == {"flows/b.yaml"}
    for given, found_in in (("flows/a.test.yaml", names[:1]), ("tests", names[1:]), ("flows/a.yaml", [])):
        checked = checker.check(tmp_path, [tmp_path / given], tests=True)
        assert sorted({item.file for item in checked.diagnostics}) == found_in


def test_transcript_test_that_cannot_be_read_is_a_finding(tmp_path):
    (tmp_path / "a.test.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "b.test.yaml").mkdir()
    (tmp_path / "c.test.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    checked = Checker().check(tmp_path, tests=True)
    assert found(checked) == [("a.test.yaml", "encoding"), ("c.test.yaml", "file")]


def test_what_cannot_be_read_is_a_finding_and_hides_nothing(tmp_path):
    write(tmp_path, flows__a=BROKEN)
    flows = tmp_path / "flows"
    (flows / "folder.yaml").mkdir()
    (flows / "around").symlink_to(flows)
    (flows / "self.yaml").symlink_to(flows / "self.yaml")
    (flows / "gone.yaml").symlink_to(tmp_path / "nothing")
    os.mkfifo(flows / "pipe.yaml")
    assert found(Checker().check(tmp_path)) == [
        ("flows/a.yaml", "unknown-key"),
        ("flows/around", "file"),
        ("flows/folder.yaml", "file"),
        ("flows/gone.yaml", "file"),
        ("flows/pipe.yaml", "file"),
        ("flows/self.yaml", "file"),
    ]


def test_flows_that_is_a_file_is_a_finding(tmp_path):
    (tmp_path / "flows").write_text("x")
    assert found(Checker().check(tmp_path)) == [("flows", "file")]


def test_second_check_builds_changed_documents_only(tmp_path):
    write(tmp_path, flows__a=FLOW + "---\nname: second\n" + FLOW, flows__b=FLOW)
    checker = Checker()
    before = {flow.name: flow for flow in checker.check(tmp_path).flows}
    write(tmp_path, flows__b=FLOW.replace("hello", "bye"))
    after = {flow.name: flow for flow in checker.check(tmp_path).flows}
    assert after["a"] is before["a"]
    assert after["second"] is before["second"]
    assert after["b"] is not before["b"]


def test_changed_settings_are_applied_to_unchanged_flows(tmp_path):
    write(tmp_path, flows__a=FLOW.replace("hello", '"{{ env.SHOP }}"'))
    checker = Checker()
    assert found(checker.check(tmp_path)) == [("flows/a.yaml", "env-name")]
    write(tmp_path, sinchflow="env: [SHOP]\n")
    assert found(checker.check(tmp_path)) == []


def test_moved_document_keeps_its_digest_and_gets_its_new_place(tmp_path):
    write(tmp_path, flows__a=FLOW)
    checker = Checker()
    (before,) = checker.check(tmp_path).flows
    write(tmp_path, flows__a="# a comment\n---\n" + FLOW)
    checked = checker.check(tmp_path)
    (after,) = checked.flows
    assert after.digest == before.digest
    assert after.steps[0].origin.line == before.steps[0].origin.line + 2
    assert checked.sources[after.digest].line == 3


def test_flow_is_built_again_from_its_stored_source(tmp_path):
    write(tmp_path, flows__a="name: one\n" + FLOW + "---\nname: two\n" + FLOW)
    checked = Checker().check(tmp_path)
    for flow in checked.flows:
        source = checked.sources[flow.digest]
        assert flow_from_source(source.text, source.file, source.line) == flow


def test_source_that_is_no_flow_is_refused():
    with pytest.raises(ValueError, match="not one flow"):
        flow_from_source("just: {a", "a.yaml", 1)


def test_warnings_do_not_keep_a_flow_from_being_built(tmp_path):
    write(tmp_path, flows__a="on: inbound_sms\nsteps:\n  - stop: done\n  - log: never\n")
    checked = Checker().check(tmp_path)
    assert [item.severity for item in checked.diagnostics] == ["warning"]
    assert not checked.has_errors
    assert len(checked.flows) == 1


def test_broken_project_file_gives_defaults_and_a_finding(tmp_path):
    write(tmp_path, sinchflow="- a\n", flows__a=FLOW)
    checked = Checker().check(tmp_path)
    assert found(checked) == [("sinchflow.yaml", "type")]
    assert checked.project.account.service is None


SCHEDULED = "on: manual\ncontact: +61491570156\nsteps:\n  - reply: {message: x, scheduled: 2026-12-03T10:00+11:00}\n"
BEFORE, AFTER = datetime(2026, 12, 2, tzinfo=UTC), datetime(2026, 12, 4, tzinfo=UTC)


def test_time_that_is_past_is_a_finding_where_the_time_is_known(tmp_path):
    write(tmp_path, flows__a=SCHEDULED)
    assert found(Checker().check(tmp_path)) == []
    assert found(Checker().check(tmp_path, now=BEFORE)) == []
    assert found(Checker().check(tmp_path, now=AFTER)) == [("flows/a.yaml", "timestamp")]


def test_flow_does_not_become_unsound_because_time_goes_by(tmp_path):
    write(tmp_path, flows__a=SCHEDULED)
    checker = Checker()
    assert found(checker.check(tmp_path, now=BEFORE)) == []
    assert found(checker.check(tmp_path, now=AFTER)) == []
    write(tmp_path, flows__a=SCHEDULED.replace("x,", "y,"))
    assert found(checker.check(tmp_path, now=AFTER)) == [("flows/a.yaml", "timestamp")]


RECEIPT = "on: {delivery_receipt: {flow: a}}\nsteps:\n  - log: x\n"


def test_flow_that_a_trigger_names_may_stand_in_a_file_that_is_not_checked(tmp_path):
    write(tmp_path, flows__a='on: manual\nsteps:\n  - send_sms: {to: "+61491570156", message: hi}\n', flows__b=RECEIPT)
    named = [tmp_path / "flows" / "b.yaml"]
    checker = Checker()
    assert found(checker.check(tmp_path, named)) == []
    (tmp_path / "flows" / "a.yaml").rename(tmp_path / "flows" / "c.yaml")
    assert found(checker.check(tmp_path, named)) == [("flows/b.yaml", "unknown-flow")]
    assert found(checker.check(tmp_path)) == [("flows/b.yaml", "unknown-flow")]


def test_names_of_flows_are_not_judged_while_a_file_cannot_be_read(tmp_path):
    write(tmp_path, flows__a="on: {", flows__b=RECEIPT)
    assert found(Checker().check(tmp_path)) == [("flows/a.yaml", "yaml-syntax")]
    assert found(Checker().check(tmp_path, [tmp_path / "flows" / "b.yaml"])) == []


def test_new_account_is_known_to_unchanged_flows(tmp_path):
    write(tmp_path, flows__a="account: nz\n" + FLOW)
    checker = Checker()
    assert found(checker.check(tmp_path)) == [("flows/a.yaml", "unknown-account")]
    account = 'accounts: {nz: {service: etxt, credentials: {api_key: "{{ env.K }}", api_secret: "{{ env.S }}"}}}\n'
    write(tmp_path, sinchflow="env: [K, S]\n" + account)
    assert found(checker.check(tmp_path)) == []
    write(tmp_path, sinchflow="- broken\n")
    assert found(checker.check(tmp_path)) == [("sinchflow.yaml", "type")]


def test_lists_are_read_where_the_root_is_a_relative_path(tmp_path, monkeypatch):
    write(
        tmp_path,
        shop__sinchflow="lists: {vip: vip.csv}\ncalendars: {desk: {weekly: {mon: 08:00-18:00}, closed: days.csv}}\n",
    )
    (tmp_path / "shop" / "vip.csv").write_text("number,name\n+61491570156,Joe\n+61491570157\n")
    (tmp_path / "shop" / "days.csv").write_text("2026-12-24\nsoon\n")
    monkeypatch.chdir(tmp_path)
    checked = Checker().check(Path("shop"))
    assert [row["name"] for row in checked.lists["vip"]] == ["Joe"]
    assert len(checked.closed["desk"]) == 1
    assert found(checked) == [("days.csv", "date"), ("vip.csv", "list-row")]


def test_a_flow_that_lost_its_steps_is_wrong_also_where_the_whole_one_was_checked_before(tmp_path):
    whole = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: Hello}]\n"
    (tmp_path / "flows").mkdir()
    checker, file = Checker(), tmp_path / "flows" / "greet.yaml"
    file.write_text(whole)
    assert not checker.check(tmp_path).has_errors
    file.write_text(whole.partition("steps")[0])
    assert 'the flow needs the key "steps"' in [each.message for each in checker.check(tmp_path).diagnostics]


@pytest.mark.parametrize("root", ["shop", "."])
def test_test_files_of_a_relative_root_are_found_each_once_whatever_links_lead_to_them(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    base = tmp_path / root
    (base / "flows").mkdir(parents=True)
    (base / "flows/a.test.yaml").write_text("")
    (base / "more").symlink_to("flows")
    (base / "flows/again").symlink_to("..")
    (base / "b.test.yaml").symlink_to("flows/a.test.yaml")
    found = [path.name for path in transcript_files(Path(root))]
    assert found == ["b.test.yaml"]
    assert [path.name for path in transcript_files(Path(root), [Path("flows"), Path("flows/a.test.yaml")])] == [
        "a.test.yaml"
    ]
