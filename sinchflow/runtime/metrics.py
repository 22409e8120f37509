"""The daemon's counts in Prometheus's form, made when somebody asks for them."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CollectorRegistry, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from sinchflow.runtime.stats import Stats

#: Reads a number at the time of asking: open runs, queued sends, …
Gauges = dict[str, tuple[str, Callable[[], float]]]


#: Troubles that are shown as 0 while they are none.
_SUBJECTS = ("provider", "journal", "reload", "quarantine", "webhooks", "drift", "catch_up")


class _Collector:
    def __init__(self, stats: Stats, gauges: Gauges) -> None:
        self._stats = stats
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        stats = self._stats
        by_label = (
            ("events", "Events accepted.", "kind", stats.events),
            ("refused_requests", "Webhook requests refused.", "status", stats.refused_requests),
            ("policy_words", "Messages that policy took.", "kind", stats.policy_words),
            ("runs_ended", "Runs ended.", "status", stats.runs_ended),
            ("sends", "Sends that reached a state.", "state", stats.sends),
            ("provider_calls", "Calls to the provider.", "outcome", stats.calls),
            ("http_calls", "Calls of `http` steps.", "outcome", stats.http_calls),
            ("fetched", "Events that polling found and no webhook had brought.", "kind", stats.fetched),
            ("reloads", "Reloads of the project.", "outcome", stats.reloads),
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
            ("internal_errors", "Errors of sinchflow's own.", stats.internal_errors),
        )
        for name, text, count in plain:
            yield CounterMetricFamily(f"sinchflow_{name}", text, value=count)
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"sinchflow_{name}", text, value=read())
        drift = GaugeMetricFamily(
            "sinchflow_webhook_drift", "Differences between the webhooks and the project.", labels=["account"]
        )
        for account, count in sorted(stats.drift.items()):
            drift.add_metric([account], count)
        yield drift
        troubles = GaugeMetricFamily("sinchflow_trouble", "1 for each thing that is wrong now.", labels=["subject"])
        for subject in sorted({*stats.troubles, *_SUBJECTS}):
            troubles.add_metric([subject], float(subject in stats.troubles))
        yield troubles


class Metrics:
    """`render` gives the text that `/metrics` answers with."""

    def __init__(self, stats: Stats, gauges: Gauges) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(stats, gauges))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def render(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self._registry)
