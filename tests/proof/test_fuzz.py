"""The short form of `fuzz`: a few inputs of each target that is fast. Inputs that failed once are cases elsewhere."""

from tests.proof import fuzz
from tests.proof.dose import Dose

SLOW = {"doors", "signature", "flow file", "project file", "test file"}


def test_inputs_of_every_kind_are_read_or_refused(tmp_path):
    dose = Dose(seed=7, scale=0.0002, folder=tmp_path)
    assert [figure for figure in fuzz.play_all(dose, fuzz.TARGETS.keys() - SLOW) if figure.is_met is False] == []
