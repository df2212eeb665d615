"""Meanings of short answers, as a table; a stop always wins."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.dates import find_date
from orchestrator.rules.meaning import read

TODAY = date(2026, 11, 24)

TABLE = [
    ("interested", None, "Ja gjerne, fortell mer!"),
    ("interested", None, "Hi Kari,\n\nYes, sounds good. Can we talk next week?"),
    ("interested", None, "Spennende, ja takk"),
    ("interested", None, "Låter intressant, berätta mer"),
    ("interested", None, "Lyder spændende, ring til mig"),
    ("interested", None, "Klingt gut, erzählen Sie mir mehr"),
    ("interested", None, "Would you call me on Thursday? I’d love to hear more"),
    ("interested", None, "Ja"),
    ("interested", None, "Yes please!"),
    ("interested", None, "Ja, fortell gjerne mer om dette."),
    ("interested", None, "Vi vil gjerne høre mer."),
    ("interested", None, "Ja, berätta gärna mer om det här"),
    ("interested", None, "Sehr gerne!"),
    ("interested", None, "Thanks for your email, this looks very interesting."),
    ("no", None, "Nei takk, ikke aktuelt."),
    ("no", None, "Not interested, thanks"),
    ("no", None, "Nej tack"),
    ("no", None, "Kein Interesse"),
    ("no", None, "Vi har allerede en løsning"),
    ("stop", None, "Stopp"),
    ("stop", None, "Please remove me from your list"),
    ("stop", None, "Don't contact me again"),
    ("stop", None, "Sluta mejla mig"),
    ("stop", None, "Afmeld mig venligst"),
    ("stop", None, "Bitte keine weiteren E-Mails"),
    ("stop", None, "Ja, slett meg fra listen"),
    ("stop", None, "Yes please unsubscribe me, sounds great, let's talk"),
    ("not_now", date(2027, 3, 1), "Not now, come back in March"),
    ("not_now", date(2027, 2, 1), "Ikke nå. Ta kontakt igjen i februar"),
    ("not_now", date(2026, 12, 8), "Try again in 2 weeks"),
    ("not_now", date(2027, 1, 15), "Passer dårlig nå, prøv etter 15. januar"),
    ("not_now", date(2027, 4, 1), "Derzeit nicht, melden Sie sich im April wieder"),
    ("not_now", None, "Not now."),
    ("unclear", None, ""),
    ("question", None, "Who are you?"),
    ("unclear", None, "Ok"),
    ("unclear", None, "Yes, but it is not for us"),
    ("unclear", None, "No thanks, maybe next year"),
    ("unclear", None, "I'm not sure this sounds interesting"),
    ("wrong_person", None, "Videresendt til Per"),
    ("unclear", None, "Sounds good. " + "And a long story. " * 100),
]


# Each of these was once read as interest: what nobody labelled as automatic, and what is a no.
NO_INTEREST = [
    "Hi, I am out until Monday. For urgent matters please call me on +47 999.",
    "Thank you for your mail. We would love to hear more; a colleague will get back to you.",
    "I no longer handle this. Anna Berg would be interested, write to her.",
    "Yes hello, your request has been received and given number 4711.",
    "Takk for henvendelsen. Ring gjerne 22 33 44 55 hvis det haster.",
    "Tak for din mail. Ring gerne til vores reception.",
    "Tack för ditt mejl! Ring gärna växeln vid brådskande ärenden.",
    "Hei! Jeg er i ferie. Ta gjerne kontakt med Ola.",
    "Sure, I'd rather you stopped.",
    "Yes I am sure this is a waste of time",
    "Yes, and I have told you twice to go away",
    "I'm interested in you never writing again",
    "Sounds like a scam.",
    "Call me again and I will call the police",
    "Tell me more about how you got my address, under GDPR art 15",
    "Of course not.",
    "Absolutely no chance.",
    "Absolutt ikke!",
    "Klart nei.",
    "Ja, slutt med dette.",
    "Ring meg aldri igjen",
    "Gerne nicht",
]


@pytest.mark.parametrize("text", NO_INTEREST)
def test_what_is_not_plain_interest_earns_no_call(text: str) -> None:
    """L1: whatever leaves doubt waits for a person."""
    assert read(text, today=TODAY).meaning != "interested"


@pytest.mark.parametrize(("meaning", "until", "text"), TABLE)
def test_table(meaning: str, until: date | None, text: str) -> None:
    verdict = read(text, today=TODAY)
    assert (verdict.meaning, verdict.until) == (meaning, until), verdict.reasons


@given(before=st.text(max_size=300), after=st.text(max_size=300))
def test_a_stop_wins_whatever_stands_around_it(before: str, after: str) -> None:
    text = f"{before}\nplease remove me from your list\n{after}"
    assert read(text, today=TODAY).meaning == "stop"


@given(text=st.text(max_size=500))
def test_no_text_raises_and_no_date_is_past(text: str) -> None:
    verdict = read(text, today=TODAY)
    assert verdict.until is None or verdict.until > TODAY


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027-05-02", date(2027, 5, 2)),
        ("den 3.2.2027", date(2027, 2, 3)),
        ("after 24 november", date(2027, 11, 24)),
        ("i q2", date(2027, 4, 1)),
        ("om to uker", date(2026, 12, 8)),
        ("in einem monat", date(2026, 12, 24)),
        ("neste uke", date(2026, 11, 30)),
        ("over nyttår", date(2027, 1, 4)),
        ("31 february", None),
        ("in march or in april", None),
        ("you may ask in the office", None),
    ],
)
def test_dates(text: str, day: date | None) -> None:
    assert find_date(text, TODAY) == day
