"""`sinchflow schema` prints what editors get, and renews a project's copies of it."""

import json

COPIES = (".sinchflow/flow.schema.json", ".sinchflow/project.schema.json", ".sinchflow/test.schema.json")


def test_schema_is_of_flows_unless_another_is_asked_for(sinchflow):
    assert sinchflow("schema").stdout == sinchflow("schema", "flow").stdout
    assert sinchflow("schema", "test").stdout != sinchflow("schema").stdout


def test_every_description_is_markdown_for_editors(sinchflow):
    send = json.loads(sinchflow("schema").stdout)["definitions"]["step"]["properties"]["send_sms"]
    assert (send["title"], send["markdownDescription"]) == ("send_sms", send["description"])


def test_write_makes_copies_and_leaves_new_ones_alone(sinchflow, tmp_path):
    written = sinchflow("schema", "--write")
    assert (written.returncode, written.stdout.splitlines()) == (0, [f"{name}: written" for name in COPIES])
    for name, kind in zip(COPIES, ("flow", "project", "test"), strict=True):
        assert (tmp_path / name).read_text() == sinchflow("schema", kind).stdout
    assert sinchflow("schema", "--write").stdout.splitlines() == [f"{name}: as it was" for name in COPIES]


def test_write_says_which_keys_are_new_and_which_are_gone(sinchflow, tmp_path):
    sinchflow("init")
    flow, project, test = (tmp_path / name for name in COPIES)
    new = flow.read_text()
    flow.write_text(new.replace('"max_bytes"', '"most_bytes"'))
    project.write_text(project.read_text().replace("Which Sinch service", "What"))
    test.write_text("{")
    assert sinchflow("schema", "--write").stdout.splitlines() == [
        ".sinchflow/flow.schema.json: renewed; new http.max_bytes; gone http.most_bytes",
        ".sinchflow/project.schema.json: renewed; the same keys",
        ".sinchflow/test.schema.json: written",
    ]
    assert flow.read_text() == new


def test_write_takes_no_name(sinchflow, tmp_path):
    refused = sinchflow("schema", "flow", "--write")
    assert (refused.returncode, refused.stderr) == (2, "sinchflow: --write renews all schemas; leave out the name\n")
    assert list(tmp_path.iterdir()) == []


def test_copy_that_cannot_be_written_is_one_line(sinchflow, tmp_path):
    (tmp_path / ".sinchflow").write_text("a file")
    refused = sinchflow("schema", "--write")
    assert refused.returncode == 1
    assert refused.stderr.startswith("sinchflow: cannot write ")
    assert len(refused.stderr.splitlines()) == 1
