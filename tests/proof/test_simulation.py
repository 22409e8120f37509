"""A few seeds of the simulation, always the same; `python -m tests.proof simulation` plays 100,000."""

from tests.proof.simulation import play

_FIRST, _COUNT = 8_000, 25


def test_no_promise_breaks_in_random_worlds():
    *_, outcome = play(range(_FIRST, _FIRST + _COUNT))
    assert outcome.failed == {}
    assert (outcome.seeds, outcome.crashes > 20, outcome.sends > 100) == (_COUNT, True, True)


def test_a_seed_is_a_story_that_can_be_told_again():
    stories: list[list[str]] = []
    for _ in range(2):
        story: list[str] = []
        list(play([_FIRST], story.append))
        stories.append([line for line in story if "log " not in line])
    assert stories[0] == stories[1]
    assert len(stories[0]) > 20
