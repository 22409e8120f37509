"""A few kills at random instants, with fewer runs in flight than in the long form."""

import asyncio

from tests.proof.dose import Dose
from tests.proof.kills import play


def test_kills_under_load_lose_and_double_nothing(tmp_path):
    dose = Dose(seed=1, scale=0.01, folder=tmp_path)
    figures = asyncio.run(play(dose, ["hold"], 2, asleep=12, awake=8))
    assert [figure for figure in figures if figure.is_met is False] == []
