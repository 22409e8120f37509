"""What a seed decides about its world once: how much goes wrong, of which kind, and for how long."""

from random import Random

import msgspec

#: Faults of calls to the provider, with how often each comes where any does.
CALL_FAULTS = {
    "no_connection": 3,
    "lost_before": 3,  #: never arrives, no answer for 20 s
    "lost_after": 4,  #: taken, no answer for 20 s
    "reset_before": 2,
    "reset_after": 3,
    "5xx_before": 2,
    "5xx_after": 3,
    "cut": 2,  #: taken, the answer ends in its middle
    "empty": 2,  #: taken, an answer without a body
    "short": 2,  #: taken, one message is missing in the answer
    "429": 2,
    "400": 2,  #: one message of the batch is refused
    "401": 1,
    "late": 2,  #: taken, answered after a while
}
REPORT_FAULTS = {"no_connection": 1, "lost_before": 1, "5xx_before": 2, "cut": 1, "empty": 1, "429": 1, "403": 2}
URL_FAULTS = {
    "no_connection": 2,
    "lost_before": 2,
    "lost_after": 2,
    "reset_before": 1,
    "reset_after": 2,
    "500": 3,
    "404": 1,
    "429": 1,
    "cut": 1,
}


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How likely each kind of trouble is, from 0 to 1, until `heals_s`."""

    calls: float
    reports: float
    urls: float
    pushes_lost: float
    pushes_repeated: float
    disk: float
    heals_s: float
    crashes: int  #: at any time
    aimed: int  #: a few callbacks after something has left, arrived or become durable
    jumps: int
    reloads: int
    pauses: int
    sweeps: int
    operator: int
    call_faults: tuple[str, ...]
    report_lag_s: float  #: how long the provider's report may take to show a message
    is_in_order: bool  #: whether the report shows messages in the order in which they were taken
    push_lag_s: float
    events: int
    over_s: float


def weather(random: Random) -> Weather:
    """The weather of a seed: often mild in most respects, so that what goes wrong does so by itself."""

    def often(*choices: float) -> float:
        return random.choice(choices)

    faults = list(CALL_FAULTS)
    chosen = random.sample(faults, random.randint(1, 4)) if random.random() < 0.6 else faults
    over_s = often(5.0, 60.0, 600.0, 7_200.0)
    return Weather(
        calls=often(0.0, 0.1, 0.3, 0.6, 0.95),
        reports=often(0.0, 0.0, 0.2, 0.9),
        urls=often(0.0, 0.2, 0.6),
        pushes_lost=often(0.0, 0.2, 1.0),
        pushes_repeated=often(0.0, 0.3),
        disk=often(0.0, 0.0, 0.0, 0.1),
        heals_s=over_s * random.uniform(0.8, 2.0) + 30.0,
        crashes=random.choice((0, 0, 1, 2, 4)),
        aimed=random.choice((0, 1, 2, 4)),
        jumps=random.choice((0, 0, 0, 1, 3)),
        reloads=random.choice((0, 0, 1, 3)),
        pauses=random.choice((0, 0, 0, 1, 2)),
        sweeps=random.choice((0, 0, 2)),
        operator=random.choice((0, 0, 2, 5)),
        call_faults=tuple(chosen),
        report_lag_s=often(0.0, 1.0, 20.0, 20.0, 1_000.0),
        is_in_order=random.random() < 0.4,
        push_lag_s=often(0.05, 5.0, 120.0),
        events=random.choice((2, 3, 3, 4, 6, 8, 16)),
        over_s=over_s,
    )
