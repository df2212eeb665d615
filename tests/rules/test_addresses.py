"""One spelling of an address, and never two readings of one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.email.address import canonical_address, is_canonical
from orchestrator.rules import addresses, places

NEARLY = st.text(alphabet="abzAZ019.-_+@ <>,;:\"'()\r\n\t\0%!ø=xn", max_size=40)
ADDRESSES = st.builds(
    lambda local, domain: f"{local}@{domain}",
    st.text(alphabet="abAB09._+-'ø", min_size=1, max_size=66),
    st.text(alphabet="abAB09.-xnø", min_size=1, max_size=70),
)


def _or_none(read: object, text: str) -> str | None:
    try:
        return read(text)  # type: ignore[operator, no-any-return]
    except ValueError:
        return None


@given(NEARLY | ADDRESSES)
@example("a@ab--c.no")
@example("a@xn--zzzz.no")
@example("Ola@Acme.NO")
@example("\u212aari@acme.no")  # the Kelvin sign folds to k
@example("a" * 64 + "@" + "b" * 63 + ".no")
@example("a" * 65 + "@b.no")
def test_the_short_way_says_what_the_channel_says(text: str) -> None:
    assert _or_none(addresses.email, text) == _or_none(canonical_address, text)


@given(NEARLY | ADDRESSES)
def test_what_is_taken_is_canonical_and_stays_so(text: str) -> None:
    taken = _or_none(addresses.email, text)
    if taken is not None:
        assert is_canonical(taken)
        assert addresses.email(taken) == taken


@pytest.mark.parametrize(
    "text",
    [
        "Foo <victim@x.io>@evil.io",
        "b@x.io>\r\nRCPT TO:<c@y.io>",
        "a@x.io SIZE=1",
        "b@x.io, c@y.io",
        "b@x.io;c@y.io",
        '"a b"@x.io',
        "@relay.io:a@x.io",
        "a(comment)@x.io",
        "a@[127.0.0.1]",
        "a@localhost",
        "æ@x.io",
        "a@x.io\0",
        "",
        "@",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        addresses.email(text)


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (addresses.email, " Kari@Rør.no ", "kari@xn--rr-lka.no"),
        (addresses.domain, "https://www.Acme.no/about", "acme.no"),
        (places.country, "Norge", "NO"),
        (places.country, "NOR", "NO"),
        (places.country, "Tyskland", "DE"),
        (places.country, "UK", "GB"),
        (places.language, "Norwegian", "nb"),
        (places.language, "no", "nb"),
        (places.language, "nb-NO", "nb"),
        (places.language, "svenska", "sv"),
        (places.language, "en_GB", "en"),
        (places.zone, "Oslo", "Europe/Oslo"),
        (places.zone, "europe/stockholm", "Europe/Stockholm"),
        (places.zone, "New York", "America/New_York"),
    ],
)
def test_spellings(read: object, text: str, expected: str) -> None:
    assert read(text) == expected  # type: ignore[operator]


@pytest.mark.parametrize("read", [places.country, places.language, places.zone, addresses.domain])
@given(text=st.text(max_size=30))
def test_nonsense_is_refused_and_never_crashes(read: object, text: str) -> None:
    _or_none(read, text)


def test_phone_numbers_need_a_country_or_a_plus() -> None:
    assert addresses.phone("22 33 44 55", "NO") == "+4722334455"
    assert addresses.phone("+46 8 123 456 78", None) == "+46812345678"
    with pytest.raises(ValueError, match=r"\+47"):
        addresses.phone("22 33 44 55", None)
    with pytest.raises(ValueError, match="in use"):
        addresses.phone("123", "NO")


def test_nobody_works_at_gmail() -> None:
    assert addresses.company_domain("ola@gmail.com") is None
    assert addresses.company_domain("ola@acme.no") == "acme.no"
