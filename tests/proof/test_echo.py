"""A short form of `python -m tests.proof echo`."""

import asyncio

import pytest

from tests.proof.dose import Dose
from tests.proof.echo import _Duel, _most_within


@pytest.mark.parametrize("longest_s", [0, 30])
def test_two_auto_responders_stop(tmp_path, longest_s):
    dose = Dose(seed=1, scale=0, folder=tmp_path)
    duel = _Duel(tmp_path, "You wrote: {{ event.content | truncate(60) }}", dose, longest_s)
    sent = asyncio.run(duel.play(11))
    assert {_most_within(times) for times in sent.values()} == {10}
