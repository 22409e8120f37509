"""Webhook templates, really rendered: Apache Velocity by way of airspeed, with what the platform adds (section 9).

Only the first template that is used pays for importing the engine. An undefined reference renders as its own text, and
with `$!` as nothing. `$esc` escapes as Velocity's EscapeTool does: `json` makes everything beyond ASCII an escape.
"""

import html
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

#: Python's own insides, and templates made of texts: ways out of the template that Velocity does not have.
_WAY_OUT = re.compile(r"[.\]]\s*_|#\{?(?:evaluate|include|parse)\b")


class TemplateProblem(ValueError):
    """The template cannot be read."""


class Template:
    """A template, compiled. Raises TemplateProblem."""

    def __init__(self, text: str) -> None:
        import airspeed

        if (found := _WAY_OUT.search(text)) is not None:
            raise TemplateProblem(f"a template cannot have {found[0]!r} here")
        self._template = airspeed.Template(text)
        try:
            self._template.ensure_compiled()
        except (airspeed.TemplateError, airspeed.NoMatch, RecursionError) as error:
            raise TemplateProblem(f"the template cannot be read: {error}") from None

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text that it makes of the variables; empty when it fails on them, as no document says."""
        import airspeed

        try:
            return str(self._template.merge({**variables, "esc": _ESCAPES}))
        except airspeed.TemplateError:
            return ""


class Metadata:
    """A message's metadata as a template sees it: a Java map."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._pairs = dict(pairs)

    def get(self, key: str) -> str | None:
        """The value of a key."""
        return self._pairs.get(key)

    def keySet(self) -> list[str]:  # noqa: N802
        """All keys."""
        return list(self._pairs)

    def entrySet(self) -> list[dict[str, str]]:  # noqa: N802
        """All pairs; each has `key` and `value`."""
        return [{"key": key, "value": value} for key, value in self._pairs.items()]

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}={value}" for key, value in self._pairs.items()) + "}"


class _Escapes:
    """Each takes anything and gives None for None, so that the call is an undefined reference too."""

    def json(self, value: object) -> str | None:
        return None if value is None else json.dumps(str(value))[1:-1].replace("/", "\\/")

    java = javascript = json

    def html(self, value: object) -> str | None:
        return None if value is None else html.escape(str(value))

    xml = html

    def url(self, value: object) -> str | None:
        return None if value is None else quote_plus(str(value))


_ESCAPES = _Escapes()
