"""Absence notices: when somebody is back, whether they have left, whom to write to instead."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.absence import Absence, read

TODAY = date(2026, 8, 5)  # a Wednesday

RETURNS = [
    ("en", date(2026, 8, 17), "I am out of the office, returning on the 17th."),
    ("en", date(2026, 8, 10), "We are closed 5 to 9 August and reopen on 10 August."),
    ("en", date(2026, 8, 6), "I'm out sick today and will reply tomorrow."),
    ("it", date(2026, 8, 17), "Sono fuori ufficio dal 3 al 14 agosto. Tornerò lunedì 17."),
    ("nb", date(2026, 8, 17), "Kontoret er feriestengt i uke 31, 32 og 33."),
    ("pl", date(2026, 8, 15), "Przebywam na urlopie w dniach 3-14.08.2026."),
    ("en", date(2026, 8, 17), "I am out of office and will be back on Monday, August 17th."),
    ("en", date(2026, 8, 15), "I'm away until 14 August. For urgent matters contact anna@x.no"),
    (
        "en",
        date(2026, 8, 12),
        "I will be out of the office starting 08/01/2026 and will not return until 08/12/2026.",
    ),
    ("en", date(2026, 8, 15), "I will be out of the office from August 3 through August 14, 2026."),
    ("en", date(2026, 8, 15), "On vacation Aug 3-14, replies will be slow."),
    ("en", date(2026, 8, 24), "I am on annual leave, returning 24 August 2026."),
    ("en", date(2026, 8, 20), "Thanks for your mail. I return on 2026-08-20."),
    ("en", date(2026, 8, 6), "I'm out today."),
    ("en", date(2026, 8, 10), "I will be back next Monday."),
    ("en", date(2026, 8, 10), "I am out of office this week."),
    ("en", date(2027, 1, 1), "I am on parental leave until January 2027."),
    ("en", date(2026, 8, 12), "I'm back in the office on the 12th of August."),
    ("nb", date(2026, 8, 17), "Jeg har ferie og er tilbake på kontoret mandag 17. august."),
    (
        "nb",
        date(2026, 8, 15),
        "Takk for e-posten. Jeg er på ferie til og med 14.08.2026. Haster det, kontakt ola@x.no.",
    ),
    ("nb", date(2026, 8, 15), "Jeg er ute av kontoret f.o.m. 3. august t.o.m. 14. august."),
    ("nb", date(2026, 8, 10), "Ferie i uke 30-32. Tilbake i uke 33."),
    ("nb", date(2026, 8, 17), "Jeg har ferie uke 32 og 33."),
    ("nb", date(2026, 8, 12), "Er tilbake 12/8."),
    ("nb", date(2026, 8, 11), "Jeg er tilbake tirsdag."),
    ("nb", date(2026, 8, 17), "Jeg er ikke på kontoret før 17. august"),
    ("nb", date(2026, 8, 15), "Jeg er i ferie 3.-14. august og leser ikke e-post."),
    ("sv", date(2026, 8, 17), "Jag är på semester och åter den 17 augusti."),
    ("sv", date(2026, 8, 15), "Jag har semester t.o.m. 14/8 och läser inte mejl."),
    ("sv", date(2026, 8, 17), "Jag är tillbaka vecka 34."),
    ("sv", date(2026, 8, 17), "Jag är tillbaka på kontoret måndagen den 17/8."),
    (
        "da",
        date(2026, 8, 17),
        "Jeg holder ferie til og med fredag den 14. august og er tilbage mandag den 17. august.",
    ),
    ("da", date(2026, 8, 17), "Jeg er på ferie i uge 32 og 33."),
    ("fi", date(2026, 8, 17), "Olen lomalla 14.8. asti. Palaan töihin 17.8.2026."),
    (
        "fi",
        date(2026, 8, 15),
        "Olen lomalla 3.8.-14.8. Kiireellisissä asioissa ota yhteyttä matti@x.fi",
    ),
    ("fi", date(2026, 8, 17), "Palaan toimistolle maanantaina 17. elokuuta."),
    ("fi", date(2026, 8, 15), "Olen poissa 14.8.2026 saakka."),
    (
        "de",
        date(2026, 8, 15),
        "Ich bin bis zum 14. August 2026 nicht im Büro. Wenden Sie sich an Frau Kurz.",
    ),
    ("de", date(2026, 8, 17), "Ab dem 17. August bin ich wieder erreichbar."),
    ("de", date(2026, 8, 15), "Ich bin vom 3. bis 14. August im Urlaub."),
    ("de", date(2026, 8, 17), "Ich bin am 17.08.2026 wieder im Büro."),
    ("de", date(2026, 8, 15), "Ich bin vom 03.08. bis einschließlich 14.08. abwesend."),
    ("de", date(2026, 8, 17), "Ich bin erst ab KW 34 wieder da."),
    ("fr", date(2026, 8, 15), "Je suis absent jusqu'au 14 août inclus."),
    ("fr", date(2026, 8, 17), "Je serai de retour le lundi 17 août 2026."),
    ("fr", date(2026, 8, 15), "Absent du 3 au 14 août. En cas d'urgence, contactez marie@x.fr."),
    ("es", date(2026, 8, 15), "Estaré fuera de la oficina hasta el 14 de agosto."),
    ("es", date(2026, 8, 17), "Regreso el lunes 17 de agosto de 2026."),
    ("es", date(2026, 8, 15), "Estaré de vacaciones del 3 al 14 de agosto."),
    ("it", date(2026, 8, 15), "Sono in ferie fino al 14 agosto compreso."),
    ("it", date(2026, 8, 17), "Rientrerò in ufficio lunedì 17 agosto."),
    ("it", date(2026, 8, 15), "Sarò assente dal 3 al 14 agosto 2026."),
    ("nl", date(2026, 8, 15), "Ik ben afwezig tot en met 14 augustus."),
    ("nl", date(2026, 8, 17), "Ik ben op maandag 17 augustus weer bereikbaar."),
    ("nl", date(2026, 8, 15), "Ik ben met vakantie van 3 t/m 14 augustus 2026"),
    ("pl", date(2026, 8, 15), "Jestem na urlopie do 14 sierpnia."),
    ("pl", date(2026, 8, 17), "Wracam do biura 17 sierpnia 2026 r."),
    ("pl", date(2026, 8, 15), "Jestem nieobecny od 3 do 14 sierpnia."),
    ("pt", date(2026, 8, 15), "Estou de férias até 14 de agosto."),
    ("pt", date(2026, 8, 17), "Regresso no dia 17 de agosto."),
    ("cs", date(2026, 8, 15), "Jsem na dovolené do 14. srpna."),
    ("cs", date(2026, 8, 17), "Vrátím se 17.8.2026."),
]
SAYS_NOTHING = [
    "Thank you for contacting support. We have received your request 4711 on 4 August.",
    "I am away from 3 August. Call 22 33 44 55 between 8.30 and 15.00.",
    "Vielen Dank. Ich bin derzeit nicht erreichbar.",
]
GONE = [
    "I no longer work at Acme. Please contact anna@x.no.",
    "Anna Berg has left the company. Contact post@x.no",
    "Jeg har sluttet i Acme AS. Ta kontakt med ola@x.no",
    "Kari jobber ikke lenger i Acme.",
    "Jag arbetar inte längre på Acme, kontakta info@x.se",
    "Jag har slutat på Acme.",
    "Jeg arbejder ikke længere hos Acme",
    "En ole enää töissä yrityksessä.",
    "Herr Müller ist nicht mehr für Acme tätig. Bitte wenden Sie sich an info@x.de",
    "Je ne travaille plus chez Acme.",
    "Ya no trabajo en Acme.",
    "Non lavoro più in Acme",
    "Ik werk niet meer bij Acme.",
    "Już nie pracuję w Acme.",
]


@pytest.mark.parametrize(("tongue", "day", "text"), RETURNS)
def test_the_day_of_return_is_found(tongue: str, day: date, text: str) -> None:
    found = read(text, today=TODAY)
    assert (found.returns, found.gone) == (day, False), tongue


def test_the_notices_are_in_more_than_ten_languages() -> None:
    assert len({tongue for tongue, _, _ in RETURNS}) > 10


@pytest.mark.parametrize("text", SAYS_NOTHING)
def test_what_is_not_stated_is_not_found(text: str) -> None:
    assert read(text, today=TODAY) == Absence()


@pytest.mark.parametrize("text", GONE)
def test_who_has_left_is_gone(text: str) -> None:
    found = read(text, today=TODAY)
    assert (found.gone, found.returns) == (True, None)


def test_a_colleague_who_has_left_does_not_make_the_writer_gone() -> None:
    found = read("Anna no longer works here. I am back on 17 August.", today=TODAY)
    assert (found.gone, found.returns) == (False, date(2026, 8, 17))


def test_the_addresses_to_write_to_instead_are_named_and_a_signature_is_not() -> None:
    text = (
        "I am away until 14 August. Please contact Ola.Moe@acme.example or post@acme.example.\n\n"
    )
    found = read(text + "Kari Berg\nAcme\nkari@acme.example", today=TODAY)
    assert found.instead == ("ola.moe@acme.example", "post@acme.example")


@given(text=st.text(max_size=400), day=st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_no_text_raises(text: str, day: date) -> None:
    read(text, today=day)


@given(
    text=st.lists(st.sampled_from(["uke", "34", "12.", "/", "-", "til", "2026", "back", "august"])),
    day=st.dates(date(2024, 1, 1), date(2034, 1, 1)),
)
def test_no_row_of_date_words_raises(text: list[str], day: date) -> None:
    read(" ".join(text), today=day)
