"""Did you mean: the known word nearest to what was written."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

#: Words of other tools, or of everyday speech, and what they are called here.
_SYNONYMS = {
    "when": ("on", "if"),
    "trigger": ("on",),
    "triggers": ("on",),
    "condition": ("if",),
    "text": ("message", "reply", "exact"),
    "content": ("message",),
    "sms": ("send_sms",),
    "send": ("send_sms",),
    "send_message": ("send_sms",),
    "message": ("reply", "log"),
    "answer": ("reply", "exact"),
    "sender": ("source_number", "from"),
    "recipient": ("to",),
    "destination_number": ("to",),
    "from": ("source_number",),
    "request": ("http",),
    "call": ("http",),
    "webhook": ("http",),
    "actions": ("steps",),
    "do": ("steps",),
    "then": ("steps",),
    "print": ("log",),
    "exit": ("stop",),
    "error": ("fail",),
    "switch": ("choose",),
    "catch": ("on_error",),
    "data": ("json", "body"),
    "title": ("name",),
    "params": ("query",),
    "api_token": ("token",),
    "number": ("source_number",),
    "id": ("message_id",),
    "phone": ("number", "to"),
    "contact": ("number",),
    "get_message": ("get_message_status",),
    "message_status": ("get_message_status",),
    "senders": ("get_sender_ids",),
    "cancel": ("cancel_message",),
    "unsubscribe": ("opt_out",),
    "block": ("opt_out",),
    "subscribe": ("opt_in",),
    "connection": ("account",),
    "connections": ("accounts",),
    "url": ("public_url", "base_url"),
    "subaccount": ("sub_account",),
    "pattern": ("regex",),
    "matches": ("regex",),
    "prefix": ("starts_with",),
    "time_zone": ("timezone",),
    "secret": ("secrets",),
}

#: Likeness from which a word is taken for another one without asking; `nearest` only asks.
_SURE = 0.8
_DIGIT = re.compile(r"\d")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, or None when nothing comes near."""
    by_shape = {_shape(name): name for name in known}
    shape = _shape(word)
    if shape in by_shape:
        return by_shape[shape]
    close = get_close_matches(shape, by_shape, n=1, cutoff=0.72)
    if close:
        return by_shape[close[0]]
    names = set(by_shape.values())
    return next((name for name in _SYNONYMS.get(shape, ()) if name in names), None)


def sure(word: str, known: Iterable[str]) -> str | None:
    """The known word that was meant beyond doubt, so that it may be put in place of what was written; or None.

    Stricter than `nearest`, for nobody looks at it again: one candidate only, with the same first letter (`undelivered`
    is not `delivered`) and the same digits (`order2` is not `order1`), and no synonyms.
    """
    names = {name for name in known if name != word}
    shape = _shape(word)
    same = [name for name in names if _shape(name) == shape]
    near = same or [name for name in names if _is_near(shape, _shape(name))]
    return near[0] if len(near) == 1 else None


def _is_near(word: str, known: str) -> bool:
    if word[:1] != known[:1] or _DIGIT.findall(word) != _DIGIT.findall(known):
        return False
    return SequenceMatcher(None, word, known).ratio() >= _SURE


def did_you_mean(word: str, known: Iterable[str], label: str = "known here") -> str:
    """A hint: the nearest word if there is one, then all that are known, in order."""
    names = sorted(known)
    near = nearest(word, names)
    listed = f"{label}: {', '.join(names)}" if names else ""
    return "; ".join(part for part in (f'did you mean "{near}"?' if near else "", listed) if part).replace("?; ", "? ")


def _shape(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")
