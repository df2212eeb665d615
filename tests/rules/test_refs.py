"""Which messages a mail answers, from its header alone."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.refs import refs


def test_both_fields_folded_and_each_id_once() -> None:
    raw = (
        b"From: a\r\nIn-Reply-To: <one@x>\r\nreferences: <zero@x>\r\n\t<one@x>\r\n <two@x>\r\n"
        b"Subject: s\r\n\r\nReferences: <body@x>\r\n"
    )
    assert refs(raw) == ["<one@x>", "<zero@x>", "<two@x>"]


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert all("\0" not in one for one in refs(b"References: <" + raw + b">\n\n"))
