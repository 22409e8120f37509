"""What `/metrics` exports is what the docs list and the alerts ask for."""

import re
from datetime import UTC, datetime
from pathlib import Path

import yaml

from sinchflow.journal.meter import Histogram
from sinchflow.runtime.metrics import Metrics
from sinchflow.runtime.stats import Stats

DOCS = Path(__file__).parents[2] / "docs"
FLOW = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: Hello.}]\n"


def types(metrics: str) -> dict[str, str]:
    """The type of each metric of ours, as the page declares it."""
    found = re.findall(r"^# TYPE (sinchflow_\w+) (\w+)$", metrics, re.M)
    return {name: kind for name, kind in found if not name.endswith("_created")}


def test_all_that_is_exported_is_documented_and_alerts_ask_for_nothing_else(play, house, eventually):
    house.flow(FLOW)

    async def scenario(house):
        await house.text_in("HI")
        await eventually(lambda: house.daemon.stats.runs_ended.total() == 1)
        metrics = (await house.admin("/metrics")).text
        exported = types(metrics)
        table = dict(
            re.findall(r"^\| `(sinchflow_\w+)(?:\{\w+\})?` \| (\w+) \|", (DOCS / "operating.md").read_text(), re.M)
        )
        assert table == exported
        assert [name for name, kind in exported.items() if (kind == "counter") != name.endswith("_total")] == []
        for alert in yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"][0]["rules"]:
            assert set(re.findall(r"sinchflow_\w+", alert["expr"])) <= exported.keys(), alert["alert"]
            for name, label, value in re.findall(
                r'(sinchflow_(?:trouble|sends_open\w*)){(\w+)="(\w+)"}', alert["expr"]
            ):
                assert f'{name}{{{label}="{value}"}}' in metrics
        for line in (
            'sinchflow_sends_open{state="held"} 0.0',
            'sinchflow_throttle_calls{account="default"} 1.0',
            "sinchflow_paused 0.0",
            "sinchflow_journal_readable 1.0",
            "sinchflow_unrouted_events 0.0",
            "sinchflow_acknowledge_seconds_count 1.0",
            'sinchflow_acknowledge_seconds_bucket{le="+Inf"} 1.0',
            "sinchflow_send_seconds_count 1.0",
        ):
            assert line in metrics.splitlines()
        commits = re.search(r"^sinchflow_commit_seconds_count (\S+)$", metrics, re.M)
        assert float(commits[1]) >= 3  # the event, its routing, the outcome

    play(scenario)


def test_alerts_say_what_they_mean_and_what_to_run():
    (group,) = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"]
    assert [
        rule["alert"]
        for rule in group["rules"]
        if not rule["annotations"]["summary"] or not re.search(r"sinchflow \w+|log", rule["annotations"]["description"])
    ] == []


def test_histogram_counts_up_to_each_bound():
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    assert histogram.buckets() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert histogram.total == 7.65


def test_journal_that_cannot_be_read_leaves_the_other_metrics():
    metrics = Metrics(Stats(), {"flows": ("Flows.", lambda: 3)}).render("it is damaged", datetime.now(UTC)).decode()
    assert "sinchflow_journal_readable 0.0" in metrics
    assert "sinchflow_flows 3.0" in metrics
    assert "sinchflow_sends_open" not in metrics
