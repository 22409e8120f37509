"""A few waits of a second each, with kills in between."""

import asyncio

from tests.proof.dose import Dose
from tests.proof.waits import play


def test_waits_end_neither_early_nor_never(tmp_path):
    figures = asyncio.run(play(Dose(seed=1, scale=0.03, folder=tmp_path), lasting=(1,)))
    assert [figure for figure in figures if figure.is_met is False] == []
