"""The power goes at some moments of a daemon's work; all of them are `python -m tests.proof power`'s."""

import pytest

from tests.proof.dose import Dose
from tests.proof.power import lose_power, lose_power_while_upgrading


@pytest.fixture
def dose(tmp_path):
    return Dose(seed=7, scale=0, folder=tmp_path)


def test_what_was_acknowledged_outlives_a_loss_of_power(dose):
    assert lose_power(dose, 20) == (20, [])


def test_proof_sees_a_disk_that_says_too_early_that_it_has_written(dose):
    _, wrong = lose_power(dose, 12, lies=True)
    assert any("acknowledged events are lost" in each or "damaged" in each for each in wrong)


def test_journals_of_former_releases_outlive_a_loss_of_power_while_they_are_upgraded(dose):
    done, wrong = lose_power_while_upgrading(dose, 12)
    assert (done, wrong) == (12, [])
