"""A stored link is followed only when a browser reads it the way we do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.redirect import followable


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt://x/%0aalert(1)",
        "data:text/html,hello",
        "//evil.example/",
        "///evil.example/",
        "https:evil.example",
        "https:///evil.example",
        "http:\\\\evil.example",
        "https://good.example\\@evil.example/",
        "https://user:secret@evil.example/",
        "https://good.example@evil.example/",
        "https://good.example/\r\nSet-Cookie: a=b",
        "https://good.example/a b",
        "https://good.example/\tb",
        " https://good.example/",
        "https://good.example:99999/",
        "https://good.example:0/",
        "https://[::1/",
        "ftp://good.example/",
        "mailto:someone@good.example",
        "/relative",
        "",
        "https://",
        "https://good.example/\u2028x",
    ],
)
def test_refused(url: str) -> None:
    assert followable(url) is None


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://good.example", "https://good.example"),
        (
            "http://good.example:8080/a;b?c=d&e=%C3%A5#f",
            "http://good.example:8080/a;b?c=d&e=%C3%A5#f",
        ),
        (
            "https://good.example/på?navn=blåbær",
            "https://good.example/p%C3%A5?navn=bl%C3%A5b%C3%A6r",
        ),
        ("https://blåbær.example/", "https://xn--blbr-roah.example/"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
    ],
)
def test_followed(url: str, target: str) -> None:
    assert followable(url) == target


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda rest: "https://good.example/" + rest))
def test_what_is_followed_fits_in_a_header(url: str) -> None:
    target = followable(url)
    if target is not None:
        assert target.isascii()
        assert target.isprintable()
        assert " " not in target
        assert target.startswith(("http://", "https://"))
