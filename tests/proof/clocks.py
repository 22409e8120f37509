"""The clock is set forward and back, by seconds and by years, and zones change theirs.

Nothing is early, missed or doubled.

In memory, thousands of seeds: schedules across the changes of a dozen zones (`_ticking`), and an account's throttle,
pauses and queue (`_paced`), each with leaps and restarts in between.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import structlog

from tests.proof._paced import Paced
from tests.proof._ticking import Ticking
from tests.proof.dose import Dose, Figure, at_least, exactly


def prove(dose: Dose) -> Iterable[Figure]:
    """See the module's text."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        schedules = _played(dose, Ticking, dose.times(4_000), 12)
        paced = _played(dose, Paced, dose.times(8_000), 40)
    finally:
        structlog.reset_defaults()
    ticks, calls = sum(each.ticks for each in schedules), sum(len(each.calls) for each in paced)
    wrong = [words for each in (*schedules, *paced) for words in each.wrong]
    return [
        at_least("schedules played", len(schedules), 1), at_least("ticks", ticks, 1),
        exactly("ticks early, missed, doubled or strange", sum(len(each.wrong) for each in schedules)),
        at_least("accounts played", len(paced), 1), at_least("calls", calls, 1),
        exactly("windows with too many calls, and queues that stalled", sum(len(each.wrong) for each in paced)),
        *(Figure(name="wrong", value=words) for words in wrong[:5]),
    ]  # fmt: skip


def _played(dose: Dose, what: Any, seeds: int, moves: int) -> list[Any]:
    played = []
    for seed in range(dose.seed, dose.seed + seeds):
        one = what(seed)
        asyncio.run(one.play(moves))
        if one.wrong:
            one.wrong[0] += f" ({'; '.join(one.story)})"
        played.append(one)
        dose.say(f"{what.__name__} {len(played)} of {seeds}")
    return played
