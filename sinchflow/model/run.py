"""A run: one flow at work for one event, as it is stored between two steps."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from sinchflow.model.command import Attempt, Command, Failed, Outcome

RunStatus = Literal["running", "completed", "stopped", "failed", "cancelled"]


class Record(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """One line of a run's trace: at which step, what happened, in words or data."""

    at: datetime
    address: str
    what: (
        str  #: `skipped` `command` `attempt` `outcome` `set` `branch` `loop` `log` `stop` `error` `retried` `left_out`
    )
    detail: Any = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a step failed; `error` in templates while its `on_error` runs."""

    kind: str  #: as in `Failed.kind`, or `template` `condition` `fail` `value` `limit`
    message: str
    step: str  #: its id, else its address
    status: int | None = None
    place: str = ""  #: `file:line:col` of the step


class Tally(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has become of the messages of one step so far. Their commands are in the sends' own rows, not here.

    asked: how many messages. open: which of them have no outcome yet, as the bits of an integer in hexadecimal.
    sent, failed: counts; messages, skipped: the first of them in full. ended: whether policy refused any.
    """

    asked: int
    open: str
    sent: int = 0
    failed: int = 0
    refused: int = 0
    messages: tuple[dict[str, Any], ...] = ()
    skipped: tuple[dict[str, str], ...] = ()
    failure: Failed | None = None  #: the first one
    lost: str = ""  #: which of them failed, as `open`: what a retry sends again
    whom: str = ""  #: of several messages: what tells whether they are to the same people


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a branch of the run stands: at `address`, with `commands` asked for and `outcomes` had so far.

    tally: instead of both, for a step that sends. tries: answers to a wait that fitted no category.
    """

    address: str
    commands: tuple[Command, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    attempts: dict[str, Attempt] = {}  #: by command id, for commands that are being retried
    tally: Tally | None = None
    tries: int = 0
    #: the step has not begun: the run only lets others have their turn; without a command it is held (see `is_held`)
    is_pause: bool = False
    runs: dict[str, int] = {}  #: runs that it waits for, by the command that began each


class Branch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One iteration of a loop while it is under way: its item, and what its own steps have given."""

    item: Any = None
    outputs: dict[str, dict[str, Any]] = {}
    error: Problem | None = None


class Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `for_each` or `parallel` step while it is under way.

    items: of the loop; None where they are kept beside the run (`Transition.kept`), because they are many.
    size: how many items or branches. begun, ended, failed: counts. open: the indexes under way. results: the first.
    """

    size: int
    items: tuple[Any, ...] | None = None
    begun: int = 0
    ended: int = 0
    failed: int = 0
    open: tuple[int, ...] = ()
    results: tuple[dict[str, Any], ...] = ()
    is_over: bool = False  #: `until` held: no more items are begun


#: In `Stand.at`: before the first step, and after the last one.
BEGIN, END = "begin", "end"


class Stand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a run stood when it failed: what a retry goes on from. What a run keeps in any case is not here again.

    at: where it is to be walked on: the step that failed, then those that were about to begin; the address of an
    iteration stands for its end. cursors: steps beside it that had not got all they waited for; for a block that ran
    out of time they are all there is. error: as the step that failed saw it.
    """

    at: tuple[str, ...] = ()
    cursors: tuple[Cursor, ...] = ()
    frames: dict[str, Frame] = {}
    branches: dict[str, Branch] = {}
    deadlines: tuple[str, ...] = ()  #: of blocks under way that have a `timeout`; it begins anew
    error: Problem | None = None
    vars: dict[str, Any] | None = None  #: as they were before the flow's `on_error` changed them
    inputs: dict[str, Any] | None = None  #: as they were given to a run that failed before its first step


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a run.

    outputs: `steps.ID` by id. match: what the trigger's filters captured. event_id: the journal's key of its event.
    cursors: one per branch at work; empty once the run has ended.
    """

    id: int
    flow: str
    digest: str
    event_id: int
    started_at: datetime
    account: str = "default"
    contact: str | None = None
    our_number: str | None = None
    status: RunStatus = "running"
    ended_at: datetime | None = None
    reason: str | None = None  #: why it stopped or failed
    cursors: tuple[Cursor, ...] = ()
    frames: dict[str, Frame] = {}  #: by the address of the block's step
    branches: dict[str, Branch] = {}  #: by the address of the iteration, `2.for_each.5`
    deadlines: dict[str, datetime] = {}  #: of blocks under way that have a `timeout`, by the step's address
    inputs: dict[str, Any] = {}
    depth: int = 0  #: runs of flows that began one another, above this one
    parent: str | None = None  #: the command of another run that waits for this one
    key: str | None = None  #: what `concurrency` counts it under; None: the flow has none
    is_opt_out: bool = False  #: its event is a message that meant an opt-out, and is taken for one
    is_otherwise: bool = False  #: it takes the steps of `throttle.otherwise`
    handled: Problem | None = None  #: why the flow's own `on_error` has its turn: the run ends as failed after it
    receipts: tuple[dict[str, Any], ...] = ()  #: that came before a step waits for them, where one may; the last ones
    message_ids: tuple[str, ...] = ()  #: of the last messages sent, for answers that name one
    outputs_given: dict[str, Any] = {}  #: the flow's `outputs`, once the run has completed
    vars: dict[str, Any] = {}
    outputs: dict[str, dict[str, Any]] = {}
    match: dict[str, Any] = {}
    known: dict[str, Any] = {}  #: of its contact as it began: what flows had remembered, without the number
    error: Problem | None = None  #: the last step's failure, while its `on_error` runs and after
    steps_taken: int = 0
    let_through: int = 0  #: messages that policy let leave, or put off: what `max_sends_per_run` counts
    stand: Stand | None = None  #: of a run that has failed, or fails once the flow's `on_error` has had its turn
    retries: int = 0
    retried_at: datetime | None = None  #: the last time; from then on the flow's `timeout` counts
    trace: tuple[Record, ...] = ()
    #: it ended well and younger runs did so since: its trace, inputs, variables and outputs are no longer kept, nor
    #: what was known
    is_slim: bool = False

    @property
    def asks_as(self) -> str:
        """What the ids of its commands begin with: nobody takes the outcome of an earlier try for that of a later."""
        return f"{self.id}~{self.retries}" if self.retries else str(self.id)

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen any more."""
        return self.status != "running"

    @property
    def counts_as(self) -> str:
        """What `throttle` counts its start under; the steps of `otherwise` have a count of their own."""
        return otherwise_of(self.flow) if self.is_otherwise else self.flow

    @property
    def is_held(self) -> bool:
        """Whether its first step waits until `concurrency` lets it go."""
        return any(cursor.is_pause and not cursor.commands for cursor in self.cursors)


def otherwise_of(flow: str) -> str:
    """Under what `throttle` counts runs of the flow's `otherwise`."""
    return f"{flow}\notherwise"


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the engine may look at besides flow, run and event; the project's current settings.

    contact: what is known about the contact, at least `number`. env: the names that the project file lists.
    lists: the project's lists (`expression.lists.ListData`), calendars: its `expression.calendars.OpenHours`; by name.
    """

    timezone: str = "UTC"
    language: str | None = None
    country: str | None = None
    source_numbers: dict[str, str] = {}  #: the number or name that each account sends from, by account
    contact: dict[str, Any] = {}
    env: dict[str, str] = {}
    lists: Mapping[str, Any] = {}
    calendars: Mapping[str, Any] = {}


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine decided: the run's new state, and the commands to perform once that state is stored."""

    run: Run
    commands: tuple[Command, ...] = ()
    kept: dict[str, tuple[Any, ...]] = {}  #: items of loops to keep beside the run, by address
