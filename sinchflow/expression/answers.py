"""What a whole message answers: `answer: yes`, `answer: no`, `answer: "can't come"` (design.md section 3). Pure.

Courtesy words, punctuation and emoji around the answer do not matter; any other word does: "yes, but at 5" is no yes.
`SETS` is the documentation of `yes` and `no`: what counts, by language. The languages are taken together, because
nobody says which one they text in. What could be meant either way ("no problem", "why not", "all good") is in none.
"""

import unicodedata

from sinchflow.expression.courtesy import (
    LONGEST_MESSAGE,
    Phrasebook,
    bare_words,
    phrases,
    plain_words,
    without_courtesy,
)
from sinchflow.expression.pattern import whole

#: What `answer: yes` and `answer: no` stand for, by language; `any` holds signs, which count where no word is.
SETS: dict[str, dict[str, tuple[str, ...]]] = {
    "yes": {
        "any": ("👍", "👌", "✅", "✔", "☑", "🆗", "💯", "🙆"),
        "en": (
            "y", "yes", "yep", "yup", "yeah", "yea", "yeh", "ya", "yah", "yip", "yas", "aye", "ok", "okay", "okey",
            "oki", "okie", "okey dokey", "k", "kk", "sure", "sure thing", "for sure", "of course", "ofc", "certainly",
            "absolutely", "definitely", "by all means", "you bet", "indeed", "affirmative", "correct", "that's correct",
            "that's right", "agreed", "agree", "i agree", "accept", "accepted", "i accept", "confirm", "confirmed",
            "confirming", "i confirm", "i can confirm", "fine", "that's fine", "that's ok", "that's okay",
            "sounds good", "sounds great", "works for me", "that works", "go ahead", "will do", "i do", "i am",
            "i will", "i would", "i can", "we do", "we are", "we will", "we can", "it is", "i'll come", "i'll be there",
            "i will be there", "will be there", "we'll be there", "i can come", "i can make it",
        ),
        "de": (
            "j", "ja", "jo", "jep", "jup", "joa", "jawohl", "jawoll", "gerne", "gern", "sehr gerne", "sehr gern",
            "klar", "na klar", "alles klar", "klaro", "sicher", "aber sicher", "natürlich", "natuerlich",
            "selbstverständlich", "auf jeden fall", "passt", "das passt", "passt mir", "okay", "in ordnung",
            "geht klar", "einverstanden", "bestätigt", "bestätige", "ich bestätige", "stimmt", "richtig", "genau",
            "ich komme", "wir kommen", "bin dabei", "ich bin dabei",
        ),
        "fr": (
            "o", "oui", "ouais", "ouaip", "ouep", "mais oui", "bien sûr", "bien sur que oui", "bien entendu",
            "évidemment", "certainement", "absolument", "volontiers", "avec plaisir", "d'accord", "dac", "d'acc",
            "entendu", "c'est d'accord", "c'est bon", "c'est ok", "ça marche", "ça me va", "ça me convient",
            "tout à fait", "exact", "c'est exact", "je confirme", "confirmé", "j'accepte", "je viens", "je serai là",
            "je serai présent", "je serai présente",
        ),
        "es": (
            "s", "sí", "si", "sip", "claro", "claro que sí", "por supuesto", "desde luego", "de acuerdo", "vale",
            "dale", "okey", "está bien", "me parece bien", "correcto", "exacto", "así es", "confirmo", "confirmado",
            "acepto", "con gusto", "cómo no", "ahí estaré", "allí estaré", "sí puedo", "iré",
        ),
        "it": (
            "s", "sì", "si", "certo", "certo che sì", "certamente", "sicuro", "sicuramente", "ovviamente", "va bene",
            "vabene", "va benissimo", "d'accordo", "volentieri", "con piacere", "esatto", "corretto", "confermo",
            "confermato", "accetto", "assolutamente sì", "ci sarò", "ci saremo", "vengo",
        ),
        "pt": (
            "s", "sim", "claro", "claro que sim", "com certeza", "certo", "certeza", "está bem", "tá bom", "está bom",
            "tudo bem", "pode ser", "beleza", "blz", "combinado", "de acordo", "concordo", "isso", "isso mesmo",
            "exato", "correto", "positivo", "confirmo", "confirmado", "confirmada", "aceito", "estarei lá", "vou sim",
        ),
        "nl": (
            "j", "ja", "jawel", "jazeker", "jep", "jup", "joh ja", "ja hoor", "zeker", "zeker weten", "natuurlijk",
            "uiteraard", "tuurlijk", "graag", "heel graag", "prima", "oké", "akkoord", "is goed", "dat is goed", "goed",
            "klopt", "dat klopt", "correct", "inderdaad", "ik bevestig", "bevestigd", "bevestig", "ik kom", "wij komen",
            "we komen", "ik ben erbij",
        ),
        "pl": (
            "t", "tak", "oczywiście", "jasne", "pewnie", "dobra", "dobrze", "okej", "oki", "zgoda", "zgadzam się",
            "w porządku", "potwierdzam", "potwierdzone", "akceptuję", "chętnie", "owszem", "zgadza się", "dokładnie",
            "przyjdę", "będę",
        ),
    },
    "no": {
        "any": ("👎", "❌", "✖", "🙅", "🚫"),
        "en": (
            "n", "no", "nope", "nah", "naw", "nay", "no way", "never", "negative", "not now", "not today",
            "not this time", "not really", "not interested", "not possible", "no can do", "can't", "cannot", "can not",
            "i can't", "i cannot", "i can not", "we can't", "we cannot", "can't come", "i can't come", "can't make it",
            "i can't make it", "we can't make it", "cannot make it", "can't do it", "can't do that", "won't", "i won't",
            "i will not", "will not", "won't be there", "i won't be there", "don't", "i don't", "i do not", "do not",
            "i'm not", "i am not", "it isn't", "it is not", "it's not", "unable", "decline", "declined", "i decline",
            "absolutely not", "definitely not", "certainly not", "of course not", "i'm afraid not", "afraid not",
            "i don't think so", "i don't want to", "i'd rather not", "rather not", "not me", "not correct",
            "that's not correct", "incorrect",
        ),
        "de": (
            "n", "nein", "nee", "ne", "nö", "noe", "nicht", "lieber nicht", "auf keinen fall", "keinesfalls",
            "natürlich nicht", "sicher nicht", "niemals", "nie", "kann nicht", "ich kann nicht",
            "ich kann nicht kommen", "kann nicht kommen", "wir können nicht", "geht nicht", "das geht nicht",
            "passt nicht", "das passt nicht", "ich komme nicht", "wir kommen nicht", "kein interesse", "abgelehnt",
            "stimmt nicht", "das stimmt nicht", "falsch", "nicht möglich",
        ),
        "fr": (
            "n", "non", "nan", "mais non", "jamais", "pas du tout", "pas question", "bien sûr que non",
            "certainement pas", "absolument pas", "pas possible", "impossible", "c'est impossible", "je ne peux pas",
            "je peux pas", "on ne peut pas", "je ne viens pas", "je viens pas", "je ne serai pas là", "je ne veux pas",
            "je veux pas", "pas intéressé", "pas intéressée", "je refuse", "refusé", "ça ne va pas", "ça ne me va pas",
            "ce n'est pas possible", "pas aujourd'hui", "pas maintenant",
        ),
        "es": (
            "n", "no", "nop", "que no", "claro que no", "por supuesto que no", "desde luego que no", "para nada",
            "nunca", "jamás", "de ninguna manera", "no puedo", "no podemos", "no podré", "no puedo ir", "no voy",
            "no iré", "no quiero", "no me interesa", "no es posible", "imposible", "ahora no", "hoy no", "incorrecto",
            "rechazo", "no acepto", "no es correcto",
        ),
        "it": (
            "n", "no", "certo che no", "assolutamente no", "per niente", "mai", "non posso", "non possiamo",
            "non ci sarò", "non vengo", "non verrò", "non voglio", "non mi interessa", "non è possibile", "impossibile",
            "non ora", "non oggi", "rifiuto", "non accetto", "non va bene", "sbagliato",
        ),
        "pt": (
            "n", "não", "nao", "nem pensar", "claro que não", "com certeza não", "de jeito nenhum", "nunca", "jamais",
            "não posso", "não podemos", "não vou", "não vou poder", "não vai dar", "não dá", "não quero",
            "não tenho interesse", "não é possível", "impossível", "agora não", "hoje não", "recuso", "não aceito",
            "incorreto", "negativo", "ainda não",
        ),
        "nl": (
            "n", "nee", "neen", "neuh", "nou nee", "nee hoor", "niet", "liever niet", "nooit", "zeker niet",
            "natuurlijk niet", "absoluut niet", "echt niet", "kan niet", "ik kan niet", "wij kunnen niet",
            "we kunnen niet", "dat kan niet", "lukt niet", "dat lukt niet", "lukt me niet", "ik kom niet",
            "geen interesse", "niet mogelijk", "klopt niet", "dat klopt niet", "onjuist",
        ),
        "pl": (
            "n", "nie", "nigdy", "oczywiście że nie", "na pewno nie", "raczej nie", "w żadnym razie", "nie mogę",
            "nie możemy", "nie dam rady", "nie przyjdę", "nie będę", "nie chcę", "nie jestem zainteresowany",
            "nie jestem zainteresowana", "nie zgadzam się", "niemożliwe", "nie da się", "odmawiam", "nie teraz",
            "nie dzisiaj",
        ),
    },
}  # fmt: skip


def fits(text: str, answer: str) -> bool:
    """Whether the whole message gives this answer.

    answer: `yes` or `no` for what `SETS` lists, else the words themselves (a sign, `👍`, stands for itself).
    """
    name = whole(answer)
    return _gives(text, name) if name in SETS else _says(text, answer)


def _gives(text: str, name: str) -> bool:
    """Whether the message is one of the set, however politely and often it is said."""
    if len(text) > LONGEST_MESSAGE:
        return False
    words = plain_words(text)
    left = without_courtesy(words)
    if not left:
        decisive = _signs(text) & _ALL_SIGNS
        return bool(decisive) and decisive <= _SIGNS[name]
    return (len(left) == 1 and left[0] in _LETTERS[name]) or _BOOKS[name].covers(words)


def _says(text: str, answer: str) -> bool:
    """Whether the message is these words, or these and politeness."""
    if whole(text) == whole(answer):
        return True
    if len(text) > len(answer) + LONGEST_MESSAGE:
        return False
    left, wanted = without_courtesy(bare_words(text)), without_courtesy(bare_words(answer))
    if left or wanted:
        return left == wanted
    return not bare_words(answer) and bool(signs := _signs(answer)) and signs == _signs(text)


def _signs(text: str) -> frozenset[str]:
    """The emoji and other symbols of a text, without their colours and variants."""
    if text.isascii():
        return frozenset()
    return frozenset(character for character in text if unicodedata.category(character) == "So")


#: A single letter is an answer only when no other word is there but courtesy: "y not" is none.
_LETTERS = {
    name: frozenset(text for texts in languages.values() for text in texts if len(text) == 1 and text.isalpha())
    for name, languages in SETS.items()
}
_BOOKS = {
    name: Phrasebook(phrases(text for texts in languages.values() for text in texts if len(text) > 1))
    for name, languages in SETS.items()
}
_SIGNS = {name: frozenset(languages["any"]) for name, languages in SETS.items()}
_ALL_SIGNS = frozenset[str]().union(*_SIGNS.values())
