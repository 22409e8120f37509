"""Languages of texts: `{en: …, de: …}`."""

import re

from sinchflow.language.nodes import Mapping

#: BCP 47 tags as they are written here: two letters of ISO 639-1, or one of three languages that have none.
_TAG = re.compile(r"(?:[a-z]{2}|fil|yue|ceb)(?:-[A-Za-z0-9]{2,8})?")

_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et
eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk
kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny
oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk
tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
fil yue ceb
"""
#: ISO 639-1, and the three.
LANGUAGES = frozenset(_CODES.split())


#: Languages by what they are called in English and by those who speak them.
_NAMES = {
    "arabic": "ar", "chinese": "zh", "mandarin": "zh", "cantonese": "yue", "danish": "da", "dansk": "da",
    "dutch": "nl", "nederlands": "nl", "english": "en", "filipino": "fil", "tagalog": "fil", "finnish": "fi",
    "french": "fr", "français": "fr", "german": "de", "deutsch": "de", "greek": "el", "hindi": "hi",
    "italian": "it", "italiano": "it", "japanese": "ja", "jp": "ja", "korean": "ko", "maori": "mi", "māori": "mi",
    "norwegian": "no", "norsk": "no", "polish": "pl", "polski": "pl", "portuguese": "pt", "português": "pt",
    "russian": "ru", "samoan": "sm", "spanish": "es", "español": "es", "swedish": "sv", "svenska": "sv",
    "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip


def language_called(name: str) -> str | None:
    """The language of this name, where we know it."""
    return _NAMES.get(name.casefold())


def language_hint(written: str) -> str:
    """How to mend what is no language: the one of this name, where we know it."""
    known = language_called(written)
    return f'did you mean "{known}"?' if known else "use the two letters of ISO 639, such as en or de"


def is_wording(node: Mapping) -> bool:
    """Whether a mapping's keys are languages, all of them: so it is a text in each."""
    return bool(node.entries) and all(_TAG.fullmatch(key.text) for key, _ in node.entries)


def is_language(tag: str) -> bool:
    """Whether there is such a language, whatever its region."""
    return _TAG.fullmatch(tag) is not None and tag.partition("-")[0] in LANGUAGES
