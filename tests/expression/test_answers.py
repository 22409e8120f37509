"""What a whole message answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchflow.expression.answers import SETS, fits
from sinchflow.expression.courtesy import COURTESY, bare_words, plain_words

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")
LISTED = [(name, text) for name, languages in SETS.items() for texts in languages.values() for text in texts]

#: One message a line.
YES = """
Y|y.|(y)|"Y"|Yes|YES!!!|yes :)|Yes :D|Yes <3|yes ;-)|Yes xx|Yep, thanks!|Yep,thanks!|Yes.Thanks.|Yup ty
yes please|Yes please thank you so much|Hi, yes please. Kind regards|Thanks! Yes!|Sorry, yes|yes, sorry
yes yes yes
yesss|YEEEES|yeahhhh|okkk|okaaay|ok|OK.|Ok!! 👍|k|kk|sure|Sure thing, cheers mate
Of course!|that's right|That’s right|thats right|That´s right|sounds good, thank you|I confirm
Confirmed, thanks
I'll be there|Yes I'll be there|yes I can|Yes, of course|yes I am|g'day, yes|Good morning, yes please|ＹＥＳ
Yes\u00a0please
👍|👍🏽|👍👍👍|👍 thanks|Thanks 👍|✅|✔️|👌🏻!|🆗|👍🎉|🙏👍|🙆‍♀️
Ja|JA!|ja bitte|Ja, gerne|Ja gerne, vielen Dank!|jawohl|Jaaa|klar|Na klar!|natürlich|Natuerlich|passt
Passt, danke
In Ordnung|bestätigt|Bestatigt|Ja, tut mir leid|Guten Tag, ja. Mit freundlichen Grüßen|j|Geht klar, LG
ja ja|Selbstverständlich
oui|Oui merci|OUI, s'il vous plaît|Oui s’il te plait|oui svp|ouais|d'accord|D’accord, merci beaucoup
Bien sûr !|bien sur
ça marche|Ca marche|je confirme|Bonjour, oui. Cordialement|O|oui oui|avec plaisir|Tout à fait|c'est bon
Oui, désolée
sí|Si|SI!|Sí, gracias|Si por favor|claro|¡Claro que sí!|vale|Vale, muchas gracias|por supuesto|de acuerdo
confirmo
¡Sí, confirmo!|s|Hola, sí. Saludos|dale|está bien|Esta bien gracias|si si
sì|Sì grazie|Si, grazie mille|certo|va bene|Va bene, ciao|d'accordo|confermo|Buongiorno, confermo
volentieri|ci sarò|Ci saro
sim|Sim, obrigado|SIM por favor|Sim, muito obrigada!|claro que sim|Com certeza|tá bom|ta bom|pode ser
beleza, valeu
confirmado|Bom dia, sim|combinado
Ja graag|ja hoor|Ja, dank je wel|zeker|Zeker weten!|prima|is goed|Is goed, bedankt|akkoord|jazeker|klopt
Goedemorgen, ja
ja alstublieft|oké|natuurlijk
tak|Tak!|Tak, dziękuję|tak proszę|Tak, dzieki|oczywiście|Oczywiscie|jasne|dobrze|Dobrze, dziękuję bardzo
zgadzam się
potwierdzam|Potwierdzam, pozdrawiam|T|Dzień dobry, potwierdzam|w porządku|tak tak
"""

NO = """
N|n.|(n)|No|NO!|no :(|No.|nope|Nope, sorry|nah|Nah mate|No thanks|No, thank you!|no thanks 👍|No ty|no no no
nooo|Noooope
Sorry, no|Unfortunately not now|Unfortunately no|No way!|never|not today|Not today, thanks|not interested
can't|cant
Can’t|Can´t|can`t|I can't|I can't, sorry|Sorry I can't make it|Can't come|Sorry, can't come|no I can't
I cannot|cannot
can not|won't|I won't be there|don't|please don't|I'm not|of course not|Absolutely not|I'm afraid not
No sorry xx
hi, no. regards|decline|NO\u00a0THANKS|Ｎｏ|no, unfortunately|i don't think so
👎|👎🏿|👎👎|👎 sorry|❌|❌ thanks|🙅‍♂️|🙅🏽|✖️
Nein|Nein danke|nein, vielen Dank!|nee|Nee, danke|nö|Nö!|noe|neeein|leider nicht|Leider nein
Nein, leider nicht|auf keinen Fall
Ich kann leider nicht|Kann nicht, sorry|geht nicht|Das passt leider nicht. Danke|bitte nicht|niemals
Kein Interesse
non|Non merci|NON !|nan|pas du tout|Je ne peux pas|je peux pas, désolé|Désolée, je ne peux pas
malheureusement non
bien sûr que non|pas possible|Non, merci beaucoup. Bonne journée
no gracias|No, muchas gracias|no puedo|No puedo, lo siento|Lo siento, no puedo ir|claro que no|ahora no
nunca|no me interesa
¡No!|imposible
no grazie|No, grazie mille|non posso|Non posso, mi dispiace|Purtroppo no|purtroppo non posso|certo che no
non mi interessa
não|Não, obrigado|nao obrigada|Nao|não posso|Infelizmente não posso|não vou|claro que não|agora não
Não dá, desculpe
nee|Nee bedankt|nee, dank u wel|neen|Helaas niet|nee helaas|ik kan niet|Ik kan helaas niet|kan niet
zeker niet|nee hoor
nie|Nie, dziękuję|nie dzięki|Niestety nie|nie mogę|Nie moge, przepraszam|Niestety nie mogę
oczywiście, że nie|nie nie
"""

NEITHER = """
|   |.|?|!!!|thanks|Thank you so much!|please|sorry|hi|Hello there|x|😀|🎉|👍👎|✅ ❌|🙏|danke|merci|gracias
grazie|obrigado|bedankt|dziękuję
yes and no|yes or no|yes/no|Y/N|y n|yes no|no yes|ja nein|nein doch|oui et non|sí o no|sì o no|sim ou não
ja of nee|tak czy nie
yes but at 5|Yes, at 5?|ok but later|ok no|no ok|Yes I have a question|yes can't|is that a yes|not yes
say yes|no problem
No problem!|no worries|no idea|no clue|no rush|No doubt|why not|y not|yes if it rains|not sure|Not sure yet
maybe|Later
I know|know|now|none|noon|nobody|no-one|yesterday|Yes man was a film|eyes|yeshiva|okra|nothing|note|north
never mind
no I can|all good|good|great|doch|jein|na ja|ja aber|Ja, aber erst um 5|ich kann|kann ich nicht sagen
nicht sicher|vielleicht
oui mais plus tard|peut-être|je ne sais pas|pourquoi pas|pas encore sûr|quizás|no sé|No lo sé
si puedo mañana|si llueve
claro pero no|forse|non lo so|non so|dipende|talvez|não sei|pois não|weet niet|misschien|ja maar|nie wiem
może|może tak
tak ale później|no to nie wiem|1|2|0|5|yes 2|2 yes|on|off|true|stop|help|cancel|who is this|What time?
can you call me|can't wait
I can't wait to come|can't thank you enough|No one told me|not a problem|I do have a question|I am late
i will call|we are open
sure you can't|of course I can't|agree to disagree|I don't agree to that price|fine print|accept cookies
Yes Minister at 9pm
👍 but at 5|👍 see the attachment|maybe 👍|no 2 please|No. 5 Main Street|no.reply@example.com|ok.com|y2k
k9|sss|yy mm|t h x|ty for nothing|o o o|s s|so so|nein nicht doch aber|kein Problem|pas de problème
sin problema|nessun problema
sem problema|geen probleem|nie ma problemu|ok?? what|assolutamente|na|ne pas déranger|ja und
ach ja richtig was
"""


def rows(table):
    return [text for line in table.strip("\n").split("\n") for text in line.split("|")]


@pytest.mark.parametrize("text", rows(YES))
def test_yes_is_understood_and_is_no_no(text):
    assert (fits(text, "yes"), fits(text, "no")) == (True, False)


@pytest.mark.parametrize("text", rows(NO))
def test_no_is_understood_and_is_no_yes(text):
    assert (fits(text, "yes"), fits(text, "no")) == (False, True)


@pytest.mark.parametrize("text", rows(NEITHER))
def test_what_says_more_or_less_is_neither(text):
    assert (fits(text, "yes"), fits(text, "no")) == (False, False)


def test_everything_listed_is_what_it_is_listed_as():
    other = {"yes": "no", "no": "yes"}
    wrong = [text for name, text in LISTED if not fits(text, name) or fits(text.upper(), other[name])]
    assert wrong == []


def test_everything_listed_may_be_polite_in_any_language():
    polite = [text for texts in COURTESY.values() for text in (texts[0], texts[-1])]
    wrong = [
        (name, text, courtesy)
        for name, text in LISTED
        for courtesy in polite
        if not fits(f"{text}, {courtesy}!", name) or not fits(f"{courtesy}. {text} 🙂", name)
        if plain_words(text)
    ]
    assert wrong == []


def test_courtesy_alone_is_no_answer():
    assert [text for texts in COURTESY.values() for text in texts if fits(text, "yes") or fits(text, "no")] == []


@pytest.mark.parametrize("languages", [SETS["yes"], SETS["no"], COURTESY])
def test_every_language_has_its_words_and_none_twice(languages):
    assert {*languages} - {"any"} == {*LANGUAGES}
    for texts in languages.values():
        assert texts
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("can't come", "can't come", True),
        ("Can’t come!", "can't come", True),
        ("cant come", "can't come", True),
        ("Sorry, can't come 😢", "can't come", True),
        ("Hi, can't come. Thanks", "can't come", True),
        ("I can't come", "can't come", False),
        ("can't come today", "can't come", False),
        ("come", "can't come", False),
        ("B", "b", True),
        ("B please", "b", True),
        ("(b)", "B", True),
        ("B, C", "B", False),
        ("2", "2", True),
        ("2.", "2", True),
        ("2️⃣", "2", True),
        ("２", "2", True),
        ("22", "2", False),
        ("10:30 please", "10:30", True),
        ("10.30", "10:30", True),
        ("10:31", "10:30", False),
        ("call me", "please call me", True),
        ("please", "please", True),
        ("Thank you!", "thank you", True),
        ("thanks", "thank you", False),
        ("", "thank you", False),
        ("", "yes", False),
        ("grüne", "grüne", True),
        ("GRÜNE, bitte", "grüne", True),
        ("grune", "grüne", False),
        ("STRASSE", "Straße", True),
        ("Ja", "ja", True),
        ("Yes", "ja", False),
        ("yes", "YES", True),
        ("ja", " Yes! ", True),
        ("nope", "No", True),
        ("नमस्ते!", "नमस्ते", True),
        ("นี้", "นี่", False),
        ("мои", "мой", False),
        ("Мой!", "мой", True),
        ("👍", "👍", True),
        ("👍🏽 thanks", "👍", True),
        ("👍👍", "👍", True),
        ("👍❌", "👍", False),
        ("call 👍", "👍", False),
        ("🎉", "👍", False),
        ("blue 👍", "blue", True),
        ("❤️", "❤", True),
        ("?", "?", True),
        ("#", "?", False),
        ("!", "👍", False),
        ("blue " + "thanks " * 10_000, "blue", False),
    ],
)
def test_other_answers_are_the_words_themselves(text, answer, expected):
    assert fits(text, answer) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes,thanks", ["yes", "thanks"]),
        ("can't ‘won’t’ don`t", ["cant", "wont", "dont"]),
        ("s'il-vous-plaît", ["sil", "vous", "plaît"]),
        ("ok :D xD <3 =P", ["ok"]),
        ("at 10:30", ["at", "10", "30"]),
        ("1️⃣ ✌️", ["1"]),
    ],
)
def test_words_are_bare_of_punctuation_inside_too(text, expected):
    assert bare_words(text) == expected


@given(st.text(max_size=400), st.text(max_size=20))
def test_any_text_is_compared_with_any_answer(text, answer):
    assert not (fits(text, "yes") and fits(text, "no"))
    assert isinstance(fits(text, answer), bool)


@given(st.text(min_size=1, max_size=40))
def test_every_answer_fits_itself_however_it_is_written(answer):
    assert fits(answer, answer) or answer.strip().lower() in {"yes", "no"}
    assert fits(f"  {answer}\n", answer)


@given(st.lists(st.sampled_from(["yes", "no", "thanks", "please", "👍", "but", "ok"]), max_size=160))
def test_a_yes_holds_no_other_word(parts):
    says = {part for part in parts if part not in {"thanks", "please", "👍"}}
    expected = says <= {"yes", "ok"} and (bool(says) or "👍" in parts)
    text = " ".join(parts)
    assert fits(text, "yes") is (expected and len(text) <= 320)
