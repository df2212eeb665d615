"""Which messages a mail answers, from its header alone."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.refs import refs, writer


def test_both_fields_folded_and_each_id_once() -> None:
    raw = (
        b"From: a\r\nIn-Reply-To: <one@x>\r\nreferences: <zero@x>\r\n\t<one@x>\r\n <two@x>\r\n"
        b"Subject: s\r\n\r\nReferences: <body@x>\r\n"
    )
    assert refs(raw) == ["<one@x>", "<zero@x>", "<two@x>"]


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert all("\0" not in one for one in refs(b"References: <" + raw + b">\n\n"))


def test_the_writer_is_the_address_in_from() -> None:
    assert writer(b'To: b@x\r\nFrom: "a@no.example (A)"\r\n <Ola@X.example>\r\n\r\nFrom: c@x') == (
        "ola@x.example"
    )
    assert writer(b"from: ola@x.example (Ola)\n\n") == "ola@x.example"
    assert writer(b"To: ola@x.example\n\nFrom: c@x") is None


@given(st.binary(max_size=2000))
def test_any_writer_is_read(raw: bytes) -> None:
    found = writer(b"From: " + raw)
    assert found is None or ("@" in found and "\0" not in found)
