"""Foreign texts (ids, numbers) made one part of a request's path, whatever they hold.

An id comes from a flow's template or from a shell, so it may be anything; it must never become another request.
"""

from urllib.parse import quote

from sinchflow.sinch.failure import CallFailed
from sinchflow.sinch.words import shown


def path_part(text: str, what: str) -> str:
    """The text percent-encoded: always exactly one part of a path. `what` names it in the error.

    Raises CallFailed where it can be none: nothing and dots alone are dropped from a path by clients and servers
    (RFC 3986 section 5.2.4), and half a character has no bytes.
    """
    try:
        part = quote(text, safe="")
    except UnicodeEncodeError:
        part = ""
    if not part.strip("."):
        raise CallFailed(f'"{shown(text, 60)}" is no {what}', "refused")
    return part
