"""Secrets written out where they belong to the environment."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings

#: Places that hold nothing else, and a good name for what they hold.
_NAMES = {
    "credentials.api_key": "SINCH_API_KEY",
    "credentials.api_secret": "SINCH_API_SECRET",
    "webhooks.token": "HOOK_TOKEN",
    "webhooks.secret": "HOOK_SECRET",
    "webhook.token": "HOOK_TOKEN",
    "webhook.hmac.secret": "HOOK_SECRET",
}
_LOGINS = {"password": "PASSWORD", "bearer": "TOKEN"}
#: Names of headers, and of parameters of a URL, whose values open a door.
_TELLING = re.compile(
    r"(?:proxy-)?authorization|cookie|(?:x-)?(?:[\w-]+[-_])?(?:api[-_]?key|apikey|secret|token|password|passwd|signature)|sig"
    r"|(?:x-)?(?:auth|api)[-_]?(?:key|token)|access[-_]?key|subscription-key|ocp-apim-subscription-key",
    re.IGNORECASE,
)
#: Values of such headers and parameters that are no secret.
_HARMLESS = re.compile(r"(?i)(?:true|false|none|null|yes|no|\d{1,5}|basic|bearer|)")
_PARAMETER = re.compile(r"[?&]([\w.-]+)=([^&#{}\s]+)")
_LOGIN_IN_URL = re.compile(r"://[^/?#@{}\s]*:([^/?#@{}\s]+)@")
#: Addresses that are a secret as a whole: whoever knows one may post to it.
_SECRET_ADDRESSES = re.compile(
    r"hooks\.slack\.com/(?:services|workflows|triggers)/\w|\.webhook\.office\.com/webhookb2/\w"
    r"|outlook\.office\.com/webhook/\w|discord(?:app)?\.com/api/webhooks/\d|api\.telegram\.org/bot\d"
    r"|chat\.googleapis\.com/v1/spaces/[^{]*[?&]key=\w|hooks\.zapier\.com/hooks/catch/\d"
    r"|\.logic\.azure\.com[^{]*[?&]sig=\w|maker\.ifttt\.com/trigger/[^{]*/with/key/\w",
    re.IGNORECASE,
)
#: A value that looks made by chance: long, of one piece, of many different signs.
_LONG = 24
_ENTROPY = 3.3
_ONE_PIECE = re.compile(r"[A-Za-z0-9+_=-]+|eyJ[\w.-]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        name = _NAMES.get(text.place)
        if name is None and not text.place.startswith("http."):
            continue
        found = _name_of(text) if name is None else ((0, 0), _key(text), name) if not text.is_template else None
        if found is None:
            continue
        (start, length), what, name = found
        if text.account:
            name = name.replace("SINCH", text.account.upper().replace("-", "_"))
        message = f"the {what} stands in the file for everyone to read who can read the repository"
        hint = f'write "{{{{ secrets.{name} }}}}" and set the variable SINCHFLOW_SECRET_{name}'
        where = outline.at(text, start, length) if length else outline.document.origin_of(text.key or text.scalar)
        yield finding(where, RULE.id, message, hint, "warning")


#: Where and how long (nothing: its key), what it is, and a name for it.
_Found = tuple[tuple[int, int], str, str]


def _key(text: TextUse) -> str:
    return text.key.text if text.key else text.place.rpartition(".")[2]


def _name_of(text: TextUse) -> _Found | None:
    """What of an `http` step's text is secret."""
    source, key = text.scalar.text, _key(text)
    match text.place:
        case "http.url":
            return _in_url(source)
        case "http.auth" if key in _LOGINS and source and not text.is_template:
            return (0, len(source)), key, _LOGINS[key]
        case "http.query" if _is_telling(key, source) and not text.is_template:
            return (0, len(source)), key, _variable(key)
        case "http.headers":
            plain = source.partition(" ")[2] if source.lower().startswith(("basic ", "bearer ", "token ")) else source
            if not text.is_template and (_is_telling(key, plain) or _is_random(source)):
                return (len(source) - len(plain), len(plain)), f"header {key}", _variable(key)
    return None


def _in_url(source: str) -> _Found | None:
    address = _SECRET_ADDRESSES.search(source)
    if address and "secrets." not in source:
        return (0, len(source)), "address, which is a secret itself,", "WEBHOOK_URL"
    login = _LOGIN_IN_URL.search(source)
    if login:
        return (login.start(1), len(login[1])), "password", "PASSWORD"
    for parameter in _PARAMETER.finditer(source) if "=" in source else ():
        if _is_telling(parameter[1], parameter[2]) or (parameter[1] == "key" and _is_random(parameter[2])):
            return (parameter.start(2), len(parameter[2])), parameter[1], _variable(parameter[1])
    return None


def _is_telling(name: str, value: str) -> bool:
    return _TELLING.fullmatch(name) is not None and not _HARMLESS.fullmatch(value)


def _is_random(value: str) -> bool:
    """Whether the value looks like a key rather than like words or the id of something."""
    if len(value) < _LONG or not _ONE_PIECE.fullmatch(value) or _UUID.fullmatch(value):
        return False
    is_mixed = re.search("[A-Z]", value) and re.search("[a-z]", value)
    if len(re.findall(r"\d", value)) < 3 or not (is_mixed or re.fullmatch("[0-9a-f]+|[0-9A-F]+", value)):
        return False
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts) >= _ENTROPY


def _variable(name: str) -> str:
    known = {"authorization": "TOKEN", "cookie": "COOKIE", "key": "API_KEY", "sig": "SIGNATURE"}
    short = re.sub(r"\W+", "_", name).upper().removeprefix("X_").strip("_")
    return known.get(name.lower(), short or "TOKEN")


RULE = Rule(
    id="secret-in-file",
    reason="What is committed once stays in the repository's history for good.",
    failing="""\
on:
  webhook: {path: /orders, token: sesame}
steps:
  - http:
      url: https://crm.example.com/new
      headers: {Authorization: Bearer 8f14e45fceea167a5a36dedd4bea2543}
""",
    corrected="""\
on:
  webhook: {path: /orders, token: "{{ secrets.ORDERS_TOKEN }}"}
steps:
  - http:
      url: https://crm.example.com/new
      headers: {Authorization: "Bearer {{ secrets.CRM_TOKEN }}"}
""",
    check=_check,
    applies_to="both",
)
