"""Flows' own webhooks for people: where each is called, what shows who calls, and a line to try it with."""

from collections.abc import Iterable, Iterator

from sinchflow.model.flow import Flow, Text, Webhook
from sinchflow.model.project import Project
from sinchflow.runtime.flow_hooks import PREFIX

#: Stands for the public address where the project has none, or keeps it in the environment.
_NO_ADDRESS = "https://PUBLIC-ADDRESS"


def written_address(project: Project) -> str | None:
    """The project's public address as its file gives it; None where it does not, or only the environment does."""
    url = project.webhooks.public_url
    return None if url is None or url.is_template else url.source.rstrip("/")


def flow_call_lines(flows: Iterable[Flow], public_url: str | None) -> Iterator[str]:
    """Lines for each webhook of the flows that are switched on; none without one. Secrets are not shown."""
    for flow in flows:
        for trigger in flow.triggers:
            if flow.enabled and isinstance(trigger, Webhook):
                yield from _lines(flow.name, trigger, f"{public_url or _NO_ADDRESS}{PREFIX}{trigger.path}")


def _lines(name: str, trigger: Webhook, url: str) -> Iterator[str]:
    yield f"webhook of {name}: {', '.join(trigger.method)} {url}"
    method = trigger.method[0]
    words = ["curl", *([] if method == "POST" else ["-X", method])]
    if trigger.token is not None:
        yield f"  with the header X-Token: {_shown(trigger.token)}"
        words.append("-H 'X-Token: …'")
    if trigger.hmac is not None:
        signed = trigger.hmac
        kind = f"HMAC-{signed.algorithm.upper()}"
        yield f"  with the header {signed.header}: {kind} of the body with the secret {_shown(signed.secret)}"
        words.append(f"-H '{signed.header}: …'")
    if method != "GET":
        words.append("-H 'Content-Type: application/json' -d '{}'")
    yield f"  {' '.join(words)} {url}"


def _shown(secret: Text) -> str:
    """A secret as the file names it; one that is written out is not shown."""
    return secret.source if secret.is_template else f"(see {secret.origin})"
