"""The short form of `fuzz`: some inputs of each target that is fast. Inputs that failed once are cases elsewhere."""

import pytest

from tests.proof import fuzz

SEED = 7


@pytest.mark.parametrize("target", ["payload", "codec", "template", "regex", "call", "rows", "keys"])
def test_inputs_are_read_or_refused(target, tmp_path):
    play = fuzz.TARGETS[target].make(tmp_path)
    failed = {number: words for number in range(40) if (words := fuzz.tried(play, fuzz.made(target, number, SEED)))}
    assert failed == {}
