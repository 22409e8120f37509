"""Where secrets come from, and how they get into a request and nowhere else."""

import json
from urllib.parse import parse_qs

import msgspec
import pytest

from sinchflow.errors import CannotStart
from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checker
from sinchflow.language.settings import default_project
from sinchflow.model.event import SECRET_BEGIN, SECRET_END
from sinchflow.runtime.secrets import Secrets, conceal, show_references

VALUES = {"PLAIN": "abc", "ODD": 'a"b\\c\n& =+é%'}
FLOW = """\
name: f
on: manual
steps:
  - http:
      url: "https://x.example/{{ secrets.PATH }}"
      headers: {Authorization: "Bearer {{ secrets['TOKEN'] }}", X: "{{ secrets.KNOWN }}"}
      json: [{deep: "{{ secrets.DEEP }}"}]
      auth: {username: u, password: "{{ secrets.TOKEN }}"}
    on_error: [{http: {url: "{{ secrets.OTHER }}"}}]
"""


def reference(name: str) -> str:
    return f"{SECRET_BEGIN}{name}{SECRET_END}"


def test_environment_goes_before_credential_files_and_line_ends_are_dropped(tmp_path):
    (tmp_path / "FILE").write_text("from file\n")
    (tmp_path / "BOTH").write_text("from file")
    (tmp_path / "folder").mkdir()
    secrets = Secrets.from_environment(
        {
            "CREDENTIALS_DIRECTORY": str(tmp_path),
            "SINCHFLOW_SECRET_BOTH": "from environment\n",
            "SINCHFLOW_SECRETS": "no",
            "OTHER": "no",
        }
    )
    assert secrets.fill(reference("FILE") + "|" + reference("BOTH")) == "from file|from environment"
    with pytest.raises(KeyError):
        secrets.fill(reference("OTHER"))


def test_files_of_the_project_go_before_those_of_systemd_and_after_the_environment(tmp_path):
    for folder, value in ((tmp_path / "systemd", "from systemd"), (tmp_path / "shop/keys", "from the project\n")):
        folder.mkdir(parents=True)
        (folder / "BOTH").write_text(value)
        (folder / "ALL").write_text(value)
    (tmp_path / "shop/keys/.hidden").write_bytes(b"\xff")
    (tmp_path / "shop/sinchflow.yaml").write_text("secrets_dir: keys\n")
    project = Checker().check(tmp_path / "shop").project
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "systemd"), "SINCHFLOW_SECRET_ALL": "from the environment"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        secrets = Secrets.of_project(tmp_path / "shop", project)
    assert secrets.fill(reference("BOTH") + "|" + reference("ALL")) == "from the project|from the environment"
    assert conceal("it is 'from the project'") == "it is '***'"


def test_a_folder_of_secrets_that_is_not_there_is_named(tmp_path):
    project = default_project()
    project = msgspec.structs.replace(project, secrets_dir="keys")
    with pytest.raises(CannotStart) as refused:
        Secrets.of_project(tmp_path, project)
    words = f"secrets in secrets_dir cannot be read (No such file or directory): {tmp_path / 'keys'}"
    assert str(refused.value) == words


def test_missing_secrets_are_named_once_with_variable_and_place():
    flow = flow_from_source(FLOW, "flows/f.yaml", 11)
    assert [str(each) for each in Secrets({"KNOWN": "1"}).missing([flow])] == [
        "secret PATH is missing: set the environment variable SINCHFLOW_SECRET_PATH (flows/f.yaml:15:12)",
        "secret TOKEN is missing: set the environment variable SINCHFLOW_SECRET_TOKEN (flows/f.yaml:16:32)",
        "secret DEEP is missing: set the environment variable SINCHFLOW_SECRET_DEEP (flows/f.yaml:17:21)",
        "secret OTHER is missing: set the environment variable SINCHFLOW_SECRET_OTHER (flows/f.yaml:19:29)",
    ]


def test_stand_ins_leave_what_is_known_alone():
    flow = flow_from_source(FLOW, "flows/f.yaml", 1)
    secrets = Secrets({"KNOWN": "1"}).with_stand_ins([flow])
    assert secrets.missing([flow]) == []
    assert secrets.fill(reference("KNOWN") + reference("PATH")) == "1https://path.invalid"


def test_value_arrives_whole_in_every_encoding():
    secrets = Secrets(VALUES)
    assert secrets.fill(f"x{reference('ODD')}y") == f"x{VALUES['ODD']}y"
    assert json.loads(secrets.fill_json(json.dumps({"a": reference("ODD")}, ensure_ascii=False))) == {
        "a": VALUES["ODD"]
    }
    form = f"a=1&b=%EF%B7%90ODD%EF%B7%91&c={'x' * 3}"
    assert parse_qs(secrets.fill_form(form)) == {"a": ["1"], "b": [VALUES["ODD"]], "c": ["xxx"]}


def test_names_are_found_in_every_encoding():
    text = reference("A") + "%EF%B7%90B%EF%B7%91" + "{{ secrets.C }}"
    assert Secrets({}).names_in(text) == {"A", "B"}


@pytest.mark.parametrize(
    "echo",
    [
        VALUES["ODD"],
        json.dumps(VALUES["ODD"]),
        json.dumps(VALUES["ODD"], ensure_ascii=False),
        "a%22b%5Cc%0A%26%20%3D%2B%C3%A9%25",
        "a%22b%5Cc%0A%26+%3D%2B%C3%A9%25",
    ],
)
def test_echo_of_a_secret_is_hidden_however_it_is_written(echo):
    hidden = Secrets(VALUES).veil({"ODD", "UNKNOWN"}).hide(f"you said: {echo}!")
    assert "***" in hidden
    assert "b" not in hidden.replace("you said", "")


def test_references_are_shown_as_the_user_wrote_them():
    assert show_references(f"https://x/{reference('T')}") == "https://x/{{ secrets.T }}"
