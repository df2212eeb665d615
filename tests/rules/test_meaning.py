"""Meanings of short answers, as a table; a stop always wins."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import meaning
from orchestrator.rules.dates import find_date
from orchestrator.rules.meaning import Verdict, read
from orchestrator.rules.meaning_words import BadWords, check, extended
from tests.corpus.meanings import answers, said

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
    ("not_now", date(2027, 8, 15), "Ta gjerne kontakt igjen etter sommeren"),
    ("not_now", date(2027, 1, 4), "Melden Sie sich bitte nach den Ferien"),
    ("not_now", date(2027, 4, 1), "Not now, try again in Q2"),
    ("wrong_person", None, "Wrong person, please contact Anna Berg"),
    ("wrong_person", None, "Feil person. Snakk med Anna i økonomi."),
    ("wrong_person", None, "Fel person, kontakta Anna Berg istället"),
    ("wrong_person", None, "Jeg er ikke den rette, spørg Anna"),
    ("wrong_person", None, "Ich bin nicht zuständig, wenden Sie sich an Frau Kurz"),
    ("wrong_person", None, "Not my table, but Anna would love to hear more. Talk to her."),
    ("question", None, "Hva koster det?"),
    ("question", None, "How does it work with our ERP?"),
    ("question", None, "Was kostet das?"),
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


@pytest.mark.parametrize(
    ("text", "whom"),
    [
        ("Wrong person, please contact Anna Berg.", ("Anna Berg",)),
        ("Feil person, skriv til anna@acme.example", ("anna@acme.example",)),
        ("Ikke mitt bord. Ta heller kontakt med vår daglig leder Per Vik.", ("Per Vik",)),
        ("Fel person, prata med Eva (eva@acme.example)", ("Eva", "eva@acme.example")),
        ("Nicht zuständig. Wenden Sie sich bitte an Frau Kurz.", ("Kurz",)),
        ("I am not the right person.", ()),
    ],
)
def test_whom_to_ask_instead(text: str, whom: tuple[str, ...]) -> None:
    found = read(text, today=TODAY)
    assert (found.meaning, found.whom) == ("wrong_person", whom)


def test_what_they_ask() -> None:
    asks = read("Hei. Hva koster det? Og når kan dere begynne?", today=TODAY).asks
    assert asks == ("Hva koster det?", "Og når kan dere begynne?")


class Model:
    """A model that likes everything."""

    def read(self, text: str, *, today: date) -> Verdict:
        return Verdict("interested", reasons=("a model",))


def test_a_model_may_read_but_never_over_a_stop_nor_a_doubt() -> None:
    meaning.use(model=Model())
    try:
        assert read("Send over the thing", today=TODAY).meaning == "interested"
        assert read("Lovely. Remove me from your list.", today=TODAY).meaning == "stop"
        assert read("Call me, and the police", today=TODAY).meaning == "unclear"
    finally:
        meaning.use()
    assert read("Send over the thing", today=TODAY).meaning == "unclear"


def test_an_operators_own_words_are_added() -> None:
    own = (
        "[fi]\nstop = ['\\blopettakaa\\b']\nno = ['\\bei kiitos\\b']\n[en]\nno = ['\\bnuh-uh\\b']\n"
    )
    meaning.use(words=extended(own))
    try:
        assert read("Lopettakaa!", today=TODAY).meaning == "stop"
        assert read("Ei kiitos", today=TODAY).meaning == "no"
        assert read("nuh-uh", today=TODAY).meaning == "no"
        assert read("Not interested", today=TODAY).meaning == "no"
    finally:
        meaning.use()


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("[fi]\nstop = ['ok',\n '(b']\n", "line 3: `(b` is no regular expression"),
        ("[fi]\nstop = ['ok',\n '']\n", "line 3: `` fits every text"),
        ("[fi]\nno = ['x']\nnope = ['x']\n", "line 3: `nope` is unknown"),
        ("[fi]\n\nno = 3\n", "line 3: `no` must be a list"),
        ("stop = ['x']\n", "line 1: `stop` is no language's table"),
        ("[fi\n", "line 1"),
    ],
)
def test_faults_in_a_file_of_words_name_their_line(source: str, fault: str) -> None:
    with pytest.raises(BadWords) as raised:
        check(source)
    assert fault in str(raised.value)


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
        ("etter sommeren", date(2027, 8, 15)),
        ("after the summer", date(2027, 8, 15)),
        ("nach den ferien", date(2027, 1, 4)),
        ("efter semestern", date(2027, 8, 15)),
        ("efter påske", date(2027, 3, 30)),
        ("nach ostern", date(2027, 3, 30)),
        ("etter jul", date(2027, 1, 4)),
        ("in the autumn", date(2027, 9, 1)),
        ("til høsten", date(2027, 9, 1)),
        ("uke 3", date(2027, 1, 18)),
        ("in kw 34", date(2027, 8, 23)),
        ("in three weeks", date(2026, 12, 15)),
        ("om fem dager", date(2026, 11, 29)),
        ("på mandag", date(2026, 11, 30)),
        ("andre kvartal", date(2027, 4, 1)),
        ("im dritten quartal", date(2027, 7, 1)),
        ("etter 12/1", date(2027, 1, 12)),
        ("in march or in april", None),
        ("you may ask in the office", None),
    ],
)
def test_dates(text: str, day: date | None) -> None:
    assert find_date(text, TODAY) == day


@pytest.mark.parametrize("subject", ["STOP", "Unsubscribe", "Meld meg av", "Stop: no more mail"])
def test_a_subject_of_their_own_may_say_stop(subject: str) -> None:
    assert meaning.stop_in_subject(subject)
    assert not meaning.stop_in_subject(f"Re: {subject}")
    assert not meaning.stop_in_subject(subject, [subject.upper()])


def test_what_is_behind_the_limit_leaves_no_interest() -> None:
    assert read("Yes, tell me more." + " " * 4000 + "No, rather not.", today=TODAY).meaning == (
        "unclear"
    )


@pytest.mark.parametrize(
    "text",
    [
        # Robots: challenges, quarantines, assistants.
        "I'd like to hear more from you. Verification: yes please fill in the form.",
        "Your message is held for review. Click yes to release. Tell me more: https://a.example",
        "Hi, Clara here, Ola's virtual assistant. Ola would be happy to have a call.",
        "Please confirm your e-mail address. Yes, I'm interested.",
        # Away, in a human tone and without a header that says so.
        "Sunning myself in Spain. Sounds interesting, I'd love to hear more when I return.",
        "Jeg er i fjellet. Fortell meg gjerne mer når jeg kommer tilbake.",
        "Ja takk til kaffe når jeg er tilbake, er i foreldreperm.",
        "Låter spännande! Berätta mer när jag är tillbaka.",
        "Klingt spannend, sobald ich wieder da bin.",
        # What only sounds like it.
        "Sure, tell me more about how you got my address.",
        "We were interested last year but went with another vendor.",
        "Yes, I'm interested in selling you our services instead.",
    ],
)
def test_what_a_robot_writes_or_irony_opens_nothing(text: str) -> None:
    assert read(text, today=TODAY).meaning != "interested"


@pytest.mark.parametrize(
    "text", ["Ich melde mich.", "Wir melden uns", "Melde mich danach", "Tragen Sie mich gerne ein"]
)
def test_who_will_get_in_touch_has_not_opted_out(text: str) -> None:
    assert read(text, today=TODAY).meaning != "stop"


@pytest.mark.parametrize(
    "text", ["Melden Sie mich ab", "Bitte tragen Sie mich aus", "Nehmen Sie uns da raus"]
)
def test_who_signs_off_in_german_has(text: str) -> None:
    assert read(text, today=TODAY).meaning == "stop"


PARTS = [(part, wanted) for part, entry in answers().items() for wanted in entry]


@pytest.mark.parametrize(("part", "wanted"), PARTS)
def test_answers_written_apart_are_read_right_or_left_to_a_person(part: str, wanted: str) -> None:
    """The figures before mending are in docs/engagement.md."""
    texts = answers()[part][wanted]
    read = [(said(one), one) for one in texts]
    assert sum(found == wanted for found, _ in read) >= len(texts) * 0.9, read
    others = {wanted, "unclear", "question", "wrong_person" if wanted == "not_now" else wanted}
    assert [(found, one) for found, one in read if found not in others] == []
