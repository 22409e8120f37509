"""What `validate` keeps between two calls: nothing is judged twice without need, and nothing old is believed."""

import os
from datetime import UTC, datetime

import pytest

from sinchflow.cli.crew import judge_files
from sinchflow.cli.kept import CACHE, Kept
from sinchflow.language.check import Checker
from sinchflow.language.judge import Judge
from sinchflow.language.rules.rule import Settings
from tests.benchmarks.mutants import sound_flows

NOW = datetime(2026, 12, 1, tzinfo=UTC)
FLOW = "on: {{inbound_sms: {{keyword: {word}}}}}\nsteps:\n  - {step}\n"


class Counting:
    """Judges one by one, and remembers of which files it was asked."""

    def __init__(self):
        self.names = []

    def __call__(self, judge, given, settings):
        self.names += [name for name, _ in given]
        return (judge.file(name, data, settings) for name, data in given)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    for word in ("ONE", "TWO"):
        (tmp_path / f"flows/{word.lower()}.yaml").write_text(FLOW.format(word=word, step="log: hello"))
    return tmp_path


def check(root, paths=(), now=NOW):
    """Findings and the files that were judged, as a new process would."""
    kept, counting = Kept(root / CACHE), Counting()
    checker = Checker(builds=False, judge_files=counting, kept=kept, sound_forms=kept.forms)
    checked = checker.check(root, paths, now=now, tests=True)
    kept.save()
    return [(item.file, item.rule) for item in checked.diagnostics], counting.names, checked.sound


def test_only_what_has_changed_is_judged_again(project):
    assert check(project) == ([], ["flows/one.yaml", "flows/two.yaml"], 2)
    assert check(project) == ([], [], 2)
    (project / "flows/two.yaml").write_text(FLOW.format(word="TWO", step="lgo: hello"))
    assert check(project) == ([("flows/two.yaml", "unknown-key")], ["flows/two.yaml"], 1)
    assert check(project) == ([("flows/two.yaml", "unknown-key")], [], 1)


def test_flows_that_are_not_judged_again_are_compared_with_those_that_are(project):
    check(project)
    (project / "flows/two.yaml").write_text(FLOW.format(word="ONE", step="log: hello"))
    assert check(project)[0] == [("flows/two.yaml", "shadowed-flow")]
    (project / "flows/one.yaml").unlink()
    assert check(project) == ([], [], 1)


def test_named_file_is_compared_with_what_is_kept_of_the_others(project):
    check(project)
    (project / "flows/one.yaml").write_text(FLOW.format(word="THREE", step="log: hello"))
    (project / "flows/two.yaml").write_text("name: one\n" + FLOW.format(word="TWO", step="log: hello"))
    found, judged, sound = check(project, ["flows/two.yaml"])
    assert (found, judged, sound) == ([("flows/two.yaml", "duplicate-flow")], ["flows/two.yaml"], 1)
    assert check(project)[1] == ["flows/one.yaml"]  # of which only the facts were looked at


@pytest.mark.parametrize(
    ("before", "after", "step", "rule"),
    [
        ("env: [SHOP]", "env: [OTHER]", 'log: "{{ env.SHOP }}"', "env-name"),
        ("language: en", "policy: {opt_out: {keywords: [TWO]}}", "log: hello", "policy-word"),
        ("lists: {vip: vip.csv}", "lists: {other: vip.csv}", 'log: "{{ lists.vip | length }}"', "unknown-list"),
    ],
)
def test_other_settings_judge_all_again(project, before, after, step, rule):
    (project / "vip.csv").write_text("number\n+61491570156\n")
    (project / "sinchflow.yaml").write_text(before + "\n")
    (project / "flows/two.yaml").write_text(FLOW.format(word="TWO", step=step))
    assert rule not in [each[1] for each in check(project)[0]]
    (project / "sinchflow.yaml").write_text(after + "\n")
    found, judged, _ = check(project)
    assert ("flows/two.yaml", rule) in found
    assert judged == ["flows/one.yaml", "flows/two.yaml"]


def test_columns_of_a_list_judge_all_again(project):
    (project / "vip.csv").write_text("number,name\n+61491570156,Joe\n")
    (project / "sinchflow.yaml").write_text("lists: {vip: vip.csv}\n")
    (project / "flows/two.yaml").write_text(FLOW.format(word="TWO", step='log: "{{ lists.vip[0].name }}"'))
    assert check(project)[0] == []
    (project / "vip.csv").write_text("number,first_name\n+61491570156,Joe\n")
    assert ("flows/two.yaml", "list-use") in check(project)[0]


def test_times_are_judged_at_every_check(project):
    step = 'send_sms: {to: "+61491570156", message: hi, scheduled: 2026-12-03T10:00+11:00}'
    (project / "flows/two.yaml").write_text(FLOW.format(word="TWO", step=step))
    assert check(project)[0] == []
    assert check(project, now=datetime(2026, 12, 4, tzinfo=UTC))[0] == [("flows/two.yaml", "timestamp")]


def test_ignored_warnings_are_ignored_and_missed_each_time(project):
    unused = "vars: {a: 1}  # sinchflow: ignore[unused-var] for later\n"
    (project / "flows/two.yaml").write_text(unused + FLOW.format(word="TWO", step="log: hello"))
    assert check(project)[0] == check(project)[0] == []
    used = "log: '{{ vars.a }}'"
    (project / "flows/two.yaml").write_text(unused + FLOW.format(word="TWO", step=used))
    assert check(project)[0] == check(project)[0] == [("flows/two.yaml", "unused-ignore")]


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"\x94\xa1x\xc4\x00\x90\x80", os.urandom(300)])
def test_file_that_is_none_of_ours_is_as_good_as_none(project, content):
    check(project)
    (project / CACHE).write_bytes(content)
    assert check(project) == ([], ["flows/one.yaml", "flows/two.yaml"], 2)
    assert check(project)[1] == []


def test_cut_file_is_as_good_as_none(project):
    check(project)
    whole = (project / CACHE).read_bytes()
    for size in range(0, len(whole), 97):
        (project / CACHE).write_bytes(whole[:size])
        assert check(project)[2] == 2


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_as_good_as_none(project, make):
    (project / CACHE).parent.mkdir(parents=True)
    make(project / CACHE)
    assert check(project) == ([], ["flows/one.yaml", "flows/two.yaml"], 2)
    assert {each.name for each in (project / CACHE).parent.iterdir()} == {".gitignore", "validate"}


def test_forms_of_texts_long_gone_are_forgotten(project):
    kept = Kept(project / CACHE)
    kept.learn(number.to_bytes(16, "big") for number in range(200_001))
    kept.learn([b"new"])
    assert kept.forms == {b"new"}


def test_where_nothing_can_be_written_all_is_judged_each_time(project):
    (project / ".sinchflow").write_text("a file, where a folder is wanted")
    assert check(project) == check(project) == ([], ["flows/one.yaml", "flows/two.yaml"], 2)


def test_another_program_judges_all_again(project, monkeypatch):
    check(project)
    monkeypatch.setattr("sinchflow.__version__", "999")
    assert check(project)[1] == ["flows/one.yaml", "flows/two.yaml"]


def test_several_processes_find_what_one_does():
    flows = sound_flows()
    given = [
        (f"flows/{at}.yaml", (flows[at % len(flows)] + "\nsteps: twice\n" * (at % 7 == 0)).encode())
        for at in range(300)
    ]
    alone = [Judge().file(name, data, Settings()) for name, data in given]
    assert sum(len(data) for _, data in given) > 100_000
    assert list(judge_files(Judge(), given * 2, Settings()))[:300] == alone


def test_files_of_a_process_that_dies_are_judged_without_it():
    class Dying(Judge):
        own = os.getpid()

        def file(self, name, data, settings):
            if os.getpid() != self.own and name == "flows/250.yaml":
                os._exit(9)
            return super().file(name, data, settings)

    given = [(f"flows/{at}.yaml", FLOW.format(word="ONE", step="log: a" * 300).encode()) for at in range(300)]
    assert list(judge_files(Dying(), given, Settings())) == [
        Judge().file(name, data, Settings()) for name, data in given
    ]
