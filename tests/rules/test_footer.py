"""The footer in five languages."""

from typing import Any

import pytest

from orchestrator.rules.footer import Footer, footer


def made(language: str, **values: Any) -> Footer:
    known: dict[str, Any] = {
        "sender_name": "Kari Nordmann",
        "organisation": "Acme AS",
        "postal_address": "Storgata 1, 0155 Oslo",
        "company": "Hansen <Regnskap>",
        "about": "",
        "page_url": "https://a.example/p/x?y=1&z=2",
        "unsubscribe_url": "https://a.example/u/x",
    }
    return footer(language, **known | values)


@pytest.mark.parametrize("language", ["nb", "nn", "no", "sv", "da", "en", "de", "nb-NO", "fr", ""])
def test_it_says_who_why_and_how_to_say_no(language: str) -> None:
    one = made(language)
    signature, who, why, no, stop = one.text.split("\n")
    assert signature == "-- "
    assert who == "Kari Nordmann, Acme AS, Storgata 1, 0155 Oslo"
    assert "Hansen <Regnskap>" in why
    assert no.endswith(": https://a.example/p/x?y=1&z=2")
    assert stop.endswith(": https://a.example/u/x")
    assert "Hansen &lt;Regnskap&gt;" in one.html
    assert 'href="https://a.example/p/x?y=1&amp;z=2"' in one.html
    assert len(one.text) < 420


def test_a_reason_written_as_one_is_used() -> None:
    one = made("nb", about="Fordi dere fører bøker for andre.")
    assert "Jeg skriver til deg fordi dere fører bøker for andre." in one.text


def test_whoever_answered_knows_why() -> None:
    assert "I write to you" not in made("en", answered=True).text
    assert len(made("en", answered=True).text.split("\n")) == 4


def test_a_note_among_colleagues_is_not_shown() -> None:
    assert "voucher" not in made("en", about="Offices that still key in vouchers").text
    assert "fordi" not in made("en", about="fordi dere fører bøker").text


def test_nothing_is_left_where_nothing_is_known() -> None:
    one = made("en", organisation="", postal_address="", company=None)
    assert one.text.split("\n")[1:3] == [
        "Kari Nordmann",
        "I write to you because I think this concerns your work.",
    ]
