"""Who wrote in somebody's thread from an address that no prospect has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.writers import Owner, bare, who_wrote

OLA = Owner("Ola", "Håkonsen", ("ola@acme.example",), "acme.example")
SHARED = Owner("", "", ("post@acme.example",), None)
AT_GMAIL = Owner("Ola", "Håkonsen", ("ola.h@gmail.com",), None)
ONE_NAME = Owner("Ola", "", ("ola@acme.example",), "acme.example")


@pytest.mark.parametrize(
    ("owner", "address", "name", "expected"),
    [
        (OLA, "ola+news@acme.example", "", "theirs"),
        (Owner("", "", ("ola+x@acme.example",)), "ola@acme.example", "", "theirs"),
        (AT_GMAIL, "olah@googlemail.com", "", "theirs"),
        (OLA, "ola.hakonsen@acme.example", "", "theirs"),
        (OLA, "hakonsen_ola@mail.acme.example", "", "theirs"),
        (OLA, "ohakonsen@acme.example", "", "theirs"),
        (OLA, "olah@acme.example", "", "theirs"),
        (OLA, "x17@private.example", "Ola Håkonsen", "theirs"),
        (OLA, "x17@private.example", "HAKONSEN, Ola (Oslo)", "theirs"),
        (OLA, "olahakonsen@gmail.com", "", "theirs"),
        (SHARED, "kari@acme.example", "Kari Lie", "theirs"),
        (OLA, "kari@acme.example", "Kari Lie", "colleague"),
        (OLA, "post@acme.example", "Acme AS", "colleague"),
        (OLA, "kari@oslo.acme.example", "Ola", "colleague"),
        (ONE_NAME, "o@acme.example", "Ola", "colleague"),
        (OLA, "ohakonsen@private.example", "", "stranger"),  # too many have that initial
        (OLA, "kari@notacme.example", "Kari Lie", "stranger"),
        (ONE_NAME, "ola@private.example", "Ola", "stranger"),
        (AT_GMAIL, "kari@gmail.com", "Kari Lie", "stranger"),  # no company is called gmail.com
        (Owner(), "kari@acme.example", "Kari Lie", "stranger"),
        (OLA, None, "Ola Håkonsen", "stranger"),
        (OLA, "nonsense", "Ola Håkonsen", "stranger"),
    ],
)
def test_who_wrote(owner: Owner, address: str | None, name: str, expected: str) -> None:
    writer, told = who_wrote(address, name, owner)
    assert writer == expected
    assert told


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_mail_says_of_itself_is_told_apart(
    address: str, name: str, first: str, last: str
) -> None:
    owner = Owner(first, last, ("ola@acme.example",), None)
    assert who_wrote(address, name, owner)[0] in ("theirs", "colleague", "stranger")
    assert bare(bare(address)) == bare(address)
