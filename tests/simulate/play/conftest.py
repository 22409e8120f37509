"""The journals of scripts that are played."""

import pytest

from sinchflow.simulate.play.stage import Stage
from tests.simulate.play.taping import Taped


@pytest.fixture
def taped(monkeypatch):
    """The journals of the scripts that are played, the newest last."""
    journals = []

    def new_journal(stage):
        journals.append(Taped(stage._loop.call_soon))
        return journals[-1]

    monkeypatch.setattr(Stage, "_new_journal", new_journal)
    return journals
