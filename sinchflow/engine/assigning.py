"""`set` and `remember`: values that later steps, or later runs, see."""

from collections.abc import Mapping

import msgspec

from sinchflow.engine.caller import ActionError
from sinchflow.engine.draft import Draft
from sinchflow.engine.trace import set_words
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import KeepContact
from sinchflow.model.flow import Value

#: Of all that is remembered with one person.
LARGEST_CONTACT_BYTES = 32 * 1024


def set_all(draft: Draft, values: Mapping[str, Value], address: str, templates: Templates) -> str | None:
    """Assign to `vars` in order, all or none. Why they are too much to keep, or None. Raises ExpressionError."""
    before = draft.vars
    try:
        for name, value in values.items():
            draft.set_var(name, templates.data(value, draft.scope(address)))
    except ExpressionError:
        draft.vars = before
        raise
    problem = draft.too_large()
    if problem is not None:
        draft.vars = before
    return problem


def remember(draft: Draft, values: Mapping[str, Value], address: str, templates: Templates) -> KeepContact:
    """Keep with the contact, for later steps and later runs. Raises ActionError or ExpressionError."""
    if draft.contact is None:
        raise ActionError("there is nobody to remember it with: the run has no contact")
    scope = draft.scope(address)
    rendered = {name: templates.data(value, scope) for name, value in values.items()}
    size_bytes = len(msgspec.json.encode({**scope["contact"], **rendered}))
    if size_bytes > LARGEST_CONTACT_BYTES:
        limit = LARGEST_CONTACT_BYTES // 1024
        raise ActionError(f"{size_bytes // 1024} KiB would be remembered with the contact; at most {limit} KiB can be")
    draft.remember(rendered)
    draft.record(address, "remember", set_words(rendered))
    return KeepContact(id=f"{draft.run.asks_as}:{address}:0", number=draft.contact, values=rendered)
