"""Countries, time zones, services and addresses of the project file that do not exist."""

import ipaddress
import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import respelled
from sinchflow.language.languages import is_language, language_called, language_hint
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.zones import zone_edits, zone_fault

#: Services whose address nobody has published; they work with `base_url`.
_UNPUBLISHED = ("one_nz", "grouptext")
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\Z"
)


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    checks = {
        "timezone": lambda text: zone_fault(text.scalar.text),
        "country": _country,
        "outbound.allow": _address,
        "policy.allowed_countries": _country,
        "language": _language,
    }
    for text in outline.texts:
        check = checks.get(text.place)
        is_judged = isinstance(text.scalar.value, str) and not text.is_template
        message, hint = check(text) if check and is_judged else ("", "")
        if message:
            where = outline.document.origin_of(text.scalar)
            edits = zone_edits(where, text.scalar.text) if text.place == "timezone" else ()
            if text.place == "language":
                edits = respelled(where, text.scalar.text, language_called(text.scalar.text))
            edits = respelled(where, "UK", "GB") if check is _country and text.scalar.text == "UK" else edits
            yield finding(where, RULE.id, message, hint, edits=edits)
    for account in (outline.root, *outline.accounts.values()):
        yield from _service(outline, account)


def _service(outline: Outline, account: Mapping) -> Iterator[Diagnostic]:
    service, base_url = account.entry("service"), account.entry("base_url")
    name = service[1].text if service and isinstance(service[1], Scalar) else ""
    if service and name in _UNPUBLISHED and not base_url:
        message = f'the address of the service "{name}" is published nowhere'
        hint = "ask the service for the address of its API, and add base_url: https://…"
        yield finding(outline.document.origin_of(service[1]), RULE.id, message, hint)
    elif base_url and name and name not in _UNPUBLISHED:
        message = "service and base_url both say where the API is"
        yield finding(outline.document.origin_of(base_url[0]), RULE.id, message, "keep one of them")


def _country(text: TextUse) -> tuple[str, str]:
    from phonenumbers import SUPPORTED_REGIONS

    code = text.scalar.text
    if not re.fullmatch(r"[A-Z]{2}", code) or code in SUPPORTED_REGIONS:
        return "", ""
    hint = 'did you mean "GB"?' if code == "UK" else "use the two letters of ISO 3166, such as AU"
    return f'unknown country "{code}"', hint


def _language(text: TextUse) -> tuple[str, str]:
    tag = text.scalar.text
    return ("", "") if is_language(tag) else (f'there is no language "{tag}"', language_hint(tag))


def _address(text: TextUse) -> tuple[str, str]:
    written = text.scalar.text
    try:
        ipaddress.ip_network(written, strict=False)
    except ValueError:
        if not _HOST.match(written) or re.fullmatch(r"[0-9.]+", written):
            hint = "write 10.0.0.7, 10.0.0.0/8 or crm.internal, without http:// and port"
            return f'"{written}" is no address, network or host name', hint
    return "", ""


RULE = Rule(
    id="project-place",
    reason="A wrong country or time zone would change how numbers and times are read.",
    failing="timezone: Australia/Melborne\n",
    corrected="timezone: Australia/Melbourne\n",
    check=_check,
    applies_to="project",
)
