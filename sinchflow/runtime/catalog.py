"""What is live: the flows and settings of one successful load, swapped whole.

A catalog is made off the loop and never changes. Runs are pinned to the digest of the document they began with, so
the catalog also finds flows that are no longer in any file, through the journal's sources.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.engine.conversation import Answers
from sinchflow.engine.routing import Router
from sinchflow.errors import CannotStart
from sinchflow.expression.calendars import OpenHours
from sinchflow.expression.template import Templates
from sinchflow.journal.journal import FlowSource
from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checked
from sinchflow.model.flow import Flow, WaitForReply
from sinchflow.model.project import Project, Webhooks
from sinchflow.model.run import Facts
from sinchflow.policy.words import PolicyWords
from sinchflow.runtime.connections import Connection, Hooks, Settings
from sinchflow.runtime.flow_hooks import FlowHooks
from sinchflow.runtime.guard import Guard
from sinchflow.runtime.keyring import KEYS_FILE
from sinchflow.runtime.policy_flows import policy_flows
from sinchflow.runtime.secrets import Secrets
from sinchflow.sinch.signature import BadKey, SignatureKey, Verifier


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """What `dev` puts in the place of the project's settings, because it brings its own provider."""

    connection: Connection
    hooks: Hooks

    def connections(self, project: Project) -> dict[str, Connection]:
        """This connection for every account of the project, each with its own number and limits."""
        return {
            name: replace(
                self.connection,
                account=name,
                source_number=account.source_number or self.connection.source_number,
                limits=account.limits,
                catch_up=account.catch_up,
            )
            for name, account in project.all_accounts.items()
        }


class Catalog:
    """The flows and settings that are live."""

    def __init__(
        self,
        checked: Checked,
        secrets: Secrets,
        source_of: Callable[[str], FlowSource | None],
        overrides: Overrides | None = None,
        environ: Mapping[str, str] | None = None,
        keys: Sequence[SignatureKey] = (),
    ) -> None:
        """Raises CannotStart with every missing secret, or when the project does not say how to reach the provider.

        source_of: the journal's documents, for runs whose document has changed since.
        keys: those with which the provider signs what it pushes.
        """
        things: list[Any] = [flow for flow in checked.flows if flow.enabled]
        if overrides is not None:
            secrets = secrets.with_stand_ins(things)
        else:
            things.append(checked.project)
        if missing := secrets.missing(things):
            raise CannotStart("\n".join(str(each) for each in missing))
        self.project: Project = checked.project
        self.secrets = secrets
        self.flows: dict[str, Flow] = {flow.name: flow for flow in checked.flows}
        self.router = Router(checked.flows)
        self.templates = Templates()
        settings = Settings(self.project, secrets, self.templates, environ)
        self.connections = settings.connections() if overrides is None else overrides.connections(self.project)
        self.hooks = settings.hooks() if overrides is None else overrides.hooks
        self.guard = Guard(self.hooks, self.connections, _verifiers(self.project.webhooks, self.connections, keys))
        self.flow_hooks = FlowHooks(checked.flows, settings.secret)
        numbers = {name: each.source_number for name, each in self.connections.items() if each.source_number}
        self.facts = facts_of(checked, settings.env, numbers)
        self._answers: dict[tuple[str, str], Answers] = {}
        self.policy_words = PolicyWords(self.project.policy)
        made = policy_flows(self.project.policy)
        #: what policy answers by itself, by the kind of word
        self.policy_flows = {kind: each.flow for kind, each in made.items()}
        self._by_digest = {flow.digest: flow for flow in (*checked.flows, *self.policy_flows.values())}
        self._sources = checked.sources | {each.flow.digest: each.source for each in made.values()}
        self._old_flow = lru_cache(maxsize=1_000)(lambda digest: _old_flow(digest, source_of))

    def flow(self, digest: str) -> Flow | None:
        """The flow with this digest: a live one, else as the journal keeps it. None when nobody has it."""
        return self._by_digest.get(digest) or self._old_flow(digest)

    def answers(self, flow: Flow, wait: str) -> Answers | None:
        """What the step that asked for this wait wants to hear, made ready once."""
        step = interpreter.step_of(flow, wait)
        key = (flow.digest, step.address)
        if key not in self._answers and isinstance(step.action, WaitForReply):
            self._answers[key] = Answers(step.action)
        return self._answers.get(key)

    def source(self, flow: Flow) -> FlowSource:
        """The document of a live flow, for the journal."""
        source = self._sources[flow.digest]
        return FlowSource(digest=flow.digest, name=flow.name, file=source.file, line=source.line, source=source.text)


def facts_of(checked: Checked, env: Mapping[str, str], source_numbers: dict[str, str]) -> Facts:
    """What the engine may look at in a project, without a contact."""
    project = checked.project
    return Facts(
        timezone=project.timezone,
        language=project.language,
        country=project.country,
        source_numbers=source_numbers,
        env=dict(env),
        lists=checked.lists,
        calendars={
            name: OpenHours(calendar, project.timezone, checked.closed.get(name, frozenset()))
            for name, calendar in project.calendars.items()
        },
    )


def _old_flow(digest: str, source_of: Callable[[str], FlowSource | None]) -> Flow | None:
    source = source_of(digest)
    return None if source is None else flow_from_source(source.source, source.file, source.line)


def _verifiers(webhooks: Webhooks, accounts: Iterable[str], keys: Sequence[SignatureKey]) -> Mapping[str, Verifier]:
    """Who must sign, and with which keys."""
    if webhooks.signature == "off":
        return {}
    by_account = {account: [key for key in keys if key.account == account] for account in accounts}
    lacking = sorted(account for account, its_keys in by_account.items() if not its_keys)
    if webhooks.signature == "on" and lacking:
        raise CannotStart(
            f"webhooks.signature is on, but there is no signature key for account {', '.join(lacking)}: "
            "make one with `sinchflow keys create --enable`, or set `signature: off`"
        )
    try:
        return {account: Verifier(its_keys) for account, its_keys in by_account.items() if its_keys}
    except BadKey as error:
        raise CannotStart(f"{KEYS_FILE}: {error}") from error
