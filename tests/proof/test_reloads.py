"""The short form of `reloads`."""

from pathlib import Path

from tests.proof.dose import Dose
from tests.proof.reloads import prove


def test_broken_files_lose_no_event_and_no_flow(tmp_path: Path) -> None:
    missed = [each for each in prove(Dose(seed=7, scale=0.01, folder=tmp_path)) if each.is_met is False]
    assert missed == []
