"""Who wants no more mail is understood in five languages, and nobody else is taken for them."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.rules import meaning, opt_out
from orchestrator.rules.footer import footer
from orchestrator.rules.mail.quotes import written
from orchestrator.rules.meaning_words import shipped
from tests.corpus.opt_out import PARTS, sentences, stops

TODAY = date(2026, 11, 24)
SAID = [(tongue, one) for tongue, entry in sentences().items() for one in entry["stop"]]
TRAPS = [(tongue, one) for tongue, entry in sentences().items() for one in entry["trap"]]


def test_the_set_is_as_large_as_promised() -> None:
    assert len(SAID) >= 300
    assert len(TRAPS) >= 80
    assert {tongue for tongue, _ in SAID} == {"en", "nb", "sv", "da", "de"}


def test_nearly_every_wish_to_stop_is_understood() -> None:
    missed = [one for _, one in SAID if not stops(one)]
    assert len(missed) <= len(SAID) // 100, missed


def test_no_trap_is_taken_for_a_wish_to_stop() -> None:
    assert [one for _, one in TRAPS if stops(one)] == []


@pytest.mark.parametrize("part", PARTS)
def test_sentences_written_later_are_understood_now(part: str) -> None:
    """Each was first read by rules that had not seen it (docs/engagement.md has the figures)."""
    every = sentences().values()
    assert all(len(entry[part]) >= 8 for entry in every)
    missed = [one for entry in every for one in entry[part] if not stops(one)]
    assert len(missed) <= sum(len(entry[part]) for entry in every) // 50, missed
    assert [one for entry in every for one in entry[f"{part}_trap"] if stops(one)] == []


def test_what_is_missed_never_earns_a_call() -> None:
    """L1 and L4: a wish to stop that is not understood waits for a person; it opens nothing."""
    every = [o for entry in sentences().values() for part in ("stop", *PARTS) for o in entry[part]]
    read = {one: meaning.read(one, today=TODAY).meaning for one in every}
    assert [one for one, said in read.items() if said in ("interested", "not_now")] == []


@pytest.mark.parametrize("before", ["Sounds great, call me! ", "Not now, try again in March. "])
def test_words_of_a_wish_to_stop_earn_nothing_even_where_they_are_none(before: str) -> None:
    """Whatever carries such words beside interest or a date is at most for a person to read."""
    every = [o for entry in sentences().values() for part in ("stop", *PARTS) for o in entry[part]]
    read = {one: meaning.read(before + one, today=TODAY).meaning for one in every}
    assert [one for one, said in read.items() if said in ("interested", "not_now")] == []


@pytest.mark.parametrize(
    "text",
    [
        "I don't want a long contract, can you send me more about monthly plans?",
        "Bitte nehmen Sie auch meine Kollegin in den Verteiler auf.",
    ],
)
def test_ordinary_business_is_no_wish_to_stop(text: str) -> None:
    """Both were found when 28 answers of everyday business were read."""
    assert not stops(text)


@pytest.mark.parametrize("language", ["en", "nb", "sv", "da", "de"])
@pytest.mark.parametrize("answer", ["", "Ja takk.\n"])
def test_our_own_footer_quoted_is_no_wish_of_theirs(language: str, answer: str) -> None:
    ours = footer(
        language,
        sender_name="Kari Berg",
        organisation="Acme AS",
        postal_address="Gata 1, Oslo",
        company="Vik AS",
        about="",
        page_url="https://a.example/p/x",
        unsubscribe_url="https://a.example/u/x",
    )
    marked = "\n".join(f"> {line}" for line in ours.text.splitlines())
    assert not stops(written(f"{answer}\n{marked}"))
    assert not stops(written(f"{answer}\n{ours.text}", sent=[ours.text]))
    assert not stops(answer + ours.text)  # even where nothing was recognised as quoted


@pytest.mark.parametrize("tongue", ["en", "nb", "sv", "da", "de"])
def test_capitals_and_missing_accents_make_no_difference(tongue: str) -> None:
    for one in sentences()[tongue]["stop"]:
        assert stops(one.upper()) == stops(one), one
        assert stops(opt_out.plain(one)) == stops(one), one


@settings(deadline=None)  # a hundred sentences each time, on a machine that does other things too
@given(before=st.sampled_from(["Ja takk!", "Sounds great, call me.", "Sehr gerne."]))
def test_a_stop_wins_over_interest(before: str) -> None:
    for _, one in SAID[::7]:
        assert stops(f"{before}\n{one}"), one


@given(text=st.text(max_size=400))
def test_no_text_raises(text: str) -> None:
    opt_out.signs(text, shipped().stops)


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_wish_at_either_end_of_a_long_letter_counts(where: str) -> None:
    letter = "We make doors, and our doors are made of wood. " * 400
    wish = "Please take me off your list."
    assert not stops(letter)
    assert stops(f"{wish}\n{letter}" if where == "first" else f"{letter}\n{wish}")


@pytest.mark.parametrize(
    ("said", "stop"),
    [
        ("Please don't forget to remove me from your list.", True),
        ("Ikke glem å slette meg fra lista.", True),
        ("Glöm inte att ta bort mig från listan.", True),
        ("Glem ikke at fjerne mig fra listen.", True),
        ("Vergessen Sie nicht, mich zu löschen.", True),
        ("Please don't hesitate to contact me again.", False),
        ("Nøl ikke med å kontakte meg.", False),
        ("Tveka inte att kontakta mig.", False),
        ("Tøv ikke med at kontakte mig.", False),
        ("Zögern Sie nicht, mich zu kontaktieren.", False),
    ],
)
def test_two_denials_are_none(said: str, stop: bool) -> None:
    assert stops(said) == stop
