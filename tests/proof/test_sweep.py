"""A few points of the crash sweep: while the journal is made, in the middle of the load, and towards its end."""

import asyncio

from tests.proof.dose import Dose
from tests.proof.sweep import play


def test_crash_at_any_point_loses_and_doubles_nothing(tmp_path):
    dose = Dose(seed=1, scale=0.01, folder=tmp_path)
    figures = asyncio.run(play(dose, {"hold": [60, 215], "check": [240]}))
    assert [figure for figure in figures if figure.is_met is False] == []
