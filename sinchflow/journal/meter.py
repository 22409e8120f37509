"""Histograms that cost next to nothing to keep: plain integers, made into Prometheus's form when somebody asks."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """How often a value was up to each bound. One thread observes; any may look."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """It happened with this value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound and how many were up to it, the last one `+Inf`."""
        found, so_far = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), list(self.counts), strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


class CommitMeter:
    """What the journal's writer did: seconds of each commit, and how many units it stored."""

    def __init__(self) -> None:
        self.seconds = Histogram((0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0))
        self.units = Histogram((1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000))
