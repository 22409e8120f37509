"""A mistake in a sound flow is found at its line, or it was none: the flow means the same as before."""

import random
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchflow.language.check import Checked, Checker
from sinchflow.language.diagnostic import present_text
from tests.benchmarks.mutants import KINDS, NOW, meaning, mutate, sound_flows
from tests.examples import examples

FLOWS = sound_flows()
CHECKER = Checker()


def check(folder, text) -> Checked:
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "flows" / "flow.yaml").write_bytes(text.encode())
    return CHECKER.check(folder, now=NOW)


@cache
def meanings(folder, at):
    return [meaning(flow) for flow in check(folder, FLOWS[at]).flows]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mistake_can_be_made(kind):
    assert any(mutate(flow, kind, random.Random(0)) for flow in FLOWS)


@settings(max_examples=examples(400), deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, len(FLOWS) - 1), kind=st.sampled_from(list(KINDS)), seed=st.integers(0, 2**32))
def test_mistake_is_found_at_its_line_or_means_the_same(at, kind, seed, tmp_path_factory):
    mutant = mutate(FLOWS[at], kind, random.Random(seed))
    if mutant is None:
        return
    folder = tmp_path_factory.getbasetemp()
    checked = check(folder, mutant.text)
    if not any(item.line in mutant.lines for item in checked.diagnostics):
        assert present_text(checked.diagnostics, checked.texts) == "", mutant.text
        assert [meaning(flow) for flow in checked.flows] == meanings(folder, at)
