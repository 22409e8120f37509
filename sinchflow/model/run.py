"""A run: one flow at work for one event, as it is stored between two steps."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from sinchflow.model.command import Attempt, Command, Outcome

RunStatus = Literal["running", "completed", "stopped", "failed"]


class Record(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """One line of a run's trace: at which step, what happened, in words or data."""

    at: datetime
    address: str
    what: str  #: `skipped` `command` `outcome` `set` `branch` `log` `error`
    detail: Any = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a step failed; `error` in templates while its `on_error` runs."""

    kind: str  #: as in `Failed.kind`, or `template` `condition` `fail` `value` `limit`
    message: str
    step: str  #: its id, else its address
    status: int | None = None
    place: str = ""  #: `file:line:col` of the step


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a branch of the run stands: at `address`, with `commands` asked for and `outcomes` had so far."""

    address: str
    commands: tuple[Command, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    attempts: dict[str, Attempt] = {}  #: by command id, for commands that are being retried


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
    vars: dict[str, Any] = {}
    outputs: dict[str, dict[str, Any]] = {}
    match: dict[str, Any] = {}
    error: Problem | None = None  #: the last step's failure, while its `on_error` runs and after
    steps_taken: int = 0
    trace: tuple[Record, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen any more."""
        return self.status != "running"


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the engine may look at besides flow, run and event; the project's current settings.

    contact: what is known about the contact, at least `number`. env: the names that the project file lists.
    """

    timezone: str = "UTC"
    country: str | None = None
    source_numbers: dict[str, str] = {}  #: the number or name that each account sends from, by account
    contact: dict[str, Any] = {}
    env: dict[str, str] = {}


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine decided: the run's new state, and the commands to perform once that state is stored."""

    run: Run
    commands: tuple[Command, ...] = ()
