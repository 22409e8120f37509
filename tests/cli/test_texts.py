"""`sinchflow texts`."""

import json

FLOW = """\
name: hello
on: inbound_sms
steps:
  - reply: We’ve got it
  - reply: {en: "Hi {{ event.content }}", de: Hallo}
  - reply: {format: TTS, message: We’ve got it}
"""


def write(folder, **files):
    for name, text in files.items():
        path = folder / ("sinchflow.yaml" if name == "sinchflow" else f"flows/{name}.yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_texts_are_listed_with_what_they_cost(sinchflow, tmp_path):
    write(tmp_path, hello=FLOW, other=FLOW.replace("hello", "other"))
    listed = sinchflow("texts", "hello")
    assert [line.split() for line in listed.stdout.splitlines()[1:]] == [
        ["flows/hello.yaml:4", "hello", "UCS-2", "12", "1", "’", "U+2019", "at", "4:14", "We’ve", "got", "it"],
        ["flows/hello.yaml:5", "hello", "en", "GSM-7", "4+", "1+", "Hi", "{{", "event.content", "}}"],
        ["flows/hello.yaml:5", "hello", "de", "GSM-7", "5", "1", "Hallo"],
        ["flows/hello.yaml:6", "hello", "TTS", "12", "We’ve", "got", "it"],
    ]
    assert (listed.returncode, listed.stderr) == (0, "")


def test_texts_of_policy_are_listed_too_as_json(sinchflow, tmp_path):
    write(tmp_path, sinchflow="policy: {help: {reply: Call €}}\n")
    [found] = json.loads(sinchflow("texts", "--format", "json").stdout)["texts"]
    assert found == {
        "file": "sinchflow.yaml", "line": 1, "column": 24, "flow": None, "language": None, "format": "SMS",
        "encoding": "GSM-7", "characters": {"least": 6, "most": 6}, "parts": {"least": 1, "most": 1}, "unicode": None,
        "text": "Call €",
    }  # fmt: skip


def test_an_unknown_flow_is_refused_and_a_broken_file_named(sinchflow, tmp_path):
    write(tmp_path, hello=FLOW, broken="on: [\n")
    assert sinchflow("texts", "nope").returncode == 2
    assert sinchflow("texts").stderr == "not read: flows/broken.yaml; `sinchflow validate` says why\n"


def test_help_says_how_holes_count(sinchflow):
    assert "sinchflow texts opening-hours" in sinchflow("texts", "--help").stdout
