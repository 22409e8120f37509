"""The short form of `disk`: some operations of each scene refused, and a daemon at work whose disk fills up."""

from datetime import timedelta
from pathlib import Path

import pytest

from sinchflow.runtime import daemon
from tests.proof import _sick, disk
from tests.proof.dose import Dose


def test_a_disk_that_refuses_makes_nobody_hang_lose_or_halve_anything(tmp_path: Path) -> None:
    count, faults = disk.sweep(Dose(seed=7, scale=0.0015, folder=tmp_path))
    assert (faults, count > 10) == ({}, True)


def test_a_daemon_refuses_webhooks_while_the_disk_is_full_and_goes_on_by_itself(tmp_path: Path) -> None:
    assert _sick.nurse(tmp_path, "disk full", count=2, ill_s=0) == []


def test_a_daemon_stops_although_its_disk_stays_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_GRACE", timedelta(seconds=0.1))
    assert _sick.stops(tmp_path, "disk full")
