"""The short form of `clocks`."""

from pathlib import Path

from tests.proof.clocks import prove
from tests.proof.dose import Dose


def test_nothing_is_early_missed_or_doubled_whatever_the_clock_is_set_to(tmp_path: Path) -> None:
    missed = [each for each in prove(Dose(seed=100, scale=0.0015, folder=tmp_path)) if each.is_met is False]
    assert missed == []
