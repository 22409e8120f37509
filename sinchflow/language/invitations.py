"""Words that a text asks people to send: "Reply CALL", "text MENU or HOURS", "Antworte mit JA"."""

import re
from collections.abc import Iterator

#: A verb that asks for an answer, and what may stand between it and the word, in the languages of `answers`.
_VERBS = re.compile(
    r"""\b(?:
        (?:reply|respond|answer)(?:\s+(?:back|with|to\s+us\s+with))* | (?:text|txt|send)(?:\s+(?:us|back|the\s+word))*
      | antworte(?:n\s+sie)?(?:\s+(?:bitte|einfach|mit))* | (?:sende|schreibe?)(?:n\s+sie)?(?:\s+(?:uns|bitte|einfach))*
      | (?:répond(?:s|ez)|envoy(?:ez|e|es))(?:\s+(?:par|nous))*
      | (?:respond[ae]|env[ií][ae]|contest[ae])(?:\s+con|\s+com)?
      | (?:rispond[ia]|invi[ai]|scriv[ia])(?:\s+con)? | (?:antwoord|stuur|sms)(?:\s+(?:met|ons))* | (?:odpisz|wyślij)
    )\s*:?\s+""",
    re.IGNORECASE | re.VERBOSE,
)
#: In small letters, what each of these verbs begins with: a text without any need not be looked at.
_STEMS = (
    "repl", "resp", "answ", "text", "txt", "send", "antwo", "schreib", "répon", "envo", "envi", "enví", "contest",
    "rispond", "invi", "scriv", "stuur", "sms", "odpisz", "wyślij",
)  # fmt: skip
#: The word itself: in capitals, a number, or in quotes.
_WORD = re.compile(
    r"""(?:["“”„«']\s?(?P<quoted>[^\W_][\w'’-]{0,19})\s?["”“»']|(?P<bare>[A-ZÄÖÜÀ-Þ][A-Z0-9ÄÖÜÀ-Þ]{1,19}|[A-Z]|[0-9]{1,2}))(?!\w|[.:,][0-9])"""
)
#: What may stand between two words that are offered together: "Y or N", "1 for hours, 2 for the way".
_NEXT = re.compile(
    r"\s*(?:[,;/|]\s*(?:or\b|oder\b|ou\b|of\b)?|\bor\b|\boder\b|\bou\b|\bo\b|\bof\b|\blub\b|\be\b|\by\b)\s*",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?\n]")
#: Characters between a word and the next one that is offered.
_FURTHEST = 80
#: Words in capitals that are no answer.
_NONE = frozenset({"SMS", "MMS", "US", "ME", "TO", "I", "AN", "THE", "IT", "URL", "ID", "PIN", "OTP", "PDF", "ASAP",
                   "NOW", "AM", "PM", "GMT", "UTC", "YOU"})  # fmt: skip
_HOLES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|https?://\S+", re.DOTALL)
_PURPOSE = re.compile(r"\s*(?:=|:|-|–|\b(?:to|for|if|when|für|um|wenn|pour|para|per|voor|om|by)\b)", re.IGNORECASE)


def invitations(text: str) -> Iterator[tuple[str, int]]:
    """Each word that the text asks for, with its offset, once each.

    A text all in capitals tells no word from another: it asks for none.
    """
    small = text.lower()
    if not any(stem in small for stem in _STEMS) or text.upper() == text:
        return
    plain = _HOLES.sub(lambda hole: "\x00" * len(hole[0]), text)
    told: set[str] = set()
    for verb in _VERBS.finditer(plain):
        for word, offset in _offered(plain, verb.end()):
            if word.upper() not in told:
                told.add(word.upper())
                yield word, offset


def _offered(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The word that stands here, and those that are offered beside it."""
    while found := _WORD.match(text, at):
        group = "quoted" if found["quoted"] else "bare"
        word, at = found[group], found.end()
        if word in _NONE or ((word == "A" or word.isdecimal()) and not _is_offer(text, at)):
            return
        yield word, found.start(group)
        following = _NEXT.match(text, at)
        if following is None or not _WORD.match(text, following.end()):
            following = _after_purpose(text, at)
        if following is None:
            return
        at = following.end()


def _is_offer(text: str, at: int) -> bool:
    """Whether a number or an article that ends here is an answer: "1 for hours", but not "2 photos" or "24/7"."""
    following = _NEXT.match(text, at)
    if _PURPOSE.match(text, at) or re.match(r"\s*(?:[.!?]|\Z)(?!\d)", text[at : at + 5]):
        return True
    return following is not None and text[at] != "/" and _WORD.match(text, following.end()) is not None


def _after_purpose(text: str, at: int) -> re.Match[str] | None:
    """Where the next word is after what this one is for: "1 for our hours, 2 for the way"."""
    if not _PURPOSE.match(text, at):
        return None
    for found in _NEXT.finditer(text, at, at + _FURTHEST):
        if _END.search(text, at, found.start()):
            return None
        word = _WORD.match(text, found.end())
        if word and _PURPOSE.match(text, word.end()):
            return found
    return None
