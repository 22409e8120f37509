"""Whole messages that policy takes before any flow: opt-out, opt-in and help words (design.md section 3). Pure.

A keyword counts when it is the whole message, give or take case, accents, punctuation, emoji and politeness ("Stop.",
"please stop"), and in forms that cannot mean anything else ("STOP ALL", "unsubscribe me", "stop texting me"): `FORMS`.
It never counts as a word of a sentence: "Stop by at 5?" and "can you help me with my order" go to the flows.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from sinchflow.expression.courtesy import (
    LONGEST_MESSAGE,
    Phrase,
    Phrasebook,
    phrases,
    plain_words,
)
from sinchflow.expression.pattern import whole

Kind = Literal["opt_out", "opt_in", "help"]

#: The default keywords by kind and language; `sinchflow routes` prints them. English opt-out: the words that every
#: sender to the USA must heed (47 CFR 64.1200(a)(10)) and the carriers' `STOPALL`. `YES` is an answer, no opt-in.
KEYWORDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "opt_out": {
        "en": ("STOP", "STOP ALL", "STOPALL", "UNSUBSCRIBE", "UNSUB", "OPT OUT", "OPTOUT", "CANCEL", "END", "QUIT",
               "REVOKE"),
        "de": ("STOP", "STOPP", "ABMELDEN", "AUSTRAGEN"),
        "fr": ("STOP", "ARRÊT", "ARRÊTER", "DÉSABONNER", "DÉSABONNEMENT", "DÉSINSCRIRE", "DÉSINSCRIPTION"),
        "es": ("STOP", "ALTO", "PARAR", "BAJA", "DETENER"),
        "it": ("STOP", "BASTA", "CANCELLAMI", "DISISCRIVI", "DISISCRIVIMI"),
        "pt": ("STOP", "PARAR", "PARE", "SAIR", "DESCADASTRAR"),
        "nl": ("STOP", "AFMELDEN", "UITSCHRIJVEN"),
        "pl": ("STOP", "WYPISZ", "WYREJESTRUJ"),
    },
    "opt_in": {
        "en": ("START", "UNSTOP"),
        "de": ("START", "WIEDER ANMELDEN"),
        "fr": ("START", "REPRENDRE"),
        "es": ("START", "ALTA"),
        "it": ("START", "RIPRENDI"),
        "pt": ("START", "RETOMAR"),
        "nl": ("START", "WEER AANMELDEN"),
        "pl": ("START", "WZNÓW"),
    },
    "help": {
        "en": ("HELP", "INFO"),
        "de": ("HILFE", "INFO"),
        "fr": ("AIDE", "INFO", "INFOS"),
        "es": ("AYUDA", "INFO"),
        "it": ("AIUTO", "INFO"),
        "pt": ("AJUDA", "INFO"),
        "nl": ("HULP", "HELP", "INFO"),
        "pl": ("POMOC", "INFO"),
    },
}  # fmt: skip

#: Keywords that are everyday words too: they count alone only, not with "please" and not in a form.
ALONE = (
    "CANCEL", "END", "QUIT", "REVOKE", "ABMELDEN", "AUSTRAGEN", "DÉSINSCRIRE", "DÉSINSCRIPTION", "ALTO", "BAJA", "ALTA",
    "DETENER", "BASTA", "CANCELLAMI", "PARE", "SAIR", "AFMELDEN", "UITSCHRIJVEN", "REPRENDRE", "RIPRENDI", "RETOMAR",
)  # fmt: skip

_STOP_ENDINGS = (
    "now", "all", "all of it", "everything", "sms", "all sms", "text", "texts", "all texts", "the texts", "these texts",
    "your texts", "texting", "texting me", "messages", "all messages", "the messages", "these messages",
    "your messages", "messaging", "messaging me", "message", "msgs", "sending texts", "sending messages", "sending sms",
    "sending me texts", "sending me messages", "sending me sms", "sending these messages", "sending me these messages",
    "contacting me", "writing me", "writing to me", "spam", "spamming", "spamming me", "the spam", "bothering me",
)  # fmt: skip
_UNSUBSCRIBE_ENDINGS = (
    "me", "now", "all", "from all", "me from all", "from this", "me from this", "from this list", "from your list",
    "from the list", "me from this list", "me from your list", "me from the list", "this number", "my number",
)  # fmt: skip

#: What means the same and nothing else, by kind and language. A form counts while its keyword (the one that it
#: contains) does; a form without a keyword belongs to the defaults.
FORMS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "opt_out": {
        "en": (
            *(f"stop {ending}" for ending in _STOP_ENDINGS),
            *(f"{verb} {ending}" for verb in ("unsubscribe", "unsub") for ending in _UNSUBSCRIBE_ENDINGS),
            *(f"{verb} stop" for verb in ("reply", "text", "txt", "send")),
            *(f"{ask} you stop texting me" for ask in ("can", "could", "will", "would")),
            *(f"{ask} you stop messaging me" for ask in ("can", "could", "will", "would")),
            "i want to unsubscribe", "i'd like to unsubscribe", "i want to opt out", "i'd like to opt out",
            "opt me out", "opt out now", "opt out all", "opt out of all", "stop and unsubscribe",
            "remove me from your list", "remove my number", "remove this number", "take me off your list",
            "delete my number", "do not text me", "don't text me", "do not text me again", "don't text me again",
            "do not text", "do not message me", "don't message me", "do not contact me", "don't contact me",
            "do not contact me again", "don't contact me again", "no more texts", "no more messages", "no more sms",
            "no more text messages", "leave me alone",
        ),
        "de": (
            "stop sms", "stopp sms", "sms stop", "sms stopp", "stop alle", "stop jetzt", "sofort stop", "abmelden sms",
            "newsletter abbestellen", "sms abbestellen", "keine sms mehr", "keine nachrichten mehr",
            "keine werbung mehr", "keine weiteren sms", "keine weiteren nachrichten", "schreiben sie mir nicht mehr",
            "schreibt mir nicht mehr",
        ),
        "fr": (
            "stop sms", "sms stop", "stop pub", "stop tout", "stop aux sms", "arrêtez", "arrêtez tout",
            "arrêtez de m'écrire", "arrêtez les sms", "arrêtez vos sms", "arrêtez les messages", "arrêtez vos messages",
            "arrêter les sms", "me désabonner", "je veux me désabonner", "je souhaite me désabonner", "désabonnez-moi",
            "ne m'écrivez plus", "ne me contactez plus",
        ),
        "es": (
            "stop sms", "stop todo", "parar sms", "parar mensajes", "parar todo", "no más mensajes", "no más sms",
            "no quiero más mensajes", "no quiero recibir más mensajes", "no me escriban más",
            "no me envíen más mensajes", "no enviar más", "no enviar más mensajes",
        ),
        "it": (
            "stop sms", "stop a tutto", "stop messaggi", "basta sms", "basta messaggi", "non scrivetemi più",
            "non contattatemi più", "disiscrivetemi", "niente più sms", "niente più messaggi",
        ),
        "pt": (
            "stop sms", "parar sms", "parar mensagens", "parar tudo", "pare de me enviar mensagens",
            "parem de enviar mensagens", "descadastrar meu número", "me descadastre", "não quero mais mensagens",
            "não quero receber mais mensagens", "não me enviem mais mensagens", "chega de sms",
        ),
        "nl": (
            "stop sms", "sms stop", "stop alles", "stop met sms", "stop met sms'en", "stop met berichten",
            "stop de berichten", "geen sms meer", "geen berichten meer",
        ),
        "pl": (
            "stop sms", "stop wszystko", "wypisz mnie", "wypiszcie mnie", "wyrejestruj mnie", "nie piszcie do mnie",
            "nie pisać do mnie", "nie wysyłać więcej", "nie wysyłajcie więcej", "koniec z sms", "żadnych sms",
        ),
    },
    "opt_in": {
        "en": ("start again", "start now", "start sms", "start texts", "start messages", "start texting me",
               "start messaging me", "unstop me", "unstop all", "reply start", "text start"),
        "de": ("start sms", "start wieder", "mich wieder anmelden"),
        "fr": ("start sms", "reprendre les sms", "reprendre les messages"),
        "es": ("start sms",),
        "it": ("start sms", "riprendi sms", "riprendi i messaggi"),
        "pt": ("start sms", "retomar sms", "retomar mensagens"),
        "nl": ("start sms", "mij weer aanmelden", "me weer aanmelden"),
        "pl": ("start sms", "wznów sms", "wznów wiadomości"),
    },
    "help": {
        "en": ("help me", "help info", "info help", "reply help", "text help"),
        "de": (),
        "fr": (),
        "es": (),
        "it": (),
        "pt": (),
        "nl": (),
        "pl": (),
    },
}  # fmt: skip


def means(text: str, kind: Kind, keywords: tuple[str, ...] | None = None) -> bool:
    """Whether the whole message is a keyword of this kind, or one of its safe forms.

    keywords: the project's own instead of the defaults of all languages.
    """
    return len(text) <= LONGEST_MESSAGE and _vocabulary(kind, keywords).has(text)


class _Vocabulary:
    """The keywords of one kind, ready to be compared."""

    __slots__ = ("_alone", "_book", "_symbols")

    def __init__(self, kind: Kind, keywords: tuple[str, ...] | None) -> None:
        defaults = phrases(word for words in KEYWORDS[kind].values() for word in words)
        ours = defaults if keywords is None else phrases(keywords)
        alone = phrases(ALONE)
        forms = phrases(form for forms in FORMS[kind].values() for form in forms)
        if keywords is not None:
            kept = ours - alone
            forms = frozenset(form for form in forms if any(_contains(form, word) for word in kept))
        self._alone = ours & alone
        self._book = Phrasebook((ours - alone) | forms)
        self._symbols = frozenset(whole(word) for word in keywords or () if word.strip() and not plain_words(word))

    def has(self, text: str) -> bool:
        """Whether the whole text is one of them."""
        words = plain_words(text)
        if len(words) > 2 and all(len(word) == 1 for word in words):
            words = ("".join(words),)  # S T O P
        if not words:
            return whole(text) in self._symbols
        return words in self._alone or self._book.covers(words)


@lru_cache(maxsize=100)
def _vocabulary(kind: Kind, keywords: tuple[str, ...] | None) -> _Vocabulary:
    return _Vocabulary(kind, keywords)


def _contains(form: Sequence[str], word: Phrase) -> bool:
    """Whether the word or phrase stands in the form."""
    return any(tuple(form[start : start + len(word)]) == word for start in range(len(form) - len(word) + 1))
