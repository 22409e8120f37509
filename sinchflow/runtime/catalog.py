"""What is live: the flows and settings of one successful load, swapped whole.

A catalog is made off the loop and never changes. Runs are pinned to the digest of the document they began with, so
the catalog also finds flows that are no longer in any file, through the journal's sources.
"""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from sinchflow.engine.routing import Router
from sinchflow.engine.scope import SETTINGS_SCOPE
from sinchflow.errors import CannotStart
from sinchflow.expression.template import Templates
from sinchflow.journal.journal import FlowSource
from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checked
from sinchflow.model.flow import Flow
from sinchflow.model.project import Limits, Project
from sinchflow.model.run import Facts
from sinchflow.runtime.secrets import Secrets
from sinchflow.sinch.services import SERVICES


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """How the provider is reached: all filled in."""

    base_url: str
    api_key: str
    api_secret: str


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """What `dev` puts in the place of the project's settings, because it brings its own provider."""

    connection: Connection
    webhook_token: str
    source_number: str


class Catalog:
    """The flows and settings that are live."""

    def __init__(
        self,
        checked: Checked,
        secrets: Secrets,
        source_of: Callable[[str], FlowSource | None],
        overrides: Overrides | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Raises CannotStart with every missing secret, or when the project does not say how to reach the provider.

        source_of: the journal's documents, for runs whose document has changed since.
        """
        things: list[Any] = [flow for flow in checked.flows if flow.enabled]
        if overrides is not None:
            secrets = secrets.with_stand_ins(things)
        else:
            things.append(checked.project)
        if missing := secrets.missing(things):
            raise CannotStart("\n".join(str(each) for each in missing))
        environ = os.environ if environ is None else environ
        self.project: Project = checked.project
        self.secrets = secrets
        self.flows: dict[str, Flow] = {flow.name: flow for flow in checked.flows}
        self.router = Router(checked.flows)
        self.templates = Templates()
        self.limits: Limits = checked.project.limits
        if overrides is None:
            self.connection = _connection(self.project, secrets, self.templates)
            self.webhook_token = _token(self.project, secrets, self.templates)
            source_number = self.project.source_number
        else:
            self.connection = overrides.connection
            self.webhook_token = overrides.webhook_token
            source_number = self.project.source_number or overrides.source_number
        self.facts = Facts(
            timezone=checked.project.timezone,
            country=checked.project.country,
            source_number=source_number,
            env={name: environ[name] for name in checked.project.env if name in environ},
        )
        self._by_digest = {flow.digest: flow for flow in checked.flows}
        self._sources = checked.sources
        self._old_flow = lru_cache(maxsize=1_000)(lambda digest: _old_flow(digest, source_of))

    def flow(self, digest: str) -> Flow | None:
        """The flow with this digest: a live one, else as the journal keeps it. None when nobody has it."""
        return self._by_digest.get(digest) or self._old_flow(digest)

    def source(self, flow: Flow) -> FlowSource:
        """The document of a live flow, for the journal."""
        source = self._sources[flow.digest]
        return FlowSource(digest=flow.digest, name=flow.name, file=source.file, line=source.line, source=source.text)


def _old_flow(digest: str, source_of: Callable[[str], FlowSource | None]) -> Flow | None:
    source = source_of(digest)
    return None if source is None else flow_from_source(source.source, source.file, source.line)


def _connection(project: Project, secrets: Secrets, templates: Templates) -> Connection:
    scope = SETTINGS_SCOPE
    if project.base_url is not None:
        base_url = secrets.fill(templates.text(project.base_url, scope))
    elif project.service is not None:
        base_url = SERVICES[project.service]
    else:
        raise CannotStart(
            "the project does not say which Sinch service to use: "
            f"set `service:` (one of {', '.join(SERVICES)}) or `base_url:` in sinchflow.yaml"
        )
    if project.credentials is None:
        raise CannotStart(
            "the project has no API key: set `credentials:` in sinchflow.yaml, for example "
            'credentials: {api_key: "{{ secrets.SINCH_API_KEY }}", api_secret: "{{ secrets.SINCH_API_SECRET }}"}'
        )
    return Connection(
        base_url=base_url,
        api_key=secrets.fill(templates.text(project.credentials.api_key, scope)),
        api_secret=secrets.fill(templates.text(project.credentials.api_secret, scope)),
    )


def _token(project: Project, secrets: Secrets, templates: Templates) -> str:
    if project.webhook_token is None:
        raise CannotStart(
            "the project has no webhook token, the secret part of the URLs that Sinch calls: set "
            '`webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}` in sinchflow.yaml and SINCHFLOW_SECRET_HOOK_TOKEN'
        )
    return secrets.fill(templates.text(project.webhook_token, SETTINGS_SCOPE))
