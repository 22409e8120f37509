"""Opt-out, opt-in and help words: the whole message, never a word inside one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchflow.expression.answers import fits
from sinchflow.expression.courtesy import COURTESY, plain_words
from sinchflow.expression.keywords import ALONE, FORMS, KEYWORDS, means

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")
LISTED = [(kind, word) for kind, languages in KEYWORDS.items() for words in languages.values() for word in words]
IN_FORMS = [(kind, form) for kind, languages in FORMS.items() for forms in languages.values() for form in forms]

#: Messages by kind, in lines.
MEANT = {
    "opt_out": """
STOP|Stop|stop.|STOP!|"STOP"|'stop'|(Stop)|*stop*|Stop 🛑|STOP!!! 😡|  stop\t|sToP|ＳＴＯＰ|stop :(|Stop...|¡STOP!
STOP ALL|stopall|Stop all!|STOP STOP STOP|stop, stop|S T O P|s.t.o.p.|stopp|STOPPPP|stooop|please stop
Please stop!
Stop please|stop pls|Stop, thank you|Stop thanks.|Hi, please stop. Thanks|sorry, stop|Reply STOP|text stop
stop now
Stop texting me|Stop texting me!|stop texting|please stop texting me|Stop messaging me thanks
STOP SENDING ME MESSAGES
stop sending me texts|stop the messages|Stop these texts|stop sms|Stop contacting me|stop spamming me
Stop all of it
Can you stop texting me?|could you please stop texting me|Will you stop messaging me?
unsubscribe|Unsubscribe!|UNSUBSCRIBE ME|unsubscribe me please|Please unsubscribe me|unsubscribe now|unsub
Unsub me
unsubscribe from this list|unsubscribe me from your list|I want to unsubscribe|I'd like to unsubscribe, thanks
I’d like to opt out|opt out|OPT-OUT|Opt out.|optout|opt out please|Opt me out|remove my number
take me off your list
Don't text me|dont text me again|Do not contact me|Don’t message me!|No more texts|no more messages please
Leave me alone|Cancel|CANCEL.|end|END!|quit|Quit.|revoke|stop and unsubscribe|STOP UNSUBSCRIBE
Stopp|Bitte stop|Stopp bitte|Stop, danke|abmelden|ABMELDEN!|austragen|Keine SMS mehr
Bitte keine Nachrichten mehr!
Stop SMS|keine Werbung mehr bitte|SMS abbestellen|Guten Tag, bitte stopp. Mit freundlichen Grüßen
arrêt|ARRET|Arrêter svp|arreter|Stop merci|STOP SVP|Stop s'il vous plaît|stop pub|désabonner|DESABONNER
Désinscrire
me désabonner|Désabonnez-moi|Je veux me désabonner|arrêtez|Arretez de m'ecrire|Arrêtez vos sms
Ne m’écrivez plus
désabonnement|desinscription
alto|ALTO.|parar|Parar por favor|baja|BAJA|¡Stop!|Stop por favor|stop gracias|No más mensajes
no mas mensajes
No quiero más mensajes, gracias|detener|no me escriban más
basta|Basta!|Stop grazie|disiscrivimi|Disiscrivimi per favore|disiscrivi|cancellami|basta sms
niente più messaggi
Pare|parar|SAIR|sair.|Stop por favor|descadastrar|Descadastrar, obrigado|Não quero mais mensagens
chega de sms
afmelden|Afmelden!|uitschrijven|Stop aub|Stop alstublieft|stop met sms'en|stop met berichten|geen sms meer
wypisz|Wypisz mnie|Proszę wypisz mnie|Stop proszę|STOP dziękuję|Nie piszcie do mnie|żadnych sms|wyrejestruj
Zadnych SMS
""",
    "opt_in": """
START|Start|start.|Start!|please start|START please|Start again|unstop|UNSTOP!|Unstop me|start texting me
starttt
Start bitte|wieder anmelden|Start svp|reprendre|ALTA|alta.|start gracias|riprendi|retomar|weer aanmelden
wznów|WZNOW
Wznów proszę|start sms
""",
    "help": """
HELP|Help|help!|Help!!!|help?|HELP ME|Help me!|help please|please help|Hi, help please|info|INFO|Info?
Info please
Reply HELP|h e l p|heeelp|hilfe|Hilfe!|Hilfe bitte|Info bitte|aide|Aide svp|infos|Infos svp
ayuda|¡Ayuda!
Ayuda por favor|aiuto|Aiuto per favore|ajuda|Ajuda por favor|hulp|Hulp aub|pomoc|Pomoc proszę
Hello, info, thanks
""",
}

#: Messages that no policy takes: they go to the flows.
FOR_FLOWS = """
|   |.|?|🛑|👍|stop by at 5?|Stop by at 5?|I'll stop by|Can you stop by?|bus stop|Which stop is it|Stop 5
stop 12 please
Don't stop|do not stop|Non-stop|nonstop|non stop|never stop|stop the delivery|Stop my order
please stop my order
stop it|Stop that|Stop!! Who is this?|Why stop|Is this the last stop?|when do you stop|Stop sign|full stop
stopover
stopped|stops|stopping|Stop wasting my time with the delivery|stop sending parcels to the old address
STOP or go
I want to stop|stop loss|Stop the car|one stop shop|no stop|yes stop|ok stop|stop yes|Stop at 5pm
stop@example.com
shop|top|step|spot|pots|stap|start or stop|stop start|stop help|stop subscription|stop my subscription
please cancel|cancel please|Cancel my order|Cancel it|cancel all|cancel 5pm|Can I cancel?|I need to cancel
cancel thanks
cancelled|cancellation|cancel appointment|please cancel my appointment|cancel me|CANCEL CANCEL|sorry, cancel
end of month|The end|the end.|end please|weekend|week end|end it|quit smoking|I quit|Quit it|quit please
revoke access
revoke please|unsubscribe my wife from the course|how do I unsubscribe|How do I opt out of lunch?|opt in|opt
remove me from the waiting list|Remove me|remove me from the list|take me off the list|take me off
remove item 5
texting me|text me|text me again|contact me|leave me a message|no more|No more bookings|don't call me back
alone
can you help me with my order|Can you help me?|help me with my order|I need help|need help|help with booking
Help is on the way|helpful|helper|self help|thanks for the help|thank you for your help|help desk|Help line
no help
more info|Any info?|info on prices|information|Please send info|info@example.com|infos zum Kurs
info about Sunday
start at 5|Start my order|when do we start|Let's start|head start|started|starter|fresh start|start up
yes start
start over|restart|YES|yes please|Y|ok|no|subscribe
ich möchte mich abmelden|Kurs abmelden|bitte abmelden|abmelden bitte|Bestellung abbestellen|abbestellen
Stopp hier
Können Sie mir helfen|Hilfe bei der Bestellung|Ich brauche Hilfe|keine SMS|keine Nachrichten|mehr SMS|Ende
halt
arrêt de bus|L'arrêt 5|arrêter la commande|Arrêt maladie|plus de sms|aidez-moi|besoin d'aide
aide à domicile|se désinscrire
Prochain arrêt|désinscrire mon fils|annuler
alto riesgo|Juan es alto|voz baja|dar de baja|darme de baja|quiero darme de baja|baja por favor|más baja
cancelar|para
parar en Madrid|necesito ayuda|ayuda con mi pedido|alta por favor|dar de alta|alta velocidad
basta così|basta poco|basta per favore|cancellami l'appuntamento|cancella|annulla|aiutami|fermata
mi serve aiuto
pare aqui|Pare por favor|sair de casa|sair da lista|quero sair|vou sair|preciso de ajuda|cancelar inscrição
afmelden voor vrijdag|mijn zoon afmelden|ik wil me afmelden|graag afmelden|uitschrijven graag|hulp nodig
bushalte stop
wypisz receptę|Proszę wypisać|przystanek|potrzebuję pomocy|pomoc domowa|koniec|rezygnuję
Hi, I'd like to stop by tomorrow to pick up my order. Can you help me? Thanks|Please stop by on your way home
a stop b|1 stop|stop 2end|Stop, I changed my mind about the size|please don't stop
pls stop the noise upstairs
"""


def rows(table):
    return [text for line in table.strip("\n").split("\n") for text in line.split("|")]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, table in MEANT.items() for text in rows(table)])
def test_whole_message_is_understood_and_of_one_kind_only(kind, text):
    assert {each for each in KEYWORDS if means(text, each)} == {kind}


@pytest.mark.parametrize("text", rows(FOR_FLOWS))
def test_everything_else_goes_to_the_flows(text):
    assert {each for each in KEYWORDS if means(text, each)} == set()


@pytest.mark.parametrize("listed", [KEYWORDS, FORMS])
def test_every_kind_has_every_language(listed):
    assert list(listed) == ["opt_out", "opt_in", "help"]
    assert {tuple(languages) for languages in listed.values()} == {LANGUAGES}


def test_everything_listed_is_what_it_is_listed_as_and_no_answer():
    wrong = [
        (kind, text)
        for kind, text in LISTED + IN_FORMS
        if {each for each in KEYWORDS if means(f"{text.lower()}!", each)} != {kind}
        or fits(text, "yes")
        or fits(text, "no")
    ]
    assert wrong == []


def test_politeness_is_no_sentence_except_around_everyday_words():
    alone = {plain_words(word) for word in ALONE}
    wrong = [
        (kind, text, courtesy)
        for kind, text in LISTED
        for courtesies in COURTESY.values()
        for courtesy in (courtesies[0], courtesies[-1])
        for polite in (f"{text}, {courtesy}", f"{courtesy} {text}")
        if means(polite, kind) is (plain_words(text) in alone)
    ]
    assert wrong == []


def test_courtesy_alone_is_no_keyword():
    texts = [text for texts in COURTESY.values() for text in texts]
    assert [text for text in texts for kind in KEYWORDS if means(text, kind)] == []


@pytest.mark.parametrize(
    ("text", "kind", "keywords", "expected"),
    [
        ("ADIOS", "opt_out", ("adiós",), True),
        ("adios por favor", "opt_out", ("adiós",), True),
        ("adios amigos", "opt_out", ("adiós",), False),
        ("STOP", "opt_out", ("adiós",), False),
        ("stop texting me", "opt_out", ("adiós",), False),
        ("stop", "opt_out", ("STOP",), True),
        ("stop texting me", "opt_out", ("STOP",), True),
        ("stop met sms", "opt_out", ("STOP",), True),
        ("unsubscribe me", "opt_out", ("STOP",), False),
        ("no more texts", "opt_out", ("STOP",), False),
        ("cancel", "opt_out", ("STOP", "UNSUBSCRIBE"), False),
        ("unsubscribe me", "opt_out", ("STOP", "UNSUBSCRIBE"), True),
        ("cancel", "opt_out", ("CANCEL",), True),
        ("cancel please", "opt_out", ("CANCEL",), False),
        ("No more news!", "opt_out", ("no more news",), True),
        ("more news", "opt_out", ("no more news",), False),
        ("YES", "opt_in", ("YES", "START"), True),
        ("yes, please", "opt_in", ("YES", "START"), True),
        ("yes at 5", "opt_in", ("YES", "START"), False),
        ("bye", "opt_out", ("bye",), True),  # a courtesy word otherwise
        ("🛑", "opt_out", ("🛑",), True),
        ("🛑 please", "opt_out", ("🛑",), False),
        ("*", "help", ("*", "SOS"), True),
        ("sos!", "help", ("*", "SOS"), True),
        ("help", "help", ("*", "SOS"), False),
        ("стоп!", "opt_out", ("СТОП",), True),
        ("नमस्ते", "help", ("नमस्ते",), True),
        ("stop", "opt_out", (), False),
        ("", "opt_out", (), False),
        ("", "opt_out", ("",), False),
    ],
)
def test_own_keywords_replace_the_defaults(text, kind, keywords, expected):
    assert means(text, kind, keywords) is expected


def test_very_long_messages_are_none_and_take_no_time():
    assert means("please " * 40 + "stop", "opt_out")
    assert not means("please " * 100_000 + "stop", "opt_out")


@given(st.text(max_size=400))
def test_any_text_can_be_compared(text):
    assert sum(means(text, kind) for kind in KEYWORDS) <= 1


@given(st.sampled_from(LISTED), st.sampled_from(["order", "5", "by", "Anna", "tomorrow", "www"]), st.booleans())
def test_one_word_more_makes_it_a_sentence(listed, word, is_before):
    kind, text = listed
    assert not means(f"{word} {text}" if is_before else f"{text} {word}", kind)
