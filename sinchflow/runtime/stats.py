"""What the daemon counts. Plain integers on the hot path; `metrics` turns them into Prometheus's form when asked."""

from collections import Counter
from datetime import datetime

from sinchflow.journal.meter import Histogram
from sinchflow.runtime.troubles import Troubles

_ACKNOWLEDGE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SEND_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0)


class Stats:
    """Counts since the process started, and the state of health."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()  #: accepted, by kind
        self.repeats = 0
        self.quarantined = 0
        self.refused_requests: Counter[int] = Counter()  #: webhook requests refused, by HTTP status
        self.unmatched = 0
        self.ignored = 0
        self.fetched: Counter[str] = Counter()  #: events that polling found and no webhook had brought, by kind
        self.drift: dict[str, int] = {}  #: by account: differences between our webhooks and those at the provider
        #: by account: when the provider's list of opt-outs was read; None: it cannot be, at present
        self.opt_out_lists: dict[str, datetime | None] = {}
        self.throttled = 0
        self.refused = 0  #: matches that `concurrency` did not let begin
        self.policy_words: Counter[str] = Counter()  #: messages that policy took, by what they meant
        self.routing_problems = 0
        self.runs_started = 0
        self.runs_ended: Counter[str] = Counter()  #: by status
        self.sends: Counter[str] = Counter()  #: settled, by state
        self.resolved: Counter[str] = Counter()  #: sends of unknown outcome, by how that ended
        self.retained: Counter[str] = Counter()  #: rows that retention let go of, by what they were
        self.calls_in_doubt: Counter[str] = Counter()  #: of `http` steps, by what was done about them
        self.sent_twice = 0  #: messages of which a look-up has shown that they went out twice
        self.look_ups = 0  #: requests for them to the provider's detail report
        self.calls: Counter[str] = Counter()  #: to the provider, by outcome
        self.http_calls: Counter[str] = Counter()  #: of `http` steps, by outcome
        self.reloads: Counter[str] = Counter()  #: `done`, `refused`
        self.internal_errors = 0
        self.acknowledge_seconds = Histogram(_ACKNOWLEDGE_S)  #: from a webhook's request to its 2xx
        self.send_seconds = Histogram(_SEND_S)  #: from a message's intent to the provider's yes
        self.last_reload_at: datetime | None = None
        self.reload_refused_at: datetime | None = None
        self.troubles = Troubles()  #: what is wrong right now
