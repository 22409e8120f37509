"""Telephone numbers that no telephone has, or that are not written in E.164 form."""

import re
from collections.abc import Iterator
from functools import lru_cache

from sinchflow.language.diagnostic import Diagnostic, Edit, finding
from sinchflow.language.fix import braced, replaced, respelled
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings

_GLOB = re.compile(r"[+0-9*?]*[*?][+0-9*?]*")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &._+-]{1,11}")
#: Possible, but in no range that is in use as far as the library knows: it may be older than the range.
_UNUSED = "is in no range of numbers that is in use"
#: Places of numbers, and whether a short code or a sender's name may stand there.
_PLACES = {
    "inbound_sms.from": True,
    "inbound_sms.to": True,
    "delivery_receipt.from": True,
    "delivery_receipt.to": False,
    "opt_out.from": True,
    "opt_out.to": True,
    "ask.number": False,
    "wait.from": False,
    "send.to": False,
    "send.source_number": True,
    "source_number": True,
    "policy.staff": False,
    "contact": False,
}
#: Places whose numbers are mended when the flow runs, if they are unmistakable.
_MENDED = ("send.to", "contact", "ask.number", "wait.from")
_LISTED = ("policy.staff", "inbound_sms.from", "inbound_sms.to", "delivery_receipt.from", "delivery_receipt.to")
_DOTTED = re.compile(r"(?:event|inputs|vars|steps|match|contact|env)(?:\.[A-Za-z_]\w*)+")
_UNMISTAKABLE = re.compile(r"\+?[\d\s().\-/]{3,40}")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place not in _PLACES or text.is_template:
            continue
        number = text.scalar.text
        if text.is_filter and _GLOB.fullmatch(number):
            continue
        if _PLACES[text.place] and (_SHORT_CODE.fullmatch(number) or _NAME.fullmatch(number)):
            continue
        reason, meant = fault(number, settings.country)
        where = outline.document.origin_of(text.scalar)
        if reason == _UNUSED:
            yield finding(where, RULE.id, f'"{number}" {reason}', "check its digits", "warning")
        elif meant and text.place in _MENDED and _UNMISTAKABLE.fullmatch(number.strip()):
            edits = _edits(outline, text, meant, settings)
            message, hint = f'"{number}" {reason}; it is read as {meant}', f"write {meant}"
            yield finding(where, RULE.id, message, hint, "warning", edits=edits)
        elif reason:
            hint = f"write {meant}" if meant else _way_out(number, text.place, settings)
            yield finding(where, RULE.id, f'"{number}" {reason}', hint, edits=_edits(outline, text, meant, settings))


def _edits(outline: Outline, text: TextUse, meant: str, settings: Settings) -> tuple[Edit, ...]:
    """The number that was meant, when its country is: written with +, or of the project's country."""
    where, number, is_plain = outline.document.origin_of(text.scalar), text.scalar.text, not text.scalar.style
    if meant and _UNMISTAKABLE.fullmatch(number.strip()):
        is_sure = number.strip().startswith("+") or _is_of(meant, settings.country)
        return respelled(where, number, meant) if is_sure else ()
    if meant:
        return ()
    if number in (settings.lists or ()) and text.place in _LISTED and is_plain:
        return replaced(where, f"{{list: {number}}}") if where.length == len(number) else ()
    return braced(where, number, is_plain=is_plain) if text.place in _MENDED and _DOTTED.fullmatch(number) else ()


def _is_of(number: str, country: str | None) -> bool:
    from phonenumbers import country_code_for_region

    return country is not None and number.startswith(f"+{country_code_for_region(country)}")


def _way_out(number: str, place: str, settings: Settings) -> str:
    """How to mend what is no number: a list's name, an expression without its braces, or some digits."""
    if number in (settings.lists or ()) and place in _LISTED:
        return f"for the numbers of the list write {{list: {number}}}"
    if place in _MENDED and _DOTTED.fullmatch(number):
        return f'for the value of {number} write "{{{{ {number} }}}}"'
    return "write it with + and the country's code, such as +61491570156"


@lru_cache(maxsize=10_000)
def fault(number: str, country: str | None) -> tuple[str, str]:
    """Why the text is no number in E.164 form, and what was probably meant; two empty texts when it is one."""
    import phonenumbers  # 40 ms, and most flows have no number in them
    from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

    digits = re.sub(r"[\s().-]", "", number)
    tries = [(number, country)] if number.strip().startswith("+") else [(number, country), ("+" + digits, None)]
    for written, region in tries:
        try:
            parsed = phonenumbers.parse(written, region)
        except NumberParseException:
            continue
        length = phonenumbers.is_possible_number_with_reason(parsed)
        if length == ValidationResult.TOO_SHORT:
            reason = "is too short for a number of its country"
        elif length == ValidationResult.TOO_LONG:
            reason = "is too long for a number of its country"
        elif length != ValidationResult.IS_POSSIBLE:
            reason = "is no number that can be texted"
        else:
            form = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
            is_valid = phonenumbers.is_valid_number(parsed)
            if form == number:
                return ("", "") if is_valid else (_UNUSED, "")
            return "is not in E.164 form", form if is_valid else ""
        if written.startswith("+") and number.startswith("+"):
            return reason, ""
    return "is no telephone number in E.164 form", ""


RULE = Rule(
    id="number",
    reason="Numbers are compared and sent in E.164 form: +, the country's code, the number without its leading 0.",
    failing="""\
on: manual
steps:
  - send_sms: {to: 0491 570 156, message: Hello}
""",
    corrected="""\
on: manual
steps:
  - send_sms: {to: +61491570156, message: Hello}
""",
    check=_check,
    is_mixed=True,
    applies_to="both",
)
