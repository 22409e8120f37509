"""What `plan`, `apply`, `drift` and `destroy` share: each account's webhooks looked up, and coloured lines.

A command imports this module when it runs, not when the command line is built.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from sinchflow.cli.provider import Provider, reach
from sinchflow.cli.screen import clean, console
from sinchflow.deploy.desired import Wanted, wanted_webhooks
from sinchflow.deploy.mask import Mask
from sinchflow.deploy.plan import Plan, make_plan, plan_removal
from sinchflow.deploy.show import Line
from sinchflow.errors import ProviderError, UsageError
from sinchflow.model.project import Account, Project
from sinchflow.runtime.connections import Connection, Hooks
from sinchflow.sinch.client import Calls
from sinchflow.sinch.webhooks import list_webhooks

T = TypeVar("T")

_STYLES = {"add": "green", "change": "yellow", "remove": "red", "warn": "bold red", "quiet": "dim", "plain": ""}


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One account: what it should have and what there is to do. wanted: empty for a removal."""

    connection: Connection
    wanted: tuple[Wanted, ...]
    plan: Plan

    @property
    def title(self) -> str:
        """The account's name and where it is."""
        return f"account {self.connection.account} ({self.connection.base_url})"


class Site:
    """The project's webhooks: settings, and the accounts that the command is about."""

    def __init__(self, provider: Provider, account: str | None) -> None:
        """account: only this one. Raises CannotStart or UsageError when something is missing."""
        self.settings = provider.project.webhooks
        self.hooks: Hooks = provider.hooks()
        self.mask = Mask(self.hooks)
        self._connections = _with_webhooks(provider, account)

    def plans(self, adopted_ids: Iterable[str] = ()) -> list[Section]:
        """What is to do in each account. Raises UsageError when an id to adopt is nothing to adopt."""
        ids = tuple(adopted_ids)
        wanted = {each.account: wanted_webhooks(self.hooks, self.settings, each.account) for each in self._connections}
        sections: list[Section] = []
        conflicts: set[str] = set()
        for connection in self._connections:
            name, found = connection.account, self.reach(connection, list_webhooks)
            plain = make_plan(name, self.settings.name, wanted[name], found)
            conflicts.update(change.found.id for change in plain.conflicts if change.found is not None)
            plan = make_plan(name, self.settings.name, wanted[name], found, ids) if ids else plain
            sections.append(Section(connection=connection, wanted=wanted[name], plan=plan))
        if unknown := [each for each in ids if each not in conflicts]:
            known = f"those in the way are {', '.join(sorted(conflicts))}" if conflicts else "none is in the way"
            raise UsageError(f"--adopt {unknown[0]}: no such webhook is in the way of ours; {known}")
        return sections

    def removals(self) -> list[Section]:
        """What of each account is ours and would be deleted."""
        return [
            Section(
                connection=each,
                wanted=(),
                plan=plan_removal(each.account, self.settings.name, self.reach(each, list_webhooks)),
            )
            for each in self._connections
        ]

    def reach(self, connection: Connection, ask: Callable[[Calls], Awaitable[T]]) -> T:
        """As `provider.reach`, with our secrets taken out of the provider's words."""
        try:
            return reach(connection, ask)
        except ProviderError as error:
            raise ProviderError(f"account {connection.account}: {self.mask.text(str(error))}") from error


def print_lines(lines: Iterable[Line]) -> None:
    """Lines on stdout, coloured on a terminal unless NO_COLOR is set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        for line in lines:
            print(line.text)
        return
    from rich.text import Text

    shown_on = console()
    for line in lines:
        shown_on.print(Text(clean(line.text), style=_STYLES[line.tone]), soft_wrap=True)


def is_agreed(question: str) -> bool:
    """Whether somebody at the terminal says yes."""
    print(f"{question} yes/no: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _with_webhooks(provider: Provider, account: str | None) -> list[Connection]:
    """The accounts' connections, each account at the provider once: a second set would double every event."""
    twin = {name: _twin(provider.project, each) for name, each in provider.project.all_accounts.items()}
    if account is not None and (other := twin.get(account)) is not None:
        raise UsageError(f'account "{account}" is the same account at Sinch as "{other}", which has the webhooks')
    return [each for each in provider.connections(account) if twin[each.account] is None]


def _twin(project: Project, account: Account) -> str | None:
    """The first account of the project that is the same one at the provider, when that is another."""

    def peer(each: Account) -> tuple[object, ...]:
        base_url = None if each.base_url is None else each.base_url.source
        api_key = None if each.credentials is None else each.credentials.api_key.source
        return each.service, base_url, api_key, each.sub_account

    first = next(name for name, each in project.all_accounts.items() if peer(each) == peer(account))
    return None if first == account.name else first
