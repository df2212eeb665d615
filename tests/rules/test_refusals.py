"""Why a server refused, told from what servers are known to say."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.refusals import classify

SAID: dict[str, str] = tomllib.loads(Path(__file__).with_name("refusals.toml").read_text("utf-8"))
TABLE = [(name, line) for name, lines in SAID.items() for line in lines.strip().splitlines()]


@pytest.mark.parametrize(("name", "said"), TABLE)
def test_what_servers_say(name: str, said: str) -> None:
    assert classify(None, said)[0] == name


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("5.1.1", "hard"), ("5.1.2", "hard"), ("5.1.3", "hard"), ("5.1.6", "hard"),
        ("5.1.10", "hard"), ("5.2.1", "hard"), ("5.4.4", "hard"), ("5.2.2", "mailbox_full"),
        ("4.2.2", "mailbox_full"), ("5.7.1", "policy"), ("5.7.26", "policy"), ("5.1.8", "policy"),
        ("5.6.0", "policy"), ("4.7.1", "policy"), ("4.4.1", "transient"), ("4.4.7", "transient"),
        ("5.4.7", "transient"), ("4.0.0", "transient"), ("5.3.4", "other"), ("5.4.6", "transient"),
        ("5.5.2", "other"), ("5.0.0", "other"), (None, "other"),
    ],
)  # fmt: skip
def test_codes_decide_where_words_are_silent(status: str | None, name: str) -> None:
    assert classify(status, "")[0] == name


def test_a_host_an_address_or_a_link_is_not_a_reason() -> None:
    said = "host spam.blocked.example[203.0.113.1] said: 550 <full@quota.example> User unknown"
    assert classify("5.1.1", f"{said} https://quota.example/mailbox-full")[0] == "hard"


def test_words_that_a_later_attempt_may_mend_are_not_hard() -> None:
    assert classify("4.1.1", "450 4.1.1 User unknown")[0] == "transient"


@given(status=st.none() | st.text(max_size=12), said=st.text(max_size=300))
def test_any_words_have_a_class(status: str | None, said: str) -> None:
    name, why = classify(status, said, said)
    assert name in SAID
    assert why
