"""`sinchflow validate`: its formats, its exit codes, what it says at its end, and comments that ignore warnings."""

import json
import os

import pytest

FORMATS = ("text", "json", "github", "sarif")
SOUND = "on: inbound_sms\nsteps:\n  - reply: Thank you!\n"
WARNED = "on:\n  webhook: {path: /orders}\nsteps:\n  - log: somebody has ordered\n"
BROKEN = "on: inbound_sms\nsteps:\n  - replyy: Thank you!\n"


def write(folder, text, name="flows/a.yaml"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("text", "code", "strict"), [(SOUND, 0, 0), (WARNED, 0, 1), (BROKEN, 1, 1)], ids=["sound", "warned", "broken"]
)
def test_exit_code_is_the_same_in_every_format(sinchflow, tmp_path, text, code, strict, format):
    write(tmp_path, text)
    assert sinchflow("validate", "--format", format).returncode == code
    assert sinchflow("validate", "--format", format, "--strict").returncode == strict


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SOUND, "1 sound flow, no findings\n"),
        (WARNED, "1 sound flow, 1 warning; see `sinchflow explain RULE`\n"),
        (BROKEN, "0 sound flows, 1 error; see `sinchflow explain RULE`\n"),
    ],
    ids=["sound", "warned", "broken"],
)
def test_people_are_told_how_many_findings_there_are(sinchflow, tmp_path, text, line):
    write(tmp_path, text)
    assert sinchflow("validate").stderr == line
    assert sinchflow("validate", "--format", "github").stderr == line
    assert sinchflow("validate", "--format", "json").stderr == ""
    assert sinchflow("validate", "--format", "sarif").stderr == ""


def places(sinchflow, *arguments, cwd):
    """The file of the first finding, as GitHub and as SARIF is told, and as people are."""
    github = sinchflow(*arguments, "validate", "--format", "github", cwd=cwd).stdout
    sarif = json.loads(sinchflow(*arguments, "validate", "--format", "sarif", cwd=cwd).stdout)
    location = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    text = sinchflow(*arguments, "validate", cwd=cwd).stdout
    return github.split("file=")[1].split(",")[0], location["uri"], text.split(":")[0]


def test_files_are_named_from_the_current_directory(sinchflow, tmp_path):
    write(tmp_path, BROKEN, "sms/shop/flows/a.yaml")
    name = "sms/shop/flows/a.yaml"
    assert places(sinchflow, "-C", "sms/shop", cwd=tmp_path) == (name, name, "flows/a.yaml")
    assert places(sinchflow, "-C", str(tmp_path / "sms/shop"), cwd=tmp_path) == (name, name, "flows/a.yaml")


def test_files_elsewhere_are_named_in_full(sinchflow, tmp_path):
    write(tmp_path, BROKEN, "shop/flows/a.yaml")
    (tmp_path / "other").mkdir()
    whole = f"{tmp_path}/shop/flows/a.yaml"
    assert places(sinchflow, "-C", "../shop", cwd=tmp_path / "other") == (whole, f"file://{whole}", "flows/a.yaml")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Where GitHub says that the repository is."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    return tmp_path


def test_files_are_named_from_where_github_has_the_repository(checkout, sinchflow):
    write(checkout, BROKEN, "shop/flows/a.yaml")
    name = "shop/flows/a.yaml"
    assert places(sinchflow, cwd=checkout / "shop") == (name, name, "flows/a.yaml")


PROJECT = {
    "sinchflow.yaml": "env: [OLD]  # sinchflow: ignore[unused-setting] the next version needs it\n",
    "flows/a.yaml": WARNED.replace(
        "/orders}", "/orders}  # sinchflow: ignore[open-webhook] only our shop can reach it"
    ),
    "flows/a.test.yaml": "# sinchflow: ignore[no-test] they come with the next version\n",
}


def test_warnings_of_every_kind_of_file_can_be_ignored(sinchflow, tmp_path):
    for name, text in PROJECT.items():
        write(tmp_path, text, name)
    assert sinchflow("validate", "--strict").returncode == 0
    for name, text in PROJECT.items():
        write(tmp_path, text.replace("ignore[", "ignores["), name)
    found = json.loads(sinchflow("validate", "--format", "json").stdout)["findings"]
    assert [(item["file"], item["rule"]) for item in found] == [
        ("flows/a.test.yaml", "no-test"),
        ("flows/a.yaml", "open-webhook"),
        ("sinchflow.yaml", "unused-setting"),
    ]


def test_unused_comments_are_reported_of_the_files_asked_for(sinchflow, tmp_path):
    unused = "  # sinchflow: ignore[long-text] it was longer once\n"
    write(tmp_path, SOUND.rstrip("\n") + unused, "flows/a.yaml")
    write(tmp_path, SOUND.replace("inbound_sms", "{inbound_sms: {keyword: B}}").rstrip("\n") + unused, "flows/b.yaml")
    for paths in ((), ("flows/b.yaml",), ("flows/b.yaml",)):  # the second time from what is kept
        found = json.loads(sinchflow("validate", "--format", "json", *paths).stdout)["findings"]
        assert [item["file"] for item in found] == list(paths or ["flows/a.yaml", "flows/b.yaml"])
        assert {item["rule"] for item in found} == {"unused-ignore"}


@pytest.mark.parametrize("format", FORMATS)
def test_file_whose_name_is_no_text_is_named_all_the_same(sinchflow, tmp_path, format):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / os.fsdecode(b"\xff.yaml")).write_text(SOUND)
    shown = sinchflow("validate", "--format", format)
    assert (shown.returncode, "internal error" in shown.stderr) == (1, False)
    assert "has a name that is not UTF-8: rename it" in shown.stdout
