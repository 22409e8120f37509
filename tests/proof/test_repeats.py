"""A hundred events that come again and again, with a kill or two in between."""

import asyncio

from tests.proof.dose import Dose
from tests.proof.repeats import play


def test_events_that_come_again_begin_one_run_each(tmp_path):
    figures = asyncio.run(play(Dose(seed=1, scale=0.02, folder=tmp_path)))
    assert [figure for figure in figures if figure.is_met is False] == []
