"""Which command was refused, and what follows for the class of a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.refusals import classify
from orchestrator.rules.mail.stage import refused_at

UNKNOWN = "550 user unknown"


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("host mx said: 550 no (in reply to RCPT TO command)", "rcpt"),
        ("host mx said: 550 no (in reply to MAIL FROM command)", "mail"),
        ("host mx said: 550 no (in reply to end of DATA command)", "data"),
        ("host mx said: 550 no (in reply to HELO command)", "helo"),
        ("host mx refused to talk to me: 554 no", "greeting"),
        ("SMTP error from remote mail server after initial connection: 554 no", "greeting"),
        ("SMTP error from remote mail server after pipelined MAIL FROM:<a@b.c>: 550 no", "mail"),
        ("SMTP error from remote mail server after end of data: 550 no", "data"),
        ("Connected to 192.0.2.1 but my name was rejected.", "helo"),
        ("Connected to 192.0.2.1 but sender was rejected.", "mail"),
        ("192.0.2.1 does not like recipient.", "rcpt"),
        ("192.0.2.1 failed after I sent the message.", "data"),
        (">>> DATA\n<<< 550 user unknown\n", "data"),
        (">>> DATA\n<<< 550 user unknown\n<<< 503 5.0.0 Need RCPT (recipient)\n", "rcpt"),
        (">>> DATA\n<<< 550 user unknown\n<<< 554 5.5.1 Error: no valid recipients\n", "rcpt"),
        (">>> MAIL From:<a@b.c>\n<<< 550 no\n", "mail"),
        ("we sent data to them and it was refused", None),
        ("", None),
    ],
)
def test_the_command_that_was_refused(text: str, stage: str | None) -> None:
    assert refused_at("", text) == stage


def test_what_is_said_of_this_recipient_comes_first() -> None:
    said = "550 (in reply to end of DATA command)"
    assert refused_at(said, "550 (in reply to RCPT TO command)") == "data"


def test_two_stages_in_one_report_say_nothing_of_either_recipient() -> None:
    text = "550 (in reply to RCPT TO command)\n554 (in reply to end of DATA command)"
    assert refused_at("550 user unknown", text) is None
    assert classify("5.1.1", UNKNOWN, text)[0] == "hard"


@pytest.mark.parametrize(
    ("where", "said", "name"),
    [
        ("RCPT TO", UNKNOWN, "hard"),
        ("MAIL FROM", UNKNOWN, "policy"),
        ("HELO", "501 invalid domain", "policy"),
        ("end of DATA", UNKNOWN, "policy"),
        ("end of DATA", "554 this user doesn't have an account here", "hard"),
        ("end of DATA", "554 this mailbox is disabled", "hard"),
        ("end of DATA", "552 mailbox full", "mailbox_full"),
        ("MAIL FROM", "550 no", "policy"),
        ("RCPT TO", "550 no", "other"),
        ("MAIL FROM", "452 too many messages, try again later", "transient"),
    ],
)
def test_what_was_refused_decides_about_what_the_words_mean(
    where: str, said: str, name: str
) -> None:
    assert classify(None, said, f"{said} (in reply to {where} command)")[0] == name


@given(said=st.text(max_size=300), text=st.text(max_size=300))
def test_any_words_have_a_stage_or_none(said: str, text: str) -> None:
    assert refused_at(said, text) in ("greeting", "helo", "mail", "rcpt", "data", None)
