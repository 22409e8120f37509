"""The daemon's counts in Prometheus's form, made when somebody asks for them; docs/operating.md lists them all."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from sinchflow import __version__
from sinchflow.journal.meter import CommitMeter, Histogram
from sinchflow.journal.survey import Survey
from sinchflow.runtime.stats import Stats

#: Reads a number at the time of asking: open runs, queued sends, …
Gauges = dict[str, tuple[str, Callable[[], float]]]

#: Troubles that are shown as 0 while they are none.
_SUBJECTS = ("provider", "journal", "reload", "quarantine", "webhooks", "drift", "catch_up", "paused")


class Metrics:
    """`render` gives the text that `/metrics` answers with.

    accounts: their overview (`Accounts.overview`); commits: what the journal's writer did.
    """

    def __init__(
        self,
        stats: Stats,
        gauges: Gauges,
        *,
        accounts: Callable[[], Iterable[Mapping[str, Any]]] = tuple,
        commits: CommitMeter | None = None,
    ) -> None:
        self._stats = stats
        self._gauges = gauges
        self._accounts = accounts
        self._commits = commits or CommitMeter()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)

    def render(self, looked: Survey | str, now: datetime) -> bytes:
        """Prometheus text format 0.0.4. looked: at the journal, or why it could not be read."""
        registry = CollectorRegistry()
        registry.register(_Once([*self._counters(), *self._states(), *self._histograms(), *_journal(looked, now)]))
        return generate_latest(registry) + generate_latest(self._process)

    def _counters(self) -> Iterator[Metric]:
        stats = self._stats
        by_label = (
            ("events", "Events accepted and stored.", "kind", stats.events),
            ("refused_requests", "Webhook requests refused.", "status", stats.refused_requests),
            ("policy_words", "Messages that policy took.", "kind", stats.policy_words),
            ("runs_ended", "Runs ended.", "status", stats.runs_ended),
            ("sends", "Sends that reached a state.", "state", stats.sends),
            ("sends_resolved", "Sends of unknown outcome, by how that ended.", "how", stats.resolved),
            ("provider_calls", "Calls to the provider.", "outcome", stats.calls),
            ("http_calls", "Calls of `http` steps.", "outcome", stats.http_calls),
            ("fetched", "Events that polling found and no webhook had brought.", "kind", stats.fetched),
            ("reloads", "Reloads of the project.", "outcome", stats.reloads),
            ("calls_in_doubt", "Calls of `http` steps that were cut off.", "policy", stats.calls_in_doubt),
            ("retained", "What retention let go of.", "kind", stats.retained),
        )
        for name, text, label, counts in by_label:
            family = CounterMetricFamily(f"sinchflow_{name}", text, labels=[label])
            for value, count in sorted(counts.items(), key=str):
                family.add_metric([str(value)], count)
            yield family
        plain = (
            ("repeats", "Events that were known already.", stats.repeats),
            ("quarantined", "Webhook bodies that could not be read.", stats.quarantined),
            ("unmatched", "Events that no flow matched.", stats.unmatched),
            ("ignored", "Events fetched too late to start anything.", stats.ignored),
            ("throttled", "Matches that a flow's throttle refused.", stats.throttled),
            ("concurrency_refused", "Matches that a flow's concurrency refused.", stats.refused),
            ("routing_problems", "Flow conditions that failed.", stats.routing_problems),
            ("runs_started", "Runs started.", stats.runs_started),
            ("look_ups", "Requests to the provider's detail report for sends of unknown outcome.", stats.look_ups),
            ("sent_twice", "Messages that the provider's report shows twice.", stats.sent_twice),
            ("internal_errors", "Errors of sinchflow's own.", stats.internal_errors),
        )
        for name, text, count in plain:
            yield CounterMetricFamily(f"sinchflow_{name}", text, value=count)

    def _states(self) -> Iterator[Metric]:
        stats = self._stats
        info = GaugeMetricFamily("sinchflow_info", "1, with the version that runs.", labels=["version"])
        info.add_metric([__version__], 1.0)
        yield info
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"sinchflow_{name}", text, value=read())
        yield _labelled(
            "webhook_drift", "Differences between the webhooks and the project.", "account", sorted(stats.drift.items())
        )
        yield _labelled(
            "trouble", "1 for each thing that is wrong now.", "subject",
            ((subject, subject in stats.troubles) for subject in sorted({*stats.troubles, *_SUBJECTS})),
        )  # fmt: skip
        accounts = list(self._accounts())
        for key, name, text in (
            ("calls", "throttle_calls", "Calls to the provider in the throttle's window."),
            ("limit", "throttle_limit_calls", "Calls that the throttle's window allows; none without a limit."),
            ("per_s", "throttle_window_seconds", "Length of the throttle's window."),
            ("queued", "account_queued_sends", "Sends that wait for a call, by account."),
        ):
            yield _labelled(
                name, text, "account", ((each["account"], each[key]) for each in accounts if each[key] is not None)
            )

    def _histograms(self) -> Iterator[Metric]:
        stats, commits = self._stats, self._commits
        for name, text, histogram in (
            ("acknowledge_seconds", "From a webhook's request to its 2xx.", stats.acknowledge_seconds),
            ("send_seconds", "From a message's intent to the provider's yes.", stats.send_seconds),
            ("commit_seconds", "The journal's commits, with their fsync.", commits.seconds),
            ("commit_units", "Events and decisions stored together in one commit.", commits.units),
        ):
            yield _histogram(name, text, histogram)


class _Once:
    """A collector of what was gathered already."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _journal(looked: Survey | str, now: datetime) -> Iterator[Metric]:
    """What only the journal knows."""
    yield GaugeMetricFamily(
        "sinchflow_journal_readable", "1 while the journal can be read.", value=float(isinstance(looked, Survey))
    )
    if not isinstance(looked, Survey):
        return
    sends = looked.sends.items()
    yield _labelled("sends_open", "Sends that are not settled.", "state", ((state, it["count"]) for state, it in sends))
    yield _labelled(
        "sends_open_oldest_age_seconds", "Age of the oldest send in the state; 0 without one.", "state",
        ((state, _age_s(it["oldest_at"], now)) for state, it in sends),
    )  # fmt: skip
    sizes, events = looked.journal, looked.events
    for name, text, value in (
        ("held_calls", "Runs that wait for a person: nobody knows whether a call was done.", looked.held_calls),
        ("unrouted_events", "Accepted events that are not routed yet.", events["unrouted"]),
        ("unrouted_oldest_age_seconds", "Age of the oldest of them; 0 without one.", _age_s(events["oldest_at"], now)),
        ("quarantine_bodies", "Webhook bodies kept because they could not be read.", looked.quarantine["count"]),
        ("journal_bytes", "Size of the journal.", sizes["bytes"]),
        ("journal_log_bytes", "Size of the journal's write-ahead log.", sizes["log_bytes"]),
        ("journal_free_bytes", "Room on the journal's disk.", sizes["free_bytes"]),
    ):
        if value is not None:
            yield GaugeMetricFamily(f"sinchflow_{name}", text, value=float(value))


def _labelled(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"sinchflow_{name}", text, labels=[label])
    for each, value in values:
        family.add_metric([each], float(value))
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(f"sinchflow_{name}", text)
    family.add_metric([], buckets=histogram.buckets(), sum_value=histogram.total)
    return family


def _age_s(time: str | None, now: datetime) -> float:
    return 0.0 if time is None else max(0.0, (now - datetime.fromisoformat(time)).total_seconds())
