"""The prospect of the sandbox: replies like a mail program's, answers that mean something."""

from datetime import UTC, date, datetime
from email.message import EmailMessage

import pytest

from orchestrator.errors import BadInput
from orchestrator.rules import meaning
from orchestrator.sandbox.mailbox import Mail
from orchestrator.sandbox.prospect import Prospect, compose_reply
from orchestrator.sandbox.screens import SUGGESTIONS, mail_frame

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def mail(**headers: str) -> Mail:
    """A mail of Kari's to Ola, with a pixel, a link and something nasty in its HTML."""
    made = EmailMessage()
    for name, value in {
        "From": "Kari Lunde <kari@fjordledger.example>",
        "To": "Ola Hansen <ola@acme.example>",
        "Subject": "Et spørsmål",
        "Date": "Tue, 24 Nov 2026 09:00:00 +0000",
        "Message-ID": "<two@fjordledger.example>",
        **headers,
    }.items():
        made[name] = value
    made.set_content("Hei, Ola.\n\nEr dette noe for dere?\n")
    made.add_alternative(
        '<p onclick="evil()">Hei <a href="http://127.0.0.1:1/c/x?a=1&amp;b=2">les mer</a></p>'
        '<script>evil()</script><img src="http://127.0.0.1:1/o/x.gif">',
        subtype="html",
    )
    return Mail("1-2-3", "kari@fjordledger.example", ("ola@acme.example",), made.as_bytes())


def test_a_reply_is_threaded_and_quoted() -> None:
    reply = compose_reply(mail(References="<one@fjordledger.example>"), "Ja takk", now=NOW)
    assert reply["From"] == "Ola Hansen <ola@acme.example>"
    assert reply["To"] == "Kari Lunde <kari@fjordledger.example>"
    assert reply["Subject"] == "Re: Et spørsmål"
    assert reply["In-Reply-To"] == "<two@fjordledger.example>"
    assert reply["References"] == "<one@fjordledger.example> <two@fjordledger.example>"
    assert reply["Message-ID"].endswith("@acme.example>")
    text = reply.get_content()
    assert text.startswith("Ja takk\n\nOn Tue, 24 Nov 2026")
    assert "> Er dette noe for dere?" in text


def test_a_reply_to_a_reply_says_re_once() -> None:
    assert compose_reply(mail(Subject="Re: RE: hello"), "x", now=NOW)["Subject"] == "Re: hello"


@pytest.mark.parametrize("language", SUGGESTIONS)
def test_the_suggested_answers_mean_what_they_say(language: str) -> None:
    read = [meaning.read(words, today=date(2026, 11, 24)) for words in SUGGESTIONS[language]]
    assert [verdict.meaning for verdict in read] == ["interested", "not_now", "stop"]


def test_what_a_reader_can_click_and_what_is_shown() -> None:
    found = mail()
    assert found.anchors == {"http://127.0.0.1:1/c/x?a=1&b=2": "les mer"}
    assert found.pixel_url == "http://127.0.0.1:1/o/x.gif"
    shown = bytes(mail_frame(found).body).decode()
    assert "les mer" in shown
    assert not any(bad in shown for bad in ("evil", "<script", "onclick", "<img"))


async def test_the_prospect_visits_this_service_only() -> None:
    someone = Prospect(base_url="http://127.0.0.1:2", smtp_host="127.0.0.1", smtp_port=1)
    for attempt in (someone.open(mail()), someone.click(mail()), someone.unsubscribe(mail())):
        with pytest.raises(BadInput):
            await attempt
