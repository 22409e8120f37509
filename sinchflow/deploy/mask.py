"""Takes secrets out of what is shown: our token and secret wherever they stand, and what may be one in addresses."""

import re
from urllib.parse import quote

from sinchflow.deploy.desired import MARKER
from sinchflow.runtime.connections import Hooks

HIDDEN = "***"


class Mask:
    """Hides this project's token and secret, and the tokens of other deployments in addresses like ours."""

    def __init__(self, hooks: Hooks) -> None:
        values = [value for value in (hooks.token, hooks.secret) if value]
        self._values = sorted({*values, *(quote(value, safe="") for value in values)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text of any kind."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return re.sub(r"(/hooks/)[^/?#\s\"']+", rf"\1{HIDDEN}", text)

    def url(self, url: str) -> str:
        """An address like ours: the path stays readable."""
        return re.sub(r"([?&](?!v=\d+$)[^=&]*=)[^&]*", rf"\1{HIDDEN}", _without_user(self.text(url)))

    def foreign_url(self, url: str) -> str:
        """Somebody else's address: anything after the host may be a secret."""
        host = re.match(r"https?://[^/?#\s$]+", _without_user(self.text(url)), re.IGNORECASE)
        return HIDDEN if host is None else f"{host[0]}/…"

    def header(self, name: str, value: str) -> str:
        """A header's value: only the marker is no secret."""
        return self.text(value) if name.lower() == MARKER.lower() else HIDDEN


def _without_user(url: str) -> str:
    return re.sub(r"^(\w+://)[^/@?#]*@", rf"\1{HIDDEN}@", url)
