"""The short form of `targets`: some of the forbidden targets, in some of the ways."""

from tests.proof.dose import Dose
from tests.proof.targets import prove


def test_forbidden_targets_are_never_dialled(tmp_path):
    figures = list(prove(Dose(seed=7, scale=0.04, folder=tmp_path)))
    assert [figure for figure in figures if figure.is_met is False] == []
