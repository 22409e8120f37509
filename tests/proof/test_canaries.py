"""The short form of `canaries`: some of the cases."""

from tests.proof.canaries import prove
from tests.proof.dose import Dose


def test_secrets_are_found_nowhere(tmp_path):
    figures = list(prove(Dose(seed=7, scale=0.2, folder=tmp_path)))
    assert [figure for figure in figures if figure.is_met is False] == []
