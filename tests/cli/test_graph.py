"""`sinchflow graph`: which flows, which format, where it is written, and what is said of mistakes."""

import pytest

FLOWS = {
    "menu.yaml": """\
name: menu
on: {inbound_sms: {keyword: MENU}}
steps:
  - run_flow: answers & more
---
name: answers & more
on: manual
contact: "+61491570156"
steps:
  - reply: Soup
""",
    "other.yaml": """\
on: {inbound_sms: {keyword: OTHER}}
steps:
  - reply: Hello
""",
}
BROKEN = """\
name: broken
on: {inbound_sms: {keyword: HI}}
steps:
  - send_sms: {to: "+61491570156", mesage: Hello}
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    for name, text in FLOWS.items():
        (tmp_path / "flows" / name).write_text(text)
    return tmp_path


def test_mermaid_is_printed(command, project):
    end = command({})("graph", "menu")
    assert end.code == 0
    assert end.out.startswith("flowchart TD\n%% menu (flows/menu.yaml:1)\n")
    assert "Soup" not in end.out


def test_format_decides_what_is_printed(command, project):
    end = command({})("graph", "other", "--format", "svg")
    assert end.code == 0
    assert end.out.startswith("<svg ")


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("menu.svg", "<svg "), ("menu.mmd", "flowchart TD\n"), ("menu.md", "```mermaid\nflowchart TD\n")],
)
def test_ending_of_the_file_decides_the_format(command, project, name, beginning):
    assert command({})("graph", "menu", "-o", str(project / name)).code == 0
    assert (project / name).read_text(encoding="utf-8").startswith(beginning)


def test_flows_of_a_file_are_one_picture(command, project):
    end = command({})("graph", "flows/menu.yaml", "--format", "svg")
    assert end.code == 0
    assert "Soup" in end.out
    assert '<a href="#f1_main">' in end.out


def test_all_writes_a_file_for_each_flow_with_links(command, project):
    end = command({})("graph", "--all", "-o", str(project / "pictures"))
    assert (end.code, end.out) == (0, f"Wrote 3 pictures to {project / 'pictures'}.\n")
    assert sorted(path.name for path in (project / "pictures").iterdir()) == [
        "answers-more.svg", "menu.svg", "other.svg",
    ]  # fmt: skip
    assert '<a href="answers-more.svg">' in (project / "pictures" / "menu.svg").read_text(encoding="utf-8")


def test_all_writes_mermaid_too(command, project):
    assert command({})("graph", "--all", "-o", str(project), "--format", "mermaid").code == 0
    assert (project / "other.mmd").read_text(encoding="utf-8").startswith("flowchart TD\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["graph"], "which flow?"),
        (["graph", "meny"], 'no flow is called "meny": did you mean "menu"? flows here: answers & more, menu, other'),
        (["graph", "flows/meny.yaml"], "flows/meny.yaml: no such file"),
        (["graph", "menu", "-o", "menu.png"], "-o menu.png: name a file that ends in .svg, .mmd, .md"),
        (["graph", "--all"], "--all draws every flow into a folder"),
        (["graph", "menu", "--all", "-o", "pictures"], "--all draws every flow into a folder"),
    ],
)
def test_wrong_usage_is_explained_with_code_2(command, project, arguments, line):
    end = command({})(*arguments)
    assert end.code == 2
    assert line in end.err


@pytest.mark.parametrize("asked", ["broken", "flows/broken.yaml"])
def test_findings_of_a_flow_with_errors_are_shown(command, project, asked):
    (project / "flows" / "broken.yaml").write_text(BROKEN)
    end = command({})("graph", asked)
    assert end.code == 1
    assert end.out.startswith('flows/broken.yaml:4:36: unknown key "mesage" in send_sms [unknown-key]\n')


def test_errors_elsewhere_do_not_matter_to_a_sound_flow(command, project):
    (project / "flows" / "broken.yaml").write_text(BROKEN)
    run = command({})
    assert run("graph", "menu").code == 0
    assert run("graph", "--all", "-o", str(project / "pictures")).code == 1
    assert not (project / "pictures").exists()


def test_errors_of_the_next_flow_in_the_file_do_not_matter(command, project):
    (project / "flows" / "menu.yaml").write_text(f"{FLOWS['menu.yaml']}---\n{BROKEN}")
    run = command({})
    assert run("graph", "menu").code == 0
    assert run("graph", "broken").code == 1


def test_file_that_no_flow_can_be_read_from_is_explained(command, project):
    (project / "flows" / "torn.yaml").write_text("name: [x\n")
    end = command({})("graph", "torn")
    assert end.code == 1
    assert end.out.startswith("flows/torn.yaml:1:7: ")


def test_project_may_be_in_another_folder(command, project, monkeypatch):
    monkeypatch.chdir(project.parent)
    end = command({})("-C", project.name, "graph", "flows/menu.yaml")
    assert (end.code, end.err) == (0, "")


def test_file_that_cannot_be_written_is_one_line(command, project):
    end = command({})("graph", "menu", "-o", str(project / "flows" / "none" / "menu.svg"))
    assert end.code == 1
    assert end.err.startswith("sinchflow: cannot write ")
