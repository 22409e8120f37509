"""The short form of `power`: a few losses of each scene."""

from pathlib import Path

from tests.proof import power
from tests.proof.dose import Dose


def test_nothing_acknowledged_is_lost_with_the_power(tmp_path: Path) -> None:
    losses, faults = power.play(Dose(seed=7, scale=1, folder=tmp_path), 14)
    assert (faults, len(losses)) == ({}, 7)


def test_a_disk_that_only_says_that_it_syncs_is_found_out(tmp_path: Path) -> None:
    _, faults = power.play(Dose(seed=7, scale=1, folder=tmp_path), 7, is_deaf=True)
    assert faults
