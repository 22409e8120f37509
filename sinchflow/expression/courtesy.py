"""What people put around an answer or a keyword: politeness, punctuation, emoji. Pure.

`answers` and `keywords` both read a whole message as words that mean something and words that are only polite; here
is how a message becomes such words, and which ones are polite. A message in which any other word stands is neither.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from sinchflow.expression.pattern import fold

#: Characters; no yes, no or STOP is longer, however polite.
LONGEST_MESSAGE = 320

#: Words and phrases without which a message says the same, by language.
COURTESY: dict[str, tuple[str, ...]] = {
    "en": (
        "please", "pls", "plz", "pleas", "thanks", "thank you", "thank u", "thankyou", "thx", "thnx", "tnx", "tks",
        "ty", "tyvm", "ta", "cheers", "many thanks", "thanks a lot", "thanks so much", "thanks very much",
        "thanks again", "thanks heaps", "thank you so much", "thank you very much", "thank you again",
        "much appreciated", "appreciated", "hi", "hello", "hey", "hi there", "hello there", "hey there", "g'day",
        "dear", "dear sir", "dear madam", "sir", "madam", "ma'am", "mate", "guys", "team", "all the best",
        "good morning", "good afternoon", "good evening", "morning", "bye", "goodbye", "regards", "kind regards",
        "best regards", "best wishes", "sincerely", "sorry", "i'm sorry", "so sorry", "apologies", "my apologies",
        "unfortunately", "have a good day", "have a nice day", "have a great day", "x", "xx", "xxx", "xo", "xoxo",
    ),
    "de": (
        "bitte", "bitte schön", "danke", "danke schön", "danke sehr", "danke dir", "danke ihnen", "dankeschön",
        "vielen dank", "vielen lieben dank", "besten dank", "herzlichen dank", "lieben dank", "dank", "hallo", "moin",
        "servus", "grüß gott", "guten morgen", "guten tag", "guten abend", "tschüss", "auf wiedersehen", "gruß",
        "grüße", "lg", "mfg", "vg", "liebe grüße", "viele grüße", "beste grüße", "schöne grüße",
        "mit freundlichen grüßen", "freundliche grüße", "sorry", "entschuldigung", "tut mir leid", "es tut mir leid",
        "leider", "schönen tag", "schönen tag noch", "einen schönen tag", "einen schönen tag noch",
    ),
    "fr": (
        "merci", "merci beaucoup", "merci bien", "grand merci", "mille mercis", "mercii", "s'il vous plaît",
        "s'il te plaît", "svp", "stp", "je vous prie", "je vous en prie", "bonjour", "bonsoir", "salut", "coucou",
        "au revoir", "à bientôt", "cordialement", "bien cordialement", "bien à vous", "cdlt", "bonne journée",
        "bonne soirée", "désolé", "désolée", "je suis désolé", "je suis désolée", "pardon", "excusez-moi",
        "malheureusement", "madame", "monsieur",
    ),
    "es": (
        "gracias", "muchas gracias", "mil gracias", "muchísimas gracias", "por favor", "porfa", "porfavor", "x favor",
        "hola", "buenos días", "buen día", "buenas", "buenas tardes", "buenas noches", "adiós", "hasta luego",
        "saludos", "un saludo", "perdón", "perdona", "perdone", "disculpa", "disculpe", "lo siento", "lo siento mucho",
        "lamentablemente", "desgraciadamente", "señor", "señora", "que tenga buen día",
    ),
    "it": (
        "grazie", "grazie mille", "mille grazie", "molte grazie", "tante grazie", "per favore", "per piacere",
        "per cortesia", "prego", "ciao", "salve", "buongiorno", "buon giorno", "buonasera", "buona sera",
        "buona giornata", "buona serata", "arrivederci", "saluti", "cordiali saluti", "distinti saluti", "un saluto",
        "scusa", "scusi", "scusate", "mi scusi", "mi dispiace", "purtroppo", "signore", "signora",
    ),
    "pt": (
        "obrigado", "obrigada", "muito obrigado", "muito obrigada", "obg", "obgd", "brigado", "brigada", "grato",
        "grata", "valeu", "por favor", "pfv", "pf", "se faz favor", "por gentileza", "olá", "oi", "bom dia",
        "boa tarde", "boa noite", "tchau", "até logo", "abraço", "abraços", "cumprimentos", "desculpe", "desculpa",
        "desculpem", "sinto muito", "lamento", "infelizmente", "senhor", "senhora",
    ),
    "nl": (
        "alsjeblieft", "alstublieft", "a.u.b.", "aub", "svp", "graag gedaan", "dank je", "dank je wel", "dank u",
        "dank u wel", "dankjewel", "dankuwel", "bedankt", "hartelijk dank", "heel erg bedankt", "hartelijk bedankt",
        "hallo", "hoi", "goedemorgen", "goedemiddag", "goedenavond", "dag", "doei", "groet", "groeten", "groetjes",
        "vriendelijke groet", "met vriendelijke groet", "mvg", "sorry", "het spijt me", "helaas", "fijne dag",
        "fijne avond", "mevrouw", "meneer",
    ),
    "pl": (
        "proszę", "poproszę", "dziękuję", "dziękuję bardzo", "bardzo dziękuję", "dziękujemy", "dzięki",
        "wielkie dzięki", "dzięki wielkie", "dzień dobry", "dobry wieczór", "cześć", "hej", "witam", "do widzenia",
        "pozdrawiam", "pozdrowienia", "serdecznie pozdrawiam", "przepraszam", "bardzo przepraszam", "przykro mi",
        "niestety", "miłego dnia", "pan", "pani",
    ),
}  # fmt: skip

#: Faces typed with letters or digits: `:D`, `<3`, `xD`.
_FACES = re.compile(r"(?<!\S)(?:[:;=]['^-]?[dpox3]|<3+|x+d+)(?!\S)")
_ASCII_WORDS = re.compile(r"[a-z0-9]+")
#: What is typed for an apostrophe; `fold` has made the others `'`.
_APOSTROPHES = frozenset("'`‘ʼ")
#: Variation selectors and the keycap: marks of emoji, not of letters.
_EMOJI_MARKS = frozenset(map(chr, (*range(0xFE00, 0xFE10), 0x20E3)))
_DOUBLE = re.compile(r"([^\W\d])\1")
_DRAWN_OUT = re.compile(r"([^\W\d])\1{2,}")
_DRAWN_OUT_END = re.compile(r"([^\W\d])\1+$")

Phrase = tuple[str, ...]


def bare_words(text: str) -> list[str]:
    """The folded words of a text, without any punctuation or emoji, also inside: `Yes,thanks` is two words.

    Apostrophes fall away (`can't` is `cant`), as do faces such as `:D`.
    """
    if text.isascii():
        return _ASCII_WORDS.findall(_FACES.sub(" ", text.lower()).replace("'", "").replace("`", ""))
    folded = _FACES.sub(" ", fold(text.replace("´", "'")))  # NFKC would make a space of that one
    fates: dict[str, str | int | None] = {
        each: None if each in _APOSTROPHES else " " for each in set(folded) if not _is_of_a_word(each)
    }
    return folded.translate(str.maketrans(fates)).split()


def _is_of_a_word(character: str) -> bool:
    """Whether it is a letter, a digit or a mark on one."""
    if character.isalnum() and character != "ʼ":
        return True
    return unicodedata.category(character) in {"Mn", "Mc"} and character not in _EMOJI_MARKS


@lru_cache(maxsize=64)  # one message is held against many keywords and categories in a row
def plain_words(text: str) -> Phrase:
    """`bare_words` without accents: people leave them out on a phone (`nao`, `arret`, `dzieki`)."""
    return tuple(word if word.isascii() else without_accents(word) for word in bare_words(text))


def without_accents(word: str) -> str:
    """The word without the diacritical marks of Latin, Greek and Cyrillic; other scripts need theirs."""
    apart = unicodedata.normalize("NFKD", word.replace("ł", "l"))
    return unicodedata.normalize("NFC", "".join(each for each in apart if not "\u0300" <= each <= "\u036f"))


def phrases(texts: Iterable[str]) -> frozenset[Phrase]:
    """Texts as what `plain_words` makes of them."""
    return frozenset(words for text in texts if (words := plain_words(text)))


#: Everything in `COURTESY`, to compare words with.
FILLERS = phrases(text for texts in COURTESY.values() for text in texts)
_LONGEST_FILLER = max(map(len, FILLERS))


def without_courtesy(words: Sequence[str]) -> list[str]:
    """The words that are left when polite ones are taken out, the longest phrases first. Compared without accents."""
    plain = [without_accents(word) for word in words]
    left: list[str] = []
    place = 0
    while place < len(plain):
        for size in range(_LONGEST_FILLER, 0, -1):
            if tuple(plain[place : place + size]) in FILLERS:
                place += size
                break
        else:
            left.append(words[place])
            place += 1
    return left


class Phrasebook:
    """Phrases that mean one thing, and how a message is held against them."""

    __slots__ = ("_longest", "_phrases", "_words")

    def __init__(self, meant: frozenset[Phrase]) -> None:
        self._phrases = meant
        self._longest = max(map(len, meant | FILLERS))
        self._words = frozenset(word for phrase in meant | FILLERS for word in phrase)

    def covers(self, words: Sequence[str]) -> bool:
        """Whether the words are phrases of the book and polite ones, nothing else, and at least one of the book.

        words: as `plain_words` gives them. Drawn-out letters (`yesss`, `noooo`) count once.
        """
        known: list[str] = []
        for word in words:
            if (shortened := self._shortened(word)) is None:
                return False
            known.append(shortened)
        # politeness may stand inside a phrase too: kann leider nicht
        return self._is_made_of(known) or self._is_made_of(without_courtesy(known))

    def _is_made_of(self, words: Sequence[str]) -> bool:
        """Whether the words fall into phrases and courtesy without a rest."""
        reached = {(0, False)}  # how many words are accounted for, and whether a phrase of the book was among them
        for place in range(len(words)):
            for size in range(1, min(self._longest, len(words) - place) + 1):
                phrase = tuple(words[place : place + size])
                if phrase in self._phrases:
                    reached |= {(place + size, True) for at, _ in reached if at == place}
                if phrase in FILLERS:
                    reached |= {(place + size, is_said) for at, is_said in reached if at == place}
        return (len(words), True) in reached

    def _shortened(self, word: str) -> str | None:
        """The word, or the one that it is when its drawn-out letters are said once or twice; None: not in the book."""
        if word in self._words:
            return word
        if not _DOUBLE.search(word):
            return None
        for pattern, letters in ((_DRAWN_OUT, r"\1"), (_DRAWN_OUT, r"\1\1"), (_DRAWN_OUT_END, r"\1")):
            shorter = pattern.sub(letters, word)
            if len(shorter) > 1 and shorter in self._words:
                return shorter
        return None
