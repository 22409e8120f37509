"""One webhook at the provider compared with the one that is wanted, field by field.

Lenient where the provider is: it leaves out members, tells `encoding` as null, and orders events as it likes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sinchflow.deploy.desired import MARKER, SECRET, Wanted, split_version
from sinchflow.sinch.webhooks import Webhook

#: What the provider takes for fields that were not given at creation (sinch-api.md section 6).
_DEFAULT_READ_TIMEOUT = 20_000
_DEFAULT_RETRIES = 0

#: Only given at creation: another value takes another webhook.
CREATE_ONLY = ("read_timeout", "retries", "retry_delay")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One field that is not as wanted. before: at the provider, None when it is not there; after: None to remove it.

    field: `header NAME` for headers.
    """

    field: str
    before: Any
    after: Any

    @property
    def forces_replacement(self) -> bool:
        """Whether the provider cannot change this field."""
        return self.field in CREATE_ONLY


def marker_of(webhook: Webhook) -> tuple[str, str] | None:
    """Name of the deployment and kind that a webhook is marked with; None without a mark as we write it."""
    name, slash, kind = _lower(webhook.headers).get(MARKER.lower(), "").rpartition("/")
    return (name, kind) if slash else None


def is_called_at(webhook: Webhook, wanted: Wanted) -> bool:
    """Whether its address and method are those wanted, in any version."""
    return split_version(webhook.url)[0] == wanted.url and webhook.method.upper() == wanted.method


def differences(wanted: Wanted, found: Webhook) -> tuple[Difference, ...]:
    """What is not as wanted, in the order of the provider's documentation; empty when all is."""
    return tuple(_differences(wanted, found))


def is_only_unmarked(wanted: Wanted, found: Webhook) -> bool:
    """Whether nothing but our own headers is missing: what somebody registers by hand from our instructions."""
    ours = {f"header {MARKER}", f"header {SECRET}"}
    return all(difference.field in ours for difference in differences(wanted, found))


def _differences(wanted: Wanted, found: Webhook) -> Iterator[Difference]:
    if split_version(found.url)[0] != wanted.url:
        yield Difference(field="url", before=found.url, after=wanted.url)
    if found.method.upper() != wanted.method:
        yield Difference(field="method", before=found.method, after=wanted.method)
    if found.encoding is not None and found.encoding.upper() != wanted.encoding:
        yield Difference(field="encoding", before=found.encoding, after=wanted.encoding)
    if set(found.events) != set(wanted.events):
        yield Difference(field="events", before=tuple(found.events), after=wanted.events)
    yield from _header_differences(wanted.headers, found.headers)
    if found.template != wanted.template:
        yield Difference(field="template", before=found.template, after=wanted.template)
    for field, before in _timing(wanted, found).items():
        after = getattr(wanted, field)
        if before != after:
            yield Difference(field=field, before=before, after=after)


def _header_differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Difference]:
    there = _lower(found)
    for name, after in wanted.items():
        before = there.pop(name.lower(), None)
        if before != after:
            yield Difference(field=f"header {name}", before=before, after=after)
    spelled = {name.lower(): name for name in found}
    for lower, before in there.items():
        yield Difference(field=f"header {spelled[lower]}", before=before, after=None)


def _timing(wanted: Wanted, found: Webhook) -> dict[str, int | None]:
    """The create-only fields as they count. Ours were all given when it was created: one that is not told is as it was.

    Without retries their delay means nothing.
    """
    is_marked = marker_of(found) is not None
    timing = {
        "read_timeout": found.read_timeout if found.read_timeout is not None else _DEFAULT_READ_TIMEOUT,
        "retries": found.retries if found.retries is not None else _DEFAULT_RETRIES,
        "retry_delay": found.retry_delay,
    }
    if is_marked:
        timing = {field: value for field, value in timing.items() if getattr(found, field) is not None}
    if wanted.retries == 0:
        timing.pop("retry_delay", None)
    return timing


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
