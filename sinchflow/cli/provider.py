"""The provider as commands reach it: the project's settings without flows or journal, and calls that keep the throttle.

A command imports this module when it runs, not when the command line is built. Flows with errors keep nobody from
asking the provider; only `sinchflow.yaml` must be sound. Accounts that are not asked for may lack their secrets.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sinchflow.errors import CannotStart, ProviderError, UsageError
from sinchflow.expression.template import Templates
from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import present_text
from sinchflow.language.settings import PROJECT_FILE
from sinchflow.model.project import DEFAULT_ACCOUNT, Account, Limits, Project
from sinchflow.runtime.clock import Steady
from sinchflow.runtime.connections import Connection, Hooks, Settings, open_client
from sinchflow.runtime.secrets import Secrets
from sinchflow.runtime.window import CallWindow
from sinchflow.sinch.client import Answer, Calls, NotSent, Unknown

T = TypeVar("T")


class Provider:
    """How the provider is reached from this project, and reaches it."""

    def __init__(self, root: Path) -> None:
        """Raises CannotStart when there is no sound project file."""
        self.root = root
        self.project = _project(root)
        self._secrets = Secrets.of_project(root, self.project)
        self._settings = Settings(self.project, self._secrets, Templates())

    def connection(self, account: str = DEFAULT_ACCOUNT) -> Connection:
        """One account's connection. Raises UsageError for an unknown account, CannotStart when something is missing."""
        described = self._account(account)
        self._demand_secrets(described)
        return self._settings.connection(described)

    def connections(self, account: str | None = None) -> list[Connection]:
        """This account's connection, or every account's, the default one's first. Raises as `connection`."""
        chosen = list(self.project.all_accounts.values()) if account is None else [self._account(account)]
        self._demand_secrets(*chosen)
        return [self._settings.connection(each) for each in chosen]

    def hooks(self) -> Hooks:
        """How the provider reaches us. Raises CannotStart when token or secrets are missing."""
        self._demand_secrets(self.project.webhooks)
        return self._settings.hooks()

    def _account(self, name: str) -> Account:
        accounts = self.project.all_accounts
        if name not in accounts:
            raise UsageError(f'unknown account "{name}": sinchflow.yaml has {", ".join(accounts)}')
        return accounts[name]

    def _demand_secrets(self, *things: Any) -> None:
        if missing := self._secrets.missing(things):
            raise CannotStart("\n".join(str(each) for each in missing))


def reach(connection: Connection, ask: Callable[[Calls], Awaitable[T]]) -> T:
    """What `ask` finds out over this connection. Raises ProviderError with one line when the provider refuses.

    Opens an event loop of its own: for commands, which do one thing and end.
    """
    from sinchflow.sinch.failure import CallFailed

    async def session() -> T:
        async with open_client(connection) as client:
            return await ask(PacedCalls(client, connection.limits))

    try:
        return asyncio.run(session())
    except CallFailed as failure:
        raise ProviderError(failure.message) from failure


class PacedCalls:
    """Calls of this process, paced as the account's limits say; those of a daemon beside it are not known here."""

    def __init__(self, calls: Calls, limits: Limits) -> None:
        self._calls = calls
        self._window = CallWindow(limits)
        self._turn = asyncio.Lock()
        self._clock = Steady()

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        """Make one call when the window has room; see `Client.call`."""
        async with self._turn:
            now = self._clock.now()
            opens_at = max(now, self._window.opens_at(now, 1))
            await asyncio.sleep((opens_at - now).total_seconds())
            self._window.note(opens_at)
        try:
            return await self._calls.call(method, target, body)
        finally:
            self._window.end(self._clock.now())


def _project(root: Path) -> Project:
    path = root / PROJECT_FILE
    if not path.exists():
        raise CannotStart(f"there is no {PROJECT_FILE} in {root.resolve()}: name the project with -C, or use `init`")
    checked = Checker().check(root, [Path(PROJECT_FILE)])
    if checked.has_errors:
        errors = [each for each in checked.diagnostics if each.severity == "error"]
        raise CannotStart(f"{PROJECT_FILE} has errors:\n{present_text(errors, checked.texts)}".rstrip())
    return checked.project
