"""What starts a flow, in the words of its file; and flows that are gone but were there lately."""

from pathlib import Path

import pytest

from sinchflow.language.check import Checker
from sinchflow.runtime.flow_list import flow_list

CASES = [
    ("manual", ["manual"]),
    ("{inbound_sms: {keyword: [HI, YO], from: {list: vip}}}", ["inbound_sms: keyword HI, YO; from list vip"]),
    ("[manual, {schedule: {every: 90s}}]", ["manual", "schedule: every 90s"]),
    (
        "{schedule: {cron: '0 9 * * 1', timezone: Pacific/Auckland, missed: skip}}",
        ["schedule: cron 0 9 * * 1; timezone Pacific/Auckland; missed skip"],
    ),
    (
        "{delivery_receipt: {status: failed, metadata: {shop: nz}}}",
        ["delivery_receipt: status failed; metadata shop=nz"],
    ),
    ("{webhook: {path: /b, token: plain-and-secret}}", ["webhook: path /b; with a token"]),
    ("{webhook: {path: /b, hmac: {secret: plain-and-secret}}}", ["webhook: path /b; signed"]),
    ("opt_out", ["opt_out"]),
]


@pytest.mark.parametrize(("trigger", "words"), CASES)
def test_triggers_are_said_without_their_secrets(tmp_path: Path, trigger: str, words: list[str]) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "vip.csv").write_text("number\n+61491570156\n")
    (tmp_path / "sinchflow.yaml").write_text("lists: {vip: vip.csv}\n")
    (tmp_path / "flows/x.yaml").write_text(f"name: x\non: {trigger}\nsteps: [{{log: x}}]\n")
    checked = Checker().check(tmp_path)
    assert [str(each) for each in checked.diagnostics if each.severity == "error"] == []
    (found,) = flow_list(checked.flows, {})
    assert found == {
        "name": "x", "place": "flows/x.yaml:1", "triggers": words, "enabled": True, "open": 0, "started": 0,
        "failed": 0, "last_started_at": None,
    }  # fmt: skip


def test_flow_that_is_gone_stays_while_it_has_runs() -> None:
    lately = {"gone": {"open": 2, "started": 0, "failed": 0, "last_started_at": None}}
    (found,) = flow_list((), lately)
    assert (found["name"], found["place"], found["enabled"], found["open"]) == ("gone", None, False, 2)
